;; Uses an import while it describes itself.
(import "strongroom:plugin/context@0.1.0" "config" (func $config (param i32)))
(func $describing (call $config (i32.const 8192)))
(func $act (result i32) (i32.const 0))
