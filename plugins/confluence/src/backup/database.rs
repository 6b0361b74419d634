//! What of the site the database is asked while it is dumped: the file of every attachment, and the build number.

use strongroom_database::{
    catalogue::{self, Listed},
    dump::{Moment, Product},
    engine::{Engine, spelled},
};
use strongroom_plugin::{Context, Result, snapshot, sql::Transaction};

use crate::{build, layout};

/// Confluence, as its database knows it.
pub(super) struct Confluence;

impl Product for Confluence {
    fn expect(&self, view: &Transaction, tables: &[Listed], moment: Moment) -> Result<()> {
        let doing = "listing the files of all attachments";
        let data = catalogue::holds(tables, "attachmentdata").then(|| spelled(view, "attachmentdata")).transpose()?;
        let names = layout::Tables {
            content: spelled(view, "content")?,
            properties: spelled(view, "contentproperties")?,
            data,
        };
        let rows = view.query(&layout::expectations(Engine::of(view), &names), &[]).context(doing)?;
        snapshot::expect_rows(&moment.subject("attachments"), moment.evidence(), &rows).context(doing)?;
        Ok(())
    }

    fn facts(&self, view: &Transaction, _: &[Listed]) -> Result<Vec<(String, String)>> {
        let build = build::number(view)?;
        Ok(build.map(|build| ("build number".to_owned(), build.to_string())).into_iter().collect())
    }
}
