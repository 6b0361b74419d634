//! Fills a tool's templates: what the plugin says becomes part of one argument, and of nothing else.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::{self, Write},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use cap_std::{ambient_authority, fs::Dir};
use tempfile::NamedTempFile;

use crate::{
    config::{Engine, EnvValue, Grants, ParameterKind, Piece, SqlField, SqlGrant, Template, ToolGrant},
    name::RawPath,
    sandbox::{fault::Code, native::Error},
    secret::{Secret, Source},
};

/// Longest value of a parameter, in bytes.
const VALUE_BYTES_MAX: usize = 4096;

/// Longest `identifier`, in bytes.
const IDENTIFIER_BYTES_MAX: usize = 128;

/// Longest `number`, in digits: more than any 64-bit count has.
const NUMBER_DIGITS_MAX: usize = 20;

/// What a child is started with.
#[derive(Debug)]
pub struct Filled {
    /// The absolute program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Its whole environment.
    pub env: Vec<(String, OsString)>,
    /// What must not appear in anything that it says.
    pub secrets: Vec<Secret>,
    /// Files that hold a secret: each is removed when dropped.
    pub files: Vec<NamedTempFile>,
}

/// Fills every template of a grant. Reads secrets and looks at directories: it may wait for the disk.
///
/// # Errors
/// `invalid` for a parameter that is missing, unknown or not of its type, `denied` or `not-found` for a path that
/// is not below its grant, and whatever reading a secret says.
pub fn fill(
    tool: &str,
    grant: &ToolGrant,
    grants: &Grants,
    parameters: &[(String, String)],
    scratch: &Path,
) -> Result<Filled, Error> {
    let values = named(tool, grant, parameters)?;
    let blank = Blank { tool, grants, values: &values };
    let mut argv = grant.argv.iter().map(|template| blank.fill(template)).collect::<Result<Vec<_>, _>>()?.into_iter();
    let program = PathBuf::from(argv.next().unwrap_or_default());
    if !program.is_absolute() {
        let message = format!("tool {tool:?}: the program {} is not an absolute path", program.display());
        return Err(Error::new(Code::Invalid, message));
    }
    let mut filled =
        Filled { program, arguments: argv.collect(), env: Vec::new(), secrets: Vec::new(), files: Vec::new() };
    for (variable, value) in &grant.env {
        let value = match value {
            EnvValue::Text(template) => blank.fill(template)?,
            EnvValue::Secret(source) => filled.secret(tool, variable, source)?.expose().into(),
            EnvValue::SecretFile(source) => filled.secret_file(tool, variable, source, scratch)?,
        };
        filled.env.push((variable.clone(), value));
    }
    Ok(filled)
}

impl Filled {
    fn secret(&mut self, tool: &str, variable: &str, source: &Source) -> Result<Secret, Error> {
        let secret = source.resolve().map_err(|cause| {
            let detail = std::error::Error::source(&cause).map_or_else(String::new, |inner| format!(": {inner}"));
            Error::new(Code::Unavailable, format!("tool {tool:?}: environment variable {variable}: {cause}{detail}"))
        })?;
        self.secrets.push(secret.clone());
        Ok(secret)
    }

    fn secret_file(&mut self, tool: &str, variable: &str, source: &Source, scratch: &Path) -> Result<OsString, Error> {
        let secret = self.secret(tool, variable, source)?;
        let file = private_file(scratch, secret.expose()).map_err(|cause| {
            let place = scratch.display();
            Error::new(Code::Io, format!("tool {tool:?}: writing the secret file for {variable} in {place}: {cause}"))
        })?;
        let path = file.path().as_os_str().to_owned();
        self.files.push(file);
        Ok(path)
    }
}

/// `tempfile` makes it with mode 0600.
fn private_file(directory: &Path, content: &str) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix("secret-").tempfile_in(directory)?;
    file.write_all(content.as_bytes())?;
    Ok(file)
}

