//! Columns of text, as wide as their widest cell. Colour is put around a cell, so it never counts as width.

use crate::terminal::{Paint, Tone, plain};

/// One cell: a text, and how it is coloured.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    tone: Option<Tone>,
}

impl Cell {
    pub(crate) fn new(text: impl AsRef<str>) -> Self {
        Self {
            text: plain(text.as_ref()),
            tone: None,
        }
    }

    pub(crate) fn toned(tone: Tone, text: impl AsRef<str>) -> Self {
        Self {
            text: plain(text.as_ref()),
            tone: Some(tone),
        }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

/// Rows of cells below headings.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(crate) fn new(headings: &[&str]) -> Self {
        let row = headings
            .iter()
            .map(|heading| Cell::toned(Tone::Strong, heading))
            .collect();
        Self { rows: vec![row] }
    }

    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// The lines; the last column is not padded.
    pub(crate) fn lines(&self, paint: Paint) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells.map(Cell::width).max().unwrap_or_default()
            })
            .collect();
        self.rows
            .iter()
            .map(|row| line(row, &widths, paint))
            .collect()
    }
}

fn line(row: &[Cell], widths: &[usize], paint: Paint) -> String {
    let mut line = String::new();
    for (place, (cell, width)) in row.iter().zip(widths).enumerate() {
        match cell.tone {
            Some(tone) => line.push_str(&paint.tone(tone, &cell.text)),
            None => line.push_str(&cell.text),
        }
        if place + 1 < row.len() {
            line.extend(std::iter::repeat_n(' ', width + 2 - cell.width()));
        }
    }
    line.truncate(line.trim_end().len());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["A", "LONG"]);
        table.row(vec![Cell::new("äöü"), Cell::new("x")]);
        table.row(vec![Cell::new(""), Cell::new("y\n")]);
        assert_eq!(
            table.lines(Paint::PLAIN),
            ["A    LONG", "äöü  x", "     y\\n"]
        );
    }
}
