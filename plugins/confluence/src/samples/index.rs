//! The search index of sample sites: what of it is saved, and where it comes back.

use super::*;

/// Sample c, a node with Lucene, with these files more.
fn lucene(others: &[(&str, &str)]) -> Host {
    home("c-mysql-7x", &[&[("attachments/x", "")], others].concat())
}

const COPIES: &str = "shared-home/index-snapshots/IndexSnapshot_main_index_7.zip";
const FILES: [(&str, &str); 3] = [("index/segments_7", "i"), ("journal/main_index", "7"), ("lock", "")];

fn files(usage: Usage) -> Host {
    lucene(&FILES).in_use("home", "", usage).config(&serde_json::json!({ "search-index": "files" }))
}

#[test]
fn an_index_that_cannot_be_saved_is_named_and_is_no_blocker() {
    let none = serde_json::json!({ "search-index": "none" });
    let sites: [&dyn Fn() -> Host; 3] =
        [&|| lucene(&FILES), &|| lucene(&[]), &|| lucene(&[(COPIES, "z")]).config(&none)];
    for site in sites {
        let _host = site();
        let seen = inspect();
        assert!(!parts(&seen).contains(&part::SEARCH_INDEX));
        let found: Vec<_> = seen.findings.iter().filter(|one| one.code == "search-not-captured").collect();
        assert!(found.len() == 1 && found[0].severity == Severity::Info, "{found:?}");
        assert!(found[0].message.contains("reindex after a restore"), "{}", found[0].message);
        assert!(!codes(&seen, Severity::Blocker).iter().any(|code| code.starts_with("index")));
    }
}

#[test]
fn copies_of_the_index_are_saved_before_the_database_and_come_back_where_they_were() {
    let host = lucene(&[(COPIES, "z"), ("index/segments_7", "i"), ("journal/main_index", "7")]);
    let seen = inspect();
    let part = part_of(&seen, part::SEARCH_INDEX);
    assert!(part.stage == Stage::Positions && !codes(&seen, Severity::Info).contains(&"search-not-captured"));
    assert!(part.summary.starts_with("shared-home/index-snapshots: "), "{}", part.summary);
    assert!(proven(&backup(part, Pass::InStage).unwrap().receipts));
    assert_eq!(host.stored("index-snapshots/IndexSnapshot_main_index_7.zip").as_deref(), Some(&b"z"[..]));
    assert!(host.stored("index/segments_7").is_none());
    let (places, host) = (host.noted(note::PLACES).unwrap(), host.stored_as_archive(part::SEARCH_INDEX));
    assert!(proven(&crate::verify::verify(part).unwrap().receipts));
    backup(part_of(&seen, part::HOME), Pass::InStage).unwrap();
    assert!(host.stored_paths().iter().all(|path| !path.contains("index")), "{:?}", host.stored_paths());
    drop(host);
    let target = || {
        let host = target(&sample_cfg("c-mysql-7x")).note(note::PLACES, &places);
        host.archived(part::SEARCH_INDEX, "index-snapshots/IndexSnapshot_main_index_7.zip", "z")
    };
    let host = target();
    let seen = Confluence.inspect(Purpose::Restore).unwrap();
    assert_eq!(part_of(&seen, part::SEARCH_INDEX).stage, Stage::Positions);
    assert!(!blockers(&seen).contains(&"target-not-empty"));
    assert!(proven(&restore(part).unwrap().receipts));
    assert_eq!(host.file("home", COPIES).as_deref(), Some("z"));
    drop(host);
    let _host = target().target("home", &[("index/segments_9", "newer")]);
    let seen = Confluence.inspect(Purpose::Restore).unwrap();
    let taken = |one: &strongroom_plugin::Finding| one.code == "target-not-empty" && one.subject == part::SEARCH_INDEX;
    assert!(seen.findings.iter().any(taken), "an index that stands there would be newer than the database");
}