/// The values by name, once it is sure that they are those which the templates ask for.
fn named<'a>(
    tool: &str,
    grant: &ToolGrant,
    parameters: &'a [(String, String)],
) -> Result<BTreeMap<&'a str, &'a str>, Error> {
    let invalid = |what: String| Err(Error::new(Code::Invalid, format!("tool {tool:?}: {what}")));
    let texts = grant.env.values().filter_map(|value| match value {
        EnvValue::Text(template) => Some(template),
        _ => None,
    });
    let wanted: Vec<&str> = grant.argv.iter().chain(texts).flat_map(parameters_of).collect();
    let mut values = BTreeMap::new();
    for (name, value) in parameters {
        if !wanted.contains(&name.as_str()) {
            return invalid(format!("its template has no parameter {name:?}"));
        }
        if values.insert(name.as_str(), value.as_str()).is_some() {
            return invalid(format!("parameter {name:?} was given twice"));
        }
    }
    match wanted.iter().find(|name| !values.contains_key(**name)) {
        Some(missing) => invalid(format!("its template needs the parameter {missing:?}")),
        None => Ok(values),
    }
}

fn parameters_of(template: &Template) -> impl Iterator<Item = &str> {
    template.0.iter().filter_map(|piece| match piece {
        Piece::Parameter { name, .. } => Some(name.as_str()),
        _ => None,
    })
}

/// What templates are filled from.
struct Blank<'a> {
    tool: &'a str,
    grants: &'a Grants,
    values: &'a BTreeMap<&'a str, &'a str>,
}

impl Blank<'_> {
    fn fill(&self, template: &Template) -> Result<OsString, Error> {
        let mut filled = OsString::new();
        for piece in &template.0 {
            match piece {
                Piece::Literal(text) => filled.push(text),
                Piece::Parameter { name, kind } => filled.push(self.parameter(name, kind)?),
                Piece::Sql { grant, field } => filled.push(self.sql(grant, *field)?),
            }
        }
        Ok(filled)
    }

    fn parameter(&self, name: &str, kind: &ParameterKind) -> Result<OsString, Error> {
        let value = self.values.get(name).copied().unwrap_or_default();
        let refused = |what: &str| {
            Error::new(Code::Invalid, format!("tool {:?}: parameter {name:?} = {value:?} {what}", self.tool))
        };
        if value.len() > VALUE_BYTES_MAX {
            let message = format!("tool {:?}: parameter {name:?} is longer than {VALUE_BYTES_MAX} bytes", self.tool);
            return Err(Error::new(Code::Invalid, message));
        }
        match kind {
            ParameterKind::Path(directory) => self.path(name, value, directory),
            _ => plain(value, kind).map(|()| value.into()).map_err(refused),
        }
    }

    fn path(&self, name: &str, value: &str, directory: &str) -> Result<OsString, Error> {
        let failed = |code: Code, what: String| {
            Error::new(code, format!("tool {:?}: parameter {name:?} = {value:?} {what}", self.tool))
        };
        let path = RawPath::from_text(value).map_err(|bad| failed(Code::Invalid, format!("is no path: {bad}")))?;
        if value.is_empty() || path.as_bytes().iter().any(u8::is_ascii_control) {
            return Err(failed(Code::Invalid, "is empty or holds a control character".to_owned()));
        }
        let Some(granted) = self.grants.dirs.get(directory) else {
            return Err(failed(Code::Internal, format!("is a path below dirs.{directory}, which is not granted")));
        };
        below(&granted.path, &path).map_err(|cause| {
            let code = match cause.kind() {
                io::ErrorKind::NotFound => Code::NotFound,
                io::ErrorKind::PermissionDenied => Code::Denied,
                _ => Code::Io,
            };
            failed(code, format!("below {}: {cause}", granted.path.display()))
        })
    }

    fn sql(&self, name: &str, field: SqlField) -> Result<OsString, Error> {
        let grant = self.grants.sql.get(name).ok_or_else(|| {
            Error::new(
                Code::Internal,
                format!("tool {:?}: its template names sql.{name}, which is not granted", self.tool),
            )
        })?;
        Ok(field_of(grant, field))
    }
}

