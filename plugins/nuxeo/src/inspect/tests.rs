//! What is concluded from instances of every kind.
