//! What commands found, as tables for people or as JSON lines: snapshots, entries of a snapshot, components.

use std::path::Path;

use serde_json::json;

use super::{
    json as lines,
    table::{drawn, plain_table},
    words::{self, Paint},
};
use crate::{
    digest::Digest,
    plan::inspection::Description,
    repository::{Item, Kind, Listed, tree::TreeReport},
    run::copies::Copies,
    snapshot::state::State,
};

/// The snapshots of a repository, oldest first, then what could not be read. JSON: `message_type` is `listed` or
/// `unreadable`. `copies`: what became of them, where the pipeline has repositories that snapshots are copied to.
pub fn snapshots(
    listed: &[Listed],
    unreadable: &[String],
    copies: Option<&Copies>,
    json: bool,
    paint: Paint,
) -> String {
    let lines = || listed.iter().map(|listed| listed_line(listed, copies));
    match json {
        true => lines().chain(unreadable.iter().map(|name| unreadable_line(name))).collect(),
        false => snapshots_table(listed, unreadable, copies, paint),
    }
}

fn listed_line(snapshot: &Listed, copies: Option<&Copies>) -> String {
    let mut fields = json!({
        "snapshot": snapshot.id, "pipeline": snapshot.pipeline, "started": snapshot.started, "state": snapshot.state,
        "host": snapshot.host, "parent": snapshot.parent,
        "bytes": snapshot.bytes, "stored_bytes": snapshot.stored_bytes, "path": snapshot.path.to_string_lossy(),
    });
    if let Some(copies) = copies {
        fields["copies"] = json!(copies.get(&snapshot.id).cloned().unwrap_or_default());
    }
    lines::line("listed", fields)
}

fn unreadable_line(name: &str) -> String {
    lines::line("unreadable", json!({ "message": name }))
}

fn snapshots_table(listed: &[Listed], unreadable: &[String], copies: Option<&Copies>, paint: Paint) -> String {
    if listed.is_empty() && unreadable.is_empty() {
        return "no snapshots\n".to_owned();
    }
    let mut heads = vec!["snapshot", "pipeline", "started", "state", "content", "stored", "file"];
    heads.extend(copies.map(|_| "copies"));
    let mut table = plain_table(&heads, paint);
    for snapshot in listed {
        let file = snapshot.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut row = vec![
            words::line(&snapshot.id),
            words::line(&snapshot.pipeline),
            words::line(&snapshot.started),
            paint_state(snapshot.state, paint),
            snapshot.bytes.map_or_else(|| "-".to_owned(), words::bytes),
            words::bytes(snapshot.stored_bytes),
            words::line(&file),
        ];
        row.extend(copies.map(|copies| copied(copies, &snapshot.id, paint)));
        table.add_row(row);
    }
    let mut text = if listed.is_empty() { String::new() } else { drawn(&mut table, &[4, 5]) };
    let closed = listed.iter().filter(|snapshot| snapshot.bytes.is_none()).count() as u64;
    if closed > 0 {
        let snapshots = words::counted(closed, "snapshot", "snapshots");
        text.push_str(&format!(
            "{snapshots} not opened: reading needs --identity FILE, or identity in [repository.NAME]\n"
        ));
    }
    for name in unreadable {
        text.push_str(&format!("{} {}\n", paint.bad("unreadable"), words::line(name)));
    }
    text
}

/// `offsite proven`; `-` where nothing was copied.
fn copied(copies: &Copies, snapshot: &str, paint: Paint) -> String {
    let of_snapshot = copies.get(snapshot).into_iter().flatten();
    let words: Vec<_> = of_snapshot
        .map(|(repository, copy)| {
            let text = format!("{repository} {}", copy.word());
            if copy.is_there() { paint.good(&text) } else { paint.bad(&text) }
        })
        .collect();
    if words.is_empty() { "-".to_owned() } else { words.join(", ") }
}

fn paint_state(state: State, paint: Paint) -> String {
    match state {
        State::Complete => paint.good(state.word()),
        State::Unproven => paint.warn(state.word()),
        State::Inconsistent | State::Partial => paint.bad(state.word()),
    }
}

/// A page of a snapshot's entries, one a line, as `ls -l` shows them. JSON: `message_type` is `item`.
pub fn items(items: &[Item], json: bool) -> String {
    items.iter().map(|item| if json { item_object(item) } else { item_line(item) }).collect()
}

