//! The pipeline file as written: every table and the keys that it may have.

/// The top level.
pub const FILE: &[&str] = &["pipeline", "repository", "policy", "step"];
/// `[pipeline]`
pub const PIPELINE: &[&str] = &["name", "state", "order", "parallel", "severity"];
/// `[repository.NAME]`
pub const REPOSITORY: &[&str] = &[
    "url",
    "format",
    "copy-of",
    "compression",
    "recipients",
    "identity",
    "password",
    "connections",
    "limit-upload",
    "limit-download",
    "timeout",
    "retries",
    "ssh-config",
    "region",
    "ca",
    "access-key-id",
    "secret-access-key",
];
/// Those of them for a repository that is not on this machine.
pub const REMOTE: &[&str] = &["connections", "limit-upload", "limit-download", "timeout", "retries"];
/// For one that is reached by SFTP.
pub const SFTP: &[&str] = &["ssh-config"];
/// For one in a bucket.
pub const S3: &[&str] = &["region", "ca", "access-key-id", "secret-access-key"];
/// `[policy]`
pub const POLICY: &[&str] = &["forget", "keep"];
/// `[policy.keep]`
pub const KEEP: &[&str] = &[
    "last",
    "hourly",
    "daily",
    "weekly",
    "monthly",
    "yearly",
    "within",
    "within-hourly",
    "within-daily",
    "within-weekly",
    "within-monthly",
    "within-yearly",
];
/// `[step.NAME]`
pub const STEP: &[&str] = &["plugin", "after", "config", "grant", "limits"];
/// `[step.NAME.grant]`
pub const GRANT: &[&str] = &["dirs", "sql", "http", "tcp", "tools", "secrets"];
/// `[step.NAME.grant.dirs.NAME]`
pub const DIR: &[&str] = &["path", "access"];
/// `[step.NAME.grant.sql.NAME]`
pub const SQL: &[&str] = &["url", "password", "timeout"];
/// The query of a `sql` grant's URL, beside `host` or `socket`.
pub const SQL_QUERY: &[&str] = &["sslmode", "sslrootcert"];
/// `[step.NAME.grant.http.NAME]`
pub const HTTP: &[&str] =
    &["url", "methods", "paths", "ca", "certificate", "key", "basic", "bearer", "header", "timeout", "connect-timeout"];
/// Credentials of a `http` grant: at most one of these.
pub const HTTP_CREDENTIALS: &[&str] = &["basic", "bearer", "header"];
/// `basic` in a `http` grant.
pub const HTTP_BASIC: &[&str] = &["user", "password"];
/// `header` in a `http` grant.
pub const HTTP_HEADER: &[&str] = &["name", "value"];
/// `[step.NAME.grant.tcp.NAME]`
pub const TCP: &[&str] = &["endpoints", "tls", "connect-timeout", "idle"];
/// `tls` of a `tcp` grant.
pub const TCP_TLS: &[&str] = &["ca", "certificate", "key", "server-name"];
/// `[step.NAME.grant.tools.NAME]`
pub const TOOL: &[&str] = &["argv", "env", "offline", "ok-exit", "timeout"];
/// A value in a tool's `env` that is not text.
pub const TOOL_ENV: &[&str] = &["secret", "secret-file"];
/// Where a secret comes from: exactly one of these.
pub const SOURCE: &[&str] = &["file", "env", "command", "credential"];
/// `[step.NAME.limits]`
pub const LIMITS: &[&str] =
    &["memory", "compute", "no-progress", "part-time", "handles", "open-streams", "log-bytes", "hostcall-fuel"];

/// Longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 63;

/// Whether `name` may name a pipeline, a repository, a step, a grant or a tool's parameter:
/// `[a-z0-9][a-z0-9_-]{0,62}`.
pub fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.bytes().next().is_some_and(plain)
        && name.len() <= NAME_BYTES_MAX
        && name.bytes().all(|byte| plain(byte) || byte == b'_' || byte == b'-')
}

/// The known word that someone may have meant by `written`.
pub fn near<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&written.to_lowercase(), word), word))
        .filter(|(distance, word)| *distance <= (word.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_match_is_found_and_a_far_one_is_not() {
        assert_eq!(near("pluign", STEP.iter().copied()), Some("plugin"));
        assert_eq!(near("Memory", LIMITS.iter().copied()), Some("memory"));
        assert_eq!(near("steps", FILE.iter().copied()), Some("step"));
        assert_eq!(near("zebra", STEP.iter().copied()), None);
    }

    #[test]
    fn names_are_short_lower_case_and_begin_with_a_letter_or_digit() {
        assert!(["wiki", "a", "0-x_y", &"a".repeat(63)].into_iter().all(is_name));
        assert!(!["", "-a", "_a", "Wiki", "a.b", "ä", &"a".repeat(64)].into_iter().any(is_name));
    }
}
