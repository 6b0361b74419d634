//! Finds the file of a plugin that a pipeline names.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// A plugin that is in none of the places where plugins are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotFound {
    /// As the pipeline names it.
    pub reference: String,
    /// Every file that would have been it, in the order in which they were looked for.
    pub looked: Vec<PathBuf>,
}

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "plugin {:?} was not found; looked for", self.reference)?;
        self.looked.iter().try_for_each(|path| write!(f, "\n  {}", path.display()))?;
        f.write_str("\nbuild it with `strongroom plugin build DIR --out DIR`, or name its file in the pipeline")
    }
}

impl std::error::Error for NotFound {}

/// The component that `reference` names: a path when it has a `/` or ends in `.wasm` (relative ones begin at
/// `pipeline_directory`), else `NAME.wasm` in `plugins/` beside the pipeline file, in a directory of
/// `$STRONGROOM_PLUGINS`, in the user's data directory or in `/usr/lib/strongroom/plugins`.
///
/// # Errors
/// When none of these is a file.
pub fn find_plugin(
    reference: &str,
    pipeline_directory: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<PathBuf, NotFound> {
    let looked = candidates(reference, pipeline_directory, env);
    match looked.iter().find(|path| path.is_file()) {
        Some(path) => Ok(path.clone()),
        None => Err(NotFound { reference: reference.to_owned(), looked }),
    }
}

fn candidates(reference: &str, beside: &Path, env: &dyn Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    if reference.contains('/') || reference.ends_with(".wasm") {
        return vec![beside.join(reference)];
    }
    let set = |variable: &str| env(variable).filter(|value| !value.is_empty());
    let listed = set("STRONGROOM_PLUGINS").unwrap_or_default();
    let listed = listed.split(':').filter(|directory| !directory.is_empty()).map(PathBuf::from);
    let data = set("XDG_DATA_HOME").map(PathBuf::from);
    let data = data.or_else(|| Some(PathBuf::from(set("HOME")?).join(".local/share")));
    let file = format!("{reference}.wasm");
    std::iter::once(beside.join("plugins"))
        .chain(listed)
        .chain(data.map(|data| data.join("strongroom/plugins")))
        .chain([PathBuf::from("/usr/lib/strongroom/plugins")])
        .map(|directory| directory.join(&file))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_that_has_it_wins_and_a_miss_names_them_all() {
        let home = tempfile::tempdir().unwrap();
        let (beside, listed) = (home.path().join("pipelines"), home.path().join("listed"));
        let env = |name: &str| match name {
            "STRONGROOM_PLUGINS" => Some(format!("/nowhere:{}", listed.display())),
            "HOME" => Some(home.path().display().to_string()),
            _ => None,
        };
        let missing = find_plugin("wiki", &beside, &env).unwrap_err();
        assert_eq!(missing.looked.len(), 5);
        assert!(missing.to_string().contains("/usr/lib/strongroom/plugins/wiki.wasm"));
        for directory in [listed.clone(), beside.join("plugins")] {
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(directory.join("wiki.wasm"), "").unwrap();
            assert_eq!(find_plugin("wiki", &beside, &env).unwrap(), directory.join("wiki.wasm"));
        }
    }

    #[test]
    fn a_path_begins_at_the_pipeline_file_and_is_looked_for_nowhere_else() {
        let missing = find_plugin("built/wiki.wasm", Path::new("/etc/x"), &|_| None).unwrap_err();
        assert_eq!(missing.looked, [Path::new("/etc/x/built/wiki.wasm")]);
    }
}
