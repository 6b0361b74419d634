//! Backups against the scripted host.
