//! Grants of web services with mistakes.

use super::*;

const MISTAKES: &str = r#"
[step.wiki.grant.http.one]
url = "https://me:hunter2@h/"
methods = ["get", "CONNECT"]
paths = ["wiki", "/a/../b", "/a?b"]
basic = "me:hunter2"
[step.wiki.grant.http.two]
url = "http://h"
ca = "ca.pem"
bearer = "hunter2"
[step.wiki.grant.http.three]
url = "https://h"
key = "key.pem"
header = { name = "Host", value = "hunter2" }
methods = []
[step.wiki.grant.http.four]
url = "https://h"
basic = { user = "a:hunter2", password = { file = "x" } }
token = "hunter2"
[step.wiki.grant.http.five]
url = "https://h"
bearer = { file = "x" }
header = "Authorization: hunter2"
"#;

#[test]
fn mistakes_in_a_services_grant_are_all_named_without_its_secrets() {
    let drawn = drawn(MISTAKES);
    assert!(!drawn.contains("hunter2"), "{drawn}");
    let errors: Vec<_> = drawn.lines().filter_map(|line| line.strip_prefix("error: ")).collect();
    insta::assert_snapshot!(errors.join("\n"), @r#"
    a service's URL holds a user or a password
    "get" is no method that can be granted
    "CONNECT" is no method that can be granted
    "wiki" is no prefix of a path: it does not begin with a slash
    "/a/../b" is no prefix of a path: it holds a segment of dots
    "/a?b" is no prefix of a path: a prefix ends before the query
    `step.wiki.grant.http.one.basic`: secrets are never written literally
    `step.wiki.grant.http.two.ca` is for https, and `url` begins with http://
    `step.wiki.grant.http.two.bearer`: secrets are never written literally
    `key` needs `certificate` beside it
    "Host" is no header that can carry a credential
    `step.wiki.grant.http.three.header.value`: secrets are never written literally
    `step.wiki.grant.http.three.methods` is empty, so nothing could be asked
    a user's name cannot hold a colon
    unknown key `token` in [step.wiki.grant.http.four]
    `step.wiki.grant.http.five.header` is a second credential
    "#);
}
