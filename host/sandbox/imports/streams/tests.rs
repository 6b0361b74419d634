//! Streams as a guest uses them, with nobody but the host to wait for.

use std::{sync::Arc, time::Duration};

use super::*;
use crate::{
    repository::Pass,
    sandbox::{
        bindings::{
            Fail,
            host::{
                snapshot::{self, Host as _, HostPending as _},
                streams::{Host as _, HostInputStream as _, HostOutputStream as _},
            },
        },
        operation::Operation,
        testing::{MemoryDraft, Recorder, session},
    },
};

type Input = Resource<InputStream>;
type Output = Resource<OutputStream>;

struct Guest {
    state: State,
    draft: Arc<MemoryDraft>,
}

impl Guest {
    fn new() -> Self {
        let draft = Arc::new(MemoryDraft::default());
        let mut session = session(&Arc::new(Recorder::default()));
        session.draft = Some(draft.clone());
        session.limits.no_progress = Duration::from_secs(60);
        let state = State::new(Arc::new(session), Operation::Backup(Pass::InStage), "p");
        Self { state, draft }
    }

    async fn bytes(&mut self, data: &[u8]) -> Input {
        self.state.from_bytes(data.to_vec()).await.unwrap()
    }

    async fn pipe(&mut self) -> (Output, Input) {
        self.state.pipe().await.unwrap()
    }

    async fn all(&mut self, stream: &Input) -> Answer<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let data = self.state.read(again(stream), 1 << 20).await?;
            if data.is_empty() {
                return Ok(all);
            }
            all.extend(data);
        }
    }

    async fn submit(&mut self, path: &str, content: Input) -> Resource<crate::sandbox::imports::snapshot::Pending> {
        self.state.submit(path.into(), content, meta()).await.unwrap()
    }

    fn held(&self, path: &str) -> Option<Vec<u8>> {
        let path = crate::name::RawPath::from_text(&format!("wiki/p/{path}")).unwrap();
        self.draft.held.lock().unwrap().get(&path).map(|(bytes, _)| bytes.clone())
    }
}

fn meta() -> snapshot::Meta {
    snapshot::Meta { modified: None, mode: None, owner: None, attributes: Vec::new() }
}

/// The same handle, for another call.
fn again<T: 'static>(handle: &Resource<T>) -> Resource<T> {
    Resource::new_own(handle.rep())
}

fn code<T>(answer: Answer<T>) -> Option<Code> {
    match answer {
        Err(Fail::Plugin(error)) => Some(error.code.into()),
        _ => None,
    }
}

fn noise(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 31 % 251) as u8).collect()
}

#[tokio::test]
async fn peeking_consumes_nothing_and_reading_goes_on_from_there() {
    let mut guest = Guest::new();
    let stream = guest.bytes(b"PGDMP and more").await;
    assert_eq!(guest.state.peek(again(&stream), 5).await.unwrap(), b"PGDMP");
    assert_eq!(guest.state.peek(again(&stream), 100).await.unwrap(), b"PGDMP and more");
    assert_eq!(guest.state.read(again(&stream), 5).await.unwrap(), b"PGDMP");
    assert_eq!(guest.state.skip(again(&stream), 5).await.unwrap(), 5);
    assert_eq!(guest.all(&stream).await.unwrap(), b"more");
}

#[tokio::test]
async fn a_parent_is_locked_while_its_part_is_unread_and_goes_on_after_it() {
    let mut guest = Guest::new();
    let parent = guest.bytes(b"4bodynext").await;
    guest.state.read(again(&parent), 1).await.unwrap();
    let part = guest.state.take(again(&parent), 4).await.unwrap();
    assert_eq!(code(guest.state.read(again(&parent), 1).await), Some(Code::Invalid));
    assert_eq!(guest.state.read(again(&part), 2).await.unwrap(), b"bo");
    streams::HostInputStream::drop(&mut guest.state, part).await.unwrap();
    assert_eq!(guest.all(&parent).await.unwrap(), b"next");
}

#[tokio::test]
async fn a_part_that_is_handed_on_leaves_the_parent_behind_it() {
    let mut guest = Guest::new();
    let parent = guest.bytes(b"onetwo").await;
    let part = guest.state.take(again(&parent), 3).await.unwrap();
    let stored = guest.state.put("part".into(), part, meta()).await.unwrap();
    assert_eq!(stored.size, 3);
    assert_eq!(guest.all(&parent).await.unwrap(), b"two");
}

