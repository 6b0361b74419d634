//! The integration tests: one program, so that the binary, the plugins and the database server are there once.

/// What the tests stand on.
mod support;

/// The harness sees what it promises to see.
mod harness;
/// The rooms of `host/` borrow names from the left only, and each dependency has one home.
mod layers;
/// What the contract once said, it says.
mod contract;
/// What the documents show is parsed, and what they list is there.
mod documents;
/// Each folder of `scenarios/` goes as it says.
mod scenarios;
/// What is lost behind everyone's back is seen.
mod receipts;
/// What waits for what in a backup.
mod order;
/// What programs read: JSON lines and log files.
mod output;
/// What operators ask beside a run: what a file means, one entry of a snapshot, completions, manual pages.
mod operate;
/// One run at a time; runs that are stopped or killed.
mod runs;
/// Web services behind a real server.
mod http;
/// What is kept of older snapshots, and what is removed.
mod forget;
/// What has changed between two snapshots.
mod diff;
/// Sets that are encrypted, and who can read them.
mod encrypted;
/// Snapshots in restic's format, which restic judges.
mod restic;
/// Repositories that are checked, pruned, unlocked and re-keyed.
mod keep;
/// Copies in other repositories.
mod copy;
/// Repositories behind a real SSH server, whose connections break.
mod sftp;
/// Repositories in a bucket, whose server refuses, cuts and stalls.
mod s3;
/// Changes to a product that are undone, whatever happens.
mod holds;
/// The demos name what they lack and leave alone what is not their own.
mod demo;
/// A plugin that is copied out of the tree, built against the packed kit.
mod package;
/// Guests that break, hoard, flood, or wait for themselves; files that are no components.
mod hostile;
/// What other tools called a success and was none.
mod false_success;
/// Names, files, tools, databases, disks and sets that are not as they ought to be.
mod bad_input;
/// A product on a real MariaDB, from backup to restore.
mod mariadb;
/// Nuxeo, and its streams on a real Kafka, which also cuts, garbles and lies.
mod nuxeo;
/// The search index of Confluence, in a real engine and in files.
mod search_index;
/// Indices of a real search engine, which also refuses, cuts and lies.
mod audit;
