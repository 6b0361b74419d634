//! `strongroom plugin …`: what is done with components before a pipeline uses them.

pub mod build;