#[tokio::test]
async fn fewer_bytes_than_a_part_announces_are_corrupt() {
    let mut guest = Guest::new();
    let parent = guest.bytes(b"abc").await;
    let part = guest.state.take(again(&parent), 4).await.unwrap();
    assert_eq!(code(guest.state.put("part".into(), part, meta()).await), Some(Code::Corrupt));
    assert_eq!(guest.held("part"), None);
}

#[tokio::test]
async fn a_file_is_read_through_the_same_calls() {
    let mut guest = Guest::new();
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, &noise(3 << 20)).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let stream = guest.state.push_input(Source::new(Body::File(file.into())), Vec::new()).unwrap();
    assert_eq!(guest.state.peek(again(&stream), 10).await.unwrap(), noise(10));
    assert_eq!(guest.all(&stream).await.unwrap(), noise(3 << 20));
}

#[tokio::test]
async fn joined_streams_come_one_after_the_other() {
    let mut guest = Guest::new();
    let parts = vec![guest.bytes(b"a").await, guest.bytes(b"").await, guest.bytes(b"bc").await];
    let joined = guest.state.concat(parts).await.unwrap();
    assert_eq!(guest.all(&joined).await.unwrap(), b"abc");
}

#[tokio::test]
async fn digests_are_made_in_the_host() {
    let mut guest = Guest::new();
    let stream = guest.bytes(b"123456789").await;
    let (size, digest) = guest.state.digest(streams::Algorithm::Crc32c, stream).await.unwrap();
    assert_eq!((size, digest), (9, 0xe306_9283_u32.to_be_bytes().to_vec()));
    let (source, (output, _input)) = (guest.bytes(b"123456789").await, guest.pipe().await);
    let algorithm = streams::Algorithm::Crc32c;
    let short = guest.state.splice_digest(again(&output), again(&source), 20, algorithm).await;
    assert_eq!(code(short), Some(Code::Corrupt));
}

#[tokio::test]
async fn what_is_written_into_a_finished_pipe_is_stored() {
    let mut guest = Guest::new();
    let (output, input) = guest.pipe().await;
    let pending = guest.submit("list", input).await;
    let data = noise(3 << 20);
    guest.state.write(again(&output), data.clone()).await.unwrap();
    let source = guest.bytes(b"tail").await;
    assert_eq!(guest.state.splice(again(&output), source, 100).await.unwrap(), 4);
    guest.state.finish(output).await.unwrap();
    let stored = guest.state.wait(pending).await.unwrap();
    assert_eq!(stored.size, data.len() as u64 + 4);
    assert!(stored.tail.ends_with(b"tail") && stored.tail.len() == 256);
}

#[tokio::test]
async fn an_unfinished_pipe_is_never_taken_for_whole() {
    let mut guest = Guest::new();
    let (output, input) = guest.pipe().await;
    let pending = guest.submit("list", input).await;
    guest.state.write(again(&output), b"half".to_vec()).await.unwrap();
    streams::HostOutputStream::drop(&mut guest.state, output).await.unwrap();
    assert_eq!(code(guest.state.wait(pending).await), Some(Code::Io));
    assert_eq!(guest.held("list"), None);
}

#[tokio::test]
async fn reading_or_storing_what_only_the_same_guest_could_write_is_invalid() {
    let mut guest = Guest::new();
    let (output, input) = guest.pipe().await;
    guest.state.write(again(&output), b"abc".to_vec()).await.unwrap();
    assert_eq!(guest.state.read(again(&input), 3).await.unwrap(), b"abc");
    assert_eq!(code(guest.state.read(again(&input), 1).await), Some(Code::Invalid));
    assert_eq!(code(guest.state.peek(again(&input), 1).await), Some(Code::Invalid));
    assert_eq!(code(guest.state.skip(again(&input), 1).await), Some(Code::Invalid));
    assert_eq!(code(guest.state.put("x".into(), input, meta()).await), Some(Code::Invalid));

    let (_output, input) = guest.pipe().await;
    assert_eq!(code(guest.state.digest(streams::Algorithm::Md5, input).await), Some(Code::Invalid));
    let ((_first, input), (second, _held)) = (guest.pipe().await, guest.pipe().await);
    assert_eq!(code(guest.state.splice(second, input, 1).await), Some(Code::Invalid));
    let (_output, input) = guest.pipe().await;
    let pending = guest.submit("y", input).await;
    assert_eq!(code(guest.state.wait(pending).await), Some(Code::Invalid));
}

