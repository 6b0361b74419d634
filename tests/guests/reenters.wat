;; Calls the host again while the host is about to hand it an answer.
(import "strongroom:plugin/context@0.1.0" "config" (func $config (param i32)))
(import "strongroom:plugin/log@0.1.0" "emit" (func $emit (param i32 i32 i32 i32 i32)))
(func $allocating (call $emit (i32.const 1) (i32.const 1024) (i32.const 5) (i32.const 0) (i32.const 0)))
(func $describing)
(func $act (result i32) (call $config (i32.const 8192)) (i32.const 0))
