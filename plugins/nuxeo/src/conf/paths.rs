//! Paths as Nuxeo means them: absolute, with nothing to resolve.

/// The path, below `base` unless it is absolute itself.
pub(super) fn absolute(base: &str, path: &str) -> String {
    let path = path.trim();
    let drive = path.as_bytes().get(1..3).is_some_and(|two| two == b":/" || two == b":\\");
    match path.starts_with('/') || drive {
        true => plain(path),
        false => plain(&format!("{base}/{path}")),
    }
}

/// The path without `.`, `..` and double slashes.
pub(super) fn plain(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    let root = if path.starts_with('/') { "/" } else { "" };
    format!("{root}{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_absolute_and_plain() {
        assert_eq!(absolute("/opt/nuxeo", "nxserver/data"), "/opt/nuxeo/nxserver/data");
        assert_eq!(absolute("/opt/nuxeo", "/var//lib/./nuxeo/"), "/var/lib/nuxeo");
        assert_eq!(absolute("/opt/nuxeo", "../../../../x"), "/x");
        assert_eq!(absolute("/opt/nuxeo", ""), "/opt/nuxeo");
        assert_eq!(absolute("/opt/nuxeo", "D:/nuxeo/data"), "D:/nuxeo/data");
        assert_eq!(plain("/"), "/");
    }
}
