//! Looks at the database that a dump is to be loaded into, and at the directories that other parts go into.

use strongroom_plugin::{Context, ErrorCode, Finding, Inspection, Need, Part, Result, Stage, context, sql};

use crate::{catalogue, grants, jdbc::Vendor, needs::Needs, trees::Target};

/// Adds the part, and what is in its way. `old` is the vendor whose database was dumped, where that is known.
///
/// # Errors
/// When the target does not answer.
pub fn inspect(part: &str, needs: &Needs, old: Option<Vendor>, seen: &mut Inspection) -> Result<()> {
    let names = &needs.names;
    let uses = [format!("sql.{}", names.database), format!("tools.{}", names.restore)];
    let summary = "the dump into an empty database";
    let made = Part::new(part, Stage::Database).summary(summary);
    seen.parts.push(uses.into_iter().fold(made, Part::uses));
    if !grants::has("tools", &names.restore) {
        let message = format!("a dump is loaded by pg_restore or mysql: grant tools.{}", names.restore);
        seen.findings.push(Finding::blocker("restore-tool", part, message));
        seen.wants.push(needs.restore());
    }
    let target = match sql::get(&names.database) {
        Ok(target) => target,
        Err(error) if error.code == ErrorCode::Denied => return Ok(()),
        Err(error) => return Err(error),
    };
    let location = target.location();
    seen.findings.extend(changed(part, old, Vendor::of_engine(&target.engine())));
    let view = target.begin().context(format!("looking at the database {location}"))?;
    let tables = catalogue::tables(&view)?.len();
    view.end()?;
    let fact = names.database.replacen("database", "target database", 1);
    seen.facts.push((fact, format!("{location}, {tables} tables")));
    seen.findings.extend(occupied(part, &format!("the database {location}"), &format!("{tables} tables"), tables == 0));
    Ok(())
}

/// A dump of one product is nothing to another.
fn changed(part: &str, old: Option<Vendor>, new: Option<Vendor>) -> Option<Finding> {
    let (old, new) = (old?, new?);
    let message = format!(
        "the database that was saved is {}, the granted one is {}: grant one of the same kind",
        old.name(),
        new.name()
    );
    (old != new).then(|| Finding::blocker("vendor-changed", part, message))
}

/// Adds a part that goes to these places, and what is in its way; `empty` looks whether its own place at one of them is.
///
/// # Errors
/// Those of `empty`.
pub fn into_directories(
    part: Part,
    targets: &[Target],
    seen: &mut Inspection,
    empty: impl Fn(&Target) -> Result<bool>,
) -> Result<()> {
    let name = part.name.clone();
    seen.parts.push(targets.iter().fold(part, |part, target| part.uses(format!("dirs.{}", target.to.grant))));
    targets.iter().try_for_each(|target| into_directory(&name, &target.to.grant, seen, || empty(target)))
}

fn into_directory(part: &str, grant: &str, seen: &mut Inspection, empty: impl FnOnce() -> Result<bool>) -> Result<()> {
    let uses = format!("dirs.{grant}");
    let grants = context::grants();
    let Some(granted) = grants.find("dirs", grant) else {
        let message =
            format!("this part goes into a directory that is not granted: grant {uses} with access = \"write\"");
        seen.findings.push(Finding::blocker("target-missing", part, message));
        let suggestion = "path = \"/path/to/an/empty/directory\"\naccess = \"write\"\n";
        seen.wants.push(Need::dirs_write(grant).because("a restore writes there").suggest(suggestion));
        return Ok(());
    };
    if granted.display.ends_with(", read") {
        let message = format!("{uses} is granted to be read: set access = \"write\"");
        seen.findings.push(Finding::blocker("target-read-only", part, message));
    }
    seen.findings.extend(occupied(part, &granted.display, "entries of this part", empty()?));
    Ok(())
}

/// Nothing that is there is overwritten unless the operator says so.
fn occupied(part: &str, target: &str, what: &str, empty: bool) -> Option<Finding> {
    if empty {
        return None;
    }
    let message = format!("{target} holds {what} already");
    Some(match context::overwrite() {
        true => Finding::warning("target-not-empty", part, format!("{message}: they may be overwritten, as you asked")),
        false => Finding::blocker(
            "target-not-empty",
            part,
            format!("{message}: choose an empty one, or restore with --overwrite"),
        ),
    })
}
