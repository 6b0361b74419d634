//! Takes the secrets out of a URL, so that it may be shown.

/// The URL without the values of parameters that look like secrets, and without credentials before an `@`.
pub fn mask(url: &str) -> String {
    let end = url.find(['?', ';']).unwrap_or(url.len());
    let mut shown = place(&url[..end]);
    let mut rest = &url[end..];
    while let Some(separator) = rest.chars().next() {
        shown.push(separator);
        rest = &rest[separator.len_utf8()..];
        let end = parameter_length(rest);
        shown.push_str(&parameter(&rest[..end]));
        rest = &rest[end..];
    }
    shown
}

/// Up to the next separator; SQL Server puts values that hold one in braces.
fn parameter_length(text: &str) -> usize {
    let mut braces = false;
    for (at, character) in text.char_indices() {
        match character {
            '{' => braces = true,
            '}' => braces = false,
            '&' | ';' | '?' if !braces => return at,
            _ => {}
        }
    }
    text.len()
}

/// `//user:password@host`, and Oracle's `jdbc:oracle:thin:user/password@host`.
fn place(place: &str) -> String {
    let Some(at) = place.rfind('@') else { return place.to_owned() };
    let from = match place.starts_with("jdbc:oracle:") {
        true => place.match_indices(':').nth(2).map(|(colon, _)| colon + 1),
        false => place.find("//").map(|slashes| slashes + 2),
    };
    match from {
        Some(from) if from < at => format!("{}[secret]{}", &place[..from], &place[at..]),
        _ => place.to_owned(),
    }
}

fn parameter(parameter: &str) -> String {
    let name = parameter.split('=').next().unwrap_or(parameter);
    let lower = name.to_ascii_lowercase();
    match lower.contains("pass") || lower.contains("pwd") || lower.contains("secret") || lower.contains("token") {
        true => format!("{name}=[secret]"),
        false => parameter.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown() {
        for url in [
            "jdbc:postgresql://u:hunter2@h/d?user=u&password=hunter2&sslpassword=hunter2",
            "jdbc:sqlserver://h;user=u;password={hunter2;&x};databaseName=d",
            "jdbc:oracle:thin:u/hunter2@//h:1521/s",
            "jdbc:oracle:thin:u/hunter2@h:1521:s",
            "jdbc:h2:tcp://h/d;CIPHER=AES;PASSWORD=hunter2",
        ] {
            let shown = mask(url);
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(shown.contains("[secret]"), "{shown}");
        }
        assert_eq!(mask("jdbc:postgresql://h/d?user=u&a=b"), "jdbc:postgresql://h/d?user=u&a=b");
        assert_eq!(mask("jdbc:oracle:thin:@//h:1521/s"), "jdbc:oracle:thin:@//h:1521/s");
    }
}
