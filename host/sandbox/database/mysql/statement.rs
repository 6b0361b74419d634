//! One statement that reads, with `$1` in the places of values: what it may hold, and how MySQL wants it.
//!
//! The server takes one statement at a time and refuses to write in a read-only transaction. What it would not refuse is
//! refused here: results that go into files or locks on rows, and comments that are not comments.

use std::fmt::Write as _;

/// The longest statement, and the most that its values may be, in bytes: they are sent together and twice as long.
const BYTES_MAX: usize = 1 << 20;

/// What begins a statement that reads.
const BEGINS: [&str; 4] = ["SELECT", "WITH", "VALUES", "TABLE"];

/// How the server reads quotes, by its `sql_mode` (MySQL 8.0 Reference Manual, "Server SQL Modes").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// `\'` does not end a string.
    backslash: bool,
    /// What is in double quotes is a name, so that a backslash means nothing there.
    ansi_quotes: bool,
}

/// Ready for the server.
#[derive(Debug, PartialEq, Eq)]
pub struct Statement {
    /// With `?` in the places of values, and without comments.
    text: String,
    /// The number of the parameter for each `?`, from 1.
    order: Vec<usize>,
}

impl Dialect {
    /// By the server's `sql_mode`.
    pub fn of(sql_mode: &str) -> Self {
        let holds = |mode: &str| sql_mode.split(',').any(|one| one.eq_ignore_ascii_case(mode));
        Self { backslash: !holds("NO_BACKSLASH_ESCAPES"), ansi_quotes: holds("ANSI_QUOTES") }
    }

    /// Reads a statement that was given so many values.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn read(self, statement: &str, given: usize) -> Result<Statement, String> {
        if statement.len() > BYTES_MAX {
            return Err(format!("a statement has at most {BYTES_MAX} bytes"));
        }
        let mut reader = Reader { dialect: self, rest: statement, out: String::new(), order: Vec::new(), word: "" };
        while !reader.rest.is_empty() {
            reader.step()?;
        }
        let text = reader.out.trim_end_matches(|letter| is_blank(letter) || letter == ';').to_owned();
        let begin = text.trim_start_matches(|letter| is_blank(letter) || letter == '(');
        let first: String = begin.chars().take_while(char::is_ascii_alphabetic).collect();
        if !BEGINS.iter().any(|word| first.eq_ignore_ascii_case(word)) {
            return Err("the statement must be one SELECT, WITH, VALUES or TABLE".to_owned());
        }
        let wanted = reader.order.iter().copied().max().unwrap_or(0);
        if wanted != given {
            return Err(format!("the statement has {wanted} parameters, and {given} were given"));
        }
        Ok(Statement { text, order: reader.order })
    }
}

impl Statement {
    /// What is said to the server: the values and the statement into variables, the statement prepared, and run.
    ///
    /// Values travel as hexadecimal digits, so that nothing in them can be taken for SQL; a statement that is
    /// prepared is refused when it is more than one.
    ///
    /// # Errors
    /// When the values are too long.
    pub fn commands(&self, values: &[String]) -> Result<[String; 3], String> {
        if values.iter().map(String::len).sum::<usize>() > BYTES_MAX {
            return Err(format!("the values of a statement have at most {BYTES_MAX} bytes"));
        }
        let mut set = format!("SET @strongroom = {}", literal(&self.text));
        for (number, value) in values.iter().enumerate() {
            // Writing to a String cannot fail.
            let _ = write!(set, ", @strongroom{} = {}", number + 1, literal(value));
        }
        let using: Vec<_> = self.order.iter().map(|number| format!("@strongroom{number}")).collect();
        let using = if using.is_empty() { String::new() } else { format!(" USING {}", using.join(", ")) };
        Ok([set, "PREPARE strongroom FROM @strongroom".to_owned(), format!("EXECUTE strongroom{using}")])
    }
}

fn literal(text: &str) -> String {
    let mut digits = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    format!("CONVERT(X'{digits}' USING utf8mb4)")
}

struct Reader<'a> {
    dialect: Dialect,
    rest: &'a str,
    out: String,
    order: Vec<usize>,
    /// The word just before, if nothing else stands between.
    word: &'a str,
}

