//! Tools that do what the script says, when their output or their end is asked for.

use std::{cell::RefCell, rc::Rc};

use super::streams::InputStream;
use crate::{
    bindings::strongroom::plugin::{
        tools::Exit,
        types::{Error, ErrorCode},
    },
    testing::{ToolCall, ToolRun, denied, fail, io, state},
};

/// What a tool was asked, until it has run.
struct Job {
    tool: String,
    parameters: Vec<(String, String)>,
    stdin: Option<InputStream>,
    ran: Option<ToolRun>,
}

impl Job {
    fn run(&mut self) -> Result<ToolRun, Error> {
        if let Some(ran) = &self.ran {
            return Ok(ran.clone());
        }
        let stdin = self.stdin.take().map_or(Ok(Vec::new()), |stdin| stdin.all())?;
        let call = ToolCall { tool: self.tool.clone(), parameters: self.parameters.clone(), stdin };
        let answer = state(|state| state.tools.get(&self.tool).cloned()).ok_or_else(|| denied("tools", &self.tool))?;
        let ran = answer(&call);
        state(|state| state.calls.push(call));
        self.ran = Some(ran.clone());
        Ok(ran)
    }
}

pub(crate) struct Process {
    job: Rc<RefCell<Job>>,
    taken: RefCell<bool>,
}

pub(crate) fn spawn(
    grant: &str,
    parameters: &[(String, String)],
    stdin: Option<InputStream>,
) -> Result<Process, Error> {
    if !state(|state| state.tools.contains_key(grant)) {
        return Err(denied("tools", grant));
    }
    let job = Job { tool: grant.into(), parameters: parameters.to_vec(), stdin, ran: None };
    Ok(Process { job: Rc::new(RefCell::new(job)), taken: RefCell::new(false) })
}

impl Process {
    pub(crate) fn stdout(&self) -> Result<InputStream, Error> {
        if self.taken.replace(true) {
            return Err(fail(ErrorCode::Invalid, "the tool's output was taken before"));
        }
        let job = self.job.clone();
        Ok(InputStream::new(io::Lazy::new(move || {
            let ran = job.borrow_mut().run()?;
            let failed = refused(&ran);
            Ok(io::ending(ran.stdout, failed))
        })))
    }

    pub(crate) fn wait(&self) -> Result<Exit, Error> {
        let ran = self.job.borrow_mut().run()?;
        refused(&ran).map_or(Ok(Exit { code: Some(ran.code), stderr_tail: ran.stderr }), Err)
    }

    pub(crate) fn kill(&self) {}
}

/// A script's grants accept status 0 only.
fn refused(ran: &ToolRun) -> Option<Error> {
    let why = || format!("the tool ended with status {}: {}", ran.code, ran.stderr);
    (ran.code != 0).then(|| fail(ErrorCode::Other, why()))
}
