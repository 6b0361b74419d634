//! `tools`: native programs that were granted by name.

use std::path::Path;

use tokio::{io::AsyncRead, time::Instant};
use wasmtime::component::Resource;

use crate::{
    config::ToolGrant,
    sandbox::{
        bindings::{Answer, Fail, fail, host::tools, host::types},
        fault::Code,
        native,
        operation::{Capability, Operation},
        state::State,
        stream::{
            Feed, InputStream, Open,
            source::{Body, Source},
        },
        tool,
    },
};

/// What a guest's `process` stands for.
pub struct Process {
    process: tool::Process,
    grant: String,
    /// What its input is fed by.
    feeds: Vec<Feed>,
    _place: Open,
}

/// Most tools that a call may have running.
const TOOLS_MAX: u32 = 32;

impl State {
    fn tool(&self, name: &str) -> Answer<ToolGrant> {
        self.enter(Capability::Tools)?;
        let Some(grant) = self.session.grants.tools.get(name) else {
            return Err(self.not_granted(Capability::Tools, name, "argv = [\"/usr/bin/…\"]"));
        };
        self.announced(Capability::Tools, name)?;
        if self.operation == Operation::Verify && !grant.offline {
            return Err(fail(
                Code::Unsupported,
                format!(
                    "tool {name:?} does not work in verify: if it reads nothing but what it is fed, say so with [step.{}.grant.tools.{name}] offline = true",
                    self.session.step
                ),
            ));
        }
        Ok(grant.clone())
    }

    /// When the part's time is over.
    pub fn deadline(&self) -> Instant {
        self.began + self.session.limits.part_time
    }
}

impl tools::Host for State {
    async fn spawn(
        &mut self,
        grant: String,
        parameters: Vec<(String, String)>,
        stdin: Option<Resource<InputStream>>,
    ) -> Answer<Resource<Process>> {
        let tool = self.tool(&grant)?;
        let _place = Self::place(&self.tools, TOOLS_MAX, "tools")?;
        let stdin = stdin.map(|stdin| self.detach(stdin)).transpose()?;
        let feeds = stdin.as_ref().map(|stdin| stdin.feeds()).unwrap_or_default();
        let (session, watch, deadline) = (self.session.clone(), self.watch.clone(), self.deadline());
        let spawned = tool::spawn(tool::Start {
            name: &grant,
            grant: &tool,
            grants: &session.grants,
            parameters: &parameters,
            stdin: stdin.map(|stdin| Box::new(stdin) as Box<dyn AsyncRead + Send + Unpin>),
            scratch: Path::new(&session.scratch),
            deadline,
            stop: watch.stop.clone(),
            moved: watch.moved.clone(),
        });
        let waited = watch.waited(Some(deadline), spawned).await;
        let process = waited.map_err(|stalled| self.stalled(stalled, &format!("starting tool {grant:?}")))??;
        Ok(self.table.push(Process { process, grant, feeds, _place })?)
    }
}

impl tools::HostProcess for State {
    async fn stdout(&mut self, this: Resource<Process>) -> Answer<Resource<InputStream>> {
        self.enter(Capability::Tools)?;
        let stdout = self.table.get_mut(&this)?.process.stdout()?;
        self.push_input(Source::new(Body::Async(stdout)), Vec::new())
    }

    async fn wait(&mut self, this: Resource<Process>) -> Answer<tools::Exit> {
        self.enter(Capability::Tools)?;
        let (watch, changed) = (self.watch.clone(), self.changed.clone());
        let this = self.table.get_mut(&this)?;
        let (doing, feeds) = (format!("waiting for tool {:?}", this.grant), this.feeds.clone());
        // Its own deadline is the grant's, or the part's: here only the guest can be what it waits for.
        let exit = super::streams::unless_stuck(&feeds, &changed, this.process.wait());
        let exit = watch.waited(None, exit).await.map_err(|stalled| self.stalled(stalled, &doing))?;
        let exit = exit.ok_or_else(|| super::streams::waits_for_itself(&doing))??;
        Ok(tools::Exit { code: exit.code, stderr_tail: exit.stderr_tail })
    }

    async fn kill(&mut self, this: Resource<Process>) -> wasmtime::Result<()> {
        self.table.get_mut(&this)?.process.kill();
        Ok(())
    }

