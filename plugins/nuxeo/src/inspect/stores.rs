//! Which blob stores there are, where they lie and how their files are named.

use strongroom_database::{
    grants,
    located::{Located, below},
};
use strongroom_plugin::{
    Context, Error, Finding, Inspection, Part, Result, Stage,
    dirs::{self, Dir, Kind as Entry},
};

use super::{part, setting};
use crate::{
    conf::{
        blobs::{DATA, DESCRIPTOR, Descriptor, Name},
        effective::{BlobStore, Kind},
    },
    describe::{self, grant},
    instance::Instance,
    stores::{Layout, SETTING, Store},
};

/// How many entries of a store are looked at to tell how it is laid out.
const SAMPLE: usize = 200;
/// The largest descriptor that is read.
const DESCRIPTOR_BYTES_MAX: usize = 64 << 10;

/// The blob stores of an instance.
#[derive(Debug, Default)]
pub(super) struct Stores {
    /// Each with the place that holds it.
    pub(super) found: Vec<(Store, Located)>,
    /// Providers whose blobs lie in no directory.
    pub(super) elsewhere: Vec<String>,
}

impl Stores {
    /// A part for each.
    ///
    /// # Errors
    /// As [`Store::to_setting`].
    pub(super) fn parts(&self) -> Result<Vec<Part>> {
        let one = |(store, at): &(Store, Located)| {
            let whose = if store.provider.is_empty() { "the repository" } else { &store.provider };
            let part = Part::new(&store.part, Stage::Files).ahead().summary(format!("the blobs of {whose}, {at}"));
            let part = part.uses(format!("dirs.{}", at.grant)).set(setting::GRANT, &at.grant);
            Ok(part.set(setting::PATH, &at.path).set(SETTING, store.to_setting()?))
        };
        self.found.iter().map(one).collect()
    }

    /// For the settings of the repository's database.
    ///
    /// # Errors
    /// Never: they can be JSON.
    pub(super) fn to_setting(&self) -> Result<String> {
        let stores: Vec<&Store> = self.found.iter().map(|(store, _)| store).collect();
        Ok(serde_json::to_string(&stores)?)
    }
}

pub(super) fn look(instance: &Instance, seen: &mut Inspection) -> Result<Stores> {
    let mut stores = Stores { found: Vec::new(), elsewhere: instance.settings.blobs_elsewhere.clone() };
    for configured in &instance.effective.blob_stores {
        match &configured.kind {
            Kind::Local | Kind::Encrypted | Kind::Other => directory(instance, configured, &mut stores, seen)?,
            Kind::GridFs(bucket) => {
                let message = format!(
                    "blobs are in MongoDB (GridFS bucket {bucket:?}): the part mongodb holds them, and none is checked"
                );
                stores.not_here(configured, Finding::warning("blobs-elsewhere", part::BLOBS, message), seen);
            }
            Kind::Cloud(cloud) => {
                let message = format!(
                    "the blobs of {} are in {cloud} and are not covered: keep the bucket's versions or a replica of it",
                    configured.provider
                );
                stores.not_here(configured, Finding::warning("blobs-elsewhere", part::BLOBS, message), seen);
            }
        }
    }
    for name in grants::many(grant::BINARIES) {
        let provider = name.strip_prefix(grant::BINARIES).unwrap_or_default().trim_start_matches('-');
        let known = stores.found.iter().any(|(store, _)| store.provider == provider);
        if !known && !provider.is_empty() {
            stores.add(provider, false, Located::new(&name, ""))?;
        }
    }
    Ok(stores)
}

/// A provider that keeps files: in its own grant, else where the configuration says.
fn directory(instance: &Instance, configured: &BlobStore, stores: &mut Stores, seen: &mut Inspection) -> Result<()> {
    let provider = if configured.provider == "default" { "" } else { &configured.provider };
    let own = if provider.is_empty() { grant::BINARIES.to_owned() } else { format!("{}-{provider}", grant::BINARIES) };
    let Some(path) = &configured.path else { return Ok(()) };
    let place = match grants::has("dirs", &own) {
        true => Some(Located::new(&own, "")),
        false => instance.place(path).filter(|at| !at.path.is_empty()),
    };
    let Some(at) = place else {
        let data = &instance.effective.directories.data;
        if below(path, data).is_some() && instance.place(data).is_none() {
            // The directory that holds it is asked for.
            return Ok(());
        }
        let message =
            format!("{path} holds blobs and lies outside every granted directory (or is a link): grant dirs.{own}");
        seen.findings.push(Finding::blocker("blobs-outside", part::BLOBS, message));
        seen.wants.push(strongroom_plugin::Need { name: own, many: false, ..describe::binaries(path) });
        return Ok(());
    };
    stores.add(provider, configured.kind == Kind::Encrypted, at)
}

impl Stores {
    fn not_here(&mut self, configured: &BlobStore, finding: Finding, seen: &mut Inspection) {
        self.elsewhere.push(if configured.provider == "default" { String::new() } else { configured.provider.clone() });
        seen.findings.push(finding);
    }

    fn add(&mut self, provider: &str, encrypted: bool, at: Located) -> Result<()> {
        let part = if provider.is_empty() { part::BLOBS.to_owned() } else { format!("{}-{provider}", part::BLOBS) };
        let layout = layout(&at).context(format!("looking at the blobs in {at}"))?;
        self.found.push((Store { provider: provider.to_owned(), part, layout, encrypted }, at));
        Ok(())
    }
}

/// What a store says of itself, unless its files say otherwise.
fn layout(at: &Located) -> Result<Layout> {
    let dir = dirs::get(&at.grant)?;
    let below = |name: &str| if at.path.is_empty() { name.to_owned() } else { format!("{}/{name}", at.path) };
    let descriptor = match dir.exists(&below(DESCRIPTOR))? {
        true => {
            let bytes = dir.read(&below(DESCRIPTOR), DESCRIPTOR_BYTES_MAX)?;
            Descriptor::parse(&bytes).map_err(|bad| Error::corrupt(format!("{DESCRIPTOR}: {bad}")))?
        }
        false => Descriptor::default(),
    };
    let flat = match dir.exists(&below(DATA))? {
        true => descriptor.depth > 0 && has_files(&dir, &below(DATA), &descriptor)?,
        false => has_files(&dir, &at.path, &descriptor)?,
    };
    let digest = Layout::Digest { algorithm: descriptor.digest.name().to_owned(), depth: descriptor.depth };
    Ok(if flat { Layout::Flat } else { digest })
}

/// Whether files that are no part of a digest's store lie directly in a directory: documents have named them.
fn has_files(dir: &Dir, path: &str, descriptor: &Descriptor) -> Result<bool> {
    for entry in dir.entries(path).take(SAMPLE) {
        match entry {
            Err(error) if error.is_not_found() => return Ok(false),
            Err(error) => return Err(error),
            Ok(entry) if entry.stat.kind != Entry::File || entry.name == DESCRIPTOR => {}
            Ok(entry) if descriptor.name(&entry.name) == Name::Temporary => {}
            Ok(_) => return Ok(true),
        }
    }
    Ok(false)
}
