//! An instance as its own files and the grants describe it.
