;; Calls itself without end.
(func $describing)
(func $act (result i32) (call $act))
