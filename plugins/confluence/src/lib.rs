//! Backs up and restores Confluence: one node on PostgreSQL.

pub mod cfg;
pub mod home;
pub mod init;
pub mod install;
pub mod jdbc;
pub mod layout;
pub mod readback;
pub mod setenv;
pub mod tomcat;
pub mod triple;
