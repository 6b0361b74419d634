;; Logs ten thousand lines of a hundred bytes.
(import "strongroom:plugin/log@0.1.0" "emit" (func $emit (param i32 i32 i32 i32 i32)))
(func $describing)
(func $act (result i32)
  (local $left i32)
  (local.set $left (i32.const 10000))
  (loop $again
    (call $emit (i32.const 1) (i32.const 20000) (i32.const 100) (i32.const 0) (i32.const 0))
    (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
  (i32.const 0))
