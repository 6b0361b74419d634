//! Names, sizes, parameters and lists that are not what they should be. What must be refused is checked here: the first
//! that is not fails the part.

use std::io::Write;

use strongroom_plugin::*;

/// Fails unless each of them is refused.
fn all_refused<T>(what: &str, tries: &[&str], mut attempt: impl FnMut(&str) -> Result<T>) -> Result<()> {
    for text in tries {
        if attempt(text).is_ok() {
            return Err(Error::other(format!("{what} {text:?} was taken")));
        }
    }
    log::info(format!("every {what} was refused"));
    Ok(())
}

pub(super) fn odd_paths() -> Result<()> {
    let paths = [
        "", ".", "..", "/", "/abs", "a/../b", "a/..", "./a", "a/./b", "a//b", "a\0b", "\\x00", "\\xZZ", "\\",
        "a/\\x2e.",
    ];
    all_refused("path", &paths, |path| snapshot::put_bytes(path, b"x"))
}

pub(super) fn big_attributes() -> Result<()> {
    let meta = Meta { attributes: vec![("key".to_owned(), "v".repeat(100_000))], ..Meta::default() };
    snapshot::put("a", streams::from_bytes(b"x")?, &meta).map(drop)
}

pub(super) fn put_twice() -> Result<()> {
    snapshot::put_bytes("a", b"first")?;
    snapshot::put_bytes("a", b"second").map(drop)
}

/// No file system can hold both.
pub(super) fn file_as_directory() -> Result<()> {
    snapshot::put_bytes("a", b"first")?;
    snapshot::put_bytes("a/b", b"second").map(drop)
}

/// More than there is, and more than one call may bring.
pub(super) fn greedy_sizes() -> Result<()> {
    let zeros = || streams::from_bytes(&vec![0; 3 << 20]);
    let sizes = [
        zeros()?.read_chunk(u32::MAX)?.len(),
        zeros()?.peek(u32::MAX)?.len(),
        zeros()?.skip(u64::MAX)? as usize,
        context::random(u32::MAX).len(),
    ];
    log::info(format!("sizes {sizes:?}"));
    zeros()?.take_first(u64::MAX)?.drain().map(drop)
}

pub(super) fn stdout_twice() -> Result<()> {
    let process = Tool::new("tool-endless").spawn()?;
    let _first = process.stdout()?;
    process.stdout().map(drop)
}

pub(super) fn instant() -> Instant {
    Instant {
        not_before: context::now(),
        not_after: context::now(),
        kind: InstantKind::Exact,
        clock: "scripted".to_owned(),
        ahead_of_host_ms: 0,
        attributes: Vec::new(),
    }
}

/// Values that would be more than a value on a command line.
pub(super) fn parameters() -> Result<()> {
    let tricks = [
        "",
        "a b",
        "-x",
        "--file=/etc/passwd",
        "a\nb",
        "a\0b",
        "\"a",
        "a\\b",
        "$(id)",
        "`id`",
        "a;b",
        "../../etc/passwd",
        "/etc/passwd",
    ];
    let spawn = |name: &str, value: &str| Tool::new("tool-echo").parameter(name, value).spawn();
    let (quoting, paths) = tricks.split_at(11);
    all_refused("number", &tricks, |value| spawn("number", value))?;
    all_refused("identifier", &tricks, |value| spawn("identifier", value))?;
    all_refused("word", &quoting[..8], |value| spawn("word", value))?;
    all_refused("path", paths, |value| spawn("path", value))?;
    all_refused("parameter that nobody asked for", &["value"], |value| spawn("other", value))
}

/// Statements that are more than a question.
pub(super) fn statements() -> Result<()> {
    let statements = [
        "select 1; drop table kept",
        "insert into kept values (1)",
        "delete from kept",
        "with gone as (delete from kept returning 1) select * from gone",
        "select 1 into made",
        "create table made ()",
        "copy kept to '/tmp/kept'",
        "set transaction read write",
        "commit",
        "select * from kept for update",
        "select set_config('transaction_read_only', 'off', false)",
    ];
    let view = sql::get("sql-wiki")?.begin()?;
    let known = view.rows("select $1::text", &["'; drop table kept; --"])?.count();
    view.end()?;
    if known != 1 {
        return Err(Error::other("a parameter was more than a parameter"));
    }
    all_refused("statement", &statements, |statement| {
        sql::get("sql-wiki")?.begin()?.rows(statement, &[])?.collect::<Result<Vec<_>>>()
    })
}

