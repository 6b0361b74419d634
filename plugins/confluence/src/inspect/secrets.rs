//! Whether everything is there that the site's secrets consist of: Confluence's own three, and cipher files.

use strongroom_plugin::{Finding, Inspection};

use super::part;
use crate::{
    cipher::{self, Encryption},
    describe,
    site::{Located, Site},
};

/// Adds what is missing, or must be known.
pub(super) fn look(site: &Site, seen: &mut Inspection) {
    let missing = missing(&site.secrets_required(), &site.secrets);
    // Without the shared home nothing is known of it, and that is said already.
    let unseen = site.cluster.as_ref().is_some_and(|cluster| cluster.shared_cfg.is_none());
    if !missing.is_empty() && !unseen {
        let message = format!(
            "{} must be there and are in no home of a node and no shared home: this part will fail",
            missing.join(", ")
        );
        seen.findings.push(Finding::warning("secrets-missing", part::SECRETS, message));
    }
    match &site.cipher.encryption {
        Encryption::None => {}
        Encryption::Service(name) => {
            let message =
                format!("the database password is kept in {name}, which is not saved: a restored site needs it too");
            seen.findings.push(Finding::warning("password-elsewhere", part::SECRETS, message));
        }
        Encryption::Files => cipher_files(site, seen),
    }
}

/// Which of the required names no path ends with.
pub fn missing<'a>(required: &[&'a str], present: &[Located]) -> Vec<&'a str> {
    required.iter().copied().filter(|name| !present.iter().any(|located| located.name() == *name)).collect()
}

/// An encrypted password is of use only together with the files that it names.
fn cipher_files(site: &Site, seen: &mut Inspection) {
    let blocker = |message: String| Finding::blocker("cipher-files-missing", part::SECRETS, message);
    if site.cipher.files.is_empty() {
        let class = site.cfg.get(cipher::DECRYPTER).unwrap_or_default();
        let message = format!(
            "the database password is encrypted by {class}, and neither confluence.cfg.xml nor bin/setenv names its files: name them in cipher-files of the step's config"
        );
        seen.findings.push(blocker(message));
    }
    for file in &site.cipher.files {
        match &file.at {
            Some(_) if file.present => {}
            Some(at) => {
                let message = format!("{} names the cipher file {}, which is not there as {at}", file.from, file.path);
                seen.findings.push(blocker(message));
            }
            None => {
                let message =
                    format!("{} names the cipher file {}, outside every granted directory", file.from, file.path);
                seen.findings.push(blocker(format!("{message}: grant its directory as dirs.external-cipher")));
                let directory = file.path.rsplit_once('/').map_or("/path/to/directory", |(directory, _)| directory);
                let want = describe::cipher(directory);
                if !seen.wants.iter().any(|known| known.suggestion == want.suggestion) {
                    seen.wants.push(want);
                }
            }
        }
    }
}
