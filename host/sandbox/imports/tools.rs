//! `tools`: native programs that were granted by name.

use wasmtime::component::Resource;

use crate::sandbox::{
    bindings::{Answer, fail, host::tools},
    fault::Code,
    operation::Capability,
    state::State,
    stream::InputStream,
};

/// What a guest's `process` stands for.
pub struct Process;

impl tools::Host for State {
    async fn spawn(
        &mut self,
        grant: String,
        _parameters: Vec<(String, String)>,
        _stdin: Option<Resource<InputStream>>,
    ) -> Answer<Resource<Process>> {
        self.enter(Capability::Tools)?;
        Err(fail(Code::Unsupported, format!("tool {grant:?}")))
    }
}

impl tools::HostProcess for State {
    async fn stdout(&mut self, _: Resource<Process>) -> Answer<Resource<InputStream>> {
        Err(fail(Code::Unsupported, "tools"))
    }
    async fn wait(&mut self, _: Resource<Process>) -> Answer<tools::Exit> {
        Err(fail(Code::Unsupported, "tools"))
    }
    async fn kill(&mut self, _: Resource<Process>) -> wasmtime::Result<()> {
        Ok(())
    }
    async fn drop(&mut self, this: Resource<Process>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
