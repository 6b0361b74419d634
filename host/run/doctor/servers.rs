//! Granted servers: whether they answer, what they are, and how far their clocks are off.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Check;
use crate::{
    config::{HttpGrant, SqlGrant, Step},
    sandbox::{
        database::Database,
        endpoint::{self, Target},
    },
};

/// How long a server may take to answer a question, connecting included.
const SERVER: Duration = Duration::from_secs(30);

/// From here on a difference of clocks is worth a look, in milliseconds: times in a product and times of a run are
/// read side by side.
const CLOCK_WARNING_MS: u64 = 2_000;

/// From here on something is wrong with a clock.
const CLOCK_PROBLEM_MS: u64 = 60_000;

/// What the servers of a step said.
#[derive(Default)]
pub(super) struct Servers {
    pub(super) checks: Vec<Check>,
    /// What each one is, by `sql` grant.
    pub(super) known: BTreeMap<String, Server>,
}

/// A server that answers.
pub(super) struct Server {
    /// Its kind, in the contract's word.
    pub(super) engine: &'static str,
    /// What it says that it is.
    pub(super) version: String,
}

/// Asks every server that the step is granted.
pub(super) async fn asked(step: &Step, stop: &CancellationToken) -> Servers {
    let mut servers = Servers::default();
    for (name, grant) in &step.grants.sql {
        database(&mut servers, format!("{}/sql.{name}", step.name), name, grant, stop).await;
    }
    for (name, grant) in &step.grants.http {
        servers.checks.push(web(format!("{}/http.{name}", step.name), grant).await);
    }
    for (name, grant) in &step.grants.tcp {
        let about = format!("{}/tcp.{name}", step.name);
        for endpoint in &grant.endpoints {
            servers.checks.push(service(about.clone(), &Target { name, grant, endpoint }).await);
        }
    }
    servers
}

/// Whether somebody takes connections there. What he would answer is the plugin's to ask.
async fn web(about: String, grant: &HttpGrant) -> Check {
    let connecting = tokio::net::TcpStream::connect((grant.origin.address(), grant.origin.port));
    match tokio::time::timeout(grant.connect_timeout, connecting).await {
        Ok(Ok(_)) => Check::ok(about, format!("{} takes connections", grant.origin)),
        Ok(Err(error)) => Check::problem(about, format!("connecting to {}: {error}", grant.origin)),
        Err(_) => {
            let limit = humantime::format_duration(grant.connect_timeout);
            Check::problem(about, format!("connecting to {}: no answer within {limit}", grant.origin))
        }
    }
}

/// The same, TLS included.
async fn service(about: String, target: &Target<'_>) -> Check {
    match target.connect(endpoint::look_up).await {
        Ok(_) => Check::ok(about, format!("{} takes connections", target.endpoint)),
        Err(error) => Check::problem(about, error.message),
    }
}

async fn database(servers: &mut Servers, about: String, name: &str, grant: &SqlGrant, stop: &CancellationToken) {
    let database = Database::open(name, grant);
    let deadline = || Instant::now() + SERVER;
    match database.server_version(stop.clone(), deadline()).await {
        Ok(version) => {
            let message = format!("{} answers {}: version {version}", database.location(), grant.user);
            servers.checks.push(Check::ok(&about, message));
            let engine = database.engine(stop.clone(), deadline()).await.word();
            servers.known.insert(name.to_owned(), Server { engine, version });
        }
        Err(error) => return servers.checks.push(Check::problem(about, error.message)),
    }
    let clock = format!("{about} clock");
    servers.checks.push(match database.begin(stop.clone(), deadline()).await {
        Ok(view) => clock_check(clock, view.ahead_of_host_ms()),
        Err(error) => Check::problem(about, error.message),
    });
}

fn clock_check(about: String, ahead_ms: i64) -> Check {
    let off = ahead_ms.unsigned_abs();
    let side = if ahead_ms < 0 { "behind" } else { "ahead of" };
    let message = format!("{} {side} this machine's", humantime::format_duration(Duration::from_millis(off)));
    match off {
        CLOCK_PROBLEM_MS.. => Check::problem(about, format!("{message}: set the clocks by NTP")),
        CLOCK_WARNING_MS.. => Check::warning(about, format!("{message}: set the clocks by NTP")),
        _ => Check::ok(about, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::doctor::Health;

    #[test]
    fn a_clock_that_is_off_is_weighed_by_how_far() {
        let health = |ahead_ms| clock_check("clock".into(), ahead_ms).health;
        assert_eq!([health(0), health(-1_999)], [Health::Ok; 2]);
        assert_eq!([health(2_000), health(-59_999)], [Health::Warning; 2]);
        assert_eq!([health(60_000), health(i64::MIN)], [Health::Problem; 2]);
        assert_eq!(clock_check("clock".into(), -3_000).message, "3s behind this machine's: set the clocks by NTP");
    }
}
