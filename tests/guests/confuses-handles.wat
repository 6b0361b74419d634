;; Reads from the end of a pipe that is for writing.
(import "strongroom:plugin/streams@0.1.0" "pipe" (func $pipe (param i32)))
(import "strongroom:plugin/streams@0.1.0" "[method]input-stream.read" (func $read (param i32 i32 i32)))
(func $describing)
(func $act (result i32)
  (call $pipe (i32.const 8192))
  (call $read (i32.load (i32.const 8196)) (i32.const 10) (i32.const 8300))
  (i32.const 8300))
