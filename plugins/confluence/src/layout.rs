//! Where Confluence keeps the file of an attachment, in its two layouts, in Rust and as SQL.
//!
//! The layouts are Atlassian's "Hierarchical File System Attachment Storage" (`ver003`, up to 8.0) and its successor
//! (`v4`, from 8.1), which depends on nothing but the attachment's own id. Both exist side by side while a site migrates.

use strongroom_database::engine::Engine;

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
/// where its own are null. Rows whose bytes are kept in `attachmentdata` have no file.
pub fn expectations(engine: Engine, tables: &Tables) -> String {
    let Tables { content, properties, data } = tables;
    let elsewhere = data.as_ref().map_or_else(String::new, |data| {
        format!("\n  AND NOT EXISTS (SELECT 1 FROM {data} d WHERE d.attachmentid = a.contentid AND d.data IS NOT NULL)")
    });
    let sizes = format!(
        "  SELECT contentid, CASE WHEN min(longval) = max(longval) THEN max(longval) END AS size
  FROM {properties} WHERE propertyname = 'FILESIZE' AND contentid IS NOT NULL GROUP BY contentid"
    );
    let files = format!(
        "  SELECT a.contentid AS content, coalesce(a.prevver, a.contentid) AS id, coalesce(a.version, 1) AS version,
    coalesce(a.pageid, n.pageid) AS page, coalesce(a.spaceid, n.spaceid) AS space, s.size
  FROM {content} a LEFT JOIN {content} n ON n.contentid = a.prevver LEFT JOIN sizes s ON s.contentid = a.contentid
  WHERE a.contenttype = 'ATTACHMENT'{elsewhere}"
    );
    match engine {
        Engine::Postgresql => {
            format!("WITH sizes AS (\n{sizes}\n), files AS (\n{files}\n)\n{}FROM files", columns(engine))
        }
        // MySQL 5.7 has no WITH.
        Engine::Mysql => {
            let files = files.replace("JOIN sizes s", &format!("JOIN (\n{sizes}\n) s"));
            format!("{}FROM (\n{files}\n) files", columns(engine))
        }
    }
}

/// Confluence's tables as a database spells them.
#[derive(Debug)]
pub struct Tables {
    /// Pages, attachments and all their versions.
    pub content: String,
    /// What is known of them beside: sizes.
    pub properties: String,
    /// Attachments in the database, where there is such a table.
    pub data: Option<String>,
}

fn columns(engine: Engine) -> String {
    let concat = |pieces: &[&str]| engine.concat(pieces);
    let (space, page) = (pair(engine, "space"), pair(engine, "page"));
    let spaced = concat(&[&space, "'/'", "space"]);
    let label = concat(&["'content '", "content", "' (attachment '", "id", "', version '", "version", "')'"]);
    let rest = "mod(id, 65535)";
    let v4 = concat(&[
        "'attachments/v4/'",
        &format!("mod({rest}, 256)"),
        "'/'",
        &engine.divided(rest, 256),
        "'/'",
        "id",
        "'/'",
        "id",
        "'.'",
        "version",
    ]);
    let tail = ["'/'", "page", "'/'", "id", "'/'", "version"];
    let lead = format!("coalesce({spaced}, 'nonspaced')");
    let ver003 = concat(&[&["'attachments/ver003/'", &lead, "'/'", &page][..], &tail].concat());
    let anywhere = concat(&[&["'attachments/*'"][..], &tail].concat());
    // Of two numbers, of which one may be null.
    let least = "least(coalesce(page, space), coalesce(space, page))";
    format!("SELECT {label},\n  size,\n  {v4},\n  {ver003},\n  CASE WHEN {least} < {ID_CERTAIN} THEN {anywhere} END\n")
}

/// The two leading directories of an id in `ver003`, as SQL.
fn pair(engine: Engine, id: &str) -> String {
    let thousands = engine.divided(id, 1000);
    engine.concat(&[&format!("mod(mod({id}, 1000), 250)"), "'/'", &format!("mod(mod({thousands}, 1000), 250)")])
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
        let tables = |data: Option<&str>| Tables {
            content: "content".into(),
            properties: "contentproperties".into(),
            data: data.map(str::to_owned),
        };
        for engine in [Engine::Postgresql, Engine::Mysql] {
            let with = expectations(engine, &tables(Some("attachmentdata")));
            assert!(with.contains("NOT EXISTS (SELECT 1 FROM attachmentdata"));
            assert!(!expectations(engine, &tables(None)).contains("attachmentdata"));
        }
    }

    #[test]
    fn mysql_is_asked_in_its_own_words() {
        let tables = Tables { content: "`CONTENT`".into(), properties: "`CONTENTPROPERTIES`".into(), data: None };
        let statement = expectations(Engine::Mysql, &tables);
        assert!(!statement.contains("||") && !statement.contains("WITH") && !statement.contains("JOIN sizes"));
        assert!(statement.contains("FROM `CONTENT` a") && statement.contains("(mod(id, 65535) DIV 256)"));
    }
}
