;; Answers with an address that is not in its memory.
(func $describing)
(func $act (result i32) (i32.const -8))
