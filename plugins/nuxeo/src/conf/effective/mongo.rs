//! A MongoDB as `nuxeo.mongodb.server` names it: a list of hosts, or a connection string.
//!
//! The form is that of MongoDB's "Connection Strings": `mongodb[+srv]://[user:password@]host[:port],…/[database][?options]`.

use strongroom_database::jdbc::percent_decode;

use super::{Values, kafka::Address};
use crate::conf::secret::{self, Secret};

/// The port where none is named.
const PORT: u16 = 27017;

/// One MongoDB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mongo {
    /// What `nuxeo.mongodb.server` says, which may hold credentials.
    pub url: Secret,
    /// The same without them.
    pub shown: String,
    /// Its servers; with `srv` the one name that servers are looked up by.
    pub servers: Vec<Address>,
    /// Whether the servers come from the name service (`mongodb+srv`).
    pub srv: bool,
    /// The user, decoded.
    pub user: Option<String>,
    /// The password, decoded.
    pub password: Option<Secret>,
    /// The database that the connection string names, which users are looked up in unless `authSource` is given.
    pub login_database: Option<String>,
    /// Options by name, decoded, in order.
    pub options: Vec<(String, String)>,
    /// `nuxeo.mongodb.dbname`: where the repository is.
    pub name: String,
}

impl Mongo {
    pub(super) fn of(values: &Values<'_>, server: &str) -> Self {
        let name = values.set("nuxeo.mongodb.dbname").unwrap_or_else(|| "nuxeo".to_owned());
        let (srv, rest) = match server.split_once("://") {
            Some((scheme, rest)) => (scheme.eq_ignore_ascii_case("mongodb+srv"), rest),
            None => (false, server),
        };
        let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
        // To the last `@`: what stands before it is to be hidden, even when it was not encoded as it should be.
        let (login, rest) = rest.rsplit_once('@').map_or((None, rest), |(login, rest)| (Some(login), rest));
        let (hosts, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, password) = match login {
            Some(login) => match login.split_once(':') {
                Some((user, password)) => (Some(user), Some(password)),
                None => (Some(login), None),
            },
            None => (None, None),
        };
        let hosts = hosts.split(',').map(str::trim).filter(|host| !host.is_empty());
        Self {
            url: Secret::new(server),
            shown: secret::mask(server),
            servers: hosts.map(|host| Address::parse(host, PORT)).collect(),
            srv,
            user: user.filter(|user| !user.is_empty()).map(percent_decode),
            password: password.map(|password| Secret::new(percent_decode(password))),
            login_database: Some(percent_decode(database)).filter(|name| !name.is_empty()),
            options: options.split(['&', ';']).filter_map(option).collect(),
            name,
        }
    }

    /// The value of an option; names are read in any case.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

fn option(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (!name.is_empty()).then(|| (percent_decode(name), percent_decode(value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::chain;

    fn mongo(server: &str) -> Mongo {
        let chain = chain::tests::plain("");
        Mongo::of(&Values::new(&chain), server)
    }

    fn servers(mongo: &Mongo) -> Vec<String> {
        mongo.servers.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_connection_string_is_taken_apart() {
        let read = mongo("mongodb://n%40x:m%40ngo%3A@m1:27018,m2/login?replicaSet=rs0&authSource=ad%20min&tls");
        assert_eq!(servers(&read), ["m1:27018", "m2:27017"]);
        assert_eq!(read.user.as_deref(), Some("n@x"));
        assert_eq!(read.password.as_ref().map(Secret::expose), Some("m@ngo:"));
        assert_eq!(read.login_database.as_deref(), Some("login"));
        assert_eq!((read.option("REPLICASET"), read.option("authSource")), (Some("rs0"), Some("ad min")));
        assert_eq!(read.option("tls"), Some(""));
        assert_eq!(read.shown, "mongodb://[secret]@m1:27018,m2/login?replicaSet=rs0&authSource=ad%20min&tls");
        assert!(!format!("{read:?}").contains("m@ngo"), "{read:?}");
    }

    #[test]
    fn a_list_of_hosts_and_a_looked_up_name_are_read() {
        let read = mongo("m1, m2:1,[2001:db8::1]:27019");
        assert_eq!(servers(&read), ["m1:27017", "m2:1", "[2001:db8::1]:27019"]);
        assert_eq!((read.srv, read.user, read.name.as_str()), (false, None, "nuxeo"));
        let read = mongo("mongodb+srv://u@cluster.example");
        assert!(read.srv && read.password.is_none() && read.user.as_deref() == Some("u"));
    }

    #[test]
    fn broken_connection_strings_give_what_can_be_read() {
        for text in ["", "mongodb://", "@", "mongodb://:@/?", "mongodb://u:p@", "://?=&&;", "m:99999", "[::1", "%@%4"] {
            let read = mongo(text);
            assert!(read.servers.len() <= 1, "{text}");
        }
        assert!(!format!("{:?}", mongo("mongodb://u:hunt@hunter2@h/")).contains("hunter2"));
    }
}
