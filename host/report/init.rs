//! What `init` made.

use std::path::Path;

use serde_json::json;

use super::{json as lines, words};
use crate::config::Format;

/// One line; JSON: `message_type` is `initialized`.
pub fn made(place: &Path, format: Format, as_json: bool) -> String {
    let place = place.display().to_string();
    if as_json {
        return lines::line("initialized", json!({ "repository": place, "format": format.word() }));
    }
    let secret = match format {
        Format::Zip => "",
        Format::Restic => "; who loses its password loses every snapshot in it",
    };
    format!("made a repository of format {} at {}{secret}\n", format.word(), words::line(&place))
}
