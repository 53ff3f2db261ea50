//! One table of what every form of reference means in five clouds, and of what becomes of it where the registries agree, where one
//! lacks it and where they differ: the contract of resolution, recorded in `resolution.txt`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::fmt::Write as _;

use fractal_core::artifact::agreement::{Candidate, Held, agreed, registries_of};
use fractal_core::artifact::resolve::resolve;
use fractal_core::artifact::{ArtifactUri, Digest, RegistryMap};

/// `environment.parameters.registries`, as a live system's environment has it. Keys are providers, in any case.
const REGISTRIES: [(&str, &str); 5] = [
    ("AWS", "123456789012.dkr.ecr.eu-central-1.amazonaws.com"),
    ("Azure", "acme.azurecr.io/fractal"),
    ("gcp", "europe-west1-docker.pkg.dev/acme/functions"),
    ("Aruba", "oci://acme.registry.aruba.example/shop/"),
    ("OCI", "fra.ocir.io/acme"),
];

const REFERENCES: [&str; 6] = [
    "orders:1.4.2",
    "team/orders",
    "orders@sha256:03ba204e50d126e4674c005e04d82e84c21366780af1f43bd54a37816b6ab340",
    "ghcr.io/acme/orders:1.4.2",
    "oci://localhost:5000/orders:1.4.2",
    "oci-layout:build/orders:1.4.2",
];

/// What the five registries have, in the order of [`REGISTRIES`].
type Scene = (&'static str, [&'static str; 5]);

const SCENES: [Scene; 7] = [
    ("all agree", ["one"; 5]),
    ("Aruba lacks it", ["one", "one", "one", "", "one"]),
    ("Azure differs", ["one", "two", "one", "one", "one"]),
    (
        "Azure differs and Aruba lacks it",
        ["one", "two", "one", "", "one"],
    ),
    ("GCP cannot be asked", ["one", "one", "?", "one", "one"]),
    (
        "Azure differs and GCP cannot be asked",
        ["one", "two", "?", "one", "one"],
    ),
    ("nobody has it", [""; 5]),
];

fn map() -> RegistryMap {
    let mut map = RegistryMap::default();
    for (provider, registry) in REGISTRIES {
        map.insert(provider, registry.parse().unwrap());
    }
    map
}

fn held(what: &str) -> Held {
    match what {
        "" => Held::Nothing,
        "?" => Held::Unknown("it did not answer within 30 s".into()),
        artifact => Held::Artifact(Digest::sha256(artifact)),
    }
}

/// Every reference in every cloud, and why it is that one.
fn references(table: &mut String) {
    for text in REFERENCES {
        writeln!(table, "{text}").unwrap();
        let uri: ArtifactUri = text.parse().unwrap();
        for (provider, _) in REGISTRIES {
            match resolve(&uri, provider, &map(), None) {
                Ok(found) => writeln!(
                    table,
                    "  {provider:<6} {} ({})",
                    found.reference, found.because
                ),
                Err(error) => writeln!(table, "  {provider:<6} {error}"),
            }
            .unwrap();
        }
    }
}

/// What becomes of one coordinate, by what the registries have.
fn scenes(table: &mut String) {
    let ArtifactUri::Abstract(coordinate) = "orders:1.4.2".parse().unwrap() else {
        panic!("it names no registry");
    };
    for (name, holdings) in SCENES {
        writeln!(table, "orders:1.4.2, {name}").unwrap();
        let found = registries_of(&coordinate, &map(), None);
        let candidates: Vec<Candidate> = found
            .into_iter()
            .map(|(who, resolution)| {
                let place = REGISTRIES
                    .iter()
                    .position(|(provider, _)| provider.eq_ignore_ascii_case(&who));
                let resolution = resolution.unwrap();
                Candidate {
                    who,
                    reference: resolution.reference,
                    because: resolution.because,
                    held: held(holdings[place.unwrap()]),
                }
            })
            .collect();
        for candidate in &candidates {
            writeln!(table, "  {candidate}").unwrap();
        }
        match agreed("orders:1.4.2", &candidates) {
            Ok(digest) => writeln!(table, "  = {digest}"),
            Err(fault) => writeln!(
                table,
                "  = {} {}: {}\n    {}",
                fault.class.as_str(),
                fault.reason,
                fault.what,
                fault.next.unwrap()
            ),
        }
        .unwrap();
    }
}

#[test]
fn every_reference_in_five_clouds_and_what_agreement_comes_to() {
    let mut table = String::new();
    references(&mut table);
    scenes(&mut table);
    let recorded = include_str!("resolution.txt");
    assert!(table == recorded, "resolution.txt is to be:\n{table}");
}

/// The table shows candidates line by line; a fault names each of them too, so that nobody has to ask again.
#[test]
fn g25_a_fault_names_every_registry_why_it_is_one_and_what_it_has() {
    let candidate = |who: &str, reference: &str, held: Held| Candidate {
        who: who.into(),
        reference: reference.parse().unwrap(),
        because: format!("environment.parameters.registries.{who}"),
        held,
    };
    let (one, two) = (Digest::sha256("one"), Digest::sha256("two"));
    let fault = agreed(
        "orders:1",
        &[
            candidate("AWS", "a.example/orders:1", Held::Artifact(one.clone())),
            candidate("Azure", "b.example/orders:1", Held::Artifact(two.clone())),
        ],
    )
    .unwrap_err();
    let expected = format!(
        "AWS: a.example/orders:1 has {one} (environment.parameters.registries.AWS); \
         Azure: b.example/orders:1 has {two} (environment.parameters.registries.Azure)"
    );
    assert_eq!(fault.why, Some(expected));
    assert_eq!(fault.class.as_str(), "Blocked");
}

#[test]
fn the_agents_own_registry_stands_in_where_the_environment_is_silent() {
    let ArtifactUri::Abstract(coordinate) = "orders:1".parse().unwrap() else {
        panic!("it names no registry");
    };
    let own = "agent.example/own".parse().unwrap();
    let found = registries_of(&coordinate, &map(), Some(("Hetzner", &own)));
    let last = found.last().unwrap();
    assert_eq!((found.len(), last.0.as_str()), (6, "Hetzner"));
    assert_eq!(
        last.1.as_ref().unwrap().reference.to_string(),
        "agent.example/own/orders:1"
    );
    let found = registries_of(&coordinate, &map(), Some(("aws", &own)));
    assert_eq!(
        found.len(),
        5,
        "the environment decides where it says something"
    );
}
