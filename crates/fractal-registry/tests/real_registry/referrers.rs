//! What refers to an artifact goes with it: from a registry to another, and through a layout on disk, whichever of them lists referrers.

use std::collections::BTreeSet;

use fractal_core::artifact::Reference;
use fractal_registry::{Copied, CopyOptions, Located, OciLayout, Registry, Site, copy};
use fractal_testkit::registry::{Peer, Server, Setup};
use serde_json::Value;

use crate::artifacts::image;
use crate::client::client;

const SIGNATURE: &str = "application/vnd.example.signature";

#[tokio::test]
async fn from_registry_to_registry() {
    for (from, to) in [
        (Setup::Plain, Setup::Plain),
        (Setup::Plain, Setup::Referrers),
        (Setup::Referrers, Setup::Plain),
        (Setup::Referrers, Setup::Referrers),
    ] {
        let source = Signed::new(from).await;
        let target = Server::start(to).await;
        let at = target.reference("mirror/image:1");
        let located = client(&target).locate(&at);
        let copied = copied(&source.located(), located).await;
        assert_eq!(copied.referrers, 2, "{from:?} {to:?} {copied:?}");
        assert_eq!(listed(&target, &at).await, source.signatures);
    }
}

#[tokio::test]
async fn through_a_layout() {
    let folder = tempfile::tempdir().unwrap();
    for (number, (from, to)) in [
        (Setup::Plain, Setup::Referrers),
        (Setup::Referrers, Setup::Plain),
    ]
    .into_iter()
    .enumerate()
    {
        let source = Signed::new(from).await;
        let path = folder.path().join(number.to_string());
        let layout = Located {
            site: Site::Layout(OciLayout::new(path)),
            tag: Some("1".parse().unwrap()),
            digest: None,
        };
        copied(&source.located(), layout.clone()).await;
        let target = Server::start(to).await;
        let at = target.reference("mirror/image:1");
        let located = client(&target).locate(&at);
        let copied = copied(&layout, located).await;
        assert_eq!(copied.referrers, 2, "{from:?} {to:?} {copied:?}");
        assert_eq!(listed(&target, &at).await, source.signatures);
    }
}

async fn copied(from: &Located, to: Located) -> Copied {
    let report = copy(from, &[to], &CopyOptions::default()).await;
    let copied = report.only().unwrap();
    assert!(copied.left_behind.is_empty(), "{copied:?}");
    copied
}

/// An image index with two signatures, one put by regctl and one by oras.
struct Signed {
    registry: Registry,
    at: Reference,
    signatures: BTreeSet<String>,
    _server: Server,
}

impl Signed {
    async fn new(setup: Setup) -> Self {
        let server = Server::start(setup).await;
        let (registry, at) = (client(&server), server.reference("team/image:1"));
        image().push(&registry, &at).await.unwrap();
        let (regctl, oras) = (Peer::regctl(&server).await, Peer::oras(&server));
        let name = at.to_string();
        std::fs::write(regctl.home().join("a.sig"), "signed by one").unwrap();
        let put = ["artifact", "put", "--artifact-type", SIGNATURE];
        let file = ["--file", "a.sig", "--file-media-type", SIGNATURE];
        let subject = ["--subject", &name];
        let print = ["--format", "{{ .Manifest.GetDescriptor.Digest }}"];
        let put = [&put[..], &file, &subject, &print].concat();
        let by_regctl = regctl.text(&put).await;
        std::fs::write(oras.home().join("b.sig"), "signed by another").unwrap();
        let attach = ["attach", "--artifact-type", SIGNATURE, &name, "b.sig"];
        let attach = [&attach[..], Peer::oras_flags(&server)].concat();
        let said = oras.text(&attach).await;
        let digest = said.lines().find_map(|line| line.strip_prefix("Digest: "));
        Self {
            registry,
            at,
            signatures: BTreeSet::from([by_regctl, digest.unwrap().to_owned()]),
            _server: server,
        }
    }

    fn located(&self) -> Located {
        self.registry.locate(&self.at)
    }
}

/// The referrers that regctl and oras see, which have to be the same.
async fn listed(server: &Server, at: &Reference) -> BTreeSet<String> {
    let (regctl, oras) = (Peer::regctl(server).await, Peer::oras(server));
    let name = at.to_string();
    let body = ["artifact", "list", "--format", "body", &name];
    let discover = [&["discover", &name][..], Peer::oras_flags(server)].concat();
    let by_regctl = digests(&regctl.bytes(&body).await, "manifests");
    let by_oras = digests(&oras.bytes(&discover).await, "referrers");
    assert_eq!(by_regctl, by_oras, "{name}");
    by_regctl
}

fn digests(document: &[u8], field: &str) -> BTreeSet<String> {
    let document: Value = serde_json::from_slice(document).unwrap();
    let list = document[field].as_array().unwrap();
    let digests = list
        .iter()
        .map(|entry| entry["digest"].as_str().unwrap().to_owned());
    digests.collect()
}
