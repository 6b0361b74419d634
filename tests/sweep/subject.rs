//! What is backed up while faults happen: small products, each in a place of its own that can be set back.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{proxy::Proxy, small_disk::SmallDisk, wire::Server};

/// Something in a tree or in a set.
#[derive(Clone, PartialEq, Eq)]
pub enum Thing {
    File(Vec<u8>),
    Link(Vec<u8>),
    Directory,
}

impl std::fmt::Debug for Thing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(bytes) => write!(f, "file of {} bytes", bytes.len()),
            Self::Link(target) => write!(f, "link to {}", String::from_utf8_lossy(target)),
            Self::Directory => f.write_str("directory"),
        }
    }
}

/// Things by their paths.
pub type Things = BTreeMap<String, Thing>;

/// Directories that a run may change, and that are set back before each.
const CHANGING: &[&str] = &["repository", "state", "cache", "tmp", "restored", "loaded", "mode"];

/// What all places share.
pub struct Tools {
    pub program: PathBuf,
    /// Built components.
    pub plugins: PathBuf,
    pub server: Server,
}

/// One product, where it is.
pub struct Place {
    pub root: PathBuf,
    template: PathBuf,
    program: PathBuf,
    /// What a complete set holds of it.
    pub contents: Things,
    /// Between the program and the database.
    pub proxy: Option<Proxy>,
    /// The set that the pipeline's rules do not keep.
    pub aging: Option<PathBuf>,
}

const HEAD: &str = "[pipeline]\nname = \"test\"\n\n[repository.local]\nurl = \"repository\"\nformat = \"zip\"\n\n";

const PRODUCT: &str = r#"[step.product]
plugin = "scripted"

[step.product.config]
parts = [
  { name = "positions", stage = "positions" },
  { name = "database", stage = "database", uses = ["tools.tool-load"] },
  { name = "single", stage = "records" },
  { name = "store", stage = "files", uses = ["dirs.dir-target"] },
]

[step.product.config.script]
"backup.positions" = [
  { do = "hold-take", name = "quiet", data = "mode" },
  { do = "write-file", dir = "dir-mode", file = "quiet", text = "on" },
  DIE{ do = "put", path = "at.txt", text = "42" },
  { do = "set-state", key = "token", value = "42" },
  { do = "set-note", key = "position", value = "42" },
  { do = "checkpoint", value = "42" },
  { do = "receipt", subject = "files", expected = 1, actual = 1 },
]
"backup.database" = [
  INSTANT,
  { do = "submit-tool", path = "database.dump", tool = "tool-dump" },
  { do = "receipt", subject = "rows", expected = 1, actual = 1 },
]
"backup.store" = [
  { do = "put-tree", path = "", dir = "dir-files" },
  { do = "tree-receipt", subject = "entries" },
]
"backup.single" = [
  { do = "put-file", path = "one", dir = "dir-files", file = "folder/file-1.txt" },
  { do = "receipt", subject = "files", expected = 1, actual = 1 },
]
"release.quiet" = [{ do = "remove-file", dir = "dir-mode", file = "quiet" }]
"restore.store" = [{ do = "restore-tree", part = "store", dir = "dir-target" }]
"restore.database" = [{ do = "feed-tool", part = "database", path = "database.dump", tool = "tool-load" }]
"verify.store" = [{ do = "read-item", part = "store", path = "noise" }]

[step.product.limits]
part-time = "15s"

[step.product.grant.dirs.dir-files]
path = "files"
access = "read"

[step.product.grant.dirs.dir-target]
path = "restored"
access = "write"

[step.product.grant.dirs.dir-mode]
path = "mode"
access = "write"

# No scripts: a shell that cannot read its script does nothing and ends well.
[step.product.grant.tools.tool-die]
argv = ["/bin/sh", "-c", "test ! -e DIR/die || kill -9 $PPID"]

[step.product.grant.tools.tool-load]
argv = ["/bin/sh", "-c", "cat > DIR/loaded/unfinished && mv DIR/loaded/unfinished DIR/loaded/dump"]

[step.product.grant.tools.tool-dump]
argv = [DUMP]
"#;

