//! Finding the broker to ask, asking again, giving up.

use std::collections::BTreeMap;

use strongroom_plugin::{Error as Cause, ErrorCode};

use super::{
    broker::{self, Brokers, Reply, TOPIC},
    connect, options,
};
use crate::{At, Cluster, Fault, Login, Options};

const LIST_OFFSETS: i16 = 2;
const METADATA: i16 = 3;
const OFFSET_COMMIT: i16 = 8;
const OFFSET_FETCH: i16 = 9;
const FIND_COORDINATOR: i16 = 10;
const DESCRIBE_GROUPS: i16 = 15;
const LIST_GROUPS: i16 = 16;
const SASL_HANDSHAKE: i16 = 17;
const API_VERSIONS: i16 = 18;
const DESCRIBE_CONFIGS: i16 = 32;
const SASL_AUTHENTICATE: i16 = 36;
const CONSUMER_GROUP_DESCRIBE: i16 = 69;

const NOT_LEADER: i16 = 6;

/// The code and the words of what a call ended in.
fn told<T>(result: crate::Result<T>) -> (ErrorCode, String) {
    let cause = Cause::from(result.map(drop).unwrap_err());
    (cause.code, cause.message)
}

#[test]
fn the_cluster_says_who_it_is_and_what_it_holds() {
    let _brokers = Brokers::new(|_, _| None);
    let mut cluster = connect().unwrap();
    assert_eq!(cluster.id(), "cluster-1");
    assert_eq!(
        cluster.brokers().iter().map(|broker| &broker.endpoint[..]).collect::<Vec<_>>(),
        ["kafka-1:9092", "kafka-2:9092"]
    );
    let topics = cluster.topics().unwrap();
    assert_eq!((topics.len(), &topics[0].name[..], topics[0].internal), (1, TOPIC, false));
    assert_eq!(topics[0].partitions.iter().map(|partition| partition.leader).collect::<Vec<_>>(), [Some(1), Some(2)]);
    assert!(cluster.versions()[0].contains("Fetch 10-11"), "{:?}", cluster.versions());
}

#[test]
fn each_partition_s_leader_is_asked_and_all_answers_are_put_together() {
    let brokers = Brokers::new(|asked, _| {
        let found = (asked.broker - 1, 0, i64::from(asked.broker) * 10);
        (asked.key == LIST_OFFSETS).then(|| Reply::Body(broker::offsets(TOPIC, &[found])))
    });
    let offsets = connect().unwrap().offsets(TOPIC, &[1, 0, 1], At::End).unwrap();
    assert_eq!(offsets, BTreeMap::from([(0, Some(10)), (1, Some(20))]));
    assert_eq!(brokers.count(LIST_OFFSETS), 2);
}

#[test]
fn a_time_after_the_last_record_has_no_offset() {
    let _brokers = Brokers::answering(LIST_OFFSETS, vec![broker::offsets(TOPIC, &[(0, 0, -1)])]);
    assert_eq!(connect().unwrap().offsets(TOPIC, &[0], At::Time(5)).unwrap()[&0], None);
}

