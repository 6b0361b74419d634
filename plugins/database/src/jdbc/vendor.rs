//! Which database product a site uses, by its URL and by its Hibernate dialect.

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

    /// The port where a URL names none.
    pub(super) const fn port(self) -> u16 {
        match self {
            Self::Mysql => 3306,
            Self::SqlServer => 1433,
            Self::Oracle => 1521,
            Self::Postgresql | Self::H2 | Self::Hsqldb => 5432,
        }
    }

    /// From a JDBC URL.
    pub fn of_url(url: &str) -> Option<Self> {
        let known = [
            ("jdbc:postgresql:", Self::Postgresql),
            ("jdbc:mysql:", Self::Mysql),
            ("jdbc:mariadb:", Self::Mysql),
            ("jdbc:sqlserver:", Self::SqlServer),
            ("jdbc:jtds:sqlserver:", Self::SqlServer),
            ("jdbc:oracle:", Self::Oracle),
            ("jdbc:h2:", Self::H2),
            ("jdbc:hsqldb:", Self::Hsqldb),
        ];
        known.into_iter().find(|(prefix, _)| url.trim_start().starts_with(prefix)).map(|(_, vendor)| vendor)
    }

    /// From what a granted database says that it is.
    pub fn of_engine(engine: &str) -> Option<Self> {
        match engine {
            "postgresql" => Some(Self::Postgresql),
            "mysql" | "mariadb" => Some(Self::Mysql),
            _ => None,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(Vendor::of_url("jdbc:mariadb://h/d"), Some(Vendor::Mysql));
        assert_eq!(Vendor::of_url("jdbc:h2:file:x"), Some(Vendor::H2));
        assert_eq!(Vendor::of_url("odbc:x"), None);
    }
}
