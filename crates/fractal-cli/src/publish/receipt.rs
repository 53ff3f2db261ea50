//! What a publication or copy came to: a line and a digest for every place.

use std::fmt::Display;

use fractal_core::Fault;
use fractal_core::artifact::{ArtifactKind, Digest, Reference};
use serde::Serialize;

use super::delivery::{Arrival, Delivery, Effort, Left, Read, size};
use super::parcel::Parcel;
use crate::error::of_class;
use crate::table::{Cell, Table};
use crate::terminal::{Format, Terminal, Tone, plain};
use fractal_core::Exit;

/// What was brought to its places.
#[derive(Serialize)]
pub(crate) struct Subject<'a> {
    pub(crate) artifact: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<ArtifactKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) digest: Option<&'a Digest>,
}

impl<'a> Subject<'a> {
    pub(crate) fn parcel(parcel: &'a Parcel) -> Self {
        Self {
            artifact: parcel.name(),
            kind: Some(parcel.kind()),
            digest: Some(parcel.digest()),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Receipt<'a, P> {
    #[serde(flatten)]
    subject: &'a Subject<'a>,
    read: Read,
    published: Vec<Line<'a, P>>,
}

/// What came of one place.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Line<'a, P = Reference> {
    reference: &'a P,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'a Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_back: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_bytes: Option<u64>,
    #[serde(flatten)]
    effort: Option<Effort>,
    #[serde(skip_serializing_if = "<[Digest]>::is_empty")]
    not_distributable: &'a [Digest],
    #[serde(skip_serializing_if = "<[Left]>::is_empty")]
    left_behind: &'a [Left],
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<&'a Fault>,
}

pub(crate) type Results<P = Reference> = [(P, Result<Arrival, Fault>)];

/// Prints the receipt and says how the command ends.
pub(crate) fn print<P: Display + Serialize>(
    terminal: &Terminal,
    subject: &Subject<'_>,
    delivery: &Delivery<P>,
) -> Exit {
    let results = delivery.results.as_slice();
    match terminal.format() {
        Format::Json => terminal.json(&Receipt {
            subject,
            read: delivery.read,
            published: lines(results),
        }),
        Format::Text => {
            text(terminal, subject, results, &[]);
            if let Some(read) = read(&delivery.read) {
                terminal.line(&read);
            }
        }
    }
    exit(terminal, results)
}

/// What was read, where anything was.
fn read(read: &Read) -> Option<String> {
    let again = match read.rereads {
        0 => String::new(),
        1 => ", one blob twice".to_owned(),
        more => format!(", {more} blobs more than once"),
    };
    (read.bytes > 0).then(|| format!("read from the source: {}{again}", size(read.bytes)))
}

/// How the command ends; with texts for people each fault is printed on its own.
pub(crate) fn exit<P>(terminal: &Terminal, results: &Results<P>) -> Exit {
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

/// The results as documents.
pub(crate) fn lines<P>(results: &Results<P>) -> Vec<Line<'_, P>> {
    results.iter().map(line).collect()
}

fn line<P>((reference, result): &(P, Result<Arrival, Fault>)) -> Line<'_, P> {
    let arrival = result.as_ref().ok();
    Line {
        reference,
        digest: arrival.map(|arrival| &arrival.digest),
        read_back: arrival.map(|arrival| arrival.read_back),
        sent_bytes: arrival.map(|arrival| arrival.sent),
        effort: arrival.map(|arrival| arrival.effort),
        not_distributable: arrival.map_or(&[], |arrival| arrival.not_distributable.as_slice()),
        left_behind: arrival.map_or(&[], |arrival| arrival.left_behind.as_slice()),
        fault: result.as_ref().err(),
    }
}

/// The artifact and a line for every place, those that it was tagged with afterwards included.
pub(crate) fn text<P: Display>(
    terminal: &Terminal,
    subject: &Subject<'_>,
    results: &Results<P>,
    tagged: &Results<P>,
) {
    let kind = subject.kind.map(|kind| format!(" ({kind})"));
    let name = plain(subject.artifact);
    terminal.line(&format!("{name}{}", kind.unwrap_or_default()));
    if let Some(digest) = subject.digest {
        terminal.line(&format!("  {digest}"));
    }
    let mut table = Table::new(&["REFERENCE", "RESULT", "BLOBS", "DIGEST"]);
    for (reference, result) in results {
        table.row(row(reference, result, None));
    }
    for (reference, result) in tagged {
        table.row(row(reference, result, Some("tagged")));
    }
    terminal.lines(table.lines(terminal.paint()));
    let arrived = results.iter().chain(tagged);
    terminal.notes(
        arrived
            .clone()
            .flat_map(|(to, result)| warnings(to, result)),
    );
    let all = results.len() + tagged.len();
    let arrived: Vec<&Arrival> = arrived
        .filter_map(|(_, result)| result.as_ref().ok())
        .collect();
    terminal.line(&summary(&arrived, all));
}

