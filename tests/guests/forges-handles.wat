;; Reads from a stream that it was never given.
(import "strongroom:plugin/streams@0.1.0" "[method]input-stream.read" (func $read (param i32 i32 i32)))
(func $describing)
(func $act (result i32) (call $read (i32.const 999) (i32.const 10) (i32.const 8192)) (i32.const 8192))
