;; Logs a line that lies beyond its memory.
(import "strongroom:plugin/log@0.1.0" "emit" (func $emit (param i32 i32 i32 i32 i32)))
(func $describing)
(func $act (result i32)
  (call $emit (i32.const 1) (i32.const -100) (i32.const 200) (i32.const 0) (i32.const 0))
  (i32.const 0))
