//! What of the installation directory is saved, and what its files say of the site.

/// Where the home directory is named.
pub const INIT: &str = "confluence/WEB-INF/classes/confluence-init.properties";
/// Where the installed version is named.
pub const POM: &str = "confluence/META-INF/maven/com.atlassian.confluence/confluence-webapp/pom.properties";
/// Options for the Java machine.
pub const SETENV: &str = "bin/setenv.sh";
/// The same on Windows.
pub const SETENV_BAT: &str = "bin/setenv.bat";
/// Tomcat's configuration, which may hold a datasource.
pub const SERVER: &str = "conf/server.xml";
/// Where Tomcat looks for descriptors of web applications, by the names of its engine and host: Tomcat's own engine, and
/// the one that Confluence's `server.xml` names.
pub const CONTEXTS: [&str; 2] = ["conf/Catalina/localhost", "conf/Standalone/localhost"];

/// Top-level entries that Tomcat makes anew.
pub const LEFT_OUT: [&str; 3] = ["work", "temp", "logs"];

/// Patterns of what the part `install` does not store.
pub fn excludes() -> Vec<String> {
    LEFT_OUT.iter().map(|name| format!("/{name}")).collect()
}

/// A version number, as far as decisions need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

impl Version {
    /// The first two numbers of `9.2.4`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.trim().split(['.', '-']).map(|number| number.parse().ok());
        Some(Self(numbers.next()??, numbers.next().flatten().unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert_eq!(Version::parse("9.2.4"), Some(Version(9, 2)));
        assert_eq!(Version::parse("8.10-m1"), Some(Version(8, 10)));
        assert!(Version::parse("8.10") > Version::parse("8.8"));
        assert_eq!(Version::parse("10"), Some(Version(10, 0)));
        assert_eq!(Version::parse("unknown"), None);
    }
}
