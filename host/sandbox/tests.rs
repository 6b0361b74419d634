//! Hostile guests: each is ended, named, and harms nobody else.

use std::{sync::Arc, time::Duration};

use super::{
    testing::{MemoryDraft, Recorder, component, session},
    *,
};
use crate::{plan::inspection::Stage, secret::Source};

macro_rules! guest {
    ($name:literal) => {
        component(include_str!(concat!("../../tests/guests/", $name, ".wat")))
    };
}

fn part() -> Part {
    Part {
        name: "p".into(),
        stage: Stage::Files,
        ahead: false,
        summary: String::new(),
        bytes_estimate: None,
        uses: Vec::new(),
        settings: Vec::new(),
    }
}

fn load(wasm: &[u8]) -> Plugin {
    Sandbox::new(None).unwrap().load(wasm).unwrap()
}

async fn inspect(wasm: &[u8], change: impl FnOnce(&mut Session)) -> (Result<Answer, Fault>, Arc<Recorder>) {
    let ledger = Arc::new(Recorder::default());
    let mut session = session(&ledger);
    change(&mut session);
    (load(wasm).call(session, Request::InspectBackup).await, ledger)
}

async fn fault(wasm: &[u8], change: impl FnOnce(&mut Session)) -> Fault {
    inspect(wasm, change).await.0.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_guest_describes_itself_and_answers() {
    let wasm = guest!("quiet");
    let plugin = load(&wasm);
    let description = plugin.describe().await.unwrap();
    assert_eq!((description.name.as_str(), description.version.as_str()), ("guest", "guest"));
    assert_eq!(plugin.digest(), Digest::of(&wasm));
    let answer = inspect(&wasm, |_| {}).await.0.unwrap();
    assert!(matches!(answer, Answer::Inspection(inspection) if inspection.parts.is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_are_named() {
    assert_eq!(load(&guest!("sleeps")).imports(), ["strongroom:plugin/types@0.1.0", "strongroom:plugin/context@0.1.0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_loops_is_ended_by_its_compute_limit() {
    let fault = fault(&guest!("loops"), |session| session.limits.compute = Duration::from_millis(100)).await;
    let Fault::Limit(words) = fault else { panic!("{fault:?}") };
    assert!(words.contains("[step.wiki.limits] compute = \"200ms\""), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_loops_does_not_keep_a_run_from_stopping() {
    let stop = CancellationToken::new();
    stop.cancel();
    assert_eq!(fault(&guest!("loops"), |session| session.stop = stop).await, Fault::Canceled);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_hoards_memory_is_told_from_one_that_breaks() {
    let Fault::Limit(words) = fault(&guest!("hoards"), |_| {}).await else { panic!() };
    assert!(words.contains("limits.memory is 64.0 MiB") && words.contains("memory = \"128.0 MiB\""), "{words}");
    let Fault::Trap(words) = fault(&guest!("traps"), |_| {}).await else { panic!() };
    assert!(words.contains("index out of bounds"), "{words}");
    assert!(matches!(fault(&guest!("recurses"), |_| {}).await, Fault::Trap(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_call_without_end_is_ended_by_the_parts_time_or_by_the_runs_stop() {
    let limited = fault(&guest!("sleeps"), |session| session.limits.part_time = Duration::from_millis(50)).await;
    let Fault::Limit(words) = limited else { panic!("{limited:?}") };
    assert!(words.contains("part-time = \"100ms\""), "{words}");

    let stop = CancellationToken::new();
    let stopper = stop.clone();
    let call = tokio::spawn(async move { fault(&guest!("sleeps"), |session| session.stop = stop).await });
    stopper.cancel();
    assert_eq!(call.await.unwrap(), Fault::Canceled);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_granted_is_denied_with_the_lines_that_would_grant_it() {
    let Fault::Plugin { code, message, .. } = fault(&guest!("reaches"), |_| {}).await else { panic!() };
    assert_eq!(code, fault::Code::Denied);
    assert!(message.contains("\"guest\"") && message.contains("[step.wiki.grant.dirs.etc]\npath ="), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_log_lines_is_cut_and_said_once() {
    let (answer, ledger) = inspect(&guest!("floods-log"), |session| session.limits.log_bytes = 10_100).await;
    assert!(answer.is_ok());
    let lines = ledger.lines.lock().unwrap();
    assert_eq!(lines.len(), 101);
    assert!(lines[100].1.starts_with("further lines dropped") && lines[100].1.contains("log-bytes = 20200"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_handles_is_refused_then_ended() {
    let wasm = guest!("floods-streams");
    let Fault::Plugin { code, message, .. } = fault(&wasm, |_| {}).await else { panic!() };
    assert_eq!(code, fault::Code::Limit);
    assert!(message.contains("open-streams = 2048"), "{message}");
    let Fault::Limit(words) = fault(&wasm, |session| session.limits.handles = 100).await else { panic!() };
    assert!(words.contains("handles = 200"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_larger_than_the_hostcall_fuel_never_reaches_the_host() {
    let Fault::Limit(words) = fault(&guest!("hands-over"), |_| {}).await else { panic!() };
    assert!(words.contains("hostcall-fuel = \"16.0 MiB\""), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_would_wait_for_itself_is_told_so() {
    let Fault::Plugin { code, .. } = fault(&guest!("waits-for-itself"), |_| {}).await else { panic!() };
    assert_eq!(code, fault::Code::Invalid);
}

#[tokio::test(flavor = "multi_thread")]
async fn describing_may_use_nothing() {
    let fault = load(&guest!("describes-too-much")).describe().await.unwrap_err();
    let Fault::Trap(words) = fault else { panic!("{fault:?}") };
    assert!(words.contains("unsupported") && words.contains("describe"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revealed_secret_is_counted_and_masked_wherever_the_plugin_tells_it() {
    let place = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(place.path(), "hunter2\n").unwrap();
    let ledger = Arc::new(Recorder::default());
    let mut session = session(&ledger);
    session.draft = Some(Arc::new(MemoryDraft::default()));
    let secrets = [("key".to_owned(), Source::File(place.path().into()))].into();
    session.grants = Arc::new(Grants { secrets, ..Grants::default() });
    let fault = load(&guest!("tells")).call(session, Request::Backup(part(), Pass::InStage)).await.unwrap_err();
    assert!(matches!(fault, Fault::Plugin { message, .. } if message == "[secret]"));
    assert_eq!(ledger.lines.lock().unwrap()[0].1, "[secret]");
    assert_eq!(*ledger.revealed.lock().unwrap(), ["key"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_cannot_be_revealed_to_an_inspection() {
    let (answer, ledger) = inspect(&guest!("tells"), |_| {}).await;
    assert!(answer.is_err() && ledger.revealed.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_whose_submitted_stream_was_left_unfinished_fails_and_stores_nothing() {
    let (ledger, draft) = (Arc::new(Recorder::default()), Arc::new(MemoryDraft::default()));
    let mut session = session(&ledger);
    session.draft = Some(draft.clone());
    let plugin = load(&guest!("leaves-unfinished"));
    let fault = plugin.call(session, Request::Backup(part(), Pass::InStage)).await.unwrap_err();
    let Fault::Plugin { message, .. } = fault else { panic!("{fault:?}") };
    assert!(message.contains("p/made") && message.contains("before finishing"), "{message}");
    assert!(draft.held.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn handles_that_are_forged_dropped_or_of_another_kind_end_the_guest() {
    for (wasm, words) in [
        (guest!("forges-handles"), "unknown handle index 999"),
        (guest!("uses-after-drop"), "unknown handle index"),
        (guest!("confuses-handles"), "handle"),
    ] {
        let Fault::Trap(said) = fault(&wasm, |_| {}).await else { panic!() };
        assert!(said.contains(words), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_cannot_call_the_host_while_it_takes_an_answer() {
    let (answer, ledger) = inspect(&guest!("reenters"), |_| {}).await;
    let Err(Fault::Trap(said)) = answer else { panic!("{answer:?}") };
    assert!(said.contains("cannot leave component instance"), "{said}");
    assert!(ledger.lines.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_and_bytes_that_make_no_sense_end_the_guest() {
    for (wasm, words) in [
        (guest!("points-outside"), "out of bounds"),
        (guest!("garbles-text"), "utf-8"),
        (guest!("returns-nonsense"), ""),
        (guest!("returns-no-such-case"), ""),
    ] {
        let Fault::Trap(said) = fault(&wasm, |_| {}).await else { panic!() };
        assert!(said.to_lowercase().contains(words), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gigabytes_and_millions_of_strings_never_reach_the_host() {
    let Fault::Limit(words) = fault(&guest!("aliases"), |_| {}).await else { panic!() };
    assert!(words.contains("hostcall-fuel = \"16.0 MiB\""), "{words}");
    let large = |session: &mut Session| session.limits.memory_bytes = 4 << 30;
    let Fault::Limit(words) = fault(&guest!("hands-over-two-gigabytes"), large).await else { panic!() };
    assert!(words.contains("limits.hostcall-fuel"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_grows_without_end_is_refused() {
    let Fault::Limit(words) = fault(&guest!("fills-tables"), |_| {}).await else { panic!() };
    assert!(words.contains("a table of 200001 elements; 200000 are the most"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pipes_without_writers_are_streams_that_count() {
    let few = |session: &mut Session| session.limits.open_streams = 10;
    let Fault::Plugin { code, message, .. } = fault(&guest!("floods-handles-of-its-own"), few).await else { panic!() };
    assert_eq!(code, fault::Code::Limit);
    assert!(message.contains("open-streams = 20"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_describes_itself_for_ever_is_ended() {
    let fault = load(&guest!("describes-for-ever")).describe().await.unwrap_err();
    let Fault::Limit(words) = fault else { panic!("{fault:?}") };
    assert!(words.contains("computed"), "{words}");
}

#[test]
fn a_component_for_another_world_is_refused_by_name() {
    let sandbox = Sandbox::new(None).unwrap();
    let why = |text: &str| match sandbox.load(&wat::parse_str(text).unwrap()) {
        Err(Fault::Unfit(why)) => why,
        other => panic!("{:?}", other.err()),
    };
    assert!(why("(component)").contains("another world"));
    let stranger = why("(component (import \"other:thing/maker\" (instance (export \"make\" (func)))))");
    assert!(stranger.contains("other:thing/maker"), "{stranger}");
}
