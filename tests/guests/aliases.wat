;; A million fields, each of the same 60 kilobytes: sixty gigabytes that are nowhere.
(import "strongroom:plugin/log@0.1.0" "emit" (func $emit (param i32 i32 i32 i32 i32)))
(func $describing)
(func $act (result i32)
  (local $at i32)
  (drop (memory.grow (i32.const 250)))
  (local.set $at (i32.const 131072))
  (loop $again
    (i32.store offset=4 (local.get $at) (i32.const 60000))
    (i32.store offset=12 (local.get $at) (i32.const 60000))
    (br_if $again (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16))) (i32.const 16131072))))
  (call $emit (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 131072) (i32.const 1000000))
  (i32.const 0))
