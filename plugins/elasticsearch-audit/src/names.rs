//! Which indices are meant: those that the operator names, or those that the step of Nuxeo itself names in its notes.

use strongroom_plugin::{Error, Finding, Result, context};

use crate::settings::Settings;

/// Keys of the notes that a step of the plugin `nuxeo` leaves.
pub mod note {
    /// The index that holds the audit; unset where the database does.
    pub const AUDIT: &str = "audit.index";
    /// The index that holds the sequences; unset where the database does.
    pub const SEQUENCES: &str = "uidgen.index";
    /// Nuxeo's version.
    pub const VERSION: &str = "version";
    /// Where its configuration lies: set by every such step.
    pub const CONF: &str = "nuxeo.conf";
}

/// An index or an alias that is to be saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// As it was named.
    pub name: String,
    /// Whether the set is worth nothing without it.
    pub required: bool,
}

/// What is meant, and what is to be said of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Names {
    /// In their order, each once.
    pub names: Vec<Name>,
    /// Why it is not more.
    pub findings: Vec<Finding>,
}

impl Names {
    fn add(&mut self, name: &str, required: bool) {
        if !self.names.iter().any(|one| one.name == name) {
            self.names.push(Name { name: name.to_owned(), required });
        }
    }
}

/// What can be said before the run.
pub fn configured(settings: &Settings) -> Names {
    let mut names = Names::default();
    settings.indices.iter().for_each(|name| names.add(name, true));
    names
}

/// All of them; in a run, when the step of Nuxeo has read its configuration.
///
/// # Errors
/// `denied` when that step is not named in `after`, `not-found` when it has left nothing.
pub fn all(settings: &Settings) -> Result<Names> {
    let mut names = configured(settings);
    let Some(step) = &settings.nuxeo_step else { return Ok(names) };
    let noted = |key| context::note_of(step, key);
    if noted(note::CONF)?.is_none() {
        let message = format!("step {step} has not said where its audit is: is its plugin nuxeo, and did it run?");
        return Err(Error::not_found(message));
    }
    match noted(note::AUDIT)? {
        Some(index) => names.add(&index, true),
        None => {
            let message = format!("step {step} says that the audit is in its database: it is saved with that");
            names.findings.push(Finding::info("audit-elsewhere", step, message));
        }
    }
    let Some(index) = noted(note::SEQUENCES)? else { return Ok(names) };
    let needed = noted(note::VERSION)?.as_deref().is_some_and(is_before_9_10);
    if settings.sequences {
        names.add(&index, needed);
    } else if needed {
        let message = format!(
            "before Nuxeo 9.10 the sequences of {index} are found nowhere else: leave sequences at true, or new entries \
             get ids that are there already"
        );
        names.findings.push(Finding::blocker("sequences-needed", index, message));
    }
    Ok(names)
}

/// Since then the sequence of the audit is set anew when Nuxeo starts.
fn is_before_9_10(version: &str) -> bool {
    let mut numbers = version.split(['.', '-']).map(|number| number.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), minor) => (major, minor.unwrap_or(0)) < (9, 10),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use strongroom_plugin::{
        Severity,
        testing::{Host, STEP},
    };

    use super::*;

    fn settings() -> Settings {
        Settings { nuxeo_step: Some(STEP.into()), ..Settings::default() }
    }

    fn names(names: &Names) -> Vec<(&str, bool)> {
        names.names.iter().map(|one| (one.name.as_str(), one.required)).collect()
    }

    #[test]
    fn the_step_of_nuxeo_says_which_indices_are_its_own() {
        let _host =
            Host::new().note(note::CONF, "c").note(note::AUDIT, "dam-audit").note(note::SEQUENCES, "dam-uidgen");
        let settings = Settings { indices: vec!["more".into(), "dam-audit".into()], ..settings() };
        let all = all(&settings).unwrap();
        assert_eq!(names(&all), [("more", true), ("dam-audit", true), ("dam-uidgen", false)]);
        assert!(all.findings.is_empty());
    }

    #[test]
    fn an_audit_in_the_database_is_said_to_be_there() {
        let _host = Host::new().note(note::CONF, "c").note(note::SEQUENCES, "dam-uidgen");
        let all = all(&settings()).unwrap();
        assert_eq!(names(&all), [("dam-uidgen", false)]);
        assert_eq!(all.findings[0].code, "audit-elsewhere");
    }

    #[test]
    fn sequences_may_be_left_out_since_9_10_and_not_before() {
        let without = Settings { sequences: false, ..settings() };
        for (version, needed) in
            [("9.10", false), ("10.10-HF1", false), ("2021.45", false), ("9.9", true), ("8.10", true), ("?", false)]
        {
            let host = Host::new().note(note::CONF, "c").note(note::AUDIT, "a").note(note::SEQUENCES, "s");
            let _host = host.note(note::VERSION, version);
            let blocked = all(&without).unwrap().findings.iter().any(|one| one.severity == Severity::Blocker);
            assert_eq!(blocked, needed, "{version}");
            assert_eq!(names(&all(&settings()).unwrap()), [("a", true), ("s", needed)], "{version}");
        }
    }

    #[test]
    fn a_step_that_has_said_nothing_is_an_error() {
        let _host = Host::new();
        assert!(all(&settings()).unwrap_err().message.contains("did it run"));
    }
}