fn item_object(item: &Item) -> String {
    let (kind, target) = match &item.kind {
        Kind::File => ("file", None),
        Kind::Directory => ("directory", None),
        Kind::Symlink(target) => ("symlink", Some(crate::name::text(target))),
    };
    let fields = json!({
        "path": item.path.to_text(), "kind": kind, "target": target, "size": item.size,
        "mode": item.meta.mode.map(|mode| format!("{mode:04o}")),
        "uid": item.meta.owner.map(|owner| owner.0), "gid": item.meta.owner.map(|owner| owner.1),
        "modified": item.meta.modified.map(modified_text),
    });
    lines::line("item", fields)
}

fn item_line(item: &Item) -> String {
    let (letter, target) = match &item.kind {
        Kind::File => ('-', String::new()),
        Kind::Directory => ('d', String::new()),
        Kind::Symlink(target) => ('l', format!(" -> {}", words::line(&crate::name::text(target)))),
    };
    let mode = item.meta.mode.map_or_else(|| "-".repeat(9), permissions);
    let owner = item.meta.owner.map_or_else(|| "-".to_owned(), |(user, group)| format!("{user}:{group}"));
    let modified = item.meta.modified.map_or_else(|| "-".to_owned(), modified_text);
    let path = words::line(&item.path.to_text());
    format!("{letter}{mode} {owner:>11} {:>12} {modified:<20} {path}{target}\n", item.size)
}

fn permissions(mode: u32) -> String {
    (0..9).rev().map(|bit| if mode >> bit & 1 == 1 { ['x', 'w', 'r'][bit % 3] } else { '-' }).collect()
}

/// RFC 3339 to the second.
fn modified_text((seconds, _): (i64, u32)) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

/// A component, and what it says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Component<'a> {
    /// Its file.
    pub path: &'a Path,
    /// Its bytes.
    pub size: u64,
    /// What pins it.
    pub sha256: &'a Digest,
    /// What it imports.
    pub imports: &'a [String],
    /// Its own words.
    pub description: &'a Description,
}

/// A component for `plugin inspect`. JSON: `message_type` is `component`.
pub fn component(component: &Component<'_>, json: bool, paint: Paint) -> String {
    if json { component_object(component) } else { component_text(component, paint) }
}

fn component_object(component: &Component<'_>) -> String {
    let about = component.description;
    let schema: serde_json::Value = serde_json::from_str(&about.config_schema).unwrap_or_default();
    let fields = json!({
        "path": component.path.to_string_lossy(), "size": component.size, "sha256": component.sha256,
        "imports": component.imports, "name": about.name, "version": about.version, "summary": about.summary,
        "products": about.products, "needs": about.needs, "config_schema": schema,
        "attributes": about.attributes.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
    });
    lines::line("component", fields)
}

fn component_text(component: &Component<'_>, paint: Paint) -> String {
    let about = component.description;
    let mut text =
        format!("{} {}: {}\n", words::line(&about.name), words::line(&about.version), words::line(&about.summary));
    let mut fact =
        |name: &str, value: String| text.push_str(&format!("  {} {value}\n", paint.dim(&format!("{name:<9}"))));
    fact("file", words::line(&component.path.to_string_lossy()));
    fact("size", words::bytes(component.size));
    fact("sha256", component.sha256.to_string());
    if !about.products.is_empty() {
        fact("products", words::line(&about.products.join(", ")));
    }
    fact("imports", words::line(&component.imports.join(", ")));
    about.attributes.iter().for_each(|(name, value)| fact(&words::line(name), words::line(value)));
    text.push_str("  needs\n");
    for need in &about.needs {
        let capability = need.capability.split(':').next().unwrap_or_default();
        let many = if need.many { "-*" } else { "" };
        let access = need.capability.split_once(':').map_or_else(String::new, |(_, access)| format!(" {access}"));
        let required = if need.required { "required" } else { "optional" };
        let head = words::line(&format!("{capability}.{}{many}{access}", need.name));
        text.push_str(&format!("    {head} ({required}): {}\n", words::line(&need.reason)));
    }
    text
}

/// Components that were built, one a line. JSON: `message_type` is `built`.
pub fn built(built: &[Built], json: bool) -> String {
    let text = |built: &Built| {
        let imports: String = built.imports.iter().map(|import| format!("    {import}\n")).collect();
        let size = words::bytes(built.size);
        format!("{}  {size}  sha256:{}\n    {}\n{imports}", built.name, built.sha256, built.path.display())
    };
    let line = |built: &Built| {
        let fields = json!({
            "name": built.name, "path": built.path.to_string_lossy(), "size": built.size, "sha256": built.sha256,
            "imports": built.imports,
        });
        lines::line("built", fields)
    };
    built.iter().map(|built| if json { line(built) } else { text(built) }).collect()
}