pub(super) fn bad_list() -> Result<()> {
    let mut list = snapshot::expect("list", Evidence::SameView)?;
    list.write_all(b"{\"not\": \"an array\"}\n").map_err(Error::from)?;
    list.finish()
}

/// What works in another export only.
pub(super) fn wrong_export() -> Result<()> {
    let refused = [
        ("snapshot.put", snapshot::put_bytes("a", b"x").err()),
        ("snapshot.settled", snapshot::settled().err()),
        ("context.set-state", context::set_state("key", b"x").err()),
    ];
    match refused.iter().find(|(_, error)| error.is_none()) {
        Some((what, _)) => Err(Error::other(format!("{what} worked"))),
        None => Err(Error::unavailable("all were refused")),
    }
}

pub(super) fn odd_holds() -> Result<()> {
    let minute = std::time::Duration::from_secs(60);
    let take = |name: &str, data: &[u8]| holds::take(name, data, minute, holds::Scope::Part).map(drop);
    let long = "x".repeat(10_000);
    all_refused("name of a hold", &["", &long], |name| take(name, b""))?;
    all_refused("too large data of a hold", &["data"], |name| take(name, &vec![0; 1 << 20]))?;
    all_refused("time of a hold", &["time"], |name| {
        holds::take(name, b"", minute * 10_000, holds::Scope::Part).map(drop)
    })?;
    take("twice", b"")?;
    all_refused("hold that stands already", &["twice"], |name| take(name, b""))?;
    holds::dropped("twice")?;
    all_refused("hold that nobody took", &["never"], holds::dropped)
}

/// More than a header, or one that is not the plugin's to set.
pub(super) fn headers() -> Result<()> {
    let names = [
        "",
        "a b",
        "a:b",
        "a\r\nHost: evil",
        "Host",
        "host",
        "Authorization",
        "Cookie",
        "Connection",
        "Content-Length",
        "Transfer-Encoding",
        "TE",
        "Upgrade",
        "Proxy-Authorization",
        "X-HTTP-Method-Override",
    ];
    let send = |name: &str, value: &str| http::get("http-service")?.request("GET", "/").header(name, value).send();
    all_refused("header", &names, |name| send(name, "x"))?;
    all_refused("value of a header", &["a\r\nHost: evil", "a\nb", "a\0b"], |value| send("X-Plain", value))
}

/// Paths below `/granted` that are not.
pub(super) fn urls() -> Result<()> {
    let paths = [
        "",
        "granted",
        "/",
        "/other",
        "/grantedX",
        "/granted/../other",
        "/granted/%2e%2e/other",
        "/granted/%2E./other",
        "/granted//other",
        "/granted/%2f..%2fother",
        "/granted/..;/other",
        "/granted/\\..\\other",
        "/granted/%5c..%5cother",
        "/granted/%252e%252e/other",
        "//evil.example/granted",
        "http://evil.example/granted",
        "/granted/a b",
        "/granted/a\r\nb",
        "/granted/%00",
        "/granted#x",
        "/granted/\u{e9}",
    ];
    all_refused("path of a request", &paths, |path| http::get("http-service")?.request("GET", path).send())?;
    all_refused("method", &["PUT", "get", "TRACE", "GET /x HTTP/1.1\r\nX:", ""], |method| {
        http::get("http-service")?.request(method, "/granted").send()
    })
}

/// What is not granted although it is near.
pub(super) fn endpoints() -> Result<()> {
    let granted = context::grants().find("tcp", "tcp-service").map(|grant| grant.display.clone()).unwrap_or_default();
    let port = granted.rsplit(':').next().unwrap_or_default().to_owned();
    let near = ["", "127.0.0.1", "127.0.0.1:1", "127.0.0.1:0", "127.0.0.1:99999", "0.0.0.0:80"].map(str::to_owned);
    let hosts = ["localhost", "127.1", "127.0.0.2", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "evil.example"];
    let all: Vec<_> = near.into_iter().chain(hosts.map(|host| format!("{host}:{port}"))).collect();
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    all_refused("endpoint", &all, |endpoint| tcp::get("tcp-service")?.connect(endpoint))
}
