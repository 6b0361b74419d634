//! Starts a private PostgreSQL for tests.
