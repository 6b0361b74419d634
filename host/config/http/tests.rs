//! Which paths are granted, and every way that is known to say one path and mean another.

use proptest::prelude::*;

use super::*;

fn grant(base: &str, paths: &[&str]) -> HttpGrant {
    HttpGrant {
        origin: Origin { secure: true, host: "search.example".into(), port: 9200 },
        base: base.into(),
        methods: vec!["GET".into()],
        paths: paths.iter().map(|&path| path.into()).collect(),
        ca: None,
        identity: None,
        credential: None,
        timeout: TIMEOUT,
        connect_timeout: CONNECT_TIMEOUT,
    }
}

#[test]
fn paths_at_and_below_a_prefix_are_granted() {
    let grant = grant("/es", &["/wiki", "/_snapshot/repo/", "/a%20b"]);
    for path in [
        "/wiki",
        "/wiki/",
        "/wiki/_search?q=a/../b&size=10",
        "/wiki/_doc/1%20%C3%A4;v=1",
        "/wiki/a%2520b",
        "/wiki/..a/b..c",
        "/wiki/100%25",
        "/%77iki/x",
        "/_snapshot/repo",
        "/_snapshot/repo/one?wait_for_completion=true",
        "/a%20b/c",
    ] {
        assert_eq!(grant.target(path), Ok(format!("/es{path}")));
    }
    let all = self::grant("", &["/"]);
    assert_eq!(all.target("/"), Ok("/".into()));
    assert_eq!(all.target("/any/thing"), Ok("/any/thing".into()));
}

#[test]
fn paths_beside_a_prefix_are_not_granted() {
    let grant = grant("/es", &["/wiki/page", "/_snapshot/"]);
    for path in
        ["/", "/wiki", "/wiki/", "/wiki/pages", "/wiki/page;v=1/x", "/Wiki/page", "/_snapshots", "/es/wiki/page"]
    {
        assert_eq!(grant.target(path), Err(Refused::Outside), "{path}");
    }
}

#[test]
fn no_trick_leaves_a_prefix() {
    let grant = grant("/es", &["/wiki"]);
    for path in [
        "",
        "wiki",
        "?q",
        "//wiki",
        "/wiki//x",
        "/wiki//",
        "//",
        "https://other/wiki",
        "/wiki\\x",
        "/wiki/../admin",
        "/wiki/..",
        "/./wiki",
        "/wiki/.",
        "/wiki/x/../../admin",
        "/wiki/%2e%2e/admin",
        "/wiki/%2E%2e/admin",
        "/wiki/.%2e/admin",
        "/wiki/%2e./admin",
        "/wiki/%2e",
        "/wiki/%252e%252e/admin",
        "/wiki/%25252e%25252e/admin",
        "/wiki/%25%32%65%25%32%65/admin",
        "/wiki/%2525252525252541",
        "/wiki%2f..%2fadmin",
        "/wiki/..%2fadmin",
        "/wiki%2Fx",
        "/wiki%5c..%5cadmin",
        "/wiki/%5c",
        "/wiki%252fx",
        "/wiki/..;/admin",
        "/wiki/..;v=1/admin",
        "/wiki/..%3b/admin",
        "/wiki/.;/x",
        "/wiki/;/x",
        "/wiki/;v=1",
        "/wiki/.../admin",
        "/wiki/..%20/admin",
        "/wiki/%20../admin",
        "/wiki/. ./admin",
        "/wiki/%20",
        "/wiki/%00",
        "/wiki/a%00/../..",
        "/wiki/%0d%0aHost:%20x",
        "/wiki/%7f",
        "/wiki/\r\nHost: x",
        "/wiki/\t",
        "/wiki/%C2%85",
        "/wiki/%c0%ae%c0%ae/admin",
        "/wiki/%c0%af",
        "/wiki/%ff",
        "/wiki/ä",
        "/wiki/a b",
        "/wiki/%",
        "/wiki/%2",
        "/wiki/%zz",
        "/wiki/%2%65",
        "/wiki/%u002e",
        "/wiki#x",
        "/wiki?q#x",
        "/wiki/<x>",
        "/wiki/\"",
        "/wiki/{x}",
        "/wiki?q=a b",
        "/wiki?q=\r\nX: y",
        "/wiki?q=ä",
        "/wiki?\0",
    ] {
        assert!(matches!(grant.target(path), Err(Refused::Invalid(_))), "{path:?}: {:?}", grant.target(path));
    }
    assert!(matches!(grant.target(&format!("/wiki/{}", "a".repeat(9000))), Err(Refused::Invalid(_))));
}

