;; Takes memory until it gets none, then aborts as allocators do.
(func $describing)
(func $act (result i32)
  (loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
  (unreachable))
