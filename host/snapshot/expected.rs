//! Lists of what the database refers to, and whether the snapshot holds it.
