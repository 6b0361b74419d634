//! Requests that a script makes.

use serde::Deserialize;
use strongroom_plugin::*;

/// `{ do = "http", path = "/a", store = "a.txt" }`
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Asked {
    #[serde(default = "grant")]
    http: String,
    #[serde(default = "method")]
    method: String,
    path: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    /// What it carries: text, a tool's output, or a file of a directory.
    body: Option<String>,
    body_tool: Option<String>,
    body_file: Option<(String, String)>,
    /// Where the answer is stored in the part; nowhere: it is logged, with its head.
    store: Option<String>,
    #[serde(default = "status")]
    status: u16,
}

fn grant() -> String {
    "http".to_owned()
}

fn method() -> String {
    "GET".to_owned()
}

fn status() -> u16 {
    200
}

/// The most of an answer that is logged.
const LOGGED_BYTES_MAX: usize = 64 << 10;

impl Asked {
    pub(crate) fn perform(&self) -> Result<()> {
        let service = http::get(&self.http)?;
        let plain = service.request(&self.method, &self.path);
        let mut request = self.headers.iter().fold(plain, |request, (name, value)| request.header(name, value));
        let tool = self.body_tool.as_ref().map(|tool| Tool::new(tool).spawn()).transpose()?;
        if let Some(text) = &self.body {
            request = request.body(streams::from_bytes(text.as_bytes())?);
        } else if let Some(tool) = &tool {
            request = request.body(tool.stdout()?);
        } else if let Some((dir, file)) = &self.body_file {
            request = request.body(dirs::get(dir)?.open(file)?);
        }
        let response = request.send()?;
        if response.status() != self.status {
            let status = response.status();
            let said = response.text(LOGGED_BYTES_MAX)?;
            return Err(Error::other(format!("the status is {status}, not {}: {said}", self.status)));
        }
        match &self.store {
            Some(path) => snapshot::put(path, response.body(), &Meta::default()).map(drop),
            None => {
                log::info(format!("{} {:?}", response.status(), response.headers()));
                log::info(response.text(LOGGED_BYTES_MAX)?);
                Ok(())
            }
        }
    }
}
