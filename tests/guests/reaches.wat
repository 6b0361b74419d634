;; Asks for a directory that was not granted.
(import "strongroom:plugin/dirs@0.1.0" "get" (func $get (param i32 i32 i32)))
(func $describing)
(data (i32.const 1100) "etc")
(func $act (result i32) (call $get (i32.const 1100) (i32.const 3) (i32.const 8192)) (i32.const 8192))
