//! Which templates an instance includes, and in which order.

use std::collections::BTreeSet;

use strongroom_plugin::{Error, Result};

use super::{Look, Origin, Reading, Unit};
use crate::conf::{defaults, expand, paths, properties};

/// How deep templates may include each other: those of the product go four deep.
const DEPTH_MAX: usize = 32;
/// The most templates that an instance may have.
const TEMPLATES_MAX: usize = 256;

/// One template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Its directory, absolute.
    pub path: String,
    /// What became of it.
    pub state: State,
}

/// What became of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its values were read.
    Read,
    /// It cannot be read; where the product ships it, what it ships is assumed.
    OutOfReach,
    /// It is not there or has no `nuxeo.defaults`: Nuxeo leaves it out.
    LeftOut,
}

impl Template {
    /// What the launcher tells templates apart by: the last part of the path.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Whether Nuxeo includes it.
    pub fn included(&self) -> bool {
        self.state != State::LeftOut
    }
}

/// Reads the templates that `nuxeo.templates`, `nuxeo.append.templates.*` and `NUXEO_PROFILES` name, each after those
/// that it includes itself.
///
/// # Errors
/// When one cannot be read, or there are too many.
pub(super) fn include(reading: &mut Reading<'_>, own: &[Unit]) -> Result<()> {
    for token in list(reading, own).split(',').filter(|token| !token.is_empty()) {
        one(reading, token, 0)?;
    }
    Ok(())
}

/// As the launcher puts it together: names are neither trimmed nor are references in them replaced.
fn list(reading: &Reading<'_>, own: &[Unit]) -> String {
    let get = |key: &str| {
        let own = own.iter().rev().find_map(|unit| unit.properties.get(key));
        let environment = &reading.layout.environment;
        let own = own.map(|one| expand::environment(&one.value, environment));
        own.or_else(|| reading.chain.get(key).map(|setting| setting.value.clone()))
    };
    let named = get("nuxeo.templates").filter(|list| !list.trim().is_empty());
    let mut list = vec![named.unwrap_or_else(|| "default".to_owned())];
    let assignments = own.iter().flat_map(|unit| &unit.properties.assignments).map(|one| one.key.as_str());
    let keys = assignments.chain(reading.chain.keys()).filter(|key| key.starts_with("nuxeo.append.templates."));
    let keys: BTreeSet<_> = keys.collect();
    // One more than can be read: then it is refused and not cut short.
    list.extend(keys.into_iter().take(TEMPLATES_MAX + 1).filter_map(get));
    list.extend(reading.layout.environment.get("NUXEO_PROFILES").cloned());
    list.join(",")
}

fn one(reading: &mut Reading<'_>, token: &str, depth: usize) -> Result<()> {
    let path = match token.starts_with('/') {
        true => paths::plain(token),
        false => paths::plain(&format!("{}/templates/{token}", reading.home())),
    };
    let seen = reading.chain.templates.iter().any(|template| template.path == path);
    if seen || reading.open.contains(&path) {
        return Ok(());
    }
    if depth >= DEPTH_MAX || reading.chain.templates.len() + reading.open.len() >= TEMPLATES_MAX {
        let limits = format!("{TEMPLATES_MAX} templates, {DEPTH_MAX} deep");
        return Err(Error::limit(format!("template {token} is one more than the {limits} that are read")));
    }
    reading.open.push(path.clone());
    let state = values(reading, &path, depth)?;
    reading.open.pop();
    reading.chain.templates.push(Template { path, state });
    Ok(())
}

fn values(reading: &mut Reading<'_>, path: &str, depth: usize) -> Result<State> {
    if let Some(units) = reading.defaults_in(path)? {
        let includes = units.iter().rev().find_map(|unit| unit.properties.get("nuxeo.template.includes"));
        let includes = includes.map_or_else(String::new, |one| one.value.clone());
        includes.split(',').filter(|token| !token.is_empty()).try_for_each(|token| one(reading, token, depth + 1))?;
        units.iter().for_each(|unit| reading.apply(unit));
        return Ok(State::Read);
    }
    let look = reading.files.read(&format!("{path}/nuxeo.defaults"), properties::BYTES_MAX)?;
    if look != Look::OutOfReach {
        return Ok(State::LeftOut);
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    if let Some(shipped) = defaults::template(name) {
        shipped
            .includes
            .split(',')
            .filter(|token| !token.is_empty())
            .try_for_each(|token| one(reading, token, depth + 1))?;
        for (key, value) in shipped.values {
            reading.chain.put(key, value, Origin::Product);
        }
    }
    Ok(State::OutOfReach)
}