/// What the database is asked beside its dump: each row names a file that must be in the set.
const ASKED: &str = r#"{ do = "fix-instant-sql", sql = "sql-db" },
  { do = "expect-query", subject = "names", sql = "sql-db", statement = "SELECT name, NULL::text, 'store/' || name FROM names ORDER BY name" }"#;

impl Place {
    /// Makes the product, accepts its pipelines and makes the older set.
    /// `subject` is the first word of a case's name.
    pub fn make(root: PathBuf, subject: &str, tools: &Tools) -> io::Result<Self> {
        let template = root.with_extension("template");
        for name in ["files", "home", "tmp", "plugins"] {
            fs::create_dir_all(root.join(name))?;
        }
        for plugin in ["files.wasm", "scripted.wasm"] {
            fs::copy(tools.plugins.join(plugin), root.join("plugins").join(plugin))?;
        }
        make_files(&root.join("files"))?;
        let program = tools.program.clone();
        let mut place = Self { root, template, program, contents: Things::new(), proxy: None, aging: None };
        match subject {
            "files" => place.write_files("")?,
            "aging" => place.write_files("[policy.keep]\nlast = 1\n\n")?,
            "product" => place.write_product("")?,
            // A tool that kills what has started it, as soon as the product is held.
            "held" => place.write_product("{ do = \"submit-tool\", path = \"dies\", tool = \"tool-die\" },\n  ")?,
            _ => place.write_database(&tools.server)?,
        }
        place.must(&["plugin", "accept", "--yes"])?;
        place.must(&["backup"])?;
        match subject {
            "aging" => place.aging = place.sets()?.pop(),
            "held" => place.die()?,
            _ => {}
        }
        if place.aging.is_some() {
            place.must(&["backup"])?;
        }
        for name in CHANGING {
            copy_tree(&place.root.join(name), &place.template.join(name))?;
        }
        Ok(place)
    }

    /// A run that dies while it holds the product.
    fn die(&self) -> io::Result<()> {
        fs::write(self.root.join("die"), "")?;
        let (_, text) = self.run(&["backup"])?;
        fs::remove_file(self.root.join("die"))?;
        match self.is_held() {
            true => Ok(()),
            false => Err(io::Error::other(format!("no run died holding the product: {text}"))),
        }
    }

    /// Whether the product is still as a hold made it.
    pub fn is_held(&self) -> bool {
        self.root.join("mode/quiet").exists()
    }

    /// What stands in the journal of holds.
    pub fn holds(&self) -> io::Result<usize> {
        Ok(names(&self.root.join("state/holds"))?.iter().filter(|name| name.ends_with(".json")).count())
    }

    fn write_files(&mut self, policy: &str) -> io::Result<()> {
        let step = |path: &str, access: &str| {
            format!(
                "{HEAD}{policy}[step.letters]\nplugin = \"files\"\n\n[step.letters.grant.dirs.source]\npath = \"{path}\"\naccess = \"{access}\"\n"
            )
        };
        fs::write(self.root.join("strongroom.toml"), step("files", "read"))?;
        fs::write(self.root.join("target.toml"), step("restored", "write"))?;
        self.expect_tree("letters/source");
        Ok(())
    }

    fn write_product(&mut self, dies: &str) -> io::Result<()> {
        let dump: String = (0..6000).map(|number| format!("row {number} of the database\n")).collect();
        fs::write(self.root.join("dump.txt"), dump)?;
        self.write_scripted("{ do = \"fix-instant\" }", "\"/bin/cat\", \"DIR/dump.txt\"", "", dies)?;
        if !dies.is_empty() {
            self.contents.insert("product/positions/dies".into(), Thing::File(Vec::new()));
        }
        Ok(())
    }

