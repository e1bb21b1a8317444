//! Lists for people: a table, or one block per row where a terminal is too narrow for it. Rows may come page by page.
//!
//! What must hold: identifiers are never cut, because the next command needs them; what isn't printed on a terminal isn't
//! cut at all.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Columns that are cut where a terminal is too narrow: texts that people wrote.
const CUT: [&str; 4] = ["name", "note", "source", "subject"];
/// A column isn't cut below this.
const LEAST: usize = 10;
/// Between two columns.
const GAP: usize = 2;

/// A table that is being printed.
#[derive(Debug)]
pub struct Table<'a> {
    columns: &'a [&'a str],
    layout: Option<Layout>,
}

/// How rows are printed, as the first page decides.
#[derive(Debug)]
enum Layout {
    /// One line each, in columns that are this wide.
    Lines(Vec<usize>),
    /// A line per member.
    Blocks,
}

impl<'a> Table<'a> {
    /// One with the named members as columns.
    pub const fn new(columns: &'a [&'a str]) -> Self {
        Self { columns, layout: None }
    }

    /// The members that are its columns.
    pub const fn columns(&self) -> &'a [&'a str] {
        self.columns
    }

    /// Whether no row has come.
    pub const fn is_empty(&self) -> bool {
        self.layout.is_none()
    }

    /// The lines of more rows, under these titles, on a terminal of this width if it is one.
    pub fn lines(&mut self, titles: &[String], rows: &[Vec<String>], terminal: Option<usize>) -> Vec<String> {
        if rows.is_empty() {
            return Vec::new();
        }
        let wanted = widths(titles, rows);
        let is_first = self.is_empty();
        let layout = self.layout.get_or_insert_with(|| match terminal {
            None => Layout::Lines(wanted.clone()),
            Some(width) => fit(self.columns, wanted.clone(), width).map_or(Layout::Blocks, Layout::Lines),
        });
        match layout {
            Layout::Lines(widths) => {
                if terminal.is_none() {
                    widths.iter_mut().zip(wanted).for_each(|(width, wanted)| *width = wanted.max(*width));
                }
                let titles = titles.to_vec();
                let header = is_first.then_some(&titles);
                header.into_iter().chain(rows).map(|row| line(self.columns, row, widths)).collect()
            }
            Layout::Blocks => {
                let mut lines = Vec::new();
                for row in rows {
                    if !(is_first && lines.is_empty()) {
                        lines.push(String::new());
                    }
                    lines.extend(block(self.columns, row));
                }
                lines
            }
        }
    }
}

/// A member's name as people read it.
pub fn label(name: &str) -> String {
    name.replace('_', " ")
}

/// A row with a line per member, without those that are missing.
fn block(columns: &[&str], cells: &[String]) -> Vec<String> {
    let present = || columns.iter().zip(cells).filter(|(_, cell)| *cell != "-");
    let width = present().map(|(name, _)| name.len()).max().unwrap_or(0);
    present().map(|(name, cell)| format!("{:<width$}  {cell}", label(name))).collect()
}

/// How wide each column is.
fn widths(titles: &[String], rows: &[Vec<String>]) -> Vec<usize> {
    let widest = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.width()).max();
    titles.iter().enumerate().map(|(at, title)| widest(at).unwrap_or(0).max(title.width())).collect()
}

/// The widths with which a table fits; none where it doesn't.
fn fit(columns: &[&str], mut widths: Vec<usize>, width: usize) -> Option<Vec<usize>> {
    loop {
        let all = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
        let excess = all.saturating_sub(width);
        if excess == 0 {
            return Some(widths);
        }
        let cut = columns.iter().zip(widths.iter_mut()).filter(|(name, _)| CUT.contains(name));
        let widest = cut.map(|(_, width)| width).max().filter(|width| **width > LEAST)?;
        *widest = widest.saturating_sub(excess).max(LEAST);
    }
}

/// Cells in their columns. Texts that don't fit are cut; others are longer than their column then.
fn line(columns: &[&str], cells: &[String], widths: &[usize]) -> String {
    let cells = columns.iter().zip(cells).zip(widths).map(|((name, cell), width)| {
        let cell = if CUT.contains(name) { cut(cell, *width) } else { cell.clone() };
        let rest = width.saturating_sub(cell.width());
        format!("{cell}{:rest$}", "")
    });
    cells.collect::<Vec<_>>().join(&" ".repeat(GAP)).trim_end().to_owned()
}

/// The beginning of a text that is too wide, with `…` behind it.
fn cut(cell: &str, width: usize) -> String {
    if cell.width() <= width {
        return cell.to_owned();
    }
    let mut used = 1;
    let fits = cell.chars().take_while(|c| {
        used += c.width().unwrap_or(0);
        used <= width
    });
    fits.collect::<String>() + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(terminal: Option<usize>, pages: &[&[[&str; 3]]]) -> Vec<String> {
        let mut table = Table::new(&["id", "name", "state"]);
        let rows =
            |page: &&[[&str; 3]]| page.iter().map(|row| row.map(str::to_owned).to_vec()).collect::<Vec<_>>();
        let titles: Vec<String> = table.columns().iter().map(|name| label(name).to_uppercase()).collect();
        pages.iter().flat_map(|page| table.lines(&titles, &rows(page), terminal)).collect()
    }

    const PAGE: &[[&str; 3]] = &[["acme", "A company with a long name", "active"], ["b", "-", "closed"]];

    #[test]
    fn a_narrow_terminal_cuts_names_and_then_shows_blocks() {
        let whole = [
            "ID    NAME                        STATE",
            "acme  A company with a long name  active",
            "b     -                           closed",
        ];
        assert_eq!(shown(None, &[PAGE]), whole);
        assert_eq!(shown(Some(40), &[PAGE]), whole);
        let cut = [
            "ID    NAME              STATE",
            "acme  A company with …  active",
            "b     -                 closed",
        ];
        assert_eq!(shown(Some(30), &[PAGE]), cut);
        let blocks = [
            "id     acme",
            "name   A company with a long name",
            "state  active",
            "",
            "id     b",
            "state  closed",
        ];
        assert_eq!(shown(Some(23), &[PAGE]), blocks);
        assert_eq!(shown(Some(23), &[&PAGE[..1], &PAGE[1..]]), blocks, "page by page");
    }

    #[test]
    fn wide_characters_keep_columns_aligned() {
        let lines = shown(None, &[&[["a", "\u{6771}\u{4eac}", "active"], ["b", "name", "active"]]]);
        let starts = lines.iter().filter_map(|line| Some(line.split_once("active")?.0.width()));
        assert_eq!(starts.collect::<Vec<_>>(), [10, 10], "{lines:?}");
    }

    #[test]
    fn later_pages_have_no_header_again() {
        let lines = shown(None, &[PAGE, &[["longer-than-before", "-", "active"]]]);
        assert_eq!(lines.len(), 4);
        assert_eq!(lines.iter().filter(|line| line.contains("STATE")).count(), 1);
    }
}
