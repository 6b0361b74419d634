;; Logs a line that is no UTF-8.
(import "strongroom:plugin/log@0.1.0" "emit" (func $emit (param i32 i32 i32 i32 i32)))
(data (i32.const 1100) "\ff\fe")
(func $describing)
(func $act (result i32)
  (call $emit (i32.const 1) (i32.const 1100) (i32.const 2) (i32.const 0) (i32.const 0))
  (i32.const 0))
