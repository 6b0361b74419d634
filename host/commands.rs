//! The verbs of the command line: each reads as a recipe.

pub mod plugin;
