//! The lines of a scenario's `commands.txt`.

/// One thing to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line for bash.
    Shell(String),
    /// A call of the program.
    Strongroom {
        /// Its exit code.
        code: i32,
        /// Its arguments.
        arguments: Vec<String>,
        /// The file with what it must print on standard output.
        out: Option<String>,
        /// The same for standard error.
        err: Option<String>,
    },
}

impl Line {
    /// Nothing for empty lines and comments.
    pub(super) fn parse(line: &str) -> Result<Option<Self>, String> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        if let Some(script) = line.strip_prefix("sh ") {
            return Ok(Some(Self::Shell(script.to_owned())));
        }
        let mut words = line.split_whitespace().map(str::to_owned);
        let code = words.next().and_then(|word| word.parse().ok()).ok_or("it begins with an exit code or `sh`")?;
        let (mut arguments, mut out, mut err) = (Vec::new(), None, None);
        while let Some(word) = words.next() {
            match &word[..] {
                ">" => out = Some(words.next().ok_or("`>` names a file")?),
                "2>" => err = Some(words.next().ok_or("`2>` names a file")?),
                _ => arguments.push(word),
            }
        }
        Ok(Some(Self::Strongroom { code, arguments, out, err }))
    }
}

#[test]
fn a_line_names_its_exit_code_and_what_is_printed() {
    let parsed = Line::parse("4 verify --any-state > report.txt 2> error.txt").unwrap().unwrap();
    let wanted = Line::Strongroom {
        code: 4,
        arguments: vec!["verify".into(), "--any-state".into()],
        out: Some("report.txt".into()),
        err: Some("error.txt".into()),
    };
    assert_eq!(parsed, wanted);
    assert_eq!(Line::parse("sh rm x > y").unwrap(), Some(Line::Shell("rm x > y".into())));
    assert_eq!(Line::parse("  # rest").unwrap(), None);
    assert!(Line::parse("backup").is_err());
}
