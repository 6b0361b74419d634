//! Argument templates: `--snapshot={snapshot:word}`, read into pieces and written back.

use std::{fmt, ops::Range};

use super::{ParameterKind, Piece, SqlField, Template, schema};

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {help}")]
pub struct Fault {
    /// The bytes of the text that it is about.
    pub range: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

const FORMS: &str =
    "write {name:word}, {name:identifier}, {name:number}, {name:path:DIR}, {sql.NAME.FIELD}, or {{ and }} for braces";
const FIELDS: [(&str, SqlField); 7] = [
    ("host", SqlField::Host),
    ("socket", SqlField::Socket),
    ("port", SqlField::Port),
    ("name", SqlField::Name),
    ("user", SqlField::User),
    ("sslmode", SqlField::Sslmode),
    ("ca", SqlField::Ca),
];

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// The first thing in it that is neither text nor a known form.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let (mut pieces, mut literal, mut at) = (Vec::new(), String::new(), 0);
        while let Some(found) = text[at..].find(['{', '}']) {
            let brace = at + found;
            literal.push_str(&text[at..brace]);
            let (rest, doubled) = (&text[brace..], &text[brace..brace + 1]);
            if rest[1..].starts_with(doubled) {
                literal.push_str(doubled);
                at = brace + 2;
                continue;
            }
            let fault = |range, message: String| Fault { range, message, help: FORMS.to_owned() };
            let close = rest.find('}').filter(|_| doubled == "{");
            let Some(close) = close else {
                return Err(fault(brace..brace + 1, format!("a single {doubled} in a template")));
            };
            let piece = piece(&rest[1..close]).map_err(|message| fault(brace..brace + close + 1, message))?;
            pieces.extend((!literal.is_empty()).then(|| Piece::Literal(std::mem::take(&mut literal))));
            pieces.push(piece);
            at = brace + close + 1;
        }
        literal.push_str(&text[at..]);
        pieces.extend((!literal.is_empty()).then_some(Piece::Literal(literal)));
        Ok(Self(pieces))
    }

    /// Its text, when it is nothing but text.
    pub fn literal(&self) -> Option<&str> {
        match &self.0[..] {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }
}

fn piece(inner: &str) -> Result<Piece, String> {
    if let Some((grant, field)) = inner.strip_prefix("sql.").and_then(|rest| rest.split_once('.')) {
        let Some((_, field)) = FIELDS.iter().find(|(word, _)| *word == field) else {
            let known = FIELDS.map(|(word, _)| word).join(", ");
            return Err(format!("{{{inner}}} names no field of a database: known are {known}"));
        };
        return Ok(Piece::Sql { grant: grant.to_owned(), field: *field });
    }
    let Some((name, kind)) = inner.split_once(':') else {
        return Err(format!("{{{inner}}} has no type"));
    };
    if !schema::is_name(name) {
        return Err(format!("{name:?} is no name of a parameter"));
    }
    let kind = match kind.split_once(':') {
        None if kind == "identifier" => ParameterKind::Identifier,
        None if kind == "word" => ParameterKind::Word,
        None if kind == "number" => ParameterKind::Number,
        Some(("path", grant)) if !grant.is_empty() => ParameterKind::Path(grant.to_owned()),
        _ if kind == "path" => return Err(format!("{{{inner}}} does not say below which directory grant")),
        _ => return Err(format!("{kind:?} is no type of a parameter")),
    };
    Ok(Piece::Parameter { name: name.to_owned(), kind })
}

/// As it would be written in the file.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Literal(text) => f.write_str(&text.replace('{', "{{").replace('}', "}}")),
            Piece::Parameter { name, kind: ParameterKind::Identifier } => write!(f, "{{{name}:identifier}}"),
            Piece::Parameter { name, kind: ParameterKind::Word } => write!(f, "{{{name}:word}}"),
            Piece::Parameter { name, kind: ParameterKind::Number } => write!(f, "{{{name}:number}}"),
            Piece::Parameter { name, kind: ParameterKind::Path(grant) } => write!(f, "{{{name}:path:{grant}}}"),
            Piece::Sql { grant, field } => {
                let word = FIELDS.iter().find(|(_, known)| known == field).map_or("", |(word, _)| word);
                write!(f, "{{sql.{grant}.{word}}}")
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_written_as_it_was_read() {
        for text in ["", "--x", "--s={s:word}", "{{literal}}", "{a:path:home}/{n:number}", "{sql.db.ca}{i:identifier}ü"]
        {
            assert_eq!(Template::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Template::parse("a{{b}}c").unwrap().literal(), Some("a{b}c"));
        assert_eq!(Template::parse("a{b:word}").unwrap().literal(), None);
    }

    #[test]
    fn what_is_no_template_says_where_and_why() {
        for (text, range) in [
            ("a{b", 1..2),
            ("a}b", 1..2),
            ("{}", 0..2),
            ("x{name}", 1..7),
            ("{n:path}", 0..8),
            ("{n:text}", 0..8),
            ("{sql.db.password}", 0..17),
            ("{N:word}", 0..8),
            ("{n:path:}", 0..9),
        ] {
            assert_eq!(Template::parse(text).unwrap_err().range, range, "{text}");
        }
    }
}
