//! Web services behind a real nginx: who may ask, what is stored of the answers, and how large they may be.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    time::Duration,
};

use crate::support::{
    Done, Going, Place,
    nginx::Nginx,
    scripted::{bad_beside_good, fails_alone, pipeline},
    soon,
    strongroom::unzip,
    wait_for,
};

/// What the tests' server serves.
const LOCATIONS: &str = r#"
    location /plain/ { alias $ROOT/; }
    location /basic/ {
      alias $ROOT/;
      if ($http_authorization != "Basic YmFja3VwOmh1bnRlcjItYmFzaWM=") { return 401 "who are you"; }
    }
    location /bearer/ {
      alias $ROOT/;
      if ($http_authorization != "Bearer hunter2-bearer") { return 401 "who are you"; }
    }
    location /echo/ {
      add_header X-You "$http_authorization";
      return 200 "$http_host $http_user_agent";
    }
    location /moved/ { return 302 http://127.0.0.1:1/elsewhere; }
    location /slow/ { alias $ROOT/; limit_rate_after 1000; limit_rate 500; }
    location /upload/ { alias $ROOT/; dav_methods PUT; create_full_put_path on; }
"#;

fn grant(url: &str, more: &str) -> String {
    format!("[step.product.grant.http.http]\nurl = \"{url}\"\n{more}\n")
}

/// A place whose one part does these acts.
fn place(acts: &str, rest: &str) -> Place {
    let place = Place::new();
    let acts = format!("[{acts}, {{ do = \"receipt\", subject = \"answers\", expected = 1, actual = 1 }}]");
    place.write("strongroom.toml", &pipeline(&["web files"], &format!("\"backup.web\" = {acts}"), rest));
    place.write("password", "hunter2-basic\n");
    place.write("token", "hunter2-bearer\n");
    place.accept();
    place
}

fn stored(place: &Place, path: &str) -> Vec<u8> {
    unzip(&place.set(), &format!("product/web/{path}"))
}

const GET: &str = r#"{ do = "http", path = "/a.txt", store = "a.txt" }"#;

/// What a part with that grant stores of `files/a.txt`.
fn fetched(grant: &str) -> (Place, Done) {
    let place = place(GET, grant);
    let done = place.run(&["backup"]).exits(0).says("complete");
    assert_eq!(stored(&place, "a.txt"), b"from the server");
    place.run(&["verify"]).exits(0);
    (place, done)
}

#[test]
fn each_kind_of_credential_is_added_by_the_host_and_seen_by_nobody() {
    let nginx = Nginx::start(LOCATIONS);
    fs::write(nginx.path("files/a.txt"), "from the server").unwrap();
    let url = |path: &str| format!("http://127.0.0.1:{}{path}", nginx.port);
    fetched(&grant(&url("/plain/"), ""));
    let basic = "basic = { user = \"backup\", password = { file = \"password\" } }";
    let bearer = "bearer = { file = \"token\" }";
    let header =
        "header = { name = \"Authorization\", value = { command = [\"/bin/echo\", \"Bearer hunter2-bearer\"] } }";
    for (path, credential, secret) in
        [("/basic", basic, "hunter2-basic"), ("/bearer", bearer, "hunter2-bearer"), ("/bearer", header, "")]
    {
        let (place, done) = fetched(&grant(&url(path), credential));
        if !secret.is_empty() {
            place.assert_hides(secret, &[&done, &place.run(&["plan"])]);
            place.assert_hides("YmFja3VwOmh1bnRlcjItYmFzaWM=", &[&done]);
        }
    }
    let place = place(GET, &grant(&url("/basic"), bearer));
    place.run(&["backup"]).says("the status is 401, not 200: who are you");
}

#[test]
fn a_server_is_believed_only_with_a_certificate_of_the_granted_authority() {
    let nginx = Nginx::start(LOCATIONS);
    fs::write(nginx.path("files/a.txt"), "from the server").unwrap();
    let file = |name: &str| nginx.path(name).display().to_string();
    let ca = format!("ca = \"{}\"", file("ca.crt"));
    let identity = format!("certificate = \"{}\"\nkey = \"{}\"", file("client.crt"), file("client.key"));
    let url = |host: &str, port: u16| format!("https://{host}:{port}/plain");
    fetched(&grant(&url("localhost", nginx.tls), &ca));
    fetched(&grant(&url("localhost", nginx.mutual), &format!("{ca}\n{identity}")));
    let other = format!("ca = \"{}\"", file("other.crt"));
    for (grant, words) in [
        (grant(&url("localhost", nginx.tls), &other), "check url, ca and certificate in grant.http.http"),
        (grant(&url("127.0.0.1", nginx.tls), &ca), "check url, ca and certificate in grant.http.http"),
        (grant(&url("localhost", nginx.mutual), &ca), "the status is 400, not 200"),
        (grant(&url("localhost", nginx.tls), "ca = \"password\""), "holds no certificate"),
        (grant(&url("localhost", nginx.port), &ca), "check url, ca and certificate in grant.http.http"),
    ] {
        let place = Place::new();
        place.write("password", "hunter2");
        bad_beside_good(&place, &format!("[{GET}]"), &grant);
        fails_alone(&place, &[words]);
    }
}

#[test]
fn the_credential_does_not_come_back_by_an_echo_of_the_head() {
    let nginx = Nginx::start(LOCATIONS);
    let url = format!("http://127.0.0.1:{}/echo", nginx.port);
    let acts = r#"{ do = "http", path = "/x" }, { do = "put", path = "kept", text = "kept" }"#;
    let place = place(acts, &grant(&url, "bearer = { file = \"token\" }"));
    let done = place.run(&["backup", "-vv"]).exits(0);
    assert!(done.err.contains("[secret]") || done.out.contains("[secret]"), "{done}");
    place.assert_hides("hunter2-bearer", &[&done]);
    done.says(&format!("127.0.0.1:{} strongroom/", nginx.port));
}

#[test]
fn what_the_grant_does_not_allow_is_not_even_sent() {
    let nginx = Nginx::start(LOCATIONS);
    let grant = grant(&format!("http://127.0.0.1:{}", nginx.port), "paths = [\"/plain\"]");
    let act = |more: &str| format!(r#"{{ do = "http", {more} }}"#);
    let must = |code: &str, more: &str| format!(r#"{{ do = "must", code = "{code}", act = {} }}"#, act(more));
    let acts = [
        must("denied", r#"path = "/basic/a.txt""#),
        must("denied", r#"path = "/plain", method = "DELETE""#),
        must("invalid", r#"path = "/plain/../basic/a.txt""#),
        must("invalid", r#"path = "/plain/%2e%2e/basic/a.txt""#),
        must("invalid", r#"path = "/plain//basic""#),
        must("invalid", r#"path = "/plain/..%2fbasic""#),
        must("denied", r#"path = "/plain/", headers = [["Host", "other"]]"#),
        must("invalid", r#"path = "/plain/", headers = [["X", "a\r\nHost: other"]]"#),
        must("denied", r#"path = "/plain/", http = "http-other""#),
        r#"{ do = "put", path = "kept", text = "kept" }"#.to_owned(),
    ];
    let place = place(&acts.join(", "), &grant);
    place.run(&["backup"]).exits(0).says("complete");
    assert_eq!(nginx.log(), "");
}

#[test]
fn an_encrypted_answer_that_is_cut_is_never_taken_for_whole() {
    let nginx = Nginx::start(LOCATIONS);
    // Where neither length nor chunks tell the end, that of the encryption does: openssl says what it is given, and is killed.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new("openssl");
    command.args(["s_server", "-quiet", "-cert", "server.crt", "-key", "server.key", "-accept"]);
    command.arg(format!("127.0.0.1:{port}")).current_dir(nginx.path("")).stdin(Stdio::piped());
    let mut server = Going::start(command);
    let mut answer = server.stdin();
    wait_for("openssl listens", || {
        fs::read_to_string("/proc/net/tcp").unwrap().contains(&format!("0100007F:{port:04X} 00000000:0000 0A"))
    });
    let ca = nginx.path("ca.crt").display().to_string();
    let place =
        place(r#"{ do = "http", path = "/x" }"#, &grant(&format!("https://localhost:{port}"), &format!("ca = {ca:?}")));
    let mut going = place.start(&["backup", "-vv"]);
    // An answer ahead of its question is none.
    wait_for("the question comes", || server.said().0.ends_with("\r\n\r\n"));
    answer.write_all(b"HTTP/1.1 200 OK\r\nX-Head: has come\r\n\r\nhalf").unwrap();
    going.wait_for_words("has come");
    drop(server);
    going.finish().exits(1).says("shorter than announced or malformed");
}

#[test]
fn a_redirect_is_the_plugins_to_judge() {
    let nginx = Nginx::start(LOCATIONS);
    let acts = r#"{ do = "http", path = "/moved/x", status = 302 }, { do = "put", path = "kept", text = "kept" }"#;
    let place = place(acts, &grant(&format!("http://127.0.0.1:{}", nginx.port), ""));
    place.run(&["backup", "-vv"]).exits(0).says("http://127.0.0.1:1/elsewhere");
}

#[test]
fn an_answer_that_trickles_is_kept_and_one_that_stalls_is_not() {
    let nginx = Nginx::start(LOCATIONS);
    let content = "abcd".repeat(500);
    fs::write(nginx.path("files/slow"), &content).unwrap();
    let url = format!("http://127.0.0.1:{}", nginx.port);
    let act = |path: &str| format!(r#"{{ do = "http", path = "{path}", store = "got" }}"#);
    let trickle = place(&act("/slow/slow"), &grant(&url, ""));
    trickle.run(&["backup"]).exits(0);
    assert_eq!(stored(&trickle, "got"), content.as_bytes());
    // After the beginning nginx pauses for seconds, and the limit is a fraction of one.
    let place = Place::new();
    let limits = "[step.product.limits]\nno-progress = \"200ms\"";
    bad_beside_good(&place, &format!("[{}]", act("/slow/slow")), &format!("{}{limits}", grant(&url, "")));
    fails_alone(&place, &["limits.no-progress"]);
}

#[test]
fn an_upload_arrives_whole_or_not_at_all() {
    let nginx = Nginx::start(LOCATIONS);
    let put = |name: &str, body: &str, status: u16| {
        format!(r#"{{ do = "http", method = "PUT", path = "/upload/{name}", {body}, status = {status} }}"#)
    };
    let acts = [
        put("text", r#"body = "hello""#, 201),
        put("tool", r#"body-tool = "tool-long""#, 201),
        format!(r#"{{ do = "must", code = "other", act = {} }}"#, put("broken", r#"body-tool = "tool-broken""#, 201)),
        r#"{ do = "put", path = "kept", text = "kept" }"#.to_owned(),
    ];
    let tools = "[step.product.grant.tools.tool-long]\nargv = [\"/usr/bin/seq\", \"200000\"]\n\
                 [step.product.grant.tools.tool-broken]\nargv = [\"/bin/sh\", \"-c\", \"seq 200000; exit 3\"]\n";
    let grant = grant(&format!("http://127.0.0.1:{}", nginx.port), "methods = [\"PUT\"]");
    let place = place(&acts.join(", "), &format!("{grant}{tools}"));
    place.run(&["backup"]).exits(0);
    assert_eq!(fs::read_to_string(nginx.path("files/text")).unwrap(), "hello");
    assert_eq!(fs::read_to_string(nginx.path("files/tool")).unwrap().lines().count(), 200_000);
    assert!(!nginx.path("files/broken").exists());
}

/// As many bytes as no memory of this test holds, and more than 32 bits count.
const LARGE_BYTES: u64 = 3 << 30;
/// How much memory the program may ever have used.
const PEAK_BYTES_MAX: u64 = 200 << 20;

/// Runs a backup and gives the most memory that it ever used, as the kernel counts it.
fn peak(place: &Place) -> u64 {
    let mut going = place.start(&["backup"]);
    let status = format!("/proc/{}/status", going.pid());
    let mut peak = 0;
    let ended = soon(Duration::from_secs(180), || {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak = kib.map_or(peak, |kib| peak.max(kib << 10));
        going.has_ended()
    });
    assert!(ended, "the backup does not end");
    going.finish().exits(0);
    peak
}

#[test]
fn three_gigabytes_of_an_answer_pass_through_constant_memory() {
    let nginx = Nginx::start(LOCATIONS);
    fs::File::create(nginx.path("files/large")).unwrap().set_len(LARGE_BYTES).unwrap();
    let act = r#"{ do = "http", path = "/plain/large", store = "large" }"#;
    let place = place(act, &grant(&format!("http://127.0.0.1:{}", nginx.port), ""));
    let peak = peak(&place);
    assert!((1 << 20..PEAK_BYTES_MAX).contains(&peak), "{peak} bytes at most");
    assert_eq!(place.record()["steps"][0]["parts"][0]["bytes"], LARGE_BYTES);
}

#[test]
fn three_gigabytes_of_a_request_pass_through_constant_memory() {
    // A stand-in for a server, so that they need not be on disk: counts what comes until the last chunk.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let counting = std::thread::spawn(move || count_chunks(listener.accept().unwrap().0).unwrap());
    let act = r#"{ do = "http", method = "PUT", path = "/large", body-file = ["dir-source", "large"], status = 204 },
      { do = "put", path = "kept", text = "kept" }"#;
    let source = "[step.product.grant.dirs.dir-source]\npath = \"$DIR/source\"\naccess = \"read\"\n";
    let grant = grant(&format!("http://127.0.0.1:{port}"), "methods = [\"PUT\"]");
    let place = place(act, &format!("{grant}{source}"));
    fs::create_dir_all(place.join("source")).unwrap();
    fs::File::create(place.join("source/large")).unwrap().set_len(LARGE_BYTES).unwrap();
    let peak = peak(&place);
    assert!((1 << 20..PEAK_BYTES_MAX).contains(&peak), "{peak} bytes at most");
    assert_eq!(counting.join().unwrap(), LARGE_BYTES);
}

/// Reads a request whose body is in chunks, answers it, and gives the bytes of its body.
fn count_chunks(mut stream: TcpStream) -> std::io::Result<u64> {
    let mut request = BufReader::with_capacity(1 << 18, stream.try_clone()?);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        request.read_line(&mut line)?;
    }
    let mut all = 0;
    loop {
        line.clear();
        request.read_line(&mut line)?;
        let size = u64::from_str_radix(line.trim_end(), 16).map_err(std::io::Error::other)?;
        let whole = std::io::copy(&mut (&mut request).take(size + 2), &mut std::io::sink())? == size + 2;
        assert!(whole, "a chunk of {size} bytes is cut");
        if size == 0 {
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
            return Ok(all);
        }
        all += size;
    }
}
