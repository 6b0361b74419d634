//! What an engine may say of its own snapshot.

use strongroom_plugin::testing::Host;

use super::*;

fn client(host: Host, snapshot: &str) -> (Host, Client) {
    let root = r#"{"version":{"number":"2.19.5","distribution":"opensearch"}}"#;
    let host = host
        .answer("engine", "PUT", "/_snapshot/r/snapshot", 200, "{}")
        .answer("engine", "GET", "/_snapshot/r/snapshot", 200, format!(r#"{{"snapshots":[{snapshot}]}}"#))
        .answer(
            "engine",
            "GET",
            "/_nodes/_local/settings",
            200,
            r#"{"nodes":{"x":{"settings":{"path.repo":["/a","/b"],"path.repos":"/c"}}}}"#,
        )
        .answer("engine", "GET", "/", 200, root);
    let client = Client::connect("engine").unwrap();
    (host, client)
}

const WHOLE: &str =
    r#"{"state":"SUCCESS","indices":["b","a"],"failures":[],"shards":{"total":3,"failed":0,"successful":3}}"#;

#[test]
fn a_whole_snapshot_is_accepted_and_names_its_indices_only() {
    let (host, client) = client(Host::new(), WHOLE);
    let made = make(&client, "r", SNAPSHOT, &["a".into(), "b".into()]).unwrap();
    assert_eq!((made.indices, made.shards), (vec!["a".to_owned(), "b".to_owned()], 3));
    let asked = host.requests().into_iter().find(|call| call.method == "PUT").unwrap();
    let body: Value = serde_json::from_slice(&asked.body).unwrap();
    assert_eq!((&body["indices"], &body["include_global_state"]), (&json!("a,b"), &json!(false)));
    assert!(asked.path.ends_with("wait_for_completion=false"));
    assert_eq!(allowed(&client).unwrap(), ["/a", "/b"]);
}

#[test]
fn whatever_is_not_whole_is_refused() {
    for (from, to) in [
        ("SUCCESS", "PARTIAL"),
        ("SUCCESS", "FAILED"),
        ("SUCCESS", "INCOMPATIBLE"),
        ("\"failures\":[]", "\"failures\":[{\"index\":\"a\"}]"),
        ("\"failed\":0", "\"failed\":1"),
        ("\"successful\":3", "\"successful\":2"),
        ("[\"b\",\"a\"]", "[\"a\"]"),
        ("\"shards\"", "\"shard\""),
    ] {
        let (_host, client) = client(Host::new(), &WHOLE.replace(from, to));
        let error = make(&client, "r", SNAPSHOT, &["a".into(), "b".into()]).unwrap_err();
        assert!(error.message.contains("not whole"), "{to}: {error}");
    }
}

#[test]
fn a_snapshot_that_never_ends_is_not_waited_for_for_ever() {
    let (host, client) = client(Host::new(), &WHOLE.replace("SUCCESS", "IN_PROGRESS"));
    let error = make(&client, "r", SNAPSHOT, &["a".into()]).unwrap_err();
    assert_eq!(error.code, strongroom_plugin::ErrorCode::Timeout);
    assert!(host.requests().len() > 1000);
}
