;; Computes without end.
(func $describing)
(func $act (result i32) (loop $again (br $again)) (unreachable))
