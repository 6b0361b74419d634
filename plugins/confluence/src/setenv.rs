//! Reads and rewrites what `bin/setenv.sh` and `bin/setenv.bat` give to Confluence: Java system properties and
//! environment variables.

use std::ops::Range;

/// Whose rules a script follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    /// `sh`: `#` begins a comment, `"` and `'` quote.
    Posix,
    /// `cmd.exe`: `rem` and `::` begin a comment line, `"` quotes, a backslash is part of a path.
    Windows,
}

/// One script.
#[derive(Debug, Clone)]
pub struct Script {
    /// Below the installation directory.
    pub path: &'static str,
    /// Its rules.
    pub shell: Shell,
    /// Its content.
    pub text: String,
}

impl Script {
    /// The value of `-Dname=` on the last line that sets it, comments left aside.
    pub fn system_property(&self, name: &str) -> Option<String> {
        self.find(&format!("-D{name}=")).map(|span| self.text[span].to_owned())
    }

    /// The value of an environment variable that the script sets as plain text.
    pub fn variable(&self, name: &str) -> Option<String> {
        let value = self.find(&format!("{name}=")).map(|span| self.text[span].to_owned());
        value.filter(|value| !value.is_empty() && self.is_plain(value))
    }

    /// Whether the shell puts nothing into that value: then it is the operator's own text.
    pub fn is_plain(&self, value: &str) -> bool {
        !value.contains(match self.shell {
            Shell::Posix => ['$', '`'],
            Shell::Windows => ['%', '!'],
        })
    }

    /// The script with that system property replaced; none when it does not set it.
    pub fn rewrite(&self, name: &str, value: &str) -> Option<String> {
        let span = self.find(&format!("-D{name}="))?;
        Some(format!("{}{value}{}", &self.text[..span.start], &self.text[span.end..]))
    }

    fn find(&self, assignment: &str) -> Option<Range<usize>> {
        let mut found = None;
        let mut at = 0;
        for line in self.text.split_inclusive('\n') {
            let live = self.live_length(line);
            for (hit, _) in line[..live].match_indices(assignment) {
                let before = line[..hit].chars().next_back();
                if before.is_none_or(|before| before.is_whitespace() || "\"'=".contains(before)) {
                    let from = hit + assignment.len();
                    found = Some(at + from..at + from + self.value_length(&line[from..]));
                }
            }
            at += line.len();
        }
        // `-Dname="…"`: the quotes are the shell's.
        found.map(|span| match self.text[span.clone()].chars().next() {
            Some('"' | '\'') => span.start + 1..span.end - usize::from(span.len() > 1),
            _ => span,
        })
    }

    /// How much of a line is not a comment. In `sh` a `#` begins one at the line's start or behind a blank, outside quotes.
    fn live_length(&self, line: &str) -> usize {
        if self.shell == Shell::Windows {
            let start = line.trim_start().trim_start_matches('@').trim_start().to_ascii_lowercase();
            let rem = start.strip_prefix("rem").is_some_and(|rest| rest.chars().next().is_none_or(char::is_whitespace));
            return if rem || start.starts_with("::") { 0 } else { line.len() };
        }
        let mut quote = None;
        let mut before = ' ';
        for (at, character) in line.char_indices() {
            match (quote, character) {
                (None, '#') if before.is_whitespace() => return at,
                (None, '"' | '\'') => quote = Some(character),
                (Some(open), _) if open == character => quote = None,
                _ => {}
            }
            before = character;
        }
        line.len()
    }

