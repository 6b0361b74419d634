//! What of a home directory is saved, be it a node's or the shared one: every known entry has a class, and unknown ones
//! are reported.

use strongroom_plugin::TreeOptions;

use crate::settings::{HomeMode, Settings};

/// What becomes of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Cannot be made anew: saved in every mode.
    Must,
    /// Saved with the whole home.
    Saved,
    /// Saved by a part of its own.
    OwnPart,
    /// Made anew by Confluence: left out.
    Regenerated,
    /// Would have to be older than the database, which the home's part is not: left out in every mode.
    Index,
    /// Holds what the set holds already: left out unless the operator names it.
    LeftOut,
    /// Must never be restored.
    Never,
    /// Not known: saved and reported.
    Unknown,
}

/// The attachment directory's name where it lies in the home.
pub const ATTACHMENTS: &str = "attachments";

/// Where the nodes of Data Center leave copies of Lucene's index, in the shared home.
pub const INDEX_SNAPSHOTS: &str = "index-snapshots";

/// The directory that plays the shared home on a node that is not clustered.
pub const SHARED: &str = "shared-home";

/// Names that mean the same in the home and in its `shared-home`.
const CLASSES: [(&str, Class); 51] = [
    ("confluence.cfg.xml", Class::Must),
    ("attachments", Class::OwnPart),
    ("keys", Class::OwnPart),
    ("secured", Class::OwnPart),
    ("secrets-config.yaml", Class::OwnPart),
    ("shared-home", Class::Must),
    ("config", Class::Must),
    ("database", Class::Saved),
    ("logos", Class::Saved),
    ("resources", Class::Saved),
    ("imgEffects", Class::Saved),
    ("export", Class::Saved),
    ("recovery", Class::Saved),
    ("index-snapshots", Class::Index),
    ("index", Class::Index),
    ("journal", Class::Index),
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
    ("javax.crypto.SealedObject_*", Class::Must),
    ("javax.crypto.spec.SecretKeySpec_*", Class::Must),
    ("java.security.AlgorithmParameters_*", Class::Must),
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

/// What a step saves of its homes.
#[derive(Debug, Clone, Copy)]
pub struct Selection<'a> {
    mode: HomeMode,
    includes: &'a [String],
}

impl<'a> Selection<'a> {
    /// As the operator chose.
    pub fn of(settings: &'a Settings) -> Self {
        Self { mode: settings.home_mode, includes: &settings.home_includes }
    }

    /// What a tree of a home stores. `others` are paths that have a part of their own here.
    pub fn options(self, others: impl IntoIterator<Item = String>) -> TreeOptions {
        let both = |pattern: &str| [format!("/{pattern}"), format!("/{SHARED}/{pattern}")];
        let of = |wanted: &dyn Fn(Class) -> bool| -> Vec<String> {
            CLASSES.iter().filter(|(_, class)| wanted(*class)).flat_map(|(pattern, _)| both(pattern)).collect()
        };
        let excludes = of(&|class| self.excludes(class));
        let options = TreeOptions::default().excluding(excludes).excluding(others).tolerant();
        match self.mode {
            HomeMode::Whole => options,
            HomeMode::Minimal => options
                .including(of(&|class| class == Class::Must).into_iter().filter(|pattern| !pattern.ends_with(SHARED)))
                .including(self.includes.iter().map(|path| format!("/{}", path.trim_end_matches('/')))),
        }
    }

    /// Whether not even an operator's word brings it in.
    const fn excludes(self, class: Class) -> bool {
        match class {
            Class::OwnPart | Class::Never | Class::Index => true,
            Class::Regenerated | Class::LeftOut => matches!(self.mode, HomeMode::Whole),
            Class::Must | Class::Saved | Class::Unknown => false,
        }
    }

    /// Why an entry, at that path below a home, is left out; none when it is stored, or some of what it holds.
    pub fn reason(self, path: &str, class: Class) -> Option<&'static str> {
        let reason = match class {
            Class::Must | Class::OwnPart => return None,
            Class::Index => {
                return Some("an index must be older than the database, as one in the part search-index is");
            }
            Class::Never => return Some("a restored lock keeps Confluence from starting"),
            Class::Saved | Class::Unknown if self.mode == HomeMode::Whole => return None,
            Class::Saved | Class::Unknown => "home-mode is minimal",
            Class::Regenerated => "made anew by Confluence",
            Class::LeftOut => "earlier exports hold the site a second time",
        };
        let minimal = self.mode == HomeMode::Minimal;
        let named = minimal && self.includes.iter().any(|include| meet(include.trim_end_matches('/'), path));
        (!named).then_some(reason)
    }
}

/// Whether one is the other or holds it.
fn meet(one: &str, other: &str) -> bool {
    crate::site::below(one, other).is_some() || crate::site::below(other, one).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_entry_has_its_class() {
        assert_eq!(class("confluence.cfg.xml"), Class::Must);
        assert_eq!(class("confluence.cfg.xmlbackup_2024"), Class::Regenerated);
        assert_eq!(class("lock"), Class::Never);
        assert_eq!(class("index"), Class::Index);
        assert_eq!(class("keys"), Class::OwnPart);
        assert_eq!(class("config"), Class::Must);
        assert_eq!(class("catalina.pid"), Class::Regenerated);
        assert_eq!(class("javax.crypto.SealedObject_1710000000000"), Class::Must);
        assert_eq!(class("my-scripts"), Class::Unknown);
    }

    fn minimal(includes: &[&str]) -> Settings {
        let home_includes = includes.iter().map(ToString::to_string).collect();
        Settings { home_mode: HomeMode::Minimal, home_includes, ..Settings::default() }
    }

    #[test]
    fn what_is_left_out_is_excluded_in_both_homes_and_nothing_else_is() {
        let settings = Settings::default();
        let whole = Selection::of(&settings);
        let options = whole.options(["/big".to_owned()]);
        for name in
            ["/lock", "/shared-home/thumbnails", "/index", "/attachments", "/*.pid", "/shared-home/keys", "/big"]
        {
            assert!(options.excludes.iter().any(|pattern| pattern == name), "{name}");
        }
        assert!(
            !options
                .excludes
                .iter()
                .any(|pattern| ["/config", "/shared-home", "/shared-home/config"].contains(&pattern.as_str()))
        );
        assert!(options.includes.is_empty());
        assert!(whole.reason("logos", Class::Saved).is_none() && whole.reason("lock", Class::Never).is_some());
    }

    #[test]
    fn minimal_mode_takes_what_cannot_be_made_anew_and_what_is_named() {
        let settings = minimal(&["logos", "shared-home/dcl-document", "index", "backups/site"]);
        let selection = Selection::of(&settings);
        let options = selection.options([]);
        for name in ["/confluence.cfg.xml", "/shared-home/config", "/logos", "/shared-home/dcl-document"] {
            assert!(options.includes.iter().any(|pattern| pattern == name), "{name}");
        }
        assert!(options.excludes.contains(&"/index".to_owned()) && !options.excludes.contains(&"/backups".to_owned()));
        let reason = |path: &str| selection.reason(path, class(path.rsplit('/').next().unwrap()));
        assert_eq!(reason("mine"), Some("home-mode is minimal"));
        assert_eq!(reason("resources"), Some("home-mode is minimal"));
        assert!(reason("logos").is_none() && reason("shared-home").is_none() && reason("backups").is_none());
        assert!(reason("index").is_some() && reason("shared-home/thumbnails").is_some());
        assert!(reason("shared-home/dcl-document").is_none() && reason("keys").is_none());
    }
}
