//! What an S3 server's answer means: its status, the code in its words, and what to try.

use std::io;

use hyper::{HeaderMap, StatusCode, header::CONTENT_RANGE};

use crate::config::place;

/// An answer, read to its end.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// Where the range begins that is in it.
    pub(super) fn begins_at(&self) -> Option<u64> {
        let range = self.headers.get(CONTENT_RANGE)?.to_str().ok()?;
        range.strip_prefix("bytes ")?.split_once('-')?.0.parse().ok()
    }

    /// Why nothing was done.
    pub(super) fn refusal(&self, place: &place::S3) -> io::Error {
        use io::ErrorKind;
        let code = self.element("Code").unwrap_or_default();
        let (kind, help) = match (self.status.as_u16(), &code[..]) {
            (404, "NoSuchBucket") => {
                (ErrorKind::InvalidInput, format!("make the bucket {}: strongroom makes none", place.bucket))
            }
            (404, _) => (ErrorKind::NotFound, String::new()),
            (_, "SignatureDoesNotMatch" | "InvalidAccessKeyId" | "InvalidToken" | "ExpiredToken") => {
                (ErrorKind::PermissionDenied, "compare access-key-id, secret-access-key and region".to_owned())
            }
            (_, "RequestTimeTooSkewed") => {
                (ErrorKind::PermissionDenied, "set this machine's clock: requests are signed with the time".to_owned())
            }
            (401 | 403, _) => {
                let help = format!("see in docs/operations.md what must be allowed in the bucket {}", place.bucket);
                (ErrorKind::PermissionDenied, help)
            }
            (301 | 307 | 308, _) | (_, "AuthorizationHeaderMalformed" | "PermanentRedirect") => {
                (ErrorKind::InvalidInput, "set region, and the host in url, to those of the bucket".to_owned())
            }
            // Retrying helps: another write of the same name goes on, the server asks for patience or is broken.
            (408 | 409 | 429 | 500.., _) => (ErrorKind::ResourceBusy, String::new()),
            (_, "BadDigest" | "IncompleteBody" | "RequestTimeout" | "XMinioInvalidBody") => {
                (ErrorKind::ConnectionAborted, String::new())
            }
            _ => (ErrorKind::InvalidInput, String::new()),
        };
        let words = [code, self.element("Message").unwrap_or_default()];
        let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
        let colon = if words.is_empty() { "" } else { ": " };
        let help = if help.is_empty() { help } else { format!("\nhelp: {help}") };
        io::Error::new(kind, format!("the S3 server answers {}{colon}{}{help}", self.status.as_u16(), words.join(", ")))
    }

    /// The text of an element of an error's XML, which has no other of that name.
    fn element(&self, name: &str) -> Option<String> {
        let text = String::from_utf8_lossy(&self.body[..self.body.len().min(4096)]);
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        let (text, _) = rest.split_once(&format!("</{name}>"))?;
        Some(text.chars().filter(|letter| !letter.is_control()).take(200).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> place::S3 {
        match place::Place::typed("s3:https://host/wiki".into()).unwrap() {
            place::Place::S3(s3) => s3,
            other => panic!("{other}"),
        }
    }

    fn refusal(status: u16, body: &str) -> io::Error {
        let (status, body) = (StatusCode::from_u16(status).unwrap(), body.as_bytes().to_vec());
        Answer { status, headers: HeaderMap::new(), body }.refusal(&place())
    }

    #[test]
    fn a_refusal_says_what_the_server_said_and_what_to_try() {
        let body = "<?xml?><Error><Code>NoSuchBucket</Code><Message>The\n bucket\u{7} is not there</Message></Error>";
        let why = refusal(404, body);
        assert_eq!(
            why.to_string(),
            "the S3 server answers 404: NoSuchBucket, The bucket is not there\n\
             help: make the bucket wiki: strongroom makes none"
        );
        assert_eq!(why.kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn only_a_file_that_is_not_there_is_not_found_and_only_what_passes_is_tried_again() {
        use io::ErrorKind::{ConnectionAborted, InvalidInput, NotFound, PermissionDenied, ResourceBusy};
        let coded = |code: &str| format!("<Error><Code>{code}</Code></Error>");
        for (status, code, kind) in [
            (404, "NoSuchKey", NotFound),
            (404, "", NotFound),
            (403, "AccessDenied", PermissionDenied),
            (400, "ExpiredToken", PermissionDenied),
            (403, "RequestTimeTooSkewed", PermissionDenied),
            (301, "PermanentRedirect", InvalidInput),
            (503, "SlowDown", ResourceBusy),
            (500, "", ResourceBusy),
            (409, "ConditionalRequestConflict", ResourceBusy),
            (400, "BadDigest", ConnectionAborted),
            (400, "InvalidRequest", InvalidInput),
        ] {
            assert_eq!(refusal(status, &coded(code)).kind(), kind, "{status} {code}");
        }
    }
}