    /// Up to the blank or the quote that ends the value; one that opens with a quote ends with its twin, and one
    /// inside a quoted option ends with that quote.
    fn value_length(&self, text: &str) -> usize {
        let ends = match self.shell {
            Shell::Posix => "\"'\\;",
            Shell::Windows => "\"&",
        };
        match text.chars().next() {
            Some(quote @ ('"' | '\'')) => text[1..].find(quote).map_or(text.trim_end().len(), |length| length + 2),
            _ => {
                text.find(|character: char| character.is_whitespace() || ends.contains(character)).unwrap_or(text.len())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIXTURE: &str = include_str!("../fixtures/a-cluster-pg-9x/install/bin/setenv.sh");
    const HOME: &str = "confluence.home";

    fn sh(text: &str) -> Script {
        Script { path: "bin/setenv.sh", shell: Shell::Posix, text: text.into() }
    }

    fn bat(text: &str) -> Script {
        Script { path: "bin/setenv.bat", shell: Shell::Windows, text: text.into() }
    }

    #[test]
    fn commented_lines_are_ignored() {
        assert_eq!(sh(FIXTURE).system_property(HOME), None);
        assert_eq!(sh(FIXTURE).system_property("confluence.cluster.node.name").as_deref(), Some("kb-node-1"));
        assert_eq!(sh("export A=1 # -Dconfluence.home=/no\n").system_property(HOME), None);
        for comment in
            ["rem set A=-Dconfluence.home=/no\r\n", "@REM -Dconfluence.home=/no", "  :: -Dconfluence.home=/no"]
        {
            assert_eq!(bat(comment).system_property(HOME), None, "{comment}");
        }
    }

    #[test]
    fn values_end_where_the_shell_ends_them_and_the_last_wins() {
        let value = |script| sh(script).system_property(HOME);
        assert_eq!(value("X=\"-Dconfluence.home=/a\"\nX=\"$X -Dconfluence.home=/b -Dy=1\"\n").as_deref(), Some("/b"));
        assert_eq!(value("X=\"$X -Dconfluence.home=/a\"").as_deref(), Some("/a"));
        assert_eq!(value("X='-Dconfluence.home=\"/with blank\" -Dz=1'").as_deref(), Some("/with blank"));
        assert_eq!(value("X=-Dmy-Dconfluence.home=/no"), None);
        assert_eq!(value("X='-Dconfluence.homes=/no'"), None);
    }

    #[test]
    fn a_batch_file_is_read_by_its_own_rules() {
        let value = |script| bat(script).system_property(HOME);
        let line = "set CATALINA_OPTS=-Dconfluence.home=C:\\data\\wiki %CATALINA_OPTS%\r\n";
        assert_eq!(value(line).as_deref(), Some("C:\\data\\wiki"));
        let quoted = "set CATALINA_OPTS=%CATALINA_OPTS% -Dconfluence.home=\"C:\\Program Files\\wiki\" -Dx=1\r\n";
        assert_eq!(value(quoted).as_deref(), Some("C:\\Program Files\\wiki"));
        let remark = "remove=1\r\nset X=-Dconfluence.home=/a\r\n";
        assert_eq!(value(remark).as_deref(), Some("/a"));
        assert!(!bat("").is_plain("%BASE%\\wiki") && bat("").is_plain("C:\\a$b"));
        let moved = bat(line).rewrite(HOME, "/new").unwrap();
        assert_eq!(moved, "set CATALINA_OPTS=-Dconfluence.home=/new %CATALINA_OPTS%\r\n");
    }

    #[test]
    fn a_rewrite_touches_one_value() {
        let script = "A=\"-Dconfluence.home=/old $A\"\nB=2\n";
        let wanted = "A=\"-Dconfluence.home=/new $A\"\nB=2\n";
        assert_eq!(sh(script).rewrite(HOME, "/new").as_deref(), Some(wanted));
        assert_eq!(sh(FIXTURE).rewrite(HOME, "/new"), None);
    }

    #[test]
    fn variables_are_read_where_they_are_plain_text() {
        let name = "com_atlassian_x";
        let value = |script| sh(script).variable(name);
        assert_eq!(value("com_atlassian_x=/a\nexport com_atlassian_x\n").as_deref(), Some("/a"));
        assert_eq!(value("export com_atlassian_x=\"/a b\"; export B=1\n").as_deref(), Some("/a b"));
        assert_eq!(value("export com_atlassian_x=$DIR/a\n"), None);
        assert_eq!(value("# com_atlassian_x=/a\n"), None);
        assert_eq!(bat("set com_atlassian_x=C:\\s\\k\r\n").variable(name).as_deref(), Some("C:\\s\\k"));
    }
}
