//! Strongroom: `config → plan → run → snapshot → report`.

pub mod diagnostic;
pub mod digest;
pub mod name;
pub mod secret;

pub mod config;
pub mod plan;
pub mod repository;
pub mod run;
pub mod sandbox;
pub mod snapshot;

pub mod commands;
