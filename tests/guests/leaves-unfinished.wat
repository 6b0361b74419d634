;; Submits what comes out of a pipe, and forgets to finish the pipe.
(import "strongroom:plugin/streams@0.1.0" "pipe" (func $pipe (param i32)))
(import "strongroom:plugin/snapshot@0.1.0" "submit"
  (func $submit (param i32 i32 i32 i32 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
(func $describing)
(data (i32.const 1100) "made")
(func $act (result i32)
  (call $pipe (i32.const 8192))
  (call $submit (i32.const 1100) (i32.const 4) (i32.load (i32.const 8200))
    (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
    (i32.const 0) (i32.const 0) (i32.const 8300))
  (select (i32.const 8300) (i32.const 0) (i32.load8_u (i32.const 8300))))
