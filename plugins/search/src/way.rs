//! Which way indices are saved: the engine's own snapshot where engine and grants allow it, else document by document.
//! What is chosen is said, and why.

use serde::{Deserialize, Serialize};
use strongroom_plugin::{ErrorCode, Finding, Result};

use crate::{reach::Reach, reference, repository};

/// How indices are saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// By snapshot where the engine and the grants allow it, else by export.
    Auto,
    /// The engine writes its files below its `path.repo`, and the host takes them.
    Snapshot,
    /// Document by document.
    Export,
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// Never `auto`.
    pub way: Way,
    /// For people.
    pub why: String,
    /// What stands in the way that was asked for.
    pub blocker: Option<Finding>,
}

/// Chooses.
///
/// # Errors
/// What the engine says.
pub fn choose(way: Way, reach: &Reach) -> Result<Chosen> {
    if let Some(repository) = &reach.repository {
        return reference::choose(way, reach, repository);
    }
    if way == Way::Export {
        return Ok(Chosen { way: Way::Export, why: "as it is set".into(), blocker: None });
    }
    Ok(match (way, hindrance(reach)?) {
        (_, None) => {
            let why = "the granted directory lies below path.repo of the engine".into();
            Chosen { way: Way::Snapshot, why, blocker: None }
        }
        (Way::Snapshot, Some(why)) => {
            let blocker = Some(impossible(&why));
            Chosen { way: Way::Snapshot, why, blocker }
        }
        (_, Some(why)) => Chosen { way: Way::Export, why, blocker: None },
    })
}

/// What is said of a snapshot that was asked for.
pub(crate) fn impossible(why: &str) -> Finding {
    Finding::blocker("snapshot-impossible", "snapshot", format!("no snapshot can be made: {why}"))
}

fn hindrance(reach: &Reach) -> Result<Option<String>> {
    let Some(location) = &reach.location else {
        return Ok(Some(format!("no directory is granted as dirs.{}", reach.snapshots)));
    };
    let allowed = match repository::allowed(&reach.client) {
        Ok(allowed) => allowed,
        Err(error) if error.code == ErrorCode::Denied => {
            return Ok(Some(format!("the engine does not say what its path.repo is: {}", error.message)));
        }
        Err(error) => return Err(error),
    };
    if allowed.iter().any(|root| is_below(location, root)) {
        return Ok(None);
    }
    let allowed = if allowed.is_empty() { "is not set".to_owned() } else { format!("is {}", allowed.join(", ")) };
    Ok(Some(format!("{location} is not below path.repo of the engine, which {allowed}")))
}

fn is_below(path: &str, root: &str) -> bool {
    let root = root.trim_end_matches('/');
    let rest = path.strip_prefix(root);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) && !path.split('/').any(|name| name == "..")
}

#[cfg(test)]
mod tests {
    use strongroom_plugin::testing::Host;

    use super::*;
    use crate::view::Pace;

    fn chosen(host: Host, way: Way, location: Option<&str>) -> (Way, bool) {
        let root = r#"{"version":{"number":"2.19.5","distribution":"opensearch"}}"#;
        let nodes = r#"{"nodes":{"x":{"settings":{"path.repo":["/snap/"]}}}}"#;
        let _host =
            host.answer("engine", "GET", "/_nodes/_local/settings", 200, nodes).answer("engine", "GET", "/", 200, root);
        let reach = Reach::connect("engine", "snapshots", location, Pace::default()).unwrap();
        let chosen = choose(way, &reach).unwrap();
        (chosen.way, chosen.blocker.is_some())
    }

    #[test]
    fn an_engine_that_does_not_say_where_it_may_write_is_exported() {
        let denied = granted("/snap/a, write").answer("engine", "GET", "/_nodes/_local/settings", 403, "no");
        assert_eq!(chosen(denied, Way::Auto, None), (Way::Export, false));
    }

    fn granted(display: &str) -> Host {
        Host::new().target("snapshots", &[]).display("dirs", "snapshots", display)
    }

    #[test]
    fn a_snapshot_is_made_where_the_engine_may_write_what_the_host_sees() {
        assert_eq!(chosen(granted("/snap/a, write"), Way::Auto, None), (Way::Snapshot, false));
        assert_eq!(chosen(granted("/mnt/x, write"), Way::Snapshot, Some("/snap/a")), (Way::Snapshot, false));
        assert_eq!(chosen(granted("/snap/a, write"), Way::Export, None), (Way::Export, false));
    }

    #[test]
    fn documents_are_exported_where_it_cannot_be_and_a_snapshot_that_was_asked_for_is_refused() {
        for display in ["/other, write", "/snapshots, write", "/snap/../etc, write"] {
            assert_eq!(chosen(granted(display), Way::Auto, None), (Way::Export, false), "{display}");
            assert_eq!(chosen(granted(display), Way::Snapshot, None), (Way::Snapshot, true), "{display}");
        }
        assert_eq!(chosen(Host::new(), Way::Auto, None), (Way::Export, false));
        assert_eq!(chosen(Host::new(), Way::Snapshot, None), (Way::Snapshot, true));
    }
}
