//! Where Confluence keeps the file of an attachment, in its two layouts, in Rust and as SQL.
//!
//! The layouts are Atlassian's "Hierarchical File System Attachment Storage" (`ver003`, up to 8.0) and its successor
//! (`v4`, from 8.1), which depends on nothing but the attachment's own id. Both exist side by side while a site migrates.

/// The path in layout `v4`, below the attachment directory. `attachment` is the content id of the newest version's row.
pub fn v4(attachment: u64, version: u64) -> String {
    let rest = attachment % 65_535;
    format!("v4/{}/{}/{attachment}/{attachment}.{version}", rest % 256, rest / 256)
}

/// The path in layout `ver003`.
pub fn ver003(space: Option<u64>, page: u64, attachment: u64, version: u64) -> String {
    let pair = |id: u64| format!("{}/{}", id % 1000 % 250, id / 1000 % 1000 % 250);
    let space = space.map_or("nonspaced".to_owned(), |space| format!("{}/{space}", pair(space)));
    format!("ver003/{space}/{}/{page}/{attachment}/{version}", pair(page))
}

/// Ids with fewer digits than this has are not covered by the public description of `ver003`.
const ID_CERTAIN: u64 = 100_000;

/// One SELECT whose rows say which file each attachment row needs: label, size or null, then paths below the part
/// `attachments`, of which one must be there: `v4`, `ver003` (null where the row names no page), and, for ids too
/// small for the published formula, `ver003` with any leading directories.
///
/// A historical row (`prevver` is set) lies in the directory of the newest one, and takes page and space from it
/// where its own are null. With `in_database` rows whose bytes are kept in `attachmentdata` have no file.
pub fn expectations(in_database: bool) -> String {
    let elsewhere = match in_database {
        true => {
            "\n  AND NOT EXISTS (SELECT 1 FROM attachmentdata d WHERE d.attachmentid = a.contentid AND d.data IS NOT NULL)"
        }
        false => "",
    };
    format!(
        "WITH sizes AS (
  SELECT contentid, CASE WHEN min(longval) = max(longval) THEN max(longval) END AS size
  FROM contentproperties WHERE propertyname = 'FILESIZE' AND contentid IS NOT NULL GROUP BY contentid
), files AS (
  SELECT a.contentid AS content, coalesce(a.prevver, a.contentid) AS id, coalesce(a.version, 1) AS version,
    coalesce(a.pageid, n.pageid) AS page, coalesce(a.spaceid, n.spaceid) AS space, s.size
  FROM content a LEFT JOIN content n ON n.contentid = a.prevver LEFT JOIN sizes s ON s.contentid = a.contentid
  WHERE a.contenttype = 'ATTACHMENT'{elsewhere}
)
SELECT 'content ' || content || ' (attachment ' || id || ', version ' || version || ')',
  size,
  'attachments/v4/' || mod(mod(id, 65535), 256) || '/' || mod(id, 65535) / 256 || '/' || id || '/' || id || '.' || version,
  'attachments/ver003/' || coalesce({space} || '/' || space, 'nonspaced') || '/' || {page}
    || '/' || page || '/' || id || '/' || version,
  CASE WHEN least(page, space) < {ID_CERTAIN} THEN 'attachments/*/' || page || '/' || id || '/' || version END
FROM files",
        space = pair("space"),
        page = pair("page"),
    )
}

/// The two leading directories of an id in `ver003`, as SQL.
fn pair(id: &str) -> String {
    format!("mod(mod({id}, 1000), 250) || '/' || mod(mod({id} / 1000, 1000), 250)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_real_sites() {
        assert_eq!(v4(12_345_678, 1), "v4/10/98/12345678/12345678.1");
        assert_eq!(v4(98_765_432, 2), "v4/91/16/98765432/98765432.2");
        assert_eq!(ver003(Some(131_073), 393_223, 786_434, 2), "ver003/73/131/131073/223/143/393223/786434/2");
        assert_eq!(ver003(None, 393_223, 786_435, 1), "ver003/nonspaced/223/143/393223/786435/1");
    }

    #[test]
    fn rows_that_live_in_the_database_are_left_out_where_that_table_exists() {
        assert!(expectations(true).contains("NOT EXISTS (SELECT 1 FROM attachmentdata"));
        assert!(!expectations(false).contains("attachmentdata"));
    }
}
