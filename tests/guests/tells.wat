;; Reveals a secret and tells it: in the log, then as its own error.
(import "strongroom:plugin/secrets@0.1.0" "reveal" (func $reveal (param i32 i32 i32)))
(import "strongroom:plugin/log@0.1.0" "emit" (func $emit (param i32 i32 i32 i32 i32)))
(func $describing)
(data (i32.const 1100) "key")
(func $act (result i32)
  (call $reveal (i32.const 1100) (i32.const 3) (i32.const 8192))
  ;; The answer's string lies at 8196 (address) and 8200 (length).
  (call $emit (i32.const 1) (i32.load (i32.const 8196)) (i32.load (i32.const 8200)) (i32.const 0) (i32.const 0))
  (i32.store8 (i32.const 8400) (i32.const 1))
  (i32.store8 (i32.const 8404) (i32.const 12))
  (i32.store (i32.const 8408) (i32.load (i32.const 8196)))
  (i32.store (i32.const 8412) (i32.load (i32.const 8200)))
  (i32.const 8400))
