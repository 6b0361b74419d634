//! Where a database is: `postgresql://user@host:port/name?sslmode=…` or `mariadb://…`, read into a grant's fields.

use percent_encoding::percent_decode_str;

use super::{
    Engine, SslMode, schema,
    wrong::{Wrong, wrong},
};

/// What a `sql` grant's URL says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) database: String,
    pub(super) user: String,
    pub(super) engine: Engine,
    pub(super) sslmode: SslMode,
    /// As written: it may be relative.
    pub(super) ca: Option<String>,
}

const EXAMPLE: &str = "write postgresql://USER@HOST:5432/DATABASE, or mariadb://USER@HOST:3306/DATABASE";
const PASSWORD: &str = "a database's URL holds a password";
const SSL_MODES: [SslMode; 5] =
    [SslMode::Disable, SslMode::Prefer, SslMode::Require, SslMode::VerifyCa, SslMode::VerifyFull];

/// Reads a URL.
pub(super) fn location(text: &str) -> Result<Location, Wrong> {
    // Clients accept no host at all when the path of a socket follows; the URL standard does not.
    let without_host = text.contains("@/");
    let url = url::Url::parse(&text.replacen("@/", "@localhost/", 1))
        .map_err(|error| wrong(format!("a database's URL cannot be read: {error}"), EXAMPLE))?;
    if url.password().is_some() {
        return Err(wrong(PASSWORD, "take it out and add password = { file = \"/path/of/a/file\" } to the grant"));
    }
    let engine = engine(url.scheme())?;
    let (mut sslmode, mut ca, mut socket) = (SslMode::default(), None, None);
    let socket_key = socket_key(engine);
    for (key, value) in url.query_pairs() {
        match key.as_ref() {
            "sslmode" => sslmode = ssl_mode(&value)?,
            "sslrootcert" if value == "system" => ca = None,
            "sslrootcert" => ca = Some(value.into_owned()),
            key if key == socket_key && value.starts_with('/') => socket = Some(value.into_owned()),
            key if key == socket_key => {
                return Err(wrong(format!("`{key}` in a URL's query is the path of a socket"), "begin it with /"));
            }
            "password" => return Err(wrong(PASSWORD, "take it out and add password = { file = … } to the grant")),
            _ => return Err(unknown(&key, socket_key)),
        }
    }
    let host = match socket {
        Some(socket) => socket,
        None if without_host => return Err(wrong("a database's URL names no host", EXAMPLE)),
        None => filled("host", url.host_str().unwrap_or_default().trim_matches(['[', ']']))?,
    };
    Ok(Location {
        host,
        port: url.port().unwrap_or(if engine == Engine::Postgresql { 5432 } else { 3306 }),
        database: filled("database", url.path().trim_start_matches('/'))?,
        user: filled("user", url.username())?,
        engine,
        sslmode,
        ca,
    })
}

fn engine(scheme: &str) -> Result<Engine, Wrong> {
    match scheme {
        "postgresql" | "postgres" => Ok(Engine::Postgresql),
        "mysql" => Ok(Engine::Mysql),
        "mariadb" => Ok(Engine::Mariadb),
        _ => Err(wrong(format!("{scheme:?} is no kind of database"), EXAMPLE)),
    }
}

fn ssl_mode(word: &str) -> Result<SslMode, Wrong> {
    SSL_MODES.into_iter().find(|mode| mode.word() == word).ok_or_else(|| {
        let known = SSL_MODES.map(SslMode::word).join(", ");
        wrong(format!("{word:?} is no sslmode"), format!("write one of {known}"))
    })
}

/// Where a URL's query says where a socket is: libpq names its directory, the clients of MySQL name the file.
const fn socket_key(engine: Engine) -> &'static str {
    match engine {
        Engine::Postgresql => "host",
        Engine::Mysql | Engine::Mariadb => "socket",
    }
}

fn unknown(key: &str, socket_key: &'static str) -> Wrong {
    let known: Vec<_> = schema::SQL_QUERY.iter().copied().chain([socket_key]).collect();
    let help = match schema::near(key, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known here: {}", known.join(", ")),
    };
    wrong(format!("unknown setting `{key}` in a database's URL"), help)
}

fn filled(what: &str, encoded: &str) -> Result<String, Wrong> {
    let decoded =
        percent_decode_str(encoded).decode_utf8().map_err(|_| wrong(format!("its {what} is not UTF-8"), ""))?;
    match decoded.is_empty() || decoded.contains(char::is_control) {
        true => Err(wrong(format!("a database's URL names no {what}"), EXAMPLE)),
        false => Ok(decoded.into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_addresses_and_sockets_are_understood() {
        let place =
            |url: &str| location(url).map(|found| (found.host, found.port, found.user, found.database)).unwrap();
        let expected = |host: &str, port| (host.to_owned(), port, "me".to_owned(), "wiki".to_owned());
        assert_eq!(place("postgresql://me@db.example.org/wiki"), expected("db.example.org", 5432));
        assert_eq!(place("postgres://me@10.0.0.1:6000/wiki"), expected("10.0.0.1", 6000));
        assert_eq!(place("postgresql://me@[::1]:5433/wiki"), expected("::1", 5433));
        assert_eq!(place("postgresql://me@/wiki?host=/run/postgresql"), expected("/run/postgresql", 5432));
        assert_eq!(place("postgresql://me@%2Frun%2Fpg:7/wiki"), expected("/run/pg", 7));
        assert_eq!(location("postgresql://a%20b@h/x%2Fy").unwrap().user, "a b");
        assert_eq!(place("mysql://me@db/wiki"), expected("db", 3306));
        assert_eq!(place("mariadb://me@[::1]:3307/wiki"), expected("::1", 3307));
        assert_eq!(place("mariadb://me@/wiki?socket=/run/mysqld/mysqld.sock").0, "/run/mysqld/mysqld.sock");
        assert_eq!(location("mysql://me@h/w").unwrap().engine, Engine::Mysql);
        assert_eq!(location("mariadb://me@h/w").unwrap().engine, Engine::Mariadb);
    }

    #[test]
    fn encryption_is_read_and_misspellings_are_named() {
        let found = location("postgresql://me@h/w?sslmode=verify-full&sslrootcert=ca.pem").unwrap();
        assert_eq!((found.sslmode, found.ca.as_deref()), (SslMode::VerifyFull, Some("ca.pem")));
        assert!(location("postgresql://me@h/w?sslmode=on").unwrap_err().1.contains("verify-full"));
        assert!(location("postgresql://me@h/w?sslmod=require").unwrap_err().1.contains("sslmode"));
        assert!(location("mariadb://me@h/w?host=/run").unwrap_err().1.contains("socket"));
        assert!(location("mariadb://me@h/w?socket=here").unwrap_err().0.contains("path of a socket"));
        assert!(location("postgresql://me@h/w?socket=/run/x").unwrap_err().0.contains("unknown setting `socket`"));
    }

    #[test]
    fn a_password_is_refused_and_never_repeated() {
        for url in ["postgresql://me:hunter2@h/w", "postgresql://me@h/w?password=hunter2", "pg://me:hunter2@h:x/w"] {
            let Wrong(message, help) = location(url).unwrap_err();
            assert!(!message.contains("hunter2") && !help.contains("hunter2"), "{message} {help}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        for (url, what) in [
            ("postgresql://h/w", "user"),
            ("postgresql://me@h", "database"),
            ("postgresql://me@/w", "host"),
            ("oracle://me@h/w", "no kind of database"),
            ("host=localhost", "cannot be read"),
        ] {
            assert!(location(url).unwrap_err().0.contains(what), "{url}");
        }
    }
}
