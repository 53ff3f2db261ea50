//! The report for people.

use fractal_core::artifact::ArtifactKind;

use super::report::Report;
use crate::table::{Cell, Table};
use crate::terminal::{Paint, Tone, plain};

pub(super) fn report(report: &Report, paint: Paint) -> Vec<String> {
    let kind = report.kind.map_or("no single kind", ArtifactKind::as_str);
    let subject = paint.tone(Tone::Strong, &plain(&report.subject));
    let whose = match report.images.as_slice() {
        [first, _, ..] => format!(" for {}", plain(&first.platform)),
        _ => String::new(),
    };
    let mut lines = vec![
        format!("{subject}  {kind}"),
        format!("  because    {}", plain(&report.because)),
        format!("  digest     {}", report.digest),
        format!("  manifest   {}", plain(&report.media_type)),
        format!("  size       {}{whose}", bytes(report.size)),
    ];
    if let Some(contents) = &report.contents {
        lines.push(format!(
            "  contents   {} {}, {} unpacked",
            contents.files,
            if contents.files == 1 { "file" } else { "files" },
            bytes(contents.unpacked)
        ));
    }
    for image in &report.images {
        lines.push(format!(
            "  image      {}  {}",
            image.digest,
            plain(&image.platform)
        ));
    }
    for layer in &report.layers {
        let title = layer
            .title
            .as_deref()
            .map(|title| format!("  {}", plain(title)));
        let title = title.unwrap_or_default();
        let media_type = plain(&layer.media_type);
        lines.push(format!(
            "  layer      {}  {}  {media_type}{title}",
            layer.digest,
            bytes(layer.size)
        ));
    }
    lines.push(String::new());
    lines.extend(targets(report).lines(paint));
    lines
}

fn targets(report: &Report) -> Table {
    let mut table = Table::new(&["TARGET", "RUNS", "NOTE"]);
    for target in &report.targets {
        let runs = if target.runs {
            Cell::toned(Tone::Good, "yes")
        } else {
            Cell::toned(Tone::Bad, "no")
        };
        table.row(vec![
            Cell::new(target.target),
            runs,
            Cell::new(&target.note),
        ]);
    }
    table
}

/// Binary units, as cloud limits are given in.
fn bytes(count: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.iter().find(|(_, unit)| count >= *unit) {
        None => format!("{count} bytes"),
        Some((name, unit)) => {
            let tenths = count.saturating_mul(10) / unit;
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_are_read_in_binary_units() {
        let check = |count, expected| assert_eq!(bytes(count), expected);
        check(0, "0 bytes");
        check(1023, "1023 bytes");
        check(1536, "1.5 KiB");
        check((1 << 20) - 1, "1023.9 KiB");
        check(50 << 20, "50.0 MiB");
        check(3 << 30, "3.0 GiB");
    }
}
