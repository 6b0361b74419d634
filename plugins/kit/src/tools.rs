//! Native programs granted by name. The plugin fills in parameters; it never chooses a program or a flag.

pub use crate::bindings::strongroom::plugin::tools::Exit;
use crate::{Error, InputStream, Result, host::tools as host};

/// A tool about to be started.
///
/// ```
/// use strongroom_plugin::{testing::Host, tools::Tool};
///
/// let host = Host::new().tool("dump", "-- the dump\n");
/// let dump = Tool::new("dump").parameter("snapshot", "00000003-1").spawn()?;
/// assert_eq!(dump.stdout()?.text(1000)?, "-- the dump\n");
/// dump.wait()?.check("dump")?;
/// assert_eq!(host.tool_calls()[0].parameter("snapshot"), Some("00000003-1"));
/// # Ok::<(), strongroom_plugin::Error>(())
/// ```
pub struct Tool<'a> {
    grant: &'a str,
    parameters: Vec<(String, String)>,
    stdin: Option<InputStream>,
}

impl<'a> Tool<'a> {
    /// The tool that was granted under that name.
    pub fn new(grant: &'a str) -> Self {
        Self { grant, parameters: Vec::new(), stdin: None }
    }

    /// Fills in a parameter of the grant's argument template.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }

    /// What it reads.
    #[must_use]
    pub fn stdin(mut self, content: InputStream) -> Self {
        self.stdin = Some(content);
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// `denied` when it is not granted (in `verify`: not granted as offline), `invalid` when a parameter does not
    /// fit its type, `not-found` when there is no such program.
    pub fn spawn(self) -> Result<Process> {
        let stdin = self.stdin.map(|stream| stream.0);
        Ok(Process(host::spawn(self.grant, &self.parameters, stdin)?))
    }
}

/// A running tool. Dropping it kills its whole process group.
pub struct Process(host::Process);

impl Process {
    /// What it writes. Once. Ends with an error unless the exit status is one that the grant accepts.
    ///
    /// # Errors
    /// `invalid` when it was taken before.
    pub fn stdout(&self) -> Result<InputStream> {
        Ok(InputStream(self.0.stdout()?))
    }

    /// Waits for its end. Output that was taken must be read by someone.
    ///
    /// # Errors
    /// `other` for a status that the grant does not accept, with the tool's last words; `timeout`, `canceled`.
    pub fn wait(&self) -> Result<Exit> {
        Ok(self.0.wait()?)
    }

    /// Kills its whole process group.
    pub fn kill(&self) {
        self.0.kill();
    }
}

impl Exit {
    /// Whether it ended with status 0.
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }

    /// Insists on status 0 where the grant accepts others as well; names the tool and its last words.
    ///
    /// # Errors
    /// `other` when it ended with anything else than 0.
    pub fn check(&self, tool: &str) -> Result<()> {
        if self.success() {
            return Ok(());
        }
        let how = self.code.map_or_else(|| "was killed".to_owned(), |code| format!("ended with status {code}"));
        Err(Error::other(format!("tool {tool:?} {how}: {}", self.stderr_tail.trim_end())))
    }
}
