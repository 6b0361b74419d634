//! Reads and rewrites the database URL of a Confluence, and says which vendor it names.

/// A database product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vendor {
    /// PostgreSQL.
    Postgresql,
    /// MySQL or MariaDB.
    Mysql,
    /// Microsoft SQL Server.
    SqlServer,
    /// Oracle.
    Oracle,
    /// H2, embedded.
    H2,
    /// HSQLDB, embedded.
    Hsqldb,
}

impl Vendor {
    /// Its name as people write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Postgresql => "PostgreSQL",
            Self::Mysql => "MySQL",
            Self::SqlServer => "SQL Server",
            Self::Oracle => "Oracle",
            Self::H2 => "H2",
            Self::Hsqldb => "HSQLDB",
        }
    }

    /// Whether it lives in files of the home directory.
    pub const fn embedded(self) -> bool {
        matches!(self, Self::H2 | Self::Hsqldb)
    }

    /// From a JDBC URL.
    pub fn of_url(url: &str) -> Option<Self> {
        let known = [
            ("jdbc:postgresql:", Self::Postgresql),
            ("jdbc:mysql:", Self::Mysql),
            ("jdbc:mariadb:", Self::Mysql),
            ("jdbc:sqlserver:", Self::SqlServer),
            ("jdbc:jtds:", Self::SqlServer),
            ("jdbc:oracle:", Self::Oracle),
            ("jdbc:h2:", Self::H2),
            ("jdbc:hsqldb:", Self::Hsqldb),
        ];
        known.into_iter().find(|(prefix, _)| url.trim_start().starts_with(prefix)).map(|(_, vendor)| vendor)
    }

    /// From the class name of a Hibernate dialect.
    pub fn of_dialect(class: &str) -> Option<Self> {
        let class = class.rsplit('.').next()?.to_ascii_lowercase();
        let known = [
            ("postgresql", Self::Postgresql),
            ("mysql", Self::Mysql),
            ("mariadb", Self::Mysql),
            ("sqlserver", Self::SqlServer),
            ("oracle", Self::Oracle),
            ("hsql", Self::Hsqldb),
            ("h2", Self::H2),
        ];
        known.into_iter().find(|(word, _)| class.contains(word)).map(|(_, vendor)| vendor)
    }
}

/// A PostgreSQL URL, in pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// Hosts and ports, in the order in which the driver tries them; an IPv6 address without its brackets.
    pub hosts: Vec<(String, u16)>,
    /// The database, decoded; empty where the driver takes the user's name.
    pub database: String,
    /// What follows the question mark, as written.
    pub parameters: Option<String>,
}

/// A URL that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the database URL {0:?} is not of the form jdbc:postgresql://host:port/name")]
pub struct BadUrl(String);

const PORT: u16 = 5432;

impl Url {
    /// Parses `jdbc:postgresql://h[:p][,h2[:p]]/db[?…]`, with IPv6 in brackets, and `jdbc:postgresql:db`.
    ///
    /// # Errors
    /// Anything else; secrets in the parameters are masked in the message.
    pub fn parse(url: &str) -> Result<Self, BadUrl> {
        let bad = || BadUrl(mask(url));
        let rest = url.trim().strip_prefix("jdbc:postgresql:").ok_or_else(bad)?;
        let (place, parameters) = match rest.split_once('?') {
            Some((place, parameters)) => (place, Some(parameters.to_owned())),
            None => (rest, None),
        };
        let (authority, database) = match place.strip_prefix("//") {
            Some(place) => place.split_once('/').unwrap_or((place, "")),
            None => ("", place.trim_start_matches('/')),
        };
        let hosts = match authority {
            "" => vec![("localhost".to_owned(), PORT)],
            _ => authority.split(',').map(host).collect::<Option<_>>().ok_or_else(bad)?,
        };
        Ok(Self { hosts, database: percent_decode(database), parameters })
    }

    /// `host:port/name` as the first host has it, for comparison with a granted database.
    pub fn location(&self) -> String {
        let hosts: Vec<_> = self.hosts.iter().map(|(host, port)| format!("{}:{port}", bracketed(host))).collect();
        format!("{}/{}", hosts.join(","), self.database)
    }

    /// The parameters' names, in order.
    pub fn parameter_names(&self) -> Vec<&str> {
        let all = self.parameters.as_deref().unwrap_or_default();
        all.split('&').filter(|one| !one.is_empty()).map(|one| one.split('=').next().unwrap_or(one)).collect()
    }

    /// The same URL for another database; parameters are kept as they were written.
    pub fn pointed_at(&self, host: &str, port: u16, database: &str) -> String {
        let parameters = self.parameters.as_ref().map(|all| format!("?{all}")).unwrap_or_default();
        format!("jdbc:postgresql://{}:{port}/{}{parameters}", bracketed(host), percent_encode(database))
    }
}

