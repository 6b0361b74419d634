//! Restores against the scripted host.