impl<'a> Reader<'a> {
    /// The next piece: a blank, a comment, something in quotes, a word, or one other letter.
    fn step(&mut self) -> Result<(), String> {
        let rest = self.rest;
        let Some(first) = rest.chars().next() else { return Ok(()) };
        match first {
            _ if is_blank(first) => self.copy(1),
            // Some begin a comment for the server.
            _ if first.is_control() => return Err("the statement holds a control character".to_owned()),
            '\'' | '"' | '`' => {
                let end = self.end_of_quoted(first).ok_or("something in quotes does not end")?;
                self.other(end);
            }
            '#' => self.skip_line(),
            '-' if rest.starts_with("--") && !rest[2..].starts_with(|next: char| next > ' ') => self.skip_line(),
            '/' if rest.starts_with("/*") => self.skip_comment()?,
            '?' => return Err("a parameter is written $1, not ?".to_owned()),
            _ if is_of_word(first) => self.word()?,
            ';' if !only_blanks_follow(&rest[1..], self.dialect) => {
                return Err("the statement must be one SELECT, WITH, VALUES or TABLE".to_owned());
            }
            _ => self.other(first.len_utf8()),
        }
        Ok(())
    }

    fn copy(&mut self, bytes: usize) {
        let (piece, rest) = self.rest.split_at(bytes);
        self.out.push_str(piece);
        self.rest = rest;
    }

    fn other(&mut self, bytes: usize) {
        self.copy(bytes);
        self.word = "";
    }

    /// Where what begins with this quote is over.
    fn end_of_quoted(&self, quote: char) -> Option<usize> {
        let escapes = self.dialect.backslash && (quote == '\'' || quote == '"' && !self.dialect.ansi_quotes);
        let bytes = self.rest.as_bytes();
        let mut at = 1;
        while at < bytes.len() {
            match bytes[at] {
                b'\\' if escapes => at += 2,
                byte if byte != quote as u8 => at += 1,
                // Twice is once, inside.
                _ if bytes.get(at + 1) == Some(&(quote as u8)) => at += 2,
                _ => return Some(at + 1),
            }
        }
        None
    }

    fn skip_line(&mut self) {
        self.out.push(' ');
        self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
    }

    /// `/*! … */` and `/*M! … */` are run, and `/*+ … */` changes how the statement is.
    fn skip_comment(&mut self) -> Result<(), String> {
        let inside = &self.rest[2..];
        if inside.starts_with(['!', '+']) || inside.starts_with("M!") || inside.starts_with("m!") {
            return Err("comments that the server runs (/*! */, /*M! */, /*+ */) are refused".to_owned());
        }
        self.rest = inside.split_once("*/").ok_or("a comment does not end")?.1;
        self.out.push(' ');
        Ok(())
    }

    /// A name, a keyword, a number or a parameter.
    fn word(&mut self) -> Result<(), String> {
        let end = self.rest.find(|letter| !is_of_word(letter)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        // A name may begin with a dollar where nothing but a name can stand.
        let named = self.out.ends_with(['.', '@']);
        if let Some(digits) = word.strip_prefix('$')
            && !named
            && !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_digit())
        {
            let number = digits.parse().ok().filter(|number| (1..=u16::MAX.into()).contains(number));
            self.order.push(number.ok_or_else(|| format!("{word} is no parameter: they begin with $1"))?);
            // Between blanks, so that it does not become a part of what stands beside it.
            self.out.push_str(" ? ");
            self.rest = rest;
            self.word = "";
            return Ok(());
        }
        allowed(self.word, word)?;
        self.word = word;
        self.copy(end);
        Ok(())
    }
}

/// `INTO` writes files and variables; the others lock rows, against the writers.
fn allowed(before: &str, word: &str) -> Result<(), String> {
    let is = |text: &str, word: &str| text.eq_ignore_ascii_case(word);
    let locks = is(before, "FOR") && (is(word, "UPDATE") || is(word, "SHARE")) || is(before, "LOCK") && is(word, "IN");
    match (is(word, "INTO"), locks) {
        (true, _) => Err("INTO is refused: a statement brings rows and nothing else".to_owned()),
        (_, true) => Err(format!("{before} {word} is refused: it would lock rows")),
        _ => Ok(()),
    }
}

/// Letters of names without quotes, and of numbers (MySQL 8.0 Reference Manual, "Schema Object Names").
fn is_of_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '$') || !letter.is_ascii() && !letter.is_control()
}

fn is_blank(letter: char) -> bool {
    matches!(letter, ' ' | '\t'..='\r')
}

