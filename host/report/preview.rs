//! What a restore would do, for `restore --dry-run`: each part, what it writes into, and what stands in the way.

use serde_json::json;

use super::{json as lines, words};
use crate::run::{
    restore::{Preview, Previews, Refused},
    target::Target,
};

/// For people, or as JSON lines: `message_type` is `preview` or `refused`.
pub fn text(previews: &Previews, json: bool) -> String {
    if json {
        let parts = previews.parts.iter().map(part_line);
        return parts.chain(previews.refused.iter().map(refused_line)).collect();
    }
    let mut text: String = previews.parts.iter().map(part_text).collect();
    if previews.refused.is_empty() {
        text.push_str("nothing stands in the way; nothing was changed\n");
    } else {
        text.push_str("refused:\n");
        previews.refused.iter().for_each(|refused| text.push_str(&format!("  {}\n", words::lines(&refused.why))));
    }
    text
}

fn part_text(preview: &Preview) -> String {
    let done = if preview.done { ", restored by the attempt before" } else { "" };
    let bytes = words::bytes(preview.bytes);
    let mut text = format!("{} (stage {}): {bytes}{done}\n", preview.part, preview.stage.word());
    preview.targets.iter().for_each(|target| text.push_str(&format!("  writes {}\n", target_text(target))));
    text
}

fn target_text(target: &Target) -> String {
    let room = target.room.map_or_else(String::new, |room| format!(", room for {}", words::bytes(room)));
    let empty = match target.empty {
        Some(true) => ", empty",
        Some(false) => ", not empty",
        None => "",
    };
    format!("{} {}{empty}{room}", target.grant, words::line(&target.display))
}

fn part_line(preview: &Preview) -> String {
    let targets: Vec<_> = preview
        .targets
        .iter()
        .map(|target| json!({ "grant": target.grant, "display": target.display, "empty": target.empty, "room": target.room }))
        .collect();
    let fields = json!({
        "step": preview.part.step, "part": preview.part.part, "stage": preview.stage, "bytes": preview.bytes,
        "done": preview.done, "targets": targets,
    });
    lines::line("preview", fields)
}

fn refused_line(refused: &Refused) -> String {
    lines::line("refused", json!({ "message": refused.why, "policy": refused.policy }))
}