    fn write_database(&mut self, server: &Server) -> io::Result<()> {
        let proxy = Proxy::start(server.port)?;
        let names: Vec<_> = listing(&self.root.join("files"))?
            .into_iter()
            .filter(|(_, thing)| matches!(thing, Thing::File(_)))
            .map(|(name, _)| name)
            .collect();
        let (port, database) = (proxy.port, server.database(&names)?);
        let dump = [
            server.dump_program()?.display().to_string(),
            "--no-owner".into(),
            "--restrict-key=sweep".into(),
            format!("--dbname=postgresql://test@127.0.0.1:{port}/{database}"),
        ];
        let output = Command::new(&dump[0]).args(&dump[1..]).stdin(Stdio::null()).output()?;
        if !output.status.success() {
            return Err(io::Error::other(format!("pg_dump: {}", String::from_utf8_lossy(&output.stderr))));
        }
        fs::write(self.root.join("dump.txt"), output.stdout)?;
        let argv: Vec<_> = dump.iter().map(|word| format!("{word:?}")).collect();
        let grant =
            format!("\n[step.product.grant.sql.sql-db]\nurl = \"postgresql://test@127.0.0.1:{port}/{database}\"\n");
        self.proxy = Some(proxy);
        self.write_scripted(ASKED, &argv.join(", "), &grant, "")
    }

    fn write_scripted(&mut self, instant: &str, dump: &str, grants: &str, dies: &str) -> io::Result<()> {
        for name in ["restored", "loaded", "mode"] {
            fs::create_dir_all(self.root.join(name))?;
        }
        let pipeline =
            format!("{HEAD}{PRODUCT}{grants}").replace("INSTANT", instant).replace("DUMP", dump).replace("DIE", dies);
        let pipeline = pipeline.replace("DIR/", &format!("{}/", self.root.display()));
        fs::write(self.root.join("strongroom.toml"), &pipeline)?;
        fs::write(self.root.join("target.toml"), &pipeline)?;
        self.expect_tree("product/store");
        let dump = fs::read(self.root.join("dump.txt"))?;
        self.contents.insert("product/database/database.dump".into(), Thing::File(dump));
        let single = fs::read(self.root.join("files/folder/file-1.txt"))?;
        self.contents.insert("product/single/one".into(), Thing::File(single));
        self.contents.insert("product/positions/at.txt".into(), Thing::File(b"42".into()));
        Ok(())
    }

    fn expect_tree(&mut self, below: &str) {
        let tree = listing(&self.root.join("files")).unwrap_or_default();
        self.contents.extend(tree.into_iter().map(|(name, thing)| (format!("{below}/{name}"), thing)));
    }

    /// The program, with nothing of the caller's environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(&self.root).stdin(Stdio::null()).env_clear();
        command.env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8").env("TZ", "UTC");
        let variables =
            ["HOME", "TMPDIR", "STATE_DIRECTORY", "CACHE_DIRECTORY", "XDG_CACHE_HOME", "STRONGROOM_PLUGINS"];
        for (variable, directory) in variables.into_iter().zip(["home", "tmp", "state", "cache", "cache", "plugins"]) {
            command.env(variable, self.root.join(directory));
        }
        command
    }

    /// Runs the program without any fault: its exit code and everything that it printed.
    pub fn run(&self, arguments: &[&str]) -> io::Result<(i32, String)> {
        let output = self.command(arguments).output()?;
        let text = [output.stdout, output.stderr].concat();
        Ok((output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned()))
    }

    fn must(&self, arguments: &[&str]) -> io::Result<()> {
        match self.run(arguments)? {
            (0, _) => Ok(()),
            (code, text) => Err(io::Error::other(format!("{arguments:?} ended with {code} without any fault: {text}"))),
        }
    }

    /// As it was when it was made, with a small disk where one is wanted.
    pub fn set_back(&self, disk: Option<(&str, u64)>) -> io::Result<Option<SmallDisk>> {
        let mut mounted = None;
        for name in CHANGING {
            let path = self.root.join(name);
            match fs::remove_dir_all(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let template = self.template.join(name);
            if let Some((_, room)) = disk.filter(|(place, _)| place == name) {
                fs::create_dir_all(&path)?;
                mounted = Some(SmallDisk::mount(&path, size(&template) + room)?);
            }
            copy_tree(&template, &path)?;
        }
        Ok(mounted)
    }

    /// Visible sets, by name.
    pub fn sets(&self) -> io::Result<Vec<PathBuf>> {
        visible(&self.root.join("repository"))
    }

    /// The sets that there were before.
    pub fn older(&self) -> io::Result<Vec<PathBuf>> {
        visible(&self.template.join("repository"))
    }

    /// Everything that must be gone or as it was when all runs are over: names below the state, scratch and
    /// repository directories, but for visible sets.
    pub fn leftovers(&self) -> io::Result<Vec<String>> {
        let mut left = Vec::new();
        for name in ["state", "tmp", "repository"] {
            let before = names(&self.template.join(name))?;
            let now = names(&self.root.join(name))?;
            let visible = |below: &String| name == "repository" && below.ends_with(".zip") && !below.contains("/.");
            // Directories of the state that are made when they are needed, and stay.
            let meant =
                |below: &String| ["/checkpoints", "/values", "/holds", "/holds/needed"].contains(&below.as_str());
            left.extend(
                now.into_iter()
                    .filter(|below| !before.contains(below) && !visible(below) && !meant(below))
                    .map(|below| format!("{name}{below}")),
            );
        }
        Ok(left)
    }
}