/// How many of `all` have the artifact, and whether that was read there or is what they say.
fn summary(arrived: &[&Arrival], all: usize) -> String {
    let read = arrived.iter().filter(|arrival| arrival.read_back).count();
    let places = match all {
        1 => "it".to_owned(),
        2 => "both".to_owned(),
        all => format!("all {all}"),
    };
    match (arrived.len(), read) {
        (some, _) if some < all => format!("{some} of {all} published"),
        (_, 0) if all == 1 => {
            "nothing to write: the registry says that it has this digest".to_owned()
        }
        (_, 0) => format!("nothing to write: {places} say that they have this digest"),
        (_, read) if read == all && all == 1 => "the digest read back is the artifact's".to_owned(),
        (_, read) if read == all => {
            format!("the digest read back from {places} is the artifact's")
        }
        (_, read) => format!(
            "the digest read back from {read} is the artifact's; {} say that they have it already",
            all - read
        ),
    }
}

fn row(reference: &impl Display, result: &Result<Arrival, Fault>, said: Option<&str>) -> Vec<Cell> {
    let (outcome, blobs, digest) = match result {
        Ok(arrival) => {
            let Effort {
                uploaded,
                mounted,
                manifests,
                ..
            } = arrival.effort;
            let there = uploaded + mounted + manifests == 0;
            let said = said.unwrap_or(if there { "there already" } else { "published" });
            let blobs = blobs(arrival);
            (
                Cell::toned(Tone::Good, said),
                blobs,
                arrival.digest.as_str(),
            )
        }
        Err(fault) => {
            let reason = Cell::toned(Tone::Bad, fault.reason.as_str());
            (reason, "-".to_owned(), "-")
        }
    };
    vec![
        Cell::new(reference.to_string()),
        outcome,
        Cell::new(blobs),
        Cell::new(digest),
    ]
}

fn blobs(arrival: &Arrival) -> String {
    let effort = &arrival.effort;
    let sent = format!("sent ({})", size(arrival.sent));
    let parts = [
        (effort.uploaded, sent.as_str()),
        (effort.mounted, "mounted"),
        (effort.existed, "there"),
        (effort.referrers, "referrers"),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if parts.is_empty() {
        "-".to_owned()
    } else {
        parts.join(", ")
    }
}

/// What did not arrive though the artifact did.
fn warnings(to: &impl Display, result: &Result<Arrival, Fault>) -> Vec<String> {
    let Ok(arrival) = result else {
        return Vec::new();
    };
    let to = plain(&to.to_string());
    let layers = arrival.not_distributable.iter().map(|digest| {
        format!(
            "warning: {to} was not sent {digest}: a layer of a type that may not be distributed"
        )
    });
    let left = arrival.left_behind.iter().map(|left| {
        let why = left.fault.why.as_deref().unwrap_or(&left.fault.what);
        let what = format!(
            "warning: {to} does not take {}, which refers to the artifact",
            left.digest
        );
        format!("{what} [{}]: {}", left.fault.reason, plain(why))
    });
    layers.chain(left).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_read_is_called_read_back() {
        let arrival = |read_back| Arrival {
            digest: Digest::sha256("x"),
            read_back,
            sent: 0,
            effort: Effort::default(),
            not_distributable: Vec::new(),
            left_behind: Vec::new(),
        };
        let (read, said) = (arrival(true), arrival(false));
        let check = |arrived: &[&Arrival], all, expected: &str| {
            assert_eq!(summary(arrived, all), expected);
        };
        check(&[&read], 1, "the digest read back is the artifact's");
        check(
            &[&said],
            1,
            "nothing to write: the registry says that it has this digest",
        );
        check(
            &[&read, &read],
            2,
            "the digest read back from both is the artifact's",
        );
        check(
            &[&said; 3],
            3,
            "nothing to write: all 3 say that they have this digest",
        );
        check(
            &[&read, &said, &said],
            3,
            "the digest read back from 1 is the artifact's; 2 say that they have it already",
        );
        check(&[&read, &said], 3, "2 of 3 published");
        check(&[], 1, "0 of 1 published");
    }
}
