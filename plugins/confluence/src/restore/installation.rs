//! Makes a restored installation find the restored home.

use strongroom_plugin::{Context, Finding, Outcome, Result, dirs::Dir};

use super::{configuration::Change, target::archived_cfg};
use crate::{
    describe::grant,
    init,
    inspect::part,
    install::INIT,
    paths::Paths,
    site::{database::resource_name, installed::Installed},
    tomcat,
};

const TEXT_MAX: usize = 1 << 20;

/// Rewrites what names the home, and the connection where Tomcat holds it.
pub(super) fn rewrite(install: &Dir, outcome: Outcome) -> Result<Outcome> {
    let installed = Installed::of(install)?;
    let outcome = home(install, &installed, outcome)?;
    datasource(install, &installed, outcome)
}

/// The line of `confluence-init.properties`, and the Java machine's option where a script sets it.
fn home(install: &Dir, installed: &Installed, mut outcome: Outcome) -> Result<Outcome> {
    let target = Paths::of_target()?;
    let Some(home) = target.get(grant::HOME) else { return Ok(outcome) };
    let mut changes: Vec<(&str, Vec<u8>)> = Vec::new();
    let mut named = false;
    if let Some(value) = installed.homes.last() {
        named = true;
        let content = install.read(INIT, TEXT_MAX).context("making the installation find its home")?;
        let new = init::rewrite(&content, init::HOME, home).filter(|_| value != home);
        changes.extend(new.map(|new| (INIT, new)));
    }
    for script in &installed.scripts {
        // A value that the shell puts together is the operator's.
        let Some(value) = script.system_property(init::HOME).filter(|value| script.is_plain(value)) else { continue };
        named = true;
        let new = script.rewrite(init::HOME, home).filter(|_| value != home);
        changes.extend(new.map(|new| (script.path, new.into_bytes())));
    }
    for (path, content) in changes {
        install.write_bytes(path, &content, Some(install.stat(path)?.mode))?;
        outcome = outcome.fact(format!("rewritten in {path}"), init::HOME);
    }
    if !named {
        let message =
            format!("no file of the installation names the home directory: set {} = {home} in {INIT}", init::HOME);
        outcome = outcome.finding(Finding::warning("home-not-named", part::INSTALL, message));
    }
    Ok(outcome)
}

/// URL, user and password of the datasource that the snapshot's configuration names, in every file that holds it.
fn datasource(install: &Dir, installed: &Installed, mut outcome: Outcome) -> Result<Outcome> {
    let Some(cfg) = archived_cfg()? else { return Ok(outcome) };
    let Some(name) = cfg.get("hibernate.connection.datasource").map(resource_name) else { return Ok(outcome) };
    let change = Change::read()?;
    let mut found = false;
    for (path, file) in &installed.tomcat {
        let Some(old) = tomcat::datasource(file, name) else { continue };
        found = true;
        let Some((content, changed)) = tomcat::rewrite(file, name, &change.attributes(&old.url)) else { continue };
        let mode = install.stat(path)?.mode & 0o700;
        match changed.is_empty() {
            true => install.set_mode(path, mode)?,
            false => install.write_bytes(path, &content, Some(mode))?,
        }
        let names = if changed.is_empty() { "nothing".to_owned() } else { changed.join(", ") };
        outcome = outcome.fact(format!("rewritten in {path}"), names);
        if !change.has_password() {
            let message = format!("{path} keeps its database password: secrets.database-password is not granted");
            outcome = outcome.finding(Finding::info("password-kept", part::INSTALL, message));
        }
    }
    if !found {
        let message =
            format!("no file of the restored installation holds the datasource {name}: add it to conf/server.xml");
        outcome = outcome.finding(Finding::warning("datasource-missing", part::INSTALL, message));
    }
    Ok(outcome)
}