/// What a careless server makes of a path: decodes until nothing changes, takes backslashes for slashes, drops what
/// follows a semicolon, then resolves dots and empty segments.
fn careless(path: &str) -> Vec<String> {
    let mut text = path.split('?').next().unwrap_or_default().to_owned();
    for _ in 0..20 {
        text = percent_decode_str(&text).decode_utf8_lossy().into_owned();
    }
    let mut resolved = Vec::new();
    for segment in text.split(['/', '\\']) {
        let name = segment.split([';', '\0', '\r', '\n']).next().unwrap_or_default();
        match name.trim() {
            "" | "." => {}
            ".." => drop(resolved.pop()),
            name => resolved.push(name.to_owned()),
        }
    }
    resolved
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]
    #[test]
    fn no_accepted_path_is_outside_for_any_server(
        segments in prop::collection::vec(
            (
                prop::sample::select(vec!["/", "/", "/", "//", "\\", "%2f", "%5c", "%252f", "?", "#"]),
                prop::collection::vec(prop::sample::select(vec![
                    "..", ".", "%2e", "%2E", "%252e", "%25", "2e", ";", "%3b", "%00", "%0d", "%20", " ", "a", "wiki", "%c0%ae",
                    "%61", "%", "é", "%C3%A4", "v=1",
                ]), 0..4),
            ),
            0..5,
        ),
    ) {
        let rest: String = segments.iter().map(|(separator, pieces)| format!("{separator}{}", pieces.concat())).collect();
        for path in [format!("/wiki{rest}"), rest] {
            if let Ok(target) = grant("", &["/wiki"]).target(&path) {
                prop_assert_eq!(&target, &path);
                prop_assert!(target.is_ascii() && !target.contains(['#', ' ', '\r', '\n', '\0']));
                let understood = careless(&target);
                prop_assert_eq!(understood.first().map(String::as_str), Some("wiki"), "{}", path);
            }
        }
    }
}

#[test]
fn a_url_is_read_and_what_does_not_belong_there_is_named() {
    let read = |url: &str| {
        let Location { origin, base } = location(url).unwrap();
        (origin.secure, origin.host, origin.port, base)
    };
    assert_eq!(read("https://es.example"), (true, "es.example".into(), 443, String::new()));
    assert_eq!(read("http://[::1]:9200/a/b/"), (false, "[::1]".into(), 9200, "/a/b".into()));
    assert_eq!(read("HTTP://ES.example:80/x"), (false, "es.example".into(), 80, "/x".into()));
    for (url, what) in [
        ("https://me:hunter2@h/", "password"),
        ("https://hunter2@h/", "user"),
        ("ftp://h/", "neither"),
        ("https://h/?a=hunter2", "ends in its path"),
        ("https://h/a//b", "doubled"),
        ("es.example:9200", "neither"),
        ("https://", "cannot be read"),
    ] {
        let Wrong(message, help) = location(url).unwrap_err();
        assert!(
            message.contains(what) && !message.contains("hunter2") && !help.contains("hunter2"),
            "{url}: {message}"
        );
    }
}

#[test]
fn headers_of_the_host_are_reserved_however_they_are_written() {
    for name in [
        "Host",
        "AUTHORIZATION",
        "content_length",
        "Proxy-Authorization",
        "X-Forwarded-For",
        "te",
        "X_HTTP_Method_Override",
    ] {
        assert!(is_reserved_header(name), "{name}");
    }
    for name in ["Accept", "Content-Type", "Range", "If-Match", "X-Request-Id"] {
        assert!(!is_reserved_header(name), "{name}");
    }
    assert!(!is_travel_header("Authorization") && !is_travel_header("Cookie") && is_travel_header("HOST"));
}
