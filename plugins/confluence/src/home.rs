//! What of a Confluence home directory is saved: every known entry has a class, and unknown ones are saved and reported.

/// What becomes of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Saved with the home.
    Saved,
    /// Saved by a part of its own.
    OwnPart,
    /// Made anew by Confluence: left out.
    Regenerated,
    /// Would have to be older than the database, or holds earlier exports: left out and reported.
    LeftOut,
    /// Must never be restored.
    Never,
    /// Not known: saved and reported.
    Unknown,
}

/// The attachment directory's name where it lies in the home.
pub const ATTACHMENTS: &str = "attachments";

/// The directory that plays the shared home on a node that is not clustered.
pub const SHARED: &str = "shared-home";

/// Names that mean the same in the home and in its `shared-home`.
const CLASSES: [(&str, Class); 51] = [
    ("confluence.cfg.xml", Class::Saved),
    ("attachments", Class::OwnPart),
    ("keys", Class::OwnPart),
    ("secured", Class::OwnPart),
    ("secrets-config.yaml", Class::OwnPart),
    ("shared-home", Class::Saved),
    ("config", Class::Saved),
    ("database", Class::Saved),
    ("logos", Class::Saved),
    ("resources", Class::Saved),
    ("imgEffects", Class::Saved),
    ("export", Class::Saved),
    ("recovery", Class::Saved),
    ("index-snapshots", Class::LeftOut),
    ("index", Class::LeftOut),
    ("journal", Class::LeftOut),
    ("backups", Class::LeftOut),
    ("restore", Class::LeftOut),
    ("synchrony-standalone.jar", Class::Regenerated),
    ("synchrony-args.properties", Class::Regenerated),
    ("thumbnails", Class::Regenerated),
    ("viewfile", Class::Regenerated),
    ("dcl-document", Class::Regenerated),
    ("dcl-document_hd", Class::Regenerated),
    ("dcl-thumbnail", Class::Regenerated),
    ("temp", Class::Regenerated),
    ("webresource-temp", Class::Regenerated),
    ("plugins-temp", Class::Regenerated),
    ("plugins-cache", Class::Regenerated),
    ("plugins-osgi-cache", Class::Regenerated),
    ("bundled-plugins", Class::Regenerated),
    ("bundled-plugins_language", Class::Regenerated),
    ("logs", Class::Regenerated),
    ("log", Class::Regenerated),
    ("analytics-logs", Class::Regenerated),
    ("atlassian-synchrony.log", Class::Regenerated),
    (".java", Class::Regenerated),
    ("lost+found", Class::Regenerated),
    ("lock", Class::Never),
    ("javax.crypto.SealedObject_*", Class::Saved),
    ("javax.crypto.spec.SecretKeySpec_*", Class::Saved),
    ("java.security.AlgorithmParameters_*", Class::Saved),
    ("confluence.cfg.xmlbackup*", Class::Regenerated),
    ("confluence.cfg.xml.bak*", Class::Regenerated),
    ("atlassian-synchrony.log.*", Class::Regenerated),
    ("*.pid", Class::Regenerated),
    ("*.hprof", Class::Regenerated),
    ("core", Class::Regenerated),
    ("core.*", Class::Regenerated),
    ("hs_err_pid*", Class::Regenerated),
    ("heapdump*", Class::Regenerated),
];

/// The class of an entry directly below the home or its `shared-home`.
pub fn class(name: &str) -> Class {
    CLASSES.iter().find(|(pattern, _)| matches(pattern, name)).map_or(Class::Unknown, |(_, class)| *class)
}

fn matches(pattern: &str, name: &str) -> bool {
    match (pattern.strip_suffix('*'), pattern.strip_prefix('*')) {
        (Some(begin), _) => name.starts_with(begin),
        (_, Some(end)) => name.ends_with(end),
        _ => pattern == name,
    }
}

/// Patterns, as in `.gitignore`, of what the part `home` does not store.
pub fn excludes() -> Vec<String> {
    let out = |class: Class| !matches!(class, Class::Saved | Class::Unknown);
    let left = CLASSES.iter().filter(|(_, class)| out(*class));
    left.flat_map(|(pattern, _)| [format!("/{pattern}"), format!("/{SHARED}/{pattern}")]).collect()
}

/// Why an entry of that class is left out, for the report; none when it is stored.
pub const fn reason(class: Class) -> Option<&'static str> {
    match class {
        Class::Saved | Class::OwnPart | Class::Unknown => None,
        Class::Regenerated => Some("made anew by Confluence"),
        Class::LeftOut => Some("an index must be older than the database, and exports hold the site a second time"),
        Class::Never => Some("a restored lock keeps Confluence from starting"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_entry_has_its_class() {
        assert_eq!(class("confluence.cfg.xml"), Class::Saved);
        assert_eq!(class("confluence.cfg.xmlbackup_2024"), Class::Regenerated);
        assert_eq!(class("lock"), Class::Never);
        assert_eq!(class("index"), Class::LeftOut);
        assert_eq!(class("keys"), Class::OwnPart);
        assert_eq!(class("catalina.pid"), Class::Regenerated);
        assert_eq!(class("javax.crypto.SealedObject_1710000000000"), Class::Saved);
        assert_eq!(class("my-scripts"), Class::Unknown);
    }

    #[test]
    fn what_is_left_out_is_excluded_in_both_homes_and_nothing_else_is() {
        let excludes = excludes();
        for name in ["/lock", "/shared-home/thumbnails", "/index", "/attachments", "/*.pid", "/shared-home/keys"] {
            assert!(excludes.iter().any(|pattern| pattern == name), "{name}");
        }
        assert!(!excludes.iter().any(|pattern| pattern.contains("config/") || pattern == "/shared-home"));
        assert!(reason(Class::Saved).is_none() && reason(Class::Never).is_some());
    }
}
