//! `config validate | show | schema | new`: checks a pipeline file, shows what it means, says what may stand in one, or
//! writes the first one from what a plugin says that it needs.

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::{pipeline, plugin};
use crate::{
    cli::{ConfigNewArgs, Global},
    config::{
        Config,
        json_schema::json_schema,
        parse,
        suggest::{Suggested, new_pipeline},
    },
    plan::inspection::{Description, Need},
    report::{self, exit},
    run::{
        event::{Event, Observer},
        inspect::{Look, inspect},
        stop,
    },
    sandbox::Plugin,
};

pub(super) fn validate(global: &Global) -> anyhow::Result<u8> {
    let config = pipeline::config(global)?;
    let steps = report::words::counted(config.steps.len() as u64, "step", "steps");
    report::print(&format!("{} is valid: pipeline {}, {steps}\n", config.path.display(), config.name))?;
    Ok(exit::DONE)
}

pub(super) fn show(global: &Global) -> anyhow::Result<u8> {
    let config = pipeline::config(global)?;
    let text = match global.json {
        true => format!("{:#}\n", config.as_json()?),
        false => config.as_file()?,
    };
    report::print(&text)?;
    Ok(exit::DONE)
}

pub(super) fn schema() -> anyhow::Result<u8> {
    report::print(&format!("{:#}\n", json_schema()))?;
    Ok(exit::DONE)
}

/// How often a plugin may want something more: each round grants what the round before wanted.
const ROUNDS_MAX: usize = 8;

pub(super) async fn new(global: &Global, args: &ConfigNewArgs) -> anyhow::Result<u8> {
    let stop = stop::on_signals()?;
    let path = args.output.clone().unwrap_or_else(|| PathBuf::from("strongroom.toml"));
    anyhow::ensure!(args.output.is_none() || !path.exists(), "{} exists already", path.display());
    let directory = path.parent().unwrap_or(Path::new("")).to_owned();
    let found = pipeline::find(&args.plugin, &directory)?;
    let (component, description) = plugin::load_untrusted(&pipeline::sandbox()?, &found).await?;
    let asking = Asking { args, path: &path, plugin: &component, description: &description, stop: &stop };
    let text = asking.until_nothing_is_missing().await?;
    let Some(output) = &args.output else {
        report::print(&text)?;
        return Ok(exit::DONE);
    };
    write_new(output, &text)?;
    let config = asking.parse(&text)?;
    let entries = config.steps.iter().map(|step| plugin::entry(step, &found, &component, &description)).collect();
    plugin::pin(&pipeline::lock_path(&config), entries)?;
    if !global.quiet {
        eprintln!("written: {} and {}", output.display(), pipeline::lock_path(&config).display());
        eprintln!("next: read it, correct it, then `strongroom plugin accept` and `strongroom plan`");
    }
    Ok(exit::DONE)
}

fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    let doing = || format!("writing {}", path.display());
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(path).with_context(doing)?;
    file.write_all(text.as_bytes()).with_context(doing)
}

/// A plugin that is asked again and again what it wants.
struct Asking<'a> {
    args: &'a ConfigNewArgs,
    path: &'a Path,
    plugin: &'a Plugin,
    description: &'a Description,
    stop: &'a CancellationToken,
}

impl Asking<'_> {
    async fn until_nothing_is_missing(&self) -> anyhow::Result<String> {
        let mut wanted: Vec<Need> = self.description.needs.clone();
        for _ in 0..ROUNDS_MAX {
            let text = self.text(&wanted);
            let config = self.parse(&text)?;
            let more: Vec<_> = self.wants(&config).await?.into_iter().filter(|want| merge(&mut wanted, want)).collect();
            if more.is_empty() {
                return Ok(text);
            }
        }
        Ok(self.text(&wanted))
    }

    fn text(&self, wanted: &[Need]) -> String {
        let suggested: Vec<Suggested> = wanted
            .iter()
            .map(|need| Suggested {
                capability: need.capability.clone(),
                name: need.name.clone(),
                reason: need.reason.clone(),
                required: need.required,
                toml: need.suggestion.clone(),
            })
            .collect();
        let given: BTreeMap<_, _> = self.args.grants.iter().cloned().collect();
        let name = self.args.name.as_deref().unwrap_or(&self.description.name);
        new_pipeline(
            name,
            &self.args.plugin,
            &self.description.summary,
            &self.description.config_schema,
            &suggested,
            &given,
        )
    }

    fn parse(&self, text: &str) -> anyhow::Result<Config> {
        parse(self.path, text, &|name| std::env::var(name).ok())
            .map_err(|problems| anyhow::anyhow!("what was written is not valid yet:\n{}", problems.render(false)))
    }

    async fn wants(&self, config: &Config) -> anyhow::Result<Vec<Need>> {
        let scratch = tempfile::tempdir()?;
        let Some(step) = config.steps.first() else { return Ok(Vec::new()) };
        let look = Look {
            step: &step.name,
            plugin: self.plugin,
            plugin_name: &self.description.name,
            config: &step.config,
            grants: Arc::new(step.grants.clone()),
            limits: &step.limits,
            archive: None,
            notes: BTreeMap::new(),
            attributes: Vec::new(),
            observer: Arc::new(Silent),
            stop: self.stop.clone(),
            scratch: scratch.path(),
        };
        match inspect(look).await {
            Ok(inspection) => Ok(inspection.wants),
            Err(fault) => {
                eprintln!("the plugin could not look yet ({fault}): correct the file, then `strongroom plan`");
                Ok(Vec::new())
            }
        }
    }
}

/// Takes a want over: in place of what `describe` said of the same grant. False when nothing changed.
fn merge(wanted: &mut Vec<Need>, want: &Need) -> bool {
    let want = Need { required: true, ..want.clone() };
    match wanted.iter_mut().find(|need| need.capability == want.capability && need.name == want.name) {
        Some(known) if *known == want => false,
        Some(known) => {
            *known = want;
            true
        }
        None => {
            wanted.push(want);
            true
        }
    }
}

/// What a plugin logs while it is asked what it wants is of no use to anyone.
struct Silent;

impl Observer for Silent {
    fn event(&self, _at: std::time::SystemTime, _event: &Event) {}
}
