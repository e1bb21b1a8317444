//! Lists that come in pages: one page, or all of them one after the other.
//!
//! What must hold: `--all` prints each page as it comes, so that a list of any length takes the memory of one page; and
//! what it prints as JSON is one document.

use clap::Args;
use faregate_client::{Failure, Screen, admin::Admin, screen::list, table::Table};
use serde_json::{Value, json};

/// The most rows that the ledger gives at once.
const PAGE: usize = 1_000;
/// How many rows a command lists that doesn't say.
const USUAL: usize = 100;

/// Which part of a list.
#[derive(Args)]
pub struct Paging {
    /// The most to list, 1 to 1000 [default: 100]
    #[arg(long, value_name = "NUMBER", conflicts_with = "all")]
    limit: Option<usize>,
    /// List those behind this one: what the last line of the list before says
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// List all, however many there are
    #[arg(long)]
    all: bool,
}

/// A list of the admin API.
pub struct Listed<'a> {
    /// Where it is.
    pub path: &'a str,
    /// What is asked for.
    pub query: Vec<(&'a str, Option<String>)>,
    /// Which member of the answer has the rows.
    pub member: &'static str,
    /// What people see of each.
    pub columns: &'a [&'a str],
    /// What a table shows of a page's rows.
    pub rows: fn(&[Value]) -> Vec<Value>,
}

/// Rows as they come.
pub fn as_they_are(rows: &[Value]) -> Vec<Value> {
    rows.to_vec()
}

impl Paging {
    /// The most to list.
    pub fn limit(&self) -> usize {
        self.limit.unwrap_or(USUAL)
    }

    /// Shows a list.
    pub fn show(self, admin: &Admin, screen: &mut Screen<'_>, listed: &Listed<'_>) -> Result<(), Failure> {
        if self.all { listed.all(admin, screen, self.after) } else { self.page(admin, screen, listed) }
    }

    fn page(self, admin: &Admin, screen: &mut Screen<'_>, listed: &Listed<'_>) -> Result<(), Failure> {
        let limit = self.limit();
        let mut page = listed.get(admin, limit, self.after)?;
        // A list with conditions may give less than was asked for, while there is more.
        let mut found = listed.take(&mut page);
        while found.len() < limit
            && let Some(next) = next(&page)
        {
            page = listed.get(admin, limit.saturating_sub(found.len()), Some(next))?;
            found.extend(listed.take(&mut page));
        }
        if let Some(members) = page.as_object_mut() {
            members.insert(listed.member.to_owned(), found.into());
        }
        screen.show(&page, |screen, page| {
            let found = page.get(listed.member).map(list).unwrap_or_default();
            screen.table(&(listed.rows)(found).into(), listed.columns)?;
            screen.next_page(page)
        })
    }
}

impl Listed<'_> {
    fn get(&self, admin: &Admin, limit: usize, after: Option<String>) -> Result<Value, Failure> {
        let paging = [("limit", Some(limit.to_string())), ("after", after)];
        admin.get(self.path, &[self.query.as_slice(), paging.as_slice()].concat())
    }

    fn take(&self, page: &mut Value) -> Vec<Value> {
        match page.get_mut(self.member).map(Value::take) {
            Some(Value::Array(rows)) => rows,
            _ => Vec::new(),
        }
    }

    fn all(&self, admin: &Admin, screen: &mut Screen<'_>, mut after: Option<String>) -> Result<(), Failure> {
        let mut table = Table::new(self.columns);
        let mut any = false;
        loop {
            let mut page = self.get(admin, PAGE, after)?;
            let rows = self.take(&mut page);
            after = next(&page);
            if screen.is_json() {
                for row in &rows {
                    let before = if any { ",".to_owned() } else { format!("{{{}:[", json!(self.member)) };
                    screen.json(&format!("{before}{row}"))?;
                    any = true;
                }
            } else {
                screen.rows(&mut table, &(self.rows)(&rows))?;
            }
            if after.is_none() {
                break;
            }
        }
        match screen.is_json() {
            true if any => screen.json("],\"next\":null}"),
            true => screen.json(&json!({ self.member: [], "next": null }).to_string()),
            false if table.is_empty() => screen.line("(none)"),
            false => Ok(()),
        }
    }
}

/// Where the next page begins, if there is one.
fn next(page: &Value) -> Option<String> {
    page.get("next").and_then(Value::as_str).map(str::to_owned)
}
