//! Which database a site uses, from its configuration or from Tomcat's datasource.

use crate::{
    cfg::{Cfg, Homes},
    jdbc::{FileUrl, Server, Url, Vendor, mask},
    tomcat,
};

/// What the files say of the database. The password is not among it: nothing here needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Database {
    /// As written, variables replaced.
    pub url: Option<String>,
    /// The role.
    pub user: Option<String>,
    /// The vendor that the URL names.
    pub by_url: Option<Vendor>,
    /// The vendor that the Hibernate dialect names.
    pub by_dialect: Option<Vendor>,
    /// The datasource's name, where Tomcat holds the connection.
    pub datasource: Option<String>,
    /// The file that says so; empty where none holds the datasource.
    pub from: String,
}

impl Database {
    pub(super) fn read(cfg: &Cfg, tomcat: &[(String, Vec<u8>)], homes: Homes<'_>) -> Self {
        let by_dialect = cfg.get("hibernate.dialect").and_then(Vendor::of_dialect);
        let found = match cfg.get("hibernate.connection.datasource") {
            Some(datasource) => Self::of_datasource(datasource, tomcat),
            None => Self {
                url: cfg.path("hibernate.connection.url", homes),
                user: cfg.get("hibernate.connection.username").map(str::to_owned),
                from: super::CFG.into(),
                ..Self::default()
            },
        };
        Self { by_url: found.url.as_deref().and_then(Vendor::of_url), by_dialect, ..found }
    }

    /// The first file that holds the live resource counts.
    fn of_datasource(jndi: &str, files: &[(String, Vec<u8>)]) -> Self {
        let name = resource_name(jndi);
        let held = |(path, file): &(String, Vec<u8>)| Some((path.clone(), tomcat::datasource(file, name)?));
        let (from, resource) = files.iter().find_map(held).unwrap_or_default();
        let filled = |text: String| (!text.is_empty()).then_some(text);
        Self {
            url: filled(resource.url),
            user: filled(resource.user),
            datasource: Some(name.to_owned()),
            from,
            ..Self::default()
        }
    }

    /// The vendor, where URL and dialect do not contradict each other.
    pub fn vendor(&self) -> Option<Vendor> {
        self.by_url.or(self.by_dialect)
    }

    /// The URL in pieces, if it names a server.
    pub fn server(&self) -> Option<Server> {
        Url::parse(self.url.as_deref()?).ok()?.server()
    }

    /// The URL in pieces, if it names files.
    pub fn file(&self) -> Option<FileUrl> {
        Url::parse(self.url.as_deref()?).ok()?.file()
    }

    /// For people: vendor and place, no secret.
    pub fn shown(&self) -> String {
        let vendor = self.vendor().map_or("unknown", Vendor::name);
        match (self.server(), &self.url) {
            (Some(server), _) => format!("{vendor} {}", server.location()),
            (None, Some(url)) => format!("{vendor} {}", mask(url)),
            (None, None) => vendor.to_owned(),
        }
    }
}

/// What Tomcat's `<Resource>` is called by whoever looks it up under that name.
pub fn resource_name(jndi: &str) -> &str {
    jndi.trim().strip_prefix("java:comp/env/").unwrap_or(jndi.trim())
}