/// The sets of a repository, by name.
fn visible(repository: &Path) -> io::Result<Vec<PathBuf>> {
    let mut sets = Vec::new();
    for entry in fs::read_dir(repository)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|ending| ending == "zip") {
            sets.push(path);
        }
    }
    sets.sort();
    Ok(sets)
}

fn names(directory: &Path) -> io::Result<Vec<String>> {
    Ok(listing(directory)?.into_keys().map(|name| format!("/{name}")).collect())
}

/// A tree with what there is to meet: small files, one that streams, links, an empty file and an empty directory.
fn make_files(root: &Path) -> io::Result<()> {
    fs::create_dir_all(root.join("folder/empty"))?;
    for number in 0..6 {
        fs::write(root.join(format!("folder/file-{number}.txt")), format!("line {number}\n").repeat(30))?;
    }
    fs::write(root.join("nothing"), "")?;
    // Bytes that nothing can pack.
    let noise: Vec<u8> = (0..150_000_u32)
        .flat_map(|number| number.wrapping_mul(2_654_435_761).rotate_left(number % 31).to_le_bytes())
        .collect();
    fs::write(root.join("noise"), noise)?;
    fs::set_permissions(root.join("noise"), fs::Permissions::from_mode(0o640))?;
    symlink("folder/file-1.txt", root.join("link"))
}

/// Everything below a directory; nothing when it is not there.
pub fn listing(root: &Path) -> io::Result<Things> {
    let mut things = Things::new();
    if root.exists() {
        list(root, "", &mut things)?;
    }
    Ok(things)
}

fn list(root: &Path, below: &str, things: &mut Things) -> io::Result<()> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type()?;
        let thing = match kind {
            kind if kind.is_symlink() => {
                Thing::Link(fs::read_link(entry.path())?.into_os_string().into_encoded_bytes())
            }
            kind if kind.is_dir() => Thing::Directory,
            _ => Thing::File(fs::read(entry.path())?),
        };
        if thing == Thing::Directory {
            list(root, &format!("{name}/"), things)?;
        }
        things.insert(name, thing);
    }
    Ok(())
}

/// Mode and time of everything below a directory.
pub fn attributes(root: &Path) -> io::Result<BTreeMap<String, (u32, i64)>> {
    let of = |name: String| {
        let metadata = root.join(&name).symlink_metadata()?;
        Ok((name, (metadata.mode(), metadata.mtime())))
    };
    listing(root)?.into_keys().map(of).collect()
}

fn size(directory: &Path) -> u64 {
    let pages = |thing: &Thing| match thing {
        Thing::File(bytes) => bytes.len().div_ceil(4096) as u64 * 4096,
        _ => 0,
    };
    listing(directory).unwrap_or_default().values().map(pages).sum()
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    if !from.exists() {
        return Ok(());
    }
    fs::create_dir_all(to)?;
    fs::set_permissions(to, from.metadata()?.permissions())?;
    for entry in fs::read_dir(from)? {
        let (entry, target) = (
            entry.as_ref().map_err(|error| io::Error::other(error.to_string()))?.path(),
            to.join(entry.as_ref().map(fs::DirEntry::file_name).unwrap_or_default()),
        );
        match entry.symlink_metadata()? {
            kind if kind.is_dir() => copy_tree(&entry, &target)?,
            kind if kind.is_symlink() => symlink(fs::read_link(&entry)?, &target)?,
            _ => fs::copy(&entry, &target).map(drop)?,
        }
    }
    Ok(())
}
