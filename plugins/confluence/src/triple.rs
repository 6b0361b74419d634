//! Confluence's own secrets: `keys/`, `secured/` and `secrets-config.yaml`, which must come from one moment and one set.

use crate::{cfg::Cfg, describe::grant, install::Version, site::Located};

/// The three, as they are called in the home or in its `shared-home`.
pub const NAMES: [&str; 3] = ["keys", "secured", "secrets-config.yaml"];

/// Below this the part `secrets` holds what does not lie in the home, by the names of the grants.
pub const ELSEWHERE: &str = "dirs";

/// Where the part `secrets` holds a file.
pub fn stored_at(located: &Located) -> String {
    match located.grant.as_str() {
        grant::HOME => located.path.clone(),
        other => format!("{ELSEWHERE}/{other}/{}", located.path),
    }
}

/// What stands in the configuration for a value that is kept in `secured/`.
pub const PLACEHOLDER: &str = "{ATL_SECURED}";

/// Properties that hold secrets, by what their names end with.
const SECRET_ENDINGS: [&str; 8] = [
    ".license.message",
    ".license.hash",
    ".secret",
    ".password",
    ".private.key",
    ".authtoken",
    ".secret.key",
    ".access.key",
];

/// Which of [`NAMES`] a site of that version cannot do without. `found` are those that lie in one of the homes.
///
/// User directory passwords are encrypted with `keys/` from 8.8 on; values moved to `secured/` appear with 9.0. Where
/// the version is unknown, only what is there is needed.
pub fn required(version: Option<Version>, secured_property: bool, found: &[&str]) -> Vec<&'static str> {
    let configured = secured_property || found.contains(&"secrets-config.yaml");
    match version {
        Some(version) if version >= Version(9, 0) && configured => NAMES.to_vec(),
        Some(version) if version >= Version(8, 8) => vec!["keys"],
        None if secured_property => NAMES.to_vec(),
        _ => NAMES.into_iter().filter(|name| found.contains(name) && *name == "keys").collect(),
    }
}

/// Whether a value of the configuration is kept in `secured/`.
pub fn secured_property(cfg: &Cfg) -> bool {
    cfg.properties().any(|(_, value)| value.trim() == PLACEHOLDER)
}

/// Names of the properties whose values must not be shown.
pub fn secret_properties(cfg: &Cfg) -> Vec<String> {
    let secret = |name: &str| SECRET_ENDINGS.iter().any(|ending| name.ends_with(ending));
    let shown = |(name, value): (&str, &str)| match value.trim() == PLACEHOLDER {
        true => format!("{name} (placeholder)"),
        false => name.to_owned(),
    };
    cfg.properties().filter(|(name, value)| secret(name) && !value.is_empty()).map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_required_depends_on_version_and_configuration() {
        assert_eq!(required(Some(Version(9, 2)), true, &[]), NAMES);
        assert_eq!(required(Some(Version(9, 2)), false, &["secrets-config.yaml"]), NAMES);
        assert_eq!(required(Some(Version(9, 2)), false, &[]), ["keys"]);
        assert_eq!(required(Some(Version(8, 8)), false, &[]), ["keys"]);
        assert!(required(Some(Version(8, 5)), false, &[]).is_empty());
        assert!(required(None, false, &[]).is_empty());
        assert_eq!(required(None, false, &["keys"]), ["keys"]);
    }

    #[test]
    fn secrets_are_listed_by_name_only() {
        let cfg = Cfg::parse(include_bytes!("../fixtures/a-cluster-pg-9x/node1/confluence.cfg.xml")).unwrap();
        assert!(secured_property(&cfg));
        assert_eq!(
            secret_properties(&cfg),
            [
                "atlassian.license.message",
                "confluence.cluster.authentication.secret",
                "hibernate.connection.password",
                "jwt.private.key",
                "opensearch.password",
                "synchrony.service.authtoken (placeholder)",
            ]
        );
    }
}
