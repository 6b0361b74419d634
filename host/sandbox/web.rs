//! Asks a granted web service: one request a connection at a time, with the credential that only the host knows.

use std::{sync::Arc, time::Duration};

use http_body_util::{Either, Full};
use hyper::{Request, body::Bytes};
use tokio::{sync::OnceCell, time};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{native::Error, stream::Detached};
use crate::config::HttpGrant;

mod body;
mod connection;
mod failure;
mod head;

pub use body::Download;
use body::Upload;
use connection::{Connection, Pool};
use head::Credential;
pub use head::{Question, Refused};

/// Largest head of an answer, in bytes.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// What is sent: from memory, or as it comes.
type Sent = Either<Full<Bytes>, Upload>;

/// A granted service. Making one connects to nothing and reads no secret.
pub struct Service {
    name: String,
    grant: HttpGrant,
    credential: OnceCell<Option<Credential>>,
    pool: Arc<Pool>,
}

/// A request under way. Dropping it breaks the connection off.
pub struct Exchange {
    /// `GET https://host/path`
    pub label: String,
    /// Set once nothing of the request is left to be read.
    pub sent: CancellationToken,
    /// The answer, or why there is none.
    pub answer: AbortOnDropHandle<Result<Answer, Error>>,
}

/// An answer whose head has come.
pub struct Answer {
    /// 200 and the like.
    pub status: u16,
    /// In the server's order, with lower-case names.
    pub headers: Vec<(String, String)>,
    /// What follows.
    pub body: Download,
}

impl Service {
    /// A granted service, by the grant's name.
    pub fn open(name: &str, grant: &HttpGrant) -> Self {
        Self { name: name.to_owned(), grant: grant.clone(), credential: OnceCell::new(), pool: Arc::default() }
    }

    /// What is granted.
    pub fn grant(&self) -> &HttpGrant {
        &self.grant
    }

    /// What must not be seen by anyone, as far as it was needed yet.
    pub fn secrets(&self) -> &[String] {
        self.credential.get().and_then(Option::as_ref).map_or(&[], Credential::secrets)
    }

    /// Begins to ask. The answer comes by itself, whether or not somebody waits for it.
    pub fn start(self: &Arc<Self>, question: Question, body: Option<Detached>) -> Exchange {
        let (service, sent) = (self.clone(), CancellationToken::new());
        let label = format!("{} {}", question.method, service.place(&question));
        let asked = {
            let (sent, label) = (sent.clone(), label.clone());
            async move { service.ask(question, body, sent, label).await }
        };
        Exchange { label, sent, answer: AbortOnDropHandle::new(tokio::spawn(asked)) }
    }

    /// Where a question goes, without its query: that may hold what somebody searched for.
    fn place(&self, question: &Question) -> String {
        format!("{}{}", self.grant.origin, question.target.path())
    }

    async fn ask(
        &self,
        question: Question,
        body: Option<Detached>,
        sent: CancellationToken,
        label: String,
    ) -> Result<Answer, Error> {
        let credential = self.credential.get_or_try_init(|| head::credential(&self.name, &self.grant)).await?;
        let repeatable = question.is_repeatable();
        let timeout = question.timeout.map_or(self.grant.timeout, |own| own.min(self.grant.timeout));
        let body = body::sent(body, &question, sent).await.map_err(|cause| failure::body(&label, &cause))?;
        let mut request = question.request(&self.grant, credential.as_ref(), body.content, body.length)?;
        // Ends: each round takes a connection from the pool, and nothing is put into it here.
        while let Some(idle) = self.pool.take().await {
            match exchange(idle, request, &body.sent, timeout).await {
                Ok(answered) => return self.answer(answered, label),
                Err(Failed { unsent: Some(back), .. }) => request = *back,
                Err(failed) => return Err(failure::asking(&label, &failed.why, repeatable)),
            }
        }
        let connection = connection::open(&self.name, &self.grant).await?;
        match exchange(connection, request, &body.sent, timeout).await {
            Ok(answered) => self.answer(answered, label),
            Err(failed) => Err(failure::asking(&label, &failed.why, repeatable || failed.unsent.is_some())),
        }
    }

    fn answer(
        &self,
        (response, connection): (hyper::Response<hyper::body::Incoming>, Connection),
        label: String,
    ) -> Result<Answer, Error> {
        let (head, body) = response.into_parts();
        let headers = || head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        if head::length(headers()) > HEAD_BYTES_MAX {
            return Err(failure::head(&label));
        }
        let text = |(name, value): (&str, &[u8])| (name.to_owned(), String::from_utf8_lossy(value).into_owned());
        let headers = headers().map(text).collect();
        let chunked = head.headers.contains_key(hyper::header::TRANSFER_ENCODING);
        let body = Download::new(body, chunked || self.grant.origin.secure, label, connection, self.pool.clone());
        Ok(Answer { status: head.status.as_u16(), headers, body })
    }
}

/// Why there is no answer, and the request if nothing of it was sent.
struct Failed {
    why: Why,
    unsent: Option<Box<Request<Sent>>>,
}

enum Why {
    /// The connection broke.
    Broken(hyper::Error),
    /// The server said nothing for so long.
    Silent(Duration),
}

/// Sends a request, and waits for the answer's head once it is on its way.
async fn exchange(
    mut connection: Connection,
    request: Request<Sent>,
    sent: &CancellationToken,
    timeout: Duration,
) -> Result<(hyper::Response<hyper::body::Incoming>, Connection), Failed> {
    let late = async {
        sent.cancelled().await;
        time::sleep(timeout).await;
    };
    tokio::select! {
        biased;
        answered = connection.sender.try_send_request(request) => match answered {
            Ok(response) => Ok((response, connection)),
            Err(mut failed) => {
                let unsent = failed.take_message().map(Box::new);
                Err(Failed { why: Why::Broken(failed.into_error()), unsent })
            }
        },
        () = late => Err(Failed { why: Why::Silent(timeout), unsent: None }),
    }
}