fn field_of(grant: &SqlGrant, field: SqlField) -> OsString {
    let socket = grant.engine != Engine::Postgresql && grant.host.starts_with('/');
    match field {
        SqlField::Host if socket => "localhost".into(),
        SqlField::Socket if socket => (&grant.host).into(),
        SqlField::Socket => OsString::new(),
        SqlField::Host => (&grant.host).into(),
        SqlField::Port => grant.port.to_string().into(),
        SqlField::Name => (&grant.database).into(),
        SqlField::User => (&grant.user).into(),
        SqlField::Sslmode => grant.sslmode.word().into(),
        SqlField::Ca => grant.ca.as_ref().map_or_else(OsString::new, |path| path.into()),
    }
}

/// Whether a value is what its type allows; says what is wrong with it.
fn plain(value: &str, kind: &ParameterKind) -> Result<(), &'static str> {
    if value.is_empty() || value.chars().any(char::is_control) {
        return Err("is empty or holds a control character");
    }
    let first_is_digit = value.starts_with(|first: char| first.is_ascii_digit());
    let named = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '$';
    let unquoted = |letter: char| !letter.is_whitespace() && !matches!(letter, '\'' | '"' | '`' | '\\');
    let (fits, what) = match kind {
        ParameterKind::Identifier => (
            value.len() <= IDENTIFIER_BYTES_MAX
                && !first_is_digit
                && !value.starts_with('$')
                && value.chars().all(named),
            "is no identifier: a letter or _, then letters, digits, _ and $, at most 128",
        ),
        ParameterKind::Word => (
            !value.starts_with('-') && value.chars().all(unquoted),
            "is no word: it holds a blank, a quote or a backslash, or begins with a dash",
        ),
        ParameterKind::Number => (
            value.len() <= NUMBER_DIGITS_MAX && value.bytes().all(|digit| digit.is_ascii_digit()),
            "is no number: decimal digits only, at most 20",
        ),
        ParameterKind::Path(_) => (false, "is a path"),
    };
    if fits { Ok(()) } else { Err(what) }
}

