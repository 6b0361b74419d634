;; Never returns from a host call.
(import "strongroom:plugin/context@0.1.0" "sleep" (func $sleep (param i64 i32)))
(func $describing)
(func $act (result i32) (call $sleep (i64.const -1) (i32.const 8192)) (i32.const 8192))
