//! Makes a restored installation find the restored home.

use strongroom_plugin::{Context, Finding, Outcome, Result, dirs::Dir};

use crate::{
    describe::grant,
    init,
    inspect::part,
    install::{INIT, SETENV},
    paths::Paths,
    setenv,
};

const TEXT_MAX: usize = 1 << 20;

/// Rewrites the line of `confluence-init.properties`, and the Java machine's option where it is set.
pub(super) fn rewrite(install: &Dir, mut outcome: Outcome) -> Result<Outcome> {
    let target = Paths::of_target()?;
    let Some(home) = target.get(grant::HOME) else { return Ok(outcome) };
    let mut named = false;
    for (path, change) in [(INIT, change_init as Change), (SETENV, change_setenv)] {
        let Some(stat) = install.find(path)? else { continue };
        let content = install.read(path, TEXT_MAX).context("making the installation find its home")?;
        match change(&content, home) {
            Found::Nothing => {}
            Found::Same => named = true,
            Found::Changed(content) => {
                named = true;
                install.write_bytes(path, &content, Some(stat.mode))?;
                outcome = outcome.fact(format!("rewritten in {path}"), init::HOME);
            }
        }
    }
    if !named {
        let message =
            format!("no file of the installation names the home directory: set {} = {home} in {INIT}", init::HOME);
        outcome = outcome.finding(Finding::warning("home-not-named", part::INSTALL, message));
    }
    Ok(outcome)
}

/// What a file says of the home.
enum Found {
    Nothing,
    Same,
    Changed(Vec<u8>),
}

type Change = fn(&[u8], &str) -> Found;

fn change_init(file: &[u8], home: &str) -> Found {
    match init::values(file, init::HOME).last() {
        None => Found::Nothing,
        Some(value) if value == home => Found::Same,
        Some(_) => init::rewrite(file, init::HOME, home).map_or(Found::Nothing, Found::Changed),
    }
}

/// A value that the shell puts together is the operator's.
fn change_setenv(file: &[u8], home: &str) -> Found {
    let Ok(script) = std::str::from_utf8(file) else { return Found::Nothing };
    match setenv::system_property(script, init::HOME) {
        Some(value) if value == home => Found::Same,
        Some(value) if !value.contains('$') => setenv::rewrite(script, init::HOME, home)
            .map_or(Found::Nothing, |script| Found::Changed(script.into_bytes())),
        _ => Found::Nothing,
    }
}