/// The absolute path of `path` below `base`, its links followed, as long as they do not lead out of it. The last name
/// need not exist, so that a tool can make it. What another process swaps in later is not seen: that would take
/// write access to the directory.
fn below(base: &Path, path: &RawPath) -> io::Result<OsString> {
    let root = base.canonicalize()?;
    let dir = Dir::open_ambient_dir(&root, ambient_authority())?;
    let inside = match dir.canonicalize(path.as_path()) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound && !path.is_root() => {
            if dir.symlink_metadata(path.as_path()).is_ok() {
                return Err(io::Error::new(
                    io::ErrorKind::PermissionDenied,
                    "is a link to something that is not there",
                ));
            }
            let parent = path.parent().unwrap_or_default();
            dir.canonicalize(parent.as_path())?.join(std::ffi::OsStr::from_bytes(path.file_name()))
        }
        resolved => resolved?,
    };
    Ok(if inside == Path::new(".") { root } else { root.join(inside) }.into_os_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Access, DirGrant};

    fn grant(kind: ParameterKind) -> ToolGrant {
        let parameter = Piece::Parameter { name: "x".into(), kind };
        ToolGrant {
            argv: vec![
                Template(vec![Piece::Literal("/bin/echo".into())]),
                Template(vec![Piece::Literal("--x=".into()), parameter]),
            ],
            env: BTreeMap::new(),
            offline: false,
            ok_exit: vec![0],
            timeout: None,
        }
    }

    fn filled(kind: ParameterKind, value: &str, grants: &Grants) -> Result<Vec<OsString>, Error> {
        let parameters = [("x".to_owned(), value.to_owned())];
        fill("t", &grant(kind), grants, &parameters, Path::new("/")).map(|filled| filled.arguments)
    }

    #[test]
    fn a_value_stays_inside_its_argument_and_its_type() {
        let none = Grants::default();
        for (kind, good) in [
            (ParameterKind::Word, "00000003-0000001B-1"),
            (ParameterKind::Word, "a;b|$(c)=d"),
            (ParameterKind::Identifier, "AO_950DC3_TC$x"),
            (ParameterKind::Number, "0042"),
        ] {
            assert_eq!(filled(kind, good, &none).unwrap(), [OsString::from(format!("--x={good}"))]);
        }
        let long = "a".repeat(129);
        let bad = [
            (ParameterKind::Word, &["", "-f", "a b", "a\tb", "a\u{a0}b", "'", "\"", "`", "\\", "a\0", "a\u{7f}"][..]),
            (ParameterKind::Identifier, &["", "1a", "$a", "a-b", "ä", "a b", &long]),
            (ParameterKind::Number, &["", "-1", "+1", "1.0", "٣", "0x1", "123456789012345678901"]),
        ];
        for (kind, values) in bad {
            for value in values {
                assert_eq!(filled(kind.clone(), value, &none).unwrap_err().code, Code::Invalid, "{kind:?} {value:?}");
            }
        }
        assert_eq!(filled(ParameterKind::Word, &"a".repeat(5000), &none).unwrap_err().code, Code::Invalid);
    }

    #[test]
    fn parameters_are_exactly_those_of_the_template() {
        let pair = |name: &str| (name.to_owned(), "1".to_owned());
        for (given, named) in [
            (vec![], "needs the parameter \"x\""),
            (vec![pair("x"), pair("y")], "no parameter \"y\""),
            (vec![pair("x"), pair("x")], "\"x\" was given twice"),
        ] {
            let grant = grant(ParameterKind::Number);
            let error = fill("t", &grant, &Grants::default(), &given, Path::new("/")).unwrap_err();
            assert_eq!(error.code, Code::Invalid);
            assert!(error.message.contains(named), "{}", error.message);
        }
    }

    #[test]
    fn a_path_cannot_leave_its_directory() {
        let outside = tempfile::tempdir().unwrap();
        let home = tempfile::tempdir().unwrap();
        let root = home.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("real")).unwrap();
        std::fs::write(root.join("real/file"), "x").unwrap();
        std::os::unix::fs::symlink("real", root.join("inner")).unwrap();
        std::os::unix::fs::symlink(outside.path(), root.join("outer")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("new"), root.join("dangling")).unwrap();
        let grants = Grants {
            dirs: [("home".to_owned(), DirGrant { path: root.clone(), access: Access::Read })].into(),
            ..Grants::default()
        };
        let ask = |value: &str| filled(ParameterKind::Path("home".into()), value, &grants);
        let argument = |path: PathBuf| vec![OsString::from(format!("--x={}", path.display()))];
        assert_eq!(ask("real/file").unwrap(), argument(root.join("real/file")));
        assert_eq!(ask("inner/file").unwrap(), argument(root.join("real/file")));
        assert_eq!(ask("real/new").unwrap(), argument(root.join("real/new")));
        assert_eq!(ask(".").unwrap(), argument(root.clone()));
        for (value, code) in [
            ("../x", Code::Invalid),
            ("/etc/passwd", Code::Invalid),
            ("", Code::Invalid),
            ("a\nb", Code::Invalid),
            ("\\x0a", Code::Invalid),
            ("outer/secret", Code::Denied),
            ("outer", Code::Denied),
            ("dangling", Code::Denied),
            ("missing/file", Code::NotFound),
        ] {
            assert_eq!(ask(value).unwrap_err().code, code, "{value:?}");
        }
    }
}