/// A component that was built from a plugin's crate.
#[derive(Clone, Debug)]
pub struct Built {
    /// The plugin's name: what a pipeline calls it.
    pub name: String,
    /// Its file.
    pub path: std::path::PathBuf,
    /// Its bytes.
    pub size: u64,
    /// What pins it.
    pub sha256: Digest,
    /// What it imports.
    pub imports: Vec<String>,
}

/// What `restore --files` did. JSON: `message_type` is `extracted`.
pub fn extracted(snapshot: &str, directory: &Path, report: &TreeReport, json: bool) -> String {
    if json {
        let fields = json!({
            "snapshot": snapshot, "directory": directory.to_string_lossy(), "files": report.files,
            "directories": report.directories, "bytes": report.size, "skipped": report.skipped,
            "skipped_count": report.skipped_count,
        });
        return lines::line("extracted", fields);
    }
    let files = words::counted(report.files, "file", "files");
    let directories = words::counted(report.directories, "directory", "directories");
    let size = words::bytes(report.size);
    let mut text = format!("snapshot {snapshot}: {files}, {directories}, {size} into {}\n", directory.display());
    for (path, reason) in &report.skipped {
        text.push_str(&format!("  {}: {}\n", words::line(path), words::line(reason)));
    }
    let more = report.skipped_count.saturating_sub(report.skipped.len() as u64);
    if more > 0 {
        text.push_str(&format!("  … and {} more\n", words::count(more)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{name::RawPath, plan::inspection::Need, repository::Meta};

    fn listed() -> Listed {
        Listed {
            id: "3f2a00112233aabb".into(),
            pipeline: "wiki".into(),
            started: "2026-11-21T13:03:07Z".into(),
            host: Some("backup1".into()),
            parent: None,
            state: State::Complete,
            bytes: Some(3 << 30),
            stored_bytes: 1 << 30,
            path: "/srv/backup/wiki-20261121T130307Z-3f2a00112233aabb.zip".into(),
        }
    }

    #[test]
    fn snapshots_are_a_table_and_what_cannot_be_read_is_named() {
        let text =
            snapshots(&[listed()], &["/srv/backup/bad.zip: not a zip file".into()], None, false, Paint::default());
        insta::assert_snapshot!(text, @r#"
        snapshot          pipeline  started               state     content   stored  file
        3f2a00112233aabb  wiki      2026-11-21T13:03:07Z  complete  3.0 GiB  1.0 GiB  wiki-20261121T130307Z-3f2a00112233aabb.zip
        unreadable /srv/backup/bad.zip: not a zip file
        "#);
        assert_eq!(snapshots(&[], &[], None, false, Paint::default()), "no snapshots\n");
    }

    #[test]
    fn snapshots_as_json_are_one_object_a_line() {
        let text = snapshots(&[listed()], &["bad".into()], None, true, Paint::default());
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0]["state"], "complete");
        assert_eq!(lines[1]["message_type"], "unreadable");
    }

    #[test]
    fn entries_look_as_ls_shows_them_and_cannot_play_tricks() {
        let meta = Meta {
            modified: Some((1_795_266_187, 5)),
            mode: Some(0o640),
            owner: Some((1000, 100)),
            attributes: vec![],
        };
        let path = RawPath::from_bytes(b"wiki/home/a\x1b[2J").unwrap();
        let file = Item { path: path.clone(), kind: Kind::File, size: 12, meta: meta.clone() };
        let link = Item { path, kind: Kind::Symlink(b"../b".to_vec()), size: 0, meta };
        let text = items(&[file, link], false);
        assert!(
            text.starts_with("-rw-r-----    1000:100           12 2026-11-21T13:03:07Z wiki/home/a\\u{1b}[2J\n"),
            "{text}"
        );
        assert!(text.ends_with("-> ../b\n"), "{text}");
    }

    #[test]
    fn a_component_says_what_it_needs_and_why() {
        let need = Need {
            capability: "dirs:read".into(),
            name: "home".into(),
            many: false,
            reason: "what to back up".into(),
            required: true,
            suggestion: String::new(),
        };
        let description =
            Description { name: "files".into(), version: "0.1.0".into(), needs: vec![need], ..Default::default() };
        let sha256 = Digest::of(b"");
        let imports = ["strongroom:plugin/dirs@0.1.0".to_owned()];
        let seen = Component {
            path: Path::new("files.wasm"),
            size: 10,
            sha256: &sha256,
            imports: &imports,
            description: &description,
        };
        let text = component(&seen, false, Paint::default());
        assert!(text.contains("dirs.home read (required): what to back up"), "{text}");
        assert!(component(&seen, true, Paint::default()).contains("\"message_type\":\"component\""));
    }
}
