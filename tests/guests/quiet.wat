;; Does nothing.
(func $describing)
(func $act (result i32) (i32.const 0))
