;; Answers with a result that is neither well nor an error.
(func $describing)
(func $act (result i32) (i32.store8 (i32.const 8192) (i32.const 7)) (i32.const 8192))
