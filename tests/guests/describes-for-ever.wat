;; Never comes to an end of describing itself.
(func $describing (loop $again (br $again)))
(func $act (result i32) (i32.const 0))
