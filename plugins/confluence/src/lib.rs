//! Backs up and restores Confluence: one node on PostgreSQL.

pub mod backup;
pub mod catalogue;
pub mod cfg;
pub mod describe;
pub mod grants;
pub mod home;
pub mod init;
pub mod inspect;
pub mod install;
pub mod jdbc;
pub mod layout;
pub mod paths;
pub mod readback;
pub mod rows;
pub mod setenv;
pub mod settings;
pub mod site;
pub mod tomcat;
pub mod triple;
