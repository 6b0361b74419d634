//! Brokers that want a password, speak TLS, or are several, of which one goes.

use std::fs;

use serde_json::json;

use super::{TOPIC, fill, pipeline, record};
use crate::support::{
    Place,
    kafka::{self, Kafka},
};

#[test]
fn brokers_are_logged_in_to_with_and_without_tls() {
    let kafka = Kafka::start(&["--user", "dam:hunter2", "--tls"]);
    let prefix = kafka::prefix();
    let topic = format!("{prefix}{TOPIC}");
    fill(&kafka, &topic);
    let tls = format!("tls = {{ ca = {:?} }}\n", kafka.authority().display().to_string());
    let secret = "[step.streams.grant.secrets]\nkafka = { file = \"$DIR/password\" }\n";
    let place = Place::new();
    let save = |mechanism: &str, password: &str, listener: &str, grants: &str| {
        place.write("password", password);
        let config = format!("prefix = \"{prefix}\"\nsasl = \"{mechanism}\"\nuser = \"dam\"");
        pipeline(&place, "strongroom", kafka.port(listener), &config);
        let text = fs::read_to_string(place.join("strongroom.toml")).unwrap();
        place.write("strongroom.toml", &(text + grants));
        place.accept();
        place.run(&["backup"])
    };
    for mechanism in ["plain", "scram-sha-256", "scram-sha-512"] {
        save(mechanism, "hunter2", "sasl", secret).exits(0);
        save(mechanism, "hunter2", "sasl-tls", &format!("{tls}{secret}")).exits(0);
        let refused = save(mechanism, "wrong-one", "sasl", secret);
        assert_ne!(refused.code, 0, "{refused}");
        place.assert_hides("wrong-one", &[&refused.says("SASL_AUTHENTICATION_FAILED")]);
    }
    pipeline(&place, "strongroom", kafka.port("tls"), &format!("prefix = \"{prefix}\""));
    let text = fs::read_to_string(place.join("strongroom.toml")).unwrap();
    place.write("strongroom.toml", &(text + &tls));
    place.accept();
    place.run(&["backup"]).exits(0);
    place.assert_hides("hunter2", &[]);
}

#[test]
fn topics_of_a_broker_that_has_stopped_are_read_from_their_next_leader() {
    let kafka = Kafka::start(&["--brokers", "3"]);
    let prefix = kafka::prefix();
    let topic = format!("{prefix}{TOPIC}");
    kafka.ask(&json!({ "do": "create", "topic": topic, "partitions": 3, "replicas": 2 }));
    let records: Vec<_> = (0..40).map(|number| record(0, number)).collect();
    for partition in 0..3 {
        kafka.produce(&topic, partition, "gzip", &records);
    }
    let place = Place::new();
    pipeline(&place, "strongroom", kafka.port("plain"), &format!("prefix = \"{prefix}\""));
    let text = fs::read_to_string(place.join("strongroom.toml")).unwrap();
    let endpoints: Vec<_> = kafka.ports("plain").iter().map(|port| format!("\"127.0.0.1:{port}\"")).collect();
    let one = format!("\"127.0.0.1:{}\"", kafka.port("plain"));
    place.write("strongroom.toml", &text.replace(&one, &endpoints.join(", ")));
    place.accept();
    let leaders = || kafka.ask(&json!({ "do": "describe", "topic": topic }))["leaders"].to_string();
    // The first broker is the controller too and has to stay.
    assert!(leaders().contains(['2', '3']), "{}", leaders());
    place.run(&["backup"]).exits(0);
    kafka.stop_broker(if leaders().contains('2') { 2 } else { 3 });
    place.run(&["backup"]).exits(0);
    assert_eq!(place.record()["state"], "complete");
}