/// Whether the statement is over.
fn only_blanks_follow(rest: &str, dialect: Dialect) -> bool {
    let mut reader = Reader { dialect, rest, out: String::new(), order: Vec::new(), word: "" };
    while !reader.rest.is_empty() {
        let blank = reader.rest.starts_with(|letter| is_blank(letter) || letter == ';');
        let comment = ["#", "--", "/*"].iter().any(|mark| reader.rest.starts_with(mark));
        match (blank, comment) {
            (true, _) => reader.rest = &reader.rest[1..],
            (_, true) if reader.step().is_ok() && reader.out.trim().is_empty() => {}
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Dialect = Dialect { backslash: true, ansi_quotes: false };

    fn read(statement: &str, given: usize) -> Result<(String, Vec<usize>), String> {
        USUAL.read(statement, given).map(|statement| (statement.text, statement.order))
    }

    fn text(statement: &str, given: usize) -> String {
        read(statement, given).unwrap().0.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn parameters_are_found_outside_of_quotes_comments_and_names() {
        assert_eq!(
            text("select * from a where b=$2 and c in($1,$2)", 2),
            "select * from a where b= ? and c in( ? , ? )"
        );
        assert_eq!(read("select $2, $1, $2", 2).unwrap().1, [2, 1, 2]);
        for same in [
            "select '$1', \"$1\", `$1`, a$1, t.$1, @$1",
            "select 'it''s $1', 'it\\'s $1', \"a\\\"$1\", `a``$1`",
            "select 5--1",
        ] {
            assert_eq!(text(same, 0), same);
        }
        assert_eq!(text("select 1 -- it's $1\n+ 1 # $2\n /* $3 ' */ + 1", 0), "select 1 + 1 + 1");
        assert_eq!(text("select x'00'--\n", 0), "select x'00'");
    }

    #[test]
    fn where_a_string_ends_is_what_the_server_thinks() {
        let sneaky = "select '\\' into outfile \\'x', '' ";
        assert!(USUAL.read(sneaky, 0).is_ok());
        let plain = Dialect::of("ANSI,NO_BACKSLASH_ESCAPES");
        assert!(plain.read(sneaky, 0).unwrap_err().contains("INTO"));
        let quoted = "select \"\\\", '$1'";
        assert!(USUAL.read(quoted, 0).is_err());
        assert!(Dialect::of("STRICT_TRANS_TABLES,ANSI_QUOTES").read(quoted, 0).is_ok());
    }

    #[test]
    fn what_the_server_would_not_refuse_is_refused_here() {
        for (statement, what) in [
            ("select 1 into outfile '/x'", "INTO"),
            ("select 1 InTo/**/dumpfile '/x'", "INTO"),
            ("select 1 into @a", "INTO"),
            ("select 1 /*! into outfile '/x' */", "comments"),
            ("select 1 /*M!100000 into outfile '/x' */", "comments"),
            ("select /*+ SET_VAR(sql_mode='') */ 1", "comments"),
            ("select * from t for /* */ update", "lock rows"),
            ("select * from t for share", "lock rows"),
            ("select * from t LOCK in share mode", "lock rows"),
            ("select 1; drop table t", "must be one"),
            ("select 1;;\n-- x\n; drop table t", "must be one"),
            ("delete from t", "must be one"),
            ("set statement max_statement_time=1 for select 1", "must be one"),
            ("", "must be one"),
            ("select '", "does not end"),
            ("select /* '", "does not end"),
            ("select ?", "written $1"),
            ("select $0", "begin with $1"),
            ("select $99999999999999999999", "begin with $1"),
            ("select 1 --\u{7f} '\n into outfile '/x' -- '", "control character"),
            ("select \0", "control character"),
        ] {
            let error = read(statement, 0).unwrap_err();
            assert!(error.contains(what), "{statement}: {error}");
        }
        assert!(read("select $2", 1).unwrap_err().contains("has 2 parameters, and 1"));
        assert!(read(&format!("select '{}'", "x".repeat(BYTES_MAX)), 0).unwrap_err().contains("bytes"));
    }

    #[test]
    fn the_forms_of_a_question_are_let_through() {
        for statement in [
            "(select 1) union (select 2)",
            "with q as (select 3) select * from q",
            "values (1), (2)",
            "select substring('abc' from 1 for 2) ; ; -- done",
            "select a from t force index for order by (i) order by a;/* end */",
        ] {
            assert!(read(statement, 0).is_ok(), "{statement}");
        }
    }

    #[test]
    fn values_are_digits_for_the_server() {
        let statement = USUAL.read("select $2, $1", 2).unwrap();
        let [set, _, execute] = statement.commands(&["'".into(), "é".into()]).unwrap();
        assert!(
            set.ends_with("@strongroom1 = CONVERT(X'27' USING utf8mb4), @strongroom2 = CONVERT(X'c3a9' USING utf8mb4)")
        );
        assert_eq!(execute, "EXECUTE strongroom USING @strongroom2, @strongroom1");
        assert!(statement.commands(&["x".repeat(BYTES_MAX), "y".into()]).is_err());
    }
}
