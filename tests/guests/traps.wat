;; Says why and breaks.
(import "strongroom:plugin/log@0.1.0" "emit" (func $emit (param i32 i32 i32 i32 i32)))
(func $describing)
(data (i32.const 1100) "index out of bounds")
(func $act (result i32)
  (call $emit (i32.const 3) (i32.const 1100) (i32.const 19) (i32.const 0) (i32.const 0))
  (unreachable))
