//! `sql`: questions to a granted database.

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wasmtime::component::Resource;

use super::context::timestamp;
use crate::sandbox::{
    bindings::{
        Answer,
        host::{sql, types::Timestamp},
    },
    database, native,
    operation::Capability,
    state::State,
    stream::{
        InputStream, Open,
        source::{Body, Source},
    },
};

/// What a guest's `database` stands for.
pub type Database = database::Database;
/// What a guest's `transaction` stands for.
pub struct Transaction {
    view: database::Transaction,
    _place: Open,
}

/// Most transactions that a call may hold: each is a connection, and a server has few.
const TRANSACTIONS_MAX: u32 = 8;

impl State {
    /// Waits for the server: its own limits end that, and the part's time.
    async fn asking<T>(
        &mut self,
        doing: &str,
        question: impl AsyncFnOnce(CancellationToken, Instant) -> Result<T, native::Error>,
    ) -> Answer<T> {
        let (watch, deadline) = (self.watch.clone(), self.deadline());
        let asked = watch.waited(Some(deadline), question(watch.stop.clone(), deadline)).await;
        Ok(asked.map_err(|stalled| self.stalled(stalled, doing))??)
    }
}

impl sql::Host for State {
    async fn get(&mut self, grant: String) -> Answer<Resource<Database>> {
        self.enter(Capability::Sql)?;
        let Some(sql) = self.session.grants.sql.get(&grant) else {
            let example =
                "url = \"postgresql://USER@HOST:5432/NAME\"\npassword = { file = \"/etc/strongroom/PASSWORD\" }";
            return Err(self.not_granted(Capability::Sql, &grant, example));
        };
        self.announced(Capability::Sql, &grant)?;
        let database = Database::open(&grant, sql);
        Ok(self.table.push(database)?)
    }
}

impl sql::HostDatabase for State {
    async fn engine(&mut self, this: Resource<Database>) -> wasmtime::Result<String> {
        self.enter_or_trap(Capability::Sql)?;
        let database = self.table.get(&this)?.clone();
        let engine = self.asking("asking for the server's kind", async move |stop, deadline| {
            Ok(database.engine(stop, deadline).await)
        });
        // Only a part that is over says no.
        Ok(engine.await.map_or_else(|_| String::new(), |engine| engine.word().to_owned()))
    }

    /// Empty when the server cannot be asked: `begin` says why.
    async fn server_version(&mut self, this: Resource<Database>) -> wasmtime::Result<String> {
        self.enter_or_trap(Capability::Sql)?;
        let database = self.table.get(&this)?.clone();
        let version = self.asking("asking for the server's version", async move |stop, deadline| {
            database.server_version(stop, deadline).await
        });
        Ok(version.await.unwrap_or_default())
    }

    async fn location(&mut self, this: Resource<Database>) -> wasmtime::Result<String> {
        Ok(self.table.get(&this)?.location())
    }

    async fn user(&mut self, this: Resource<Database>) -> wasmtime::Result<String> {
        Ok(self.table.get(&this)?.user().to_owned())
    }

    async fn begin(&mut self, this: Resource<Database>) -> Answer<Resource<Transaction>> {
        self.enter(Capability::Sql)?;
        let _place = Self::place(&self.transactions, TRANSACTIONS_MAX, "transactions")?;
        let database = self.table.get(&this)?.clone();
        let view = self
            .asking("beginning a transaction", async move |stop, deadline| database.begin(stop, deadline).await)
            .await?;
        Ok(self.table.push(Transaction { view, _place })?)
    }

    async fn drop(&mut self, this: Resource<Database>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl sql::HostTransaction for State {
    async fn seen(&mut self, this: Resource<Transaction>) -> wasmtime::Result<(Timestamp, Timestamp)> {
        let (not_before, not_after) = self.table.get(&this)?.view.seen();
        Ok((timestamp(not_before), timestamp(not_after)))
    }

    async fn shared_name(&mut self, this: Resource<Transaction>) -> wasmtime::Result<Option<String>> {
        Ok(self.table.get(&this)?.view.shared_name().map(str::to_owned))
    }

    async fn freeze(&mut self, this: Resource<Transaction>, seconds_max: u32) -> Answer<()> {
        self.enter(Capability::Sql)?;
        let (watch, deadline) = (self.watch.clone(), self.deadline());
        let transaction = self.table.get_mut(&this)?;
        let asked = watch.waited(Some(deadline), transaction.view.freeze(seconds_max)).await;
        Ok(asked.map_err(|stalled| self.stalled(stalled, "waiting until nobody writes"))??)
    }

    async fn thaw(&mut self, this: Resource<Transaction>) -> Answer<()> {
        self.enter(Capability::Sql)?;
        let (watch, deadline) = (self.watch.clone(), self.deadline());
        let transaction = self.table.get_mut(&this)?;
        let asked = watch.waited(Some(deadline), transaction.view.thaw()).await;
        Ok(asked.map_err(|stalled| self.stalled(stalled, "ending a freeze"))??)
    }

    async fn query(
        &mut self,
        this: Resource<Transaction>,
        statement: String,
        parameters: Vec<String>,
    ) -> Answer<Resource<InputStream>> {
        self.enter(Capability::Sql)?;
        let (watch, deadline) = (self.watch.clone(), self.deadline());
        let transaction = self.table.get_mut(&this)?;
        let query = transaction.view.query(&statement, &parameters);
        let asked = watch.waited(Some(deadline), query).await;
        let rows = asked.map_err(|stalled| self.stalled(stalled, "waiting for a query's first row"))??;
        self.push_input(Source::new(Body::Async(Box::new(rows))), Vec::new())
    }

    async fn end(&mut self, this: Resource<Transaction>) -> Answer<()> {
        self.enter(Capability::Sql)?;
        let transaction = self.table.delete(this)?;
        self.asking("ending a transaction", async move |_, _| transaction.view.end().await).await
    }

    async fn drop(&mut self, this: Resource<Transaction>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
