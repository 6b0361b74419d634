//! Pipeline files of tests: what all begin with, and those of the plugin `files`.

/// What a pipeline begins with: its name, what else `[pipeline]` says, and a repository in the place.
pub fn head(name: &str, settings: &str) -> String {
    format!(
        "[pipeline]\nname = \"{name}\"\n{settings}\n\n[repository.local]\nurl = \"$DIR/repository\"\nformat = \"zip\"\n\n"
    )
}

/// One of the plugin `files`: its step `letters` has a directory of the place.
pub fn files(name: &str, directory: &str, access: &str) -> String {
    let step = "[step.letters]\nplugin = \"files\"\n\n[step.letters.grant.dirs.source]\n";
    format!("{}{step}path = \"$DIR/{directory}\"\naccess = \"{access}\"\n", head(name, ""))
}