    async fn drop(&mut self, this: Resource<Process>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl From<native::Error> for Fail {
    fn from(error: native::Error) -> Self {
        Self::Plugin(types::Error { code: error.code.into(), message: error.message, retryable: error.retryable })
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::{
        config::{Grants, Piece, Template},
        repository::Pass,
        sandbox::{
            bindings::host::{
                snapshot::{self, Host as _},
                streams::{Host as _, HostInputStream as _, HostOutputStream as _},
                tools::{Host as _, HostProcess as _},
            },
            testing::{MemoryDraft, Recorder, session},
        },
    };

    fn state(operation: Operation, script: &str) -> (State, Arc<MemoryDraft>, tempfile::TempDir) {
        let (draft, scratch) = (Arc::new(MemoryDraft::default()), tempfile::tempdir().unwrap());
        let template = |text: &str| Template(vec![Piece::Literal(text.into())]);
        let tool = ToolGrant {
            argv: ["/bin/sh", "-c", script].map(template).to_vec(),
            env: Default::default(),
            offline: false,
            ok_exit: vec![0],
            timeout: None,
        };
        let mut session = session(&Arc::new(Recorder::default()));
        session.draft = Some(draft.clone());
        session.scratch = scratch.path().into();
        session.limits.part_time = Duration::from_secs(60);
        session.grants = Arc::new(Grants { tools: [("run".to_owned(), tool)].into(), ..Grants::default() });
        (State::new(Arc::new(session), operation, "p"), draft, scratch)
    }

    fn code<T>(answer: Answer<T>) -> Option<Code> {
        match answer {
            Err(Fail::Plugin(error)) => Some(error.code.into()),
            _ => None,
        }
    }

    fn again<T: 'static>(handle: &Resource<T>) -> Resource<T> {
        Resource::new_own(handle.rep())
    }

    fn meta() -> snapshot::Meta {
        snapshot::Meta { modified: None, mode: None, owner: None, attributes: Vec::new() }
    }

    const BACKUP: Operation = Operation::Backup(Pass::InStage);

    #[tokio::test]
    async fn a_tools_output_is_stored_whole_or_not_at_all() {
        for (script, whole) in [("echo dump", true), ("echo half; exit 3", false)] {
            let (mut state, draft, _scratch) = state(BACKUP, script);
            let process = state.spawn("run".into(), Vec::new(), None).await.unwrap();
            let stdout = state.stdout(again(&process)).await.unwrap();
            let stored = state.put("dump".into(), stdout, meta()).await;
            assert_eq!((stored.is_ok(), draft.held.lock().unwrap().len()), (whole, usize::from(whole)), "{script}");
        }
    }

    #[tokio::test]
    async fn a_tool_reads_what_the_plugin_makes() {
        let (mut state, _draft, _scratch) = state(BACKUP, "cat");
        let (output, input) = state.pipe().await.unwrap();
        let process = state.spawn("run".into(), Vec::new(), Some(input)).await.unwrap();
        let stdout = state.stdout(again(&process)).await.unwrap();
        state.write(again(&output), b"made".to_vec()).await.unwrap();
        state.finish(output).await.unwrap();
        assert_eq!(state.read(stdout, 10).await.unwrap(), b"made");
        assert_eq!(state.wait(process).await.unwrap().code, Some(0));
    }

    #[tokio::test]
    async fn waiting_for_a_tool_that_waits_for_the_plugin_is_invalid() {
        let (mut state, _draft, _scratch) = state(BACKUP, "cat");
        let (_output, input) = state.pipe().await.unwrap();
        let process = state.spawn("run".into(), Vec::new(), Some(input)).await.unwrap();
        assert_eq!(code(state.wait(process).await), Some(Code::Invalid));
    }

    #[tokio::test]
    async fn verify_runs_only_tools_that_are_offline() {
        let (mut state, _draft, _scratch) = state(Operation::Verify, "true");
        assert_eq!(code(state.spawn("run".into(), Vec::new(), None).await), Some(Code::Unsupported));
        assert_eq!(code(state.spawn("other".into(), Vec::new(), None).await), Some(Code::Denied));
    }
}
