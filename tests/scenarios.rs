//! Runs every folder of `tests/scenarios/`: a pipeline, what it needs, commands, and what they must print.
//!
//! `tests/scenarios/README.md` says what a folder may hold. Adding a case is adding a folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::support::{Done, Going, Place, postgres, root};

mod redact;
mod script;

use self::{redact::redacted, script::Line};

/// Write what is printed instead of comparing it: `STRONGROOM_SCENARIOS=write`. Look at the diff afterwards.
fn writes() -> bool {
    std::env::var("STRONGROOM_SCENARIOS").is_ok_and(|value| value == "write")
}

#[test]
fn every_scenario_goes_as_its_folder_says() {
    let folders = folders();
    assert!(folders.len() >= 15, "the scenarios are gone: {folders:?}");
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(folder) = folders.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = std::panic::catch_unwind(|| run(folder));
                    if result.is_err() {
                        failures.lock().unwrap().push(folder.file_name().unwrap().to_owned());
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} of {} scenarios failed, see above: {failures:?}", failures.len(), folders.len());
}

fn folders() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("tests/scenarios")).unwrap();
    let mut folders: Vec<_> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// One scenario while it runs.
struct Scenario<'a> {
    folder: &'a Path,
    place: Place,
    database: Option<postgres::Database>,
}

fn run(folder: &Path) {
    let database = fs::read_to_string(folder.join("services")).ok().map(|services| {
        assert_eq!(services.trim(), "postgresql", "{}: the only service that there is", folder.display());
        postgres::database()
    });
    let scenario = Scenario { folder, place: Place::new(), database };
    scenario.furnish();
    let script = fs::read_to_string(folder.join("commands.txt")).unwrap_or_else(|error| {
        panic!("{}: {error}", folder.join("commands.txt").display());
    });
    for (number, line) in script.lines().enumerate() {
        let at = format!("{}, line {} of commands.txt: {line}", folder.display(), number + 1);
        if let Some(line) = Line::parse(line).unwrap_or_else(|why| panic!("{at}: {why}")) {
            scenario.perform(&line, &at);
        }
    }
    scenario.place.assert_left_nothing();
}

impl Scenario<'_> {
    /// Copies the folder's files, and fills in what is known only now.
    fn furnish(&self) {
        if self.folder.join("files").is_dir() {
            self.shell("cp -a \"$FOLDER/files\" \"$DIR/files\"", "copying files/");
        }
        for entry in fs::read_dir(self.folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.extension().is_some_and(|ending| ending == "toml") {
                let name = match entry.file_name().unwrap().to_str().unwrap() {
                    "pipeline.toml" => "strongroom.toml",
                    name => name,
                };
                self.place.write(name, &self.filled_in(&fs::read_to_string(&entry).unwrap()));
            }
        }
        if self.folder.join("setup.sh").is_file() {
            self.shell("sh -eu \"$FOLDER/setup.sh\"", "setup.sh");
        }
        if let (Some(database), Ok(sql)) = (&self.database, fs::read_to_string(self.folder.join("setup.sql"))) {
            database.sql(&sql);
        }
    }

    fn filled_in(&self, text: &str) -> String {
        let Some(database) = &self.database else { return text.to_owned() };
        let pg_dump = postgres::program("pg_dump").display().to_string();
        text.replace("$URL", &database.url(postgres::ROLE)).replace("$PG_DUMP", &pg_dump)
    }

    fn perform(&self, line: &Line, at: &str) {
        match line {
            Line::Shell(command) => self.shell(command, at),
            Line::Strongroom { code, arguments, out, err } => {
                let arguments: Vec<_> = arguments.iter().map(|word| self.word(word)).collect();
                let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
                let done = self.place.run(&arguments);
                assert_eq!(done.code, *code, "{at}:\n{done}");
                self.compare(out.as_deref(), &done.out, &done, at);
                self.compare(err.as_deref(), &done.err, &done, at);
            }
        }
    }

    /// `$DIR` and `$(FILE)`: the first line of a file of the place.
    fn word(&self, word: &str) -> String {
        let word = word.replace("$DIR", &self.place.path().display().to_string());
        let Some((before, rest)) = word.split_once("$(") else { return word };
        let (name, after) = rest.split_once(')').expect("$(FILE) ends");
        let text = fs::read_to_string(self.place.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        format!("{before}{}{after}", text.lines().next().unwrap_or_default())
    }

    fn compare(&self, expected: Option<&str>, printed: &str, done: &Done, at: &str) {
        let Some(name) = expected else { return };
        let printed = redacted(printed, self.place.path(), self.database.as_ref());
        let path = self.folder.join(name);
        if writes() {
            return fs::write(path, printed).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(expected == printed, "{at}: not as {name}:\n{}\n{done}", difference(&expected, &printed));
    }

    fn shell(&self, script: &str, at: &str) {
        let mut command = Command::new("/bin/bash");
        command.args(["-euc", script]).current_dir(self.place.path());
        command
            .env("DIR", self.place.path())
            .env("FOLDER", self.folder)
            .env("STRONGROOM", env!("CARGO_BIN_EXE_strongroom"));
        // The plugins are where the pipelines of this place find them.
        command.env("PLUGINS", crate::support::plugins::built());
        if let Some(database) = &self.database {
            command.env("PGHOST", "127.0.0.1").env("PGPORT", database.port.to_string());
            command.env("PGDATABASE", &database.name).env("PGUSER", postgres::ROLE);
        }
        let done = Going::start(command).finish();
        assert_eq!(done.code, 0, "{at}:\n{done}");
    }
}

/// Lines that are in one text only.
fn difference(expected: &str, printed: &str) -> String {
    let only = |mark: &str, these: &str, others: &str| -> String {
        let lines = these.lines().filter(|line| !others.lines().any(|other| other == *line));
        lines.map(|line| format!("{mark} {line}\n")).collect()
    };
    only("-", expected, printed) + &only("+", printed, expected)
}