#[test]
fn a_leader_that_moved_is_looked_up_and_asked_instead() {
    let brokers = Brokers::new(|asked, before| match (asked.key, asked.broker) {
        // What every look brings, from the third on: the client connects, and asks who leads.
        (METADATA, _) if before >= 2 => Some(Reply::Body(broker::metadata(&[2, 2]))),
        (LIST_OFFSETS, 1) => Some(Reply::Body(broker::offsets(TOPIC, &[(0, NOT_LEADER, -1)]))),
        (LIST_OFFSETS, _) => Some(Reply::Body(broker::offsets(TOPIC, &[(0, 0, 7)]))),
        _ => None,
    });
    assert_eq!(connect().unwrap().offsets(TOPIC, &[0], At::Start).unwrap()[&0], Some(7));
    assert_eq!(brokers.of(LIST_OFFSETS).iter().map(|asked| asked.broker).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn what_does_not_pass_is_tried_as_often_as_allowed_and_then_named() {
    let brokers = Brokers::answering(LIST_OFFSETS, vec![broker::offsets(TOPIC, &[(0, NOT_LEADER, -1)])]);
    let error = connect().unwrap().offsets(TOPIC, &[0], At::Start).unwrap_err();
    assert!(error.is(Fault::NotLeaderOrFollower));
    assert!(error.to_string().contains("NOT_LEADER_OR_FOLLOWER"), "{error}");
    assert_eq!(brokers.count(LIST_OFFSETS), 3);
}

#[test]
fn what_cannot_pass_is_not_tried_again() {
    let brokers = Brokers::answering(LIST_OFFSETS, vec![broker::offsets(TOPIC, &[(0, 29, -1)])]);
    let error = connect().unwrap().offsets(TOPIC, &[0], At::Start).unwrap_err();
    assert_eq!(error.fault(), Some(Fault::TopicAuthorizationFailed));
    assert_eq!(Cause::from(error).code, ErrorCode::Denied);
    assert_eq!(brokers.count(LIST_OFFSETS), 1);
}

#[test]
fn a_code_that_nobody_knows_is_shown_as_a_number() {
    let _brokers = Brokers::answering(LIST_OFFSETS, vec![broker::offsets(TOPIC, &[(0, 999, -1)])]);
    let error = connect().unwrap().offsets(TOPIC, &[0], At::Start).unwrap_err();
    assert_eq!(error.fault(), Some(Fault::Unknown(999)));
    assert!(error.to_string().contains("999"), "{error}");
}

#[test]
fn a_connection_that_ends_is_made_anew() {
    let brokers = Brokers::new(|asked, before| match (asked.key, before) {
        (LIST_OFFSETS, 0) => Some(Reply::HangUp),
        (LIST_OFFSETS, _) => Some(Reply::Body(broker::offsets(TOPIC, &[(0, 0, 7)]))),
        _ => None,
    });
    assert_eq!(connect().unwrap().offsets(TOPIC, &[0], At::Start).unwrap()[&0], Some(7));
    assert_eq!(brokers.count(LIST_OFFSETS), 2);
    assert_eq!(brokers.of(API_VERSIONS).len(), 2);
}

#[test]
fn a_bootstrap_broker_that_is_gone_is_passed_over() {
    let _brokers = Brokers::new(|asked, _| (asked.broker == 1).then_some(Reply::HangUp));
    assert_eq!(connect().unwrap().id(), "cluster-1");
}

#[test]
fn a_cluster_that_nobody_answers_for_is_unavailable_and_may_pass() {
    let brokers = Brokers::new(|_, _| Some(Reply::HangUp));
    let error = Cause::from(connect().map(drop).unwrap_err());
    assert_eq!((error.code, error.retryable), (ErrorCode::Unavailable, true));
    assert!(error.message.contains("TLS, or a login"), "{error}");
    assert_eq!(brokers.count(API_VERSIONS), 2 * 3);
}

#[test]
fn a_listener_that_the_grant_does_not_name_is_denied_and_named() {
    let _brokers = Brokers::answering(METADATA, vec![broker::metadata_of(&[(1, "10.0.0.7")], &[1])]);
    let (code, words) = told(connect().unwrap().offsets(TOPIC, &[0], At::Start));
    assert_eq!(code, ErrorCode::Denied);
    assert!(words.contains("10.0.0.7:9092"), "{words}");
}

#[test]
fn a_service_that_is_not_granted_is_denied() {
    let _brokers = Brokers::new(|_, _| None);
    assert_eq!(told(Cluster::connect("other", Login::None, options())).0, ErrorCode::Denied);
}

#[test]
fn a_broker_that_is_too_old_or_too_new_is_unsupported() {
    for others in [(METADATA, 0, 4), (METADATA, 8, 13), (METADATA, -1, -1)] {
        let _brokers = Brokers::answering(API_VERSIONS, vec![broker::versions(&[others])]);
        let (code, words) = told(connect());
        assert_eq!(code, ErrorCode::Unsupported);
        assert!(words.contains("Metadata"), "{words}");
    }
}

#[test]
fn a_broker_that_joined_since_is_asked_for_its_groups_too() {
    let brokers = Brokers::new(|asked, before| match asked.key {
        METADATA if before == 0 => Some(Reply::Body(broker::metadata_of(&[(1, "kafka-1")], &[1, 1]))),
        LIST_GROUPS => Some(Reply::Body(broker::groups(&["g"]))),
        _ => None,
    });
    connect().unwrap().groups().unwrap();
    assert_eq!(brokers.of(LIST_GROUPS).iter().map(|asked| asked.broker).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn waits_grow_up_to_their_bound() {
    let options = Options::default();
    let waits: Vec<_> = (0..40).map(|tried| crate::cluster::ask::pause(&options, tried).as_millis()).collect();
    assert_eq!(waits[..6], [100, 200, 400, 800, 1600, 2000]);
    assert!(waits[6..].iter().all(|wait| *wait == 2000));
}

#[test]
fn an_error_says_what_was_done_and_who_was_asked() {
    let _brokers = Brokers::answering(LIST_OFFSETS, vec![broker::offsets(TOPIC, &[(0, 29, -1)])]);
    let (_, words) = told(connect().unwrap().offsets(TOPIC, &[0], At::Start));
    assert_eq!(
        words,
        "looking up Start of topic \"dam-audit\": asking kafka-1:9092: partition 0: the broker answers TOPIC_AUTHORIZATION_FAILED"
    );
}

#[test]
fn every_broker_is_asked_for_its_groups() {
    let brokers = Brokers::new(|asked, _| {
        let ids: &[&str] = if asked.broker == 1 { &["dam-b"] } else { &["dam-a"] };
        (asked.key == LIST_GROUPS).then(|| Reply::Body(broker::groups(ids)))
    });
    let groups = connect().unwrap().groups().unwrap();
    assert_eq!(groups.iter().map(|group| &group.id[..]).collect::<Vec<_>>(), ["dam-a", "dam-b"]);
    assert_eq!((groups[0].state.as_deref(), groups[0].kind.as_deref()), (Some("Stable"), Some("classic")));
    assert_eq!(brokers.of(LIST_GROUPS)[0].version, 5);
}

#[test]
fn a_broker_that_does_not_list_its_groups_makes_the_list_fail() {
    let _brokers = Brokers::new(|asked, _| {
        (asked.key == LIST_GROUPS).then(|| match asked.broker {
            1 => Reply::Body(broker::groups(&["dam-b"])),
            _ => Reply::HangUp,
        })
    });
    assert_eq!(told(connect().unwrap().groups()).0, ErrorCode::Unavailable);
}

#[test]
fn members_of_both_kinds_of_groups_are_counted() {
    for (classic, consumer, members) in [
        (broker::group("g", 0, 3), None, 3),
        (broker::group("g", 0, 0), Some(broker::consumer_group("g", 0, 2)), 2),
        (broker::group("g", 0, 0), Some(broker::consumer_group("g", 69, 0)), 0),
        (broker::group("g", 69, 0), Some(broker::consumer_group("g", 35, 0)), 0),
    ] {
        let _brokers = Brokers::new(move |asked, _| match asked.key {
            DESCRIBE_GROUPS => Some(Reply::Body(classic.clone())),
            CONSUMER_GROUP_DESCRIBE => consumer.clone().map(Reply::Body),
            _ => None,
        });
        assert_eq!(connect().unwrap().group_members("g").unwrap(), members);
    }
}

#[test]
fn what_a_group_never_committed_is_left_out() {
    let brokers = Brokers::answering(OFFSET_FETCH, vec![broker::committed(0, &[(0, 12, 0), (1, -1, 0)])]);
    let committed = connect().unwrap().committed("g").unwrap();
    assert_eq!(committed, BTreeMap::from([((TOPIC.to_owned(), 0), 12)]));
    assert_eq!(brokers.count(FIND_COORDINATOR), 1);
}

#[test]
fn a_coordinator_that_moved_is_looked_up_again() {
    let brokers = Brokers::new(|asked, before| match (asked.key, before) {
        (FIND_COORDINATOR, before) => Some(Reply::Body(broker::coordinator(if before == 0 { 1 } else { 2 }))),
        (OFFSET_FETCH, 0) => Some(Reply::Body(broker::committed(16, &[]))),
        (OFFSET_FETCH, _) => Some(Reply::Body(broker::committed(0, &[(0, 1, 0)]))),
        _ => None,
    });
    assert_eq!(connect().unwrap().committed("g").unwrap().len(), 1);
    assert_eq!(brokers.of(OFFSET_FETCH).iter().map(|asked| asked.broker).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_group_with_members_is_not_spoken_for() {
    let _brokers = Brokers::answering(OFFSET_COMMIT, vec![broker::commits(&[(0, 25)])]);
    let error = connect().unwrap().commit("g", &[(TOPIC.to_owned(), 0, 5)]).unwrap_err();
    assert!(error.is(Fault::UnknownMemberId));
    assert!(error.to_string().contains("stop its consumers"), "{error}");
}

#[test]
fn a_commit_that_the_broker_passes_over_in_silence_is_an_error() {
    let _brokers = Brokers::answering(OFFSET_COMMIT, vec![broker::commits(&[(0, 0)])]);
    let mut cluster = connect().unwrap();
    cluster.commit("g", &[(TOPIC.to_owned(), 0, 5)]).unwrap();
    let (code, words) = told(cluster.commit("g", &[(TOPIC.to_owned(), 0, 5), (TOPIC.to_owned(), 1, 5)]));
    assert_eq!(code, ErrorCode::Corrupt);
    assert!(words.contains("leaves out \"dam-audit\" 1"), "{words}");
}

#[test]
fn settings_of_the_topic_are_told_from_those_of_the_broker_and_secrets_are_kept() {
    let settings =
        [("retention.ms", "5", 1, false), ("cleanup.policy", "delete", 5, false), ("a.password", "x", 1, true)];
    let _brokers = Brokers::answering(DESCRIBE_CONFIGS, vec![broker::configs(TOPIC, &settings)]);
    let settings = connect().unwrap().configs(TOPIC).unwrap();
    let shown: Vec<_> = settings.iter().map(|one| (&one.name[..], one.value.as_deref(), one.overridden)).collect();
    assert_eq!(
        shown,
        [("a.password", None, true), ("cleanup.policy", Some("delete"), false), ("retention.ms", Some("5"), true)]
    );
}

/// `SaslHandshake`, and `SaslAuthenticate` in version 1.
fn sasl(code: i16, said: &[u8]) -> [Vec<u8>; 2] {
    let mut writer = crate::wire::Writer::default();
    writer.i16(0).count(1).text("PLAIN");
    let handshake = writer.into_bytes();
    let mut writer = crate::wire::Writer::default();
    writer.i16(code).text("no").bytes(said).i64(0);
    [handshake, writer.into_bytes()]
}

fn log_in(code: i16) -> (Brokers, crate::Result<Cluster>) {
    let [handshake, authenticated] = sasl(code, b"");
    let brokers = Brokers::new(move |asked, _| match asked.key {
        SASL_HANDSHAKE => Some(Reply::Body(handshake.clone())),
        SASL_AUTHENTICATE => Some(Reply::Body(authenticated.clone())),
        _ => None,
    });
    let login = Login::Plain { user: "backup".to_owned(), password: "hunter2".to_owned() };
    let cluster = Cluster::connect("kafka", login, options());
    (brokers, cluster)
}

#[test]
fn a_login_comes_before_anything_else_is_asked() {
    let (brokers, cluster) = log_in(0);
    cluster.unwrap();
    let kinds: Vec<i16> = brokers.heard.borrow().iter().map(|asked| asked.key).collect();
    assert_eq!(kinds, [API_VERSIONS, SASL_HANDSHAKE, SASL_AUTHENTICATE, METADATA]);
    assert_eq!(brokers.of(SASL_AUTHENTICATE)[0].body, b"\0\0\0\x0f\0backup\0hunter2");
}

#[test]
fn a_login_that_is_refused_is_tried_once_and_shows_no_secret() {
    let (brokers, cluster) = log_in(58);
    let (code, words) = told(cluster);
    assert_eq!(code, ErrorCode::Denied);
    assert!(words.contains("SASL_AUTHENTICATION_FAILED") && !words.contains("hunter2"), "{words}");
    assert_eq!(brokers.count(SASL_AUTHENTICATE), 1);
}
