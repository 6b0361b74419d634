//! `sql`: questions to a granted database.

use wasmtime::component::Resource;

use crate::sandbox::{
    bindings::{
        Answer, fail,
        host::{sql, types::Timestamp},
    },
    fault::Code,
    operation::Capability,
    state::State,
    stream::InputStream,
};

/// What a guest's `database` stands for.
pub struct Database;
/// What a guest's `transaction` stands for.
pub struct Transaction;

impl sql::Host for State {
    async fn get(&mut self, grant: String) -> Answer<Resource<Database>> {
        self.enter(Capability::Sql)?;
        Err(fail(Code::Unsupported, format!("sql {grant:?}")))
    }
}

impl sql::HostDatabase for State {
    async fn engine(&mut self, _: Resource<Database>) -> wasmtime::Result<String> {
        Ok(String::new())
    }
    async fn server_version(&mut self, _: Resource<Database>) -> wasmtime::Result<String> {
        Ok(String::new())
    }
    async fn location(&mut self, _: Resource<Database>) -> wasmtime::Result<String> {
        Ok(String::new())
    }
    async fn begin(&mut self, _: Resource<Database>) -> Answer<Resource<Transaction>> {
        Err(fail(Code::Unsupported, "sql"))
    }
    async fn drop(&mut self, this: Resource<Database>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl sql::HostTransaction for State {
    async fn seen(&mut self, _: Resource<Transaction>) -> wasmtime::Result<(Timestamp, Timestamp)> {
        Err(wasmtime::format_err!("sql"))
    }
    async fn shared_name(&mut self, _: Resource<Transaction>) -> wasmtime::Result<Option<String>> {
        Ok(None)
    }
    async fn freeze(&mut self, _: Resource<Transaction>, _: u32) -> Answer<()> {
        Err(fail(Code::Unsupported, "sql"))
    }
    async fn thaw(&mut self, _: Resource<Transaction>) -> Answer<()> {
        Err(fail(Code::Unsupported, "sql"))
    }
    async fn query(&mut self, _: Resource<Transaction>, _: String, _: Vec<String>) -> Answer<Resource<InputStream>> {
        Err(fail(Code::Unsupported, "sql"))
    }
    async fn end(&mut self, _: Resource<Transaction>) -> Answer<()> {
        Err(fail(Code::Unsupported, "sql"))
    }
    async fn drop(&mut self, this: Resource<Transaction>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
