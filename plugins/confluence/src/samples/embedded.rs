//! Samples g and h: embedded databases of a real make.

use super::*;

/// A home with an embedded database of a real make, and nobody in sight.
fn embedded(sample: &str, files: &str, usage: Usage) -> Host {
    let host = home(sample, &[("attachments/x", "x"), ("lock", ""), ("database/confluencedb.lck", "l")]);
    for file in std::fs::read_dir(format!("{FIXTURES}/../../database/fixtures/embedded/{files}")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), host.path("home").join("database").join(file.file_name())).unwrap();
    }
    host.in_use("home", "", usage)
}

#[test]
fn g_hsqldb_is_copied_while_nobody_uses_it_and_never_otherwise() {
    let host = embedded("g-hsqldb-57", "hsqldb-1.8", Usage::Free);
    let seen = inspect();
    assert_eq!(fact(&seen, "database files"), "confluencedb.properties, confluencedb.script in database");
    assert_eq!((blockers(&seen), codes(&seen, Severity::Warning)), (vec![], vec![]));
    assert_eq!(parts(&seen), ["database", "attachments", "home"]);
    assert!(seen.wants.is_empty());
    assert!(part_of(&seen, part::DATABASE).uses.iter().all(|uses| uses == "dirs.home"));
    let outcome = backup(part_of(&seen, part::DATABASE), Pass::InStage).unwrap();
    assert!(proven(&outcome.receipts), "{:?}", outcome.receipts);
    assert_eq!(host.stored_paths(), ["confluencedb.properties", "confluencedb.script"]);
    assert_eq!(host.fixed_instant().unwrap().kind, strongroom_plugin::InstantKind::Stopped);
    let host = host.stored_as_archive("database");
    backup(part_of(&seen, part::HOME), Pass::InStage).unwrap();
    assert_eq!(host.stored_paths(), [CFG]);
    for usage in [Usage::Unknown, Usage::Used("pid 4711 java".into())] {
        let host = embedded("g-hsqldb-57", "hsqldb-1.8", Usage::Free).in_use("home", "lock", usage);
        assert_eq!(blockers(&inspect()), ["embedded-in-use"]);
        let error = backup(part_of(&seen, part::DATABASE), Pass::InStage).unwrap_err();
        assert!(error.message.contains("stop Confluence"), "{error}");
        assert!(host.stored_paths().is_empty());
    }
}

#[test]
fn h_h2_is_copied_while_nobody_uses_it_and_comes_back_where_it_was() {
    for make in ["h2-1.4", "h2-2", "h2-pagestore"] {
        let host = embedded("h-h2-79", make, Usage::Free);
        let seen = inspect();
        assert!(fact(&seen, "database").starts_with("H2 jdbc:h2:file:/var/confluence/database/h2db"));
        assert_eq!((blockers(&seen), codes(&seen, Severity::Warning)), (vec![], vec![]), "{make}");
        let outcome = backup(part_of(&seen, part::DATABASE), Pass::InStage).unwrap();
        assert!(proven(&outcome.receipts));
        let noted = host.noted(strongroom_database::embedded::NOTE).unwrap();
        let content = host.stored(&noted).unwrap();
        drop(host);
        let host = target(&sample_cfg("h-h2-79"))
            .note(strongroom_database::embedded::NOTE, &noted)
            .note("entries database", "1")
            .secret("database-password", "for a server only")
            .archived("database", &noted, content.clone());
        let seen = Confluence.inspect(Purpose::Restore).unwrap();
        assert!(blockers(&seen).is_empty(), "{:?}", seen.findings);
        restore(&Part::new(part::DATABASE, Stage::Database)).unwrap();
        restore(&tree("home")).unwrap();
        assert_eq!(std::fs::read(host.path("home").join("database").join(&noted)).unwrap(), content);
        assert_eq!(host.file("home", CFG).unwrap(), sample_cfg("h-h2-79"));
        let verified = crate::verify::verify(&Part::new(part::DATABASE, Stage::Database)).unwrap();
        assert!(proven(&verified.receipts), "{:?}", verified.receipts);
        let _host = host.archived("database", &noted, &content[..content.len() - 1000]);
        let verified = crate::verify::verify(&Part::new(part::DATABASE, Stage::Database)).unwrap();
        assert!(!proven(&verified.receipts) && verified.findings[0].code == "embedded-damaged");
    }
}

#[test]
fn h_an_embedded_database_that_was_not_closed_or_is_damaged_is_named() {
    let _host = embedded("h-h2-79", "h2-2-killed", Usage::Free);
    assert_eq!(codes(&inspect(), Severity::Warning), ["embedded-unclean"]);
    let host = embedded("h-h2-79", "h2-2", Usage::Free);
    std::fs::write(host.path("home").join("database/h2db.mv.db"), "").unwrap();
    assert_eq!(blockers(&inspect()), ["embedded-damaged"]);
    drop(host);
    let _host = home("h-h2-79", &[]).in_use("home", "", Usage::Free);
    assert_eq!(blockers(&inspect()), ["embedded-missing"]);
    let cfg = sample_cfg("h-h2-79").replace("${confluenceHome}/database", "/elsewhere");
    let _host = Host::new().files("home", &[(CFG, &cfg)]).display("dirs", "home", "/var/confluence, read");
    assert_eq!(blockers(&inspect()), ["embedded-outside"]);
}

#[test]
fn h_the_url_of_an_embedded_database_follows_its_files() {
    let host = target(&sample_cfg("h-h2-79").replace("${confluenceHome}", "/var/confluence"));
    restore(&tree("home")).unwrap();
    assert_eq!(restored(&host, "home").get(URL), Some("jdbc:h2:file:/new/database/h2db"));
}
