//! What a login shows of itself.

use super::Login;

#[test]
fn no_secret_shows() {
    let (user, password) = ("backup".to_owned(), "hunter2".to_owned());
    for login in [
        Login::Plain { user: user.clone(), password: password.clone() },
        Login::ScramSha256 { user: user.clone(), password: password.clone() },
        Login::ScramSha512 { user, password },
    ] {
        let shown = format!("{login:?}");
        assert!(shown.contains("backup") && !shown.contains("hunter2"), "{shown}");
    }
}
