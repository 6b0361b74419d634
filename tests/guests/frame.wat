;; The world's exports around one guest of a test. Everything answers well and empty, except that `inspect` and `backup`
;; call $act: what it returns is the address of their result, 0 means the empty one. GUEST stands for the guest's text.
(module
  GUEST
  (memory (export "memory") 2)
  (data (i32.const 1024) "guest")
  ;; The description: name and version are "guest", the rest is empty.
  (data (i32.const 2048) "\00\04\00\00\05\00\00\00\00\04\00\00\05\00\00\00")
  (global $free (mut i32) (i32.const 65536))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    ;; A guest that has a function $allocating is called here.
    (global.set $free (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
    (global.get $free)
    (global.set $free (i32.add (global.get $free) (local.get 3))))
  (func $result (result i32)
    (local $at i32)
    (local.set $at (call $act))
    (select (local.get $at) (i32.const 4096) (local.get $at)))
  (func (export "strongroom:plugin/about@0.1.0#describe") (result i32) (call $describing) (i32.const 2048))
  (func (export "strongroom:plugin/product@0.1.0#inspect") (param i32) (result i32) (call $result))
  (func (export "strongroom:plugin/product@0.1.0#backup")
    (param i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32 i32 i32) (result i32) (call $result))
  (func $fine (param i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32 i32) (result i32) (i32.const 4096))
  (export "strongroom:plugin/product@0.1.0#restore" (func $fine))
  (export "strongroom:plugin/product@0.1.0#verify" (func $fine))
  (export "strongroom:plugin/product@0.1.0#probe" (func $fine))
  (func (export "strongroom:plugin/product@0.1.0#release") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))
