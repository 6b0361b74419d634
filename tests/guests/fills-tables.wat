;; Grows a table until it is refused, then aborts.
(table $functions 1 funcref)
(func $describing)
(func $act (result i32)
  (loop $again (br_if $again (i32.ne (table.grow $functions (ref.null func) (i32.const 50000)) (i32.const -1))))
  (unreachable))