#[test]
fn a_clusters_copies_are_those_of_its_shared_home() {
    let cfg = sample_cfg("a-cluster-pg-9x/node1").replace(">opensearch<", ">lucene<");
    let host = Host::new().files("home", &[(CFG, &cfg), (COPIES, "of a node")]);
    let host = host.files("shared-home", &[(CFG, &cfg), ("index-snapshots/x.zip", "z")]);
    let seen = inspect();
    let part = part_of(&seen, part::SEARCH_INDEX);
    assert_eq!(part.uses, ["dirs.shared-home"]);
    assert!(proven(&backup(part, Pass::InStage).unwrap().receipts));
    assert_eq!(host.stored_paths(), ["index-snapshots/x.zip"]);
}

#[test]
fn files_of_the_index_are_copied_with_their_journal_while_nobody_uses_them_and_never_otherwise() {
    let host = files(Usage::Free);
    let seen = inspect();
    assert!(!blockers(&seen).iter().any(|code| code.starts_with("index")), "{:?}", seen.findings);
    let part = part_of(&seen, part::SEARCH_INDEX).clone();
    assert!(proven(&backup(&part, Pass::InStage).unwrap().receipts));
    assert_eq!(host.stored_paths(), ["index/segments_7", "journal/main_index"]);
    let places = host.noted(note::PLACES).unwrap();
    drop(host);
    let host = target(&sample_cfg("c-mysql-7x")).note(note::PLACES, &places);
    let host = host.archived(part::SEARCH_INDEX, "index/segments_7", "i").archived(
        part::SEARCH_INDEX,
        "journal/main_index",
        "7",
    );
    restore(&part).unwrap();
    assert_eq!(host.file("home", "index/segments_7").as_deref(), Some("i"));
    assert_eq!(host.file("home", "journal/main_index").as_deref(), Some("7"));
    drop(host);
    for place in ["lock", "index", "journal"] {
        for usage in [Usage::Unknown, Usage::Used("pid 4711 java".into())] {
            let host = files(Usage::Free).in_use("home", place, usage);
            assert!(blockers(&inspect()).contains(&"index-in-use"), "{place}");
            let error = backup(&part, Pass::InStage).unwrap_err();
            assert!(error.message.contains("stop Confluence") && host.stored_paths().is_empty(), "{error}");
        }
    }
}

#[test]
fn an_index_without_its_journal_is_refused() {
    let config = serde_json::json!({ "search-index": "files" });
    for (path, found) in [("index/segments_7", "i"), ("journal/main_index", "7")] {
        let _host = lucene(&[(path, found)]).in_use("home", "", Usage::Free).config(&config);
        assert!(blockers(&inspect()).contains(&"index-missing"), "{path}");
    }
}

#[test]
fn an_index_in_another_directory_of_the_home_is_not_saved_with_it() {
    let cfg = sample_cfg("c-mysql-7x");
    let moved = "<property name=\"lucene.index.dir\">${localHome}/lucene</property>";
    let cfg = cfg.replace("</properties>", &format!("{moved}</properties>"));
    let host = Host::new().display("dirs", "home", "/var/confluence, read");
    let host = host.files("home", &[(CFG, &cfg), ("lucene/segments_7", "i"), ("mine", "m")]);
    let seen = inspect();
    assert_eq!(fact(&seen, "search"), "Lucene in /var/confluence/lucene");
    backup(part_of(&seen, part::HOME), Pass::InStage).unwrap();
    assert_eq!(host.stored_paths(), [CFG, "mine"]);
}

#[test]
fn an_option_of_java_says_which_engine_counts() {
    let script = "CATALINA_OPTS=\"-Dsearch.platform=opensearch -Dopensearch.http.url=http://u:hunter2@os:9200 $CATALINA_OPTS\"\n";
    let _host = lucene(&[(COPIES, "z")]).files("install", &[(crate::install::SETENV, script)]);
    let seen = inspect();
    assert!(fact(&seen, "search").starts_with("OpenSearch at http://"), "{}", fact(&seen, "search"));
    assert!(!fact(&seen, "search").contains("hunter2") && !parts(&seen).contains(&part::SEARCH_INDEX));
}
