//! Tables for people: columns as wide as what is in them.

use std::io::{Result, Write};

/// Prints a head and its rows.
pub(crate) fn print(out: &mut impl Write, head: &[&str], rows: Vec<Vec<String>>) -> Result<()> {
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let mut lines = vec![head];
    lines.extend(rows);
    let mut widths = Vec::new();
    for line in &lines {
        widths.resize(widths.len().max(line.len()), 0);
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    for line in &lines {
        let cells = line.iter().zip(&widths);
        let cells: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut out = Vec::new();
        let rows = vec![
            vec!["crane".into(), "1".into()],
            vec!["é".into(), "22".into()],
        ];
        super::print(&mut out, &["tool", "n"], rows).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "tool   n\ncrane  1\né      22\n"
        );
    }
}
