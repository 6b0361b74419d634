//! What is stored, what is promised, and what makes a part fail.

use std::{io::Write, sync::Arc, time::Duration};

use super::*;
use crate::{
    digest::Digest,
    sandbox::{
        bindings::{
            Fail,
            host::{
                snapshot::{Host as _, HostPending as _},
                streams::{Host as _, HostOutputStream as _},
            },
        },
        stream::source::{Body, Source},
        testing::{MemoryDraft, Recorder, session},
    },
};

struct Guest {
    state: State,
    ledger: Arc<Recorder>,
    draft: Arc<MemoryDraft>,
    _scratch: tempfile::TempDir,
}

impl Guest {
    fn new() -> Self {
        let (ledger, draft) = (Arc::new(Recorder::default()), Arc::new(MemoryDraft::default()));
        let scratch = tempfile::tempdir().unwrap();
        let mut session = session(&ledger);
        session.draft = Some(draft.clone());
        session.scratch = scratch.path().into();
        session.limits.no_progress = Duration::from_secs(60);
        let state = State::new(Arc::new(session), Operation::Backup(Pass::InStage), "p");
        Self { state, ledger, draft, _scratch: scratch }
    }

    fn file(&mut self, content: &[u8]) -> Resource<InputStream> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        self.state.push_input(Source::new(Body::File(file.into())), Vec::new()).unwrap()
    }

    async fn failing(&mut self) -> Resource<InputStream> {
        let (output, input) = self.state.pipe().await.unwrap();
        self.state.write(Resource::new_own(output.rep()), b"half".to_vec()).await.unwrap();
        crate::sandbox::bindings::host::streams::HostOutputStream::drop(&mut self.state, output).await.unwrap();
        input
    }

    fn failure(&self) -> Option<String> {
        self.state.stores.failure(&*self.draft, Pass::InStage)
    }
}

fn meta() -> snapshot::Meta {
    snapshot::Meta { modified: None, mode: None, owner: None, attributes: Vec::new() }
}

#[tokio::test]
async fn a_thousand_files_are_stored_side_by_side_without_being_waited_for() {
    let mut guest = Guest::new();
    for number in 0..1000 {
        let file = guest.file(format!("content {number}").as_bytes());
        let pending = guest.state.submit(format!("file-{number}"), file, meta()).await.unwrap();
        snapshot::HostPending::drop(&mut guest.state, pending).await.unwrap();
    }
    guest.state.stores.idle().await;
    assert_eq!(guest.draft.held.lock().unwrap().len(), 1000);
    assert_eq!(guest.failure(), None);
}

#[tokio::test]
async fn stored_content_has_its_digest_and_its_end() {
    let mut guest = Guest::new();
    let file = guest.file(b"-- dump complete\n");
    let stored = guest.state.put("database.dump".into(), file, meta()).await.unwrap();
    assert_eq!(stored.sha256, Digest::of(b"-- dump complete\n").to_string());
    assert_eq!(stored.tail, b"-- dump complete\n");
    let path = RawPath::from_text("wiki/p/database.dump").unwrap();
    assert!(guest.draft.held.lock().unwrap().contains_key(&path), "{:?}", guest.draft.held.lock().unwrap().keys());
}

#[tokio::test]
async fn a_submission_that_fails_fails_the_part_unless_its_path_is_stored_again() {
    let mut guest = Guest::new();
    let broken = guest.failing().await;
    let pending = guest.state.submit("dump".into(), broken, meta()).await.unwrap();
    assert!(guest.state.wait(pending).await.is_err());
    let file = guest.file(b"whole");
    guest.state.put("dump".into(), file, meta()).await.unwrap();
    assert_eq!(guest.failure(), None);

    let broken = guest.failing().await;
    let pending = guest.state.submit("other".into(), broken, meta()).await.unwrap();
    assert!(guest.state.wait(pending).await.is_err());
    assert!(guest.failure().unwrap().contains("p/other"));
}

#[tokio::test]
async fn a_path_stored_twice_in_one_pass_exists() {
    let mut guest = Guest::new();
    let (first, second) = (guest.file(b"1"), guest.file(b"2"));
    guest.state.put("a".into(), first, meta()).await.unwrap();
    let Err(Fail::Plugin(error)) = guest.state.put("a".into(), second, meta()).await else { panic!() };
    assert_eq!(Code::from(error.code), Code::Exists);
}

#[tokio::test]
async fn a_path_cannot_leave_its_part() {
    let mut guest = Guest::new();
    for path in ["../other/file", "/etc/passwd", "", "a//b"] {
        let file = guest.file(b"x");
        assert!(guest.state.put(path.into(), file, meta()).await.is_err(), "{path}");
    }
    assert!(guest.draft.held.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_finished_list_reaches_the_ledger_and_an_unfinished_one_spoils_the_part() {
    let mut guest = Guest::new();
    let evidence = snapshot::Evidence::SameView;
    let list = guest.state.expect("attachments".into(), evidence).await.unwrap();
    let line = b"[\"row 1\",\"5\",\"attachments/1\"]\n".to_vec();
    guest.state.write(Resource::new_own(list.rep()), line.clone()).await.unwrap();
    guest.state.finish(list).await.unwrap();
    let expected = guest.ledger.expected.lock().unwrap().clone();
    assert_eq!(expected, [("attachments".to_owned(), String::from_utf8(line).unwrap())]);
    assert!(guest.state.spoiled.lock().unwrap().is_none());

    let list = guest.state.expect("keys".into(), evidence).await.unwrap();
    crate::sandbox::bindings::host::streams::HostOutputStream::drop(&mut guest.state, list).await.unwrap();
    assert!(guest.state.spoiled.lock().unwrap().as_ref().unwrap().contains("keys"));
}
