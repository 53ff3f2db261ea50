//! The report for people.

use fractal_core::artifact::ArtifactKind;

use super::report::{Layer, Report};
use crate::table::{Cell, Table};
use crate::terminal::{Paint, Tone, plain};

pub(super) fn report(report: &Report, paint: Paint) -> Vec<String> {
    let kind = report.kind.map_or("no single kind", ArtifactKind::as_str);
    let subject = paint.tone(Tone::Strong, &plain(&report.subject));
    let mut lines = vec![
        format!("{subject}  {kind}"),
        format!("  because    {}", plain(&report.because)),
    ];
    lines.extend(report.evidence.iter().map(|it| {
        let value = plain(&it.value);
        let decided = if it.decided { ", which decides" } else { "" };
        format!(
            "  evidence   {}  {value}  says {}{decided}",
            it.field, it.says
        )
    }));
    let digest = report.digest.iter();
    lines.extend(digest.map(|digest| format!("  digest     {digest}")));
    let manifest = report.media_type.iter();
    lines.extend(manifest.map(|it| format!("  manifest   {}", plain(it))));
    lines.extend(facts(report));
    lines.push(String::new());
    lines.extend(targets(report).lines(paint));
    lines
}

/// Sizes, what is in it, where it is from.
fn facts(report: &Report) -> Vec<String> {
    let whose = match report.images.as_slice() {
        [first, _, ..] => format!(" for {}", plain(&first.platform)),
        _ => String::new(),
    };
    let mut lines = Vec::new();
    if !report.layers.is_empty() {
        lines.push(format!("  size       {}{whose}", bytes(report.size)));
    }
    if let Some(contents) = &report.contents {
        let word = if contents.files == 1 { "file" } else { "files" };
        let unpacked = contents.unpacked;
        let unpacked = unpacked.map(|unpacked| format!(", {} unpacked", bytes(unpacked)));
        let unpacked = unpacked.unwrap_or_default();
        lines.push(format!("  contents   {} {word}{unpacked}", contents.files));
    }
    if let Some(wheel) = &report.wheel {
        lines.push(format!(
            "  wheel      {} {}",
            plain(&wheel.name),
            plain(&wheel.version)
        ));
        let entries = wheel.entry_points.iter();
        lines.extend(
            entries
                .map(|(name, object)| format!("  entry      {} = {}", plain(name), plain(object))),
        );
    }
    let annotations = report.annotations.iter();
    lines.extend(annotations.map(|(key, value)| {
        let value: String = value.chars().take(200).collect();
        format!("  {key:<9}  {}", plain(&value))
    }));
    lines.extend(report.images.iter().map(|image| {
        let platform = plain(&image.platform);
        format!("  image      {}  {platform}", image.digest)
    }));
    lines.extend(report.layers.iter().map(layer));
    lines
}

fn layer(layer: &Layer) -> String {
    let title = layer.title.as_deref();
    let title = title.map(|title| format!("  {}", plain(title)));
    format!(
        "  layer      {}  {}  {}{}",
        layer.digest,
        bytes(layer.size),
        plain(&layer.media_type),
        title.unwrap_or_default()
    )
}

fn targets(report: &Report) -> Table {
    let mut table = Table::new(&["TARGET", "RUNS", "NOTE"]);
    for target in &report.targets {
        let runs = if target.verdict.runs {
            Cell::toned(Tone::Good, "yes")
        } else {
            Cell::toned(Tone::Bad, "no")
        };
        table.row(vec![Cell::new(target.title), runs, Cell::new(&target.note)]);
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