fn host(text: &str) -> Option<(String, u16)> {
    let port = |text: &str| if text.is_empty() { Some(PORT) } else { text.parse().ok() };
    if let Some(text) = text.strip_prefix('[') {
        let (address, rest) = text.split_once(']')?;
        return match rest.strip_prefix(':') {
            Some(rest) => Some((address.to_owned(), port(rest)?)),
            None if rest.is_empty() => Some((address.to_owned(), PORT)),
            None => None,
        };
    }
    match text.split_once(':') {
        Some((name, rest)) => Some((name.to_owned(), port(rest)?)),
        None if text.is_empty() => None,
        None => Some((text.to_owned(), PORT)),
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() }
}

/// A URL that may be shown: the values of parameters that look like secrets, and credentials before an `@`, are gone.
pub fn mask(url: &str) -> String {
    let (place, parameters) = url.split_once('?').map_or((url, None), |(place, rest)| (place, Some(rest)));
    let mut shown = match (place.find("//"), place.rfind('@')) {
        (Some(from), Some(at)) if from < at => format!("{}[secret]{}", &place[..from + 2], &place[at..]),
        _ => place.to_owned(),
    };
    if let Some(parameters) = parameters {
        let all: Vec<_> = parameters.split('&').map(mask_parameter).collect();
        shown.push('?');
        shown.push_str(&all.join("&"));
    }
    shown
}

fn mask_parameter(parameter: &str) -> String {
    let name = parameter.split('=').next().unwrap_or(parameter);
    let lower = name.to_ascii_lowercase();
    match lower.contains("pass") || lower.contains("secret") || lower.contains("token") {
        true => format!("{name}=[secret]"),
        false => parameter.to_owned(),
    }
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digit = |at: usize| tail.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (*first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

fn percent_encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~$".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_url_is_read() {
        let location = |url| Url::parse(url).unwrap().location();
        assert_eq!(location("jdbc:postgresql://db1:5433/wiki?a=b"), "db1:5433/wiki");
        assert_eq!(location("jdbc:postgresql://db1,db2:5555/wiki"), "db1:5432,db2:5555/wiki");
        assert_eq!(location("jdbc:postgresql://[2001:db8::5]:5432/confluence"), "[2001:db8::5]:5432/confluence");
        assert_eq!(location("jdbc:postgresql://[::1]/c"), "[::1]:5432/c");
        assert_eq!(location("jdbc:postgresql:wiki"), "localhost:5432/wiki");
        assert_eq!(location("jdbc:postgresql://db/my%20wiki"), "db:5432/my wiki");
        for bad in ["jdbc:mysql://h/d", "jdbc:postgresql://h:port/d", "jdbc:postgresql://[::1/d", ""] {
            assert!(Url::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_rewritten_url_keeps_its_parameters() {
        let url = Url::parse("jdbc:postgresql://a,b/x?targetServerType=primary&ApplicationName=k%20b").unwrap();
        assert_eq!(url.parameter_names(), ["targetServerType", "ApplicationName"]);
        let wanted = "jdbc:postgresql://new:6000/y?targetServerType=primary&ApplicationName=k%20b";
        assert_eq!(url.pointed_at("new", 6000, "y"), wanted);
        assert_eq!(
            Url::parse("jdbc:postgresql:x").unwrap().pointed_at("::1", 1, "y z"),
            "jdbc:postgresql://[::1]:1/y%20z"
        );
    }

    #[test]
    fn no_secret_is_shown() {
        let shown = mask("jdbc:postgresql://u:hunter2@h/d?user=u&password=hunter2&sslpassword=hunter2");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("user=u"));
        assert!(!Url::parse("jdbc:nothing?password=hunter2").unwrap_err().to_string().contains("hunter2"));
    }

    #[test]
    fn vendors_are_known_by_url_and_by_dialect() {
        let dialect =
            |name: &str| Vendor::of_dialect(&format!("com.atlassian.confluence.impl.hibernate.dialect.{name}"));
        assert_eq!(dialect("PostgreSQLDialect"), Some(Vendor::Postgresql));
        assert_eq!(dialect("MySQLDialect"), Some(Vendor::Mysql));
        assert_eq!(dialect("SQLServerDialect"), Some(Vendor::SqlServer));
        assert_eq!(dialect("OracleDialect"), Some(Vendor::Oracle));
        assert_eq!(dialect("H2V200Dialect"), Some(Vendor::H2));
        assert_eq!(Vendor::of_dialect("net.sf.hibernate.dialect.HSQLDialect"), Some(Vendor::Hsqldb));
        assert_eq!(dialect("Mystery"), None);
        assert_eq!(Vendor::of_url("jdbc:jtds:sqlserver://h:1/d"), Some(Vendor::SqlServer));
        assert_eq!(Vendor::of_url("jdbc:h2:file:x"), Some(Vendor::H2));
        assert_eq!(Vendor::of_url("odbc:x"), None);
    }
}
