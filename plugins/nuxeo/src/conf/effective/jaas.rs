//! An entry of a JAAS configuration: `org.example.Module required user="a" password="b";`.

use std::{iter::Peekable, str::Chars};

/// One entry.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// The class.
    pub(super) module: String,
    options: Vec<(String, String)>,
}

impl Entry {
    pub(super) fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Reads as much as is there; what comes after the first `;` is another entry.
pub(super) fn parse(text: &str) -> Entry {
    let mut rest = text.chars().peekable();
    let mut entry = Entry { module: word(&mut rest), options: Vec::new() };
    while rest.peek().is_some_and(|next| *next != ';') {
        let name = word(&mut rest);
        if rest.next_if_eq(&'=').is_some() {
            let value = word(&mut rest);
            entry.options.push((name, value));
        } else if name.is_empty() {
            // A character that belongs to nothing: without this the loop would stand still.
            rest.next();
        }
    }
    entry
}

/// Up to a blank, `=` or `;`; in quotes up to the closing one, where a backslash takes the next as it is.
fn word(rest: &mut Peekable<Chars<'_>>) -> String {
    while rest.next_if(|next| next.is_whitespace()).is_some() {}
    let mut word = String::new();
    match rest.next_if(|next| matches!(next, '"' | '\'')) {
        Some(quote) => {
            while let Some(next) = rest.next().filter(|next| *next != quote) {
                word.push(if next == '\\' { rest.next().unwrap_or('\\') } else { next });
            }
        }
        None => {
            while let Some(next) = rest.next_if(|next| !next.is_whitespace() && !"=;".contains(*next)) {
                word.push(next);
            }
        }
    }
    while rest.next_if(|next| next.is_whitespace()).is_some() {}
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_and_options_are_read() {
        let entry = parse("org.x.Scram required \n username=\"d;a=m\" password = 'k\\'f' plain=1;other x=2;");
        assert_eq!(entry.module, "org.x.Scram");
        let options = ["username", "password", "plain", "x"].map(|name| entry.option(name));
        assert_eq!(options, [Some("d;a=m"), Some("k'f"), Some("1"), None]);
    }

    #[test]
    fn broken_entries_end() {
        for text in ["", ";", "=", "= = =", "\"", "a \"b", "a b=\"c", "a = ", "a '\\", "====", "a \"\" \"\""] {
            let _ = parse(text);
        }
        assert_eq!(parse("a b=\"c").option("b"), Some("c"));
    }
}