#[tokio::test]
async fn a_full_pipe_whose_reader_the_guest_holds_is_invalid() {
    let mut guest = Guest::new();
    let (output, input) = guest.pipe().await;
    guest.state.write(again(&output), vec![0; stream::BUFFER_BYTES]).await.unwrap();
    assert_eq!(code(guest.state.write(again(&output), vec![0]).await), Some(Code::Invalid));
    let source = guest.bytes(b"more").await;
    assert_eq!(code(guest.state.splice(again(&output), source, 4).await), Some(Code::Invalid));
    // Handed on, it has room again.
    let pending = guest.submit("z", input).await;
    guest.state.write(again(&output), vec![0]).await.unwrap();
    guest.state.finish(output).await.unwrap();
    assert_eq!(guest.state.wait(pending).await.unwrap().size, stream::BUFFER_BYTES as u64 + 1);
}

#[tokio::test]
async fn a_full_pipe_behind_a_tee_whose_other_half_the_guest_holds_is_invalid() {
    let mut guest = Guest::new();
    let (output, input) = guest.pipe().await;
    let (stored, _held) = guest.state.tee(input).await.unwrap();
    let _pending = guest.submit("half", stored).await;
    let data = vec![0; 4 * stream::BUFFER_BYTES];
    assert_eq!(code(guest.state.write(output, data).await), Some(Code::Invalid));
}

#[tokio::test]
async fn both_halves_of_a_tee_bring_every_byte() {
    let mut guest = Guest::new();
    let data = noise(5 << 20);
    let source = guest.bytes(&data).await;
    let (first, second) = guest.state.tee(source).await.unwrap();
    let pending = guest.submit("dump", first).await;
    assert_eq!(guest.all(&second).await.unwrap(), data);
    guest.state.wait(pending).await.unwrap();
    assert_eq!(guest.held("dump"), Some(data));
}

#[tokio::test]
async fn a_half_that_has_bytes_to_read_is_not_stuck_because_the_other_waits_for_it() {
    let mut guest = Guest::new();
    let source = guest.bytes(&noise(5 << 20)).await;
    let (first, second) = guest.state.tee(source).await.unwrap();
    let _pending = guest.submit("dump", first).await;
    let feeds = guest.state.table.get(&second).unwrap().feeds();
    let [Feed::Tee(tee, 1)] = &feeds[..] else { panic!("the second half of a tee") };
    let end = tokio::time::Instant::now() + Duration::from_secs(60);
    while !Feed::Tee(tee.clone(), 0).is_stuck() {
        assert!(tokio::time::Instant::now() < end, "the half that is stored fills the buffer, and waits");
        tokio::task::yield_now().await;
    }
    assert!(!feeds[0].is_stuck());
}

#[tokio::test]
async fn a_dropped_half_does_not_hold_the_other_back() {
    let mut guest = Guest::new();
    let data = noise(5 << 20);
    let source = guest.bytes(&data).await;
    let (first, second) = guest.state.tee(source).await.unwrap();
    streams::HostInputStream::drop(&mut guest.state, second).await.unwrap();
    assert_eq!(guest.all(&first).await.unwrap(), data);
}

#[tokio::test]
async fn waiting_for_a_half_whose_other_the_guest_holds_unread_is_invalid() {
    let mut guest = Guest::new();
    let source = guest.bytes(&noise(5 << 20)).await;
    let (first, second) = guest.state.tee(source).await.unwrap();
    assert_eq!(guest.state.read(again(&second), 10).await.unwrap(), noise(10));
    let pending = guest.submit("dump", first).await;
    assert_eq!(code(guest.state.wait(pending).await), Some(Code::Invalid));
    assert_eq!(guest.all(&second).await.unwrap().len(), (5 << 20) - 10);
}

#[tokio::test]
async fn a_half_that_fits_the_buffer_can_be_waited_for() {
    let mut guest = Guest::new();
    let source = guest.bytes(b"small").await;
    let (first, second) = guest.state.tee(source).await.unwrap();
    let pending = guest.submit("dump", first).await;
    assert_eq!(guest.state.wait(pending).await.unwrap().size, 5);
    assert_eq!(guest.all(&second).await.unwrap(), b"small");
}

#[tokio::test]
async fn a_source_that_moves_nothing_times_out_and_names_the_limit() {
    let mut guest = Guest::new();
    guest.state.watch.no_progress = Duration::from_millis(20);
    let (_kept, silent) = tokio::io::duplex(16);
    let stream = guest.state.push_input(Source::new(Body::Async(Box::new(silent))), Vec::new()).unwrap();
    let Err(Fail::Plugin(error)) = guest.state.put("x".into(), stream, meta()).await else { panic!() };
    assert_eq!(Code::from(error.code), Code::Timeout);
    assert!(error.message.contains("[step.wiki.limits] no-progress = \"40ms\""), "{}", error.message);
}
