//! What a publication came to: a line and a digest for every registry.

use fractal_core::Fault;
use fractal_core::artifact::{ArtifactKind, Digest, Reference};
use serde::Serialize;

use super::delivery::Arrival;
use super::parcel::Parcel;
use crate::error::of_class;
use crate::table::{Cell, Table};
use crate::terminal::{Format, Terminal, Tone, plain};
use fractal_core::Exit;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Receipt<'a> {
    artifact: &'a str,
    kind: ArtifactKind,
    digest: &'a Digest,
    published: Vec<Line<'a>>,
}

/// What came of one reference.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Line<'a> {
    reference: &'a Reference,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'a Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<&'a Fault>,
}

pub(crate) type Results = [(Reference, Result<Arrival, Fault>)];

/// Prints the receipt and says how the command ends.
pub(super) fn print(terminal: &Terminal, parcel: &Parcel, results: &Results) -> Exit {
    match terminal.format() {
        Format::Json => terminal.json(&document(parcel, results)),
        Format::Text => text(terminal, parcel, results, &[]),
    }
    exit(terminal, results)
}

/// How the command ends; with texts for people each fault is printed on its own.
pub(crate) fn exit(terminal: &Terminal, results: &Results) -> Exit {
    let faults = results
        .iter()
        .filter_map(|(_, result)| result.as_ref().err());
    faults.fold(Exit::Success, |exit, fault| {
        if terminal.format() == Format::Text {
            terminal.fault(fault);
        }
        exit.worse(of_class(fault.class))
    })
}

fn document<'a>(parcel: &'a Parcel, results: &'a Results) -> Receipt<'a> {
    Receipt {
        artifact: parcel.name(),
        kind: parcel.kind(),
        digest: parcel.digest(),
        published: lines(results),
    }
}

/// The results as documents.
pub(crate) fn lines(results: &Results) -> Vec<Line<'_>> {
    results.iter().map(line).collect()
}

fn line((reference, result): &(Reference, Result<Arrival, Fault>)) -> Line<'_> {
    let arrival = result.as_ref().ok();
    Line {
        reference,
        digest: arrival.map(|arrival| &arrival.digest),
        sent_bytes: arrival.map(|arrival| arrival.sent),
        fault: result.as_ref().err(),
    }
}

/// The parcel and a line for every reference, those that it was tagged with afterwards included.
pub(crate) fn text(terminal: &Terminal, parcel: &Parcel, results: &Results, tagged: &Results) {
    terminal.line(&format!("{} ({})", plain(parcel.name()), parcel.kind()));
    terminal.line(&format!("  {}", parcel.digest()));
    let mut table = Table::new(&["REFERENCE", "RESULT", "DIGEST READ BACK"]);
    for (reference, result) in results {
        let said = match result {
            Ok(arrival) if arrival.sent == 0 => "there already",
            _ => "published",
        };
        table.row(row(reference, result, said));
    }
    for (reference, result) in tagged {
        table.row(row(reference, result, "tagged"));
    }
    terminal.lines(table.lines(terminal.paint()));
    let all = results.len() + tagged.len();
    let arrived = results.iter().chain(tagged);
    let arrived = arrived.filter(|(_, result)| result.is_ok()).count();
    terminal.line(&match (arrived, all) {
        (1, 1) => "the digest read back is the one that was packed".to_owned(),
        (arrived, all) if arrived == all => format!("all {all} digests agree"),
        (arrived, all) => format!("{arrived} of {all} published"),
    });
}

fn row(reference: &Reference, result: &Result<Arrival, Fault>, said: &str) -> Vec<Cell> {
    let (outcome, digest) = match result {
        Ok(arrival) => (Cell::toned(Tone::Good, said), arrival.digest.as_str()),
        Err(fault) => (Cell::toned(Tone::Bad, fault.reason.as_str()), "-"),
    };
    vec![Cell::new(reference.to_string()), outcome, Cell::new(digest)]
}
