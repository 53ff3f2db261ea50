//! What refers to an artifact, put by regctl and by oras, travels with `fractal copy`, and the others find it where it arrived: between
//! registries that list referrers and ones where clients keep a tag for them, in every combination.

use std::collections::{BTreeMap, BTreeSet};

use fractal_core::artifact::Reference;
use fractal_testkit::registry::{Peer, Server, Setup};
use serde_json::Value;

use crate::content::Content;
use crate::crane::Crane;
use crate::matrix::Client as _;
use crate::oci_client::{OciClient, parsed};
use crate::ours::{self, Fractal};
use crate::samples::Samples;

const SIGNATURE: &str = "application/vnd.example.signature.v1+json";
const SBOM: &str = "application/spdx+json";

#[tokio::test]
async fn from_a_tag_to_a_tag() {
    travel(Setup::Plain, Setup::Plain).await;
}

#[tokio::test]
async fn from_a_tag_to_a_list() {
    travel(Setup::Plain, Setup::Referrers).await;
}

#[tokio::test]
async fn from_a_list_to_a_tag() {
    travel(Setup::Referrers, Setup::Plain).await;
}

#[tokio::test]
async fn from_a_list_to_a_list() {
    travel(Setup::Referrers, Setup::Referrers).await;
}

#[tokio::test]
async fn with_tokens_and_from_tls() {
    travel(Setup::Tls, Setup::Bearer).await;
}

#[tokio::test]
async fn nothing_travels_where_it_is_not_wanted() {
    for setup in [Setup::Plain, Setup::Referrers] {
        let (source, target) = (Server::start(setup).await, Server::start(setup).await);
        let fractal = Fractal::new(&[&source, &target]);
        let samples = Samples::new();
        let published = source.reference("team/image:1");
        let image = samples.all.iter().find(|it| it.name == "index").unwrap();
        fractal.publish(image, &published.to_string()).await;
        let attached = Attached::put(&source, &published).await;
        let copied = target.reference("mirror/image:2");
        let (from, to) = (published.to_string(), copied.to_string());
        fractal.json(&["copy", "--no-referrers", &from, &to]).await;
        let index = attached.index;
        let nothing = Attached {
            to: [(index.clone(), BTreeSet::new())].into(),
            index,
        };
        nothing.are_found(&target, &copied).await;
    }
}

async fn travel(from: Setup, to: Setup) {
    let (source, target) = (Server::start(from).await, Server::start(to).await);
    let fractal = Fractal::new(&[&source, &target]);
    let samples = Samples::new();
    let index = samples.all.iter().find(|it| it.name == "index").unwrap();
    let published = source.reference("team/image:1");
    fractal.publish(index, &published.to_string()).await;
    let attached = Attached::put(&source, &published).await;
    attached.are_found(&source, &published).await;

    let copied = target.reference("mirror/image:2");
    let (one, other) = (published.to_string(), copied.to_string());
    let receipt = fractal.json(&["copy", &one, &other]).await;
    assert_eq!(receipt["published"][0]["referrers"], 4, "{receipt}");
    assert_eq!(
        receipt["read"]["bytes"],
        receipt["published"][0]["sentBytes"]
    );
    attached.are_found(&target, &copied).await;
    attached
        .are_the_same(&source, &published, &target, &copied)
        .await;

    // What came after the first copy follows with the second.
    let late = attached.one_more(&source, &published).await;
    let receipt = fractal.json(&["copy", &one, &other]).await;
    assert_eq!(receipt["published"][0]["referrers"], 5, "{receipt}");
    late.are_found(&target, &copied).await;
}

/// What refers to an index, to one of its images, and to one of the referrers themselves: digests, by that of the subject.
struct Attached {
    index: String,
    to: BTreeMap<String, BTreeSet<String>>,
}

impl Attached {
    async fn put(server: &Server, at: &Reference) -> Self {
        let (regctl, oras) = (Peer::regctl(server).await, Peer::oras(server));
        let registry = ours::client(server);
        let content = ours::read(&registry, at).await;
        let index = content.digest.clone();
        let image = content.root()["manifests"][1]["digest"]
            .as_str()
            .unwrap()
            .to_owned();
        let signature = signed(&regctl, &at.to_string(), "the index").await;
        let sbom = described(&oras, server, &pinned(at, &index), "the index").await;
        let of_image = signed(&regctl, &pinned(at, &image), "an image").await;
        let of_sbom = signed(&regctl, &pinned(at, &sbom), "the list").await;
        let to = [
            (index.clone(), BTreeSet::from([signature, sbom.clone()])),
            (image, BTreeSet::from([of_image])),
            (sbom, BTreeSet::from([of_sbom])),
        ];
        Self {
            index,
            to: to.into(),
        }
    }

    /// Signed once more, by oras this time.
    async fn one_more(mut self, server: &Server, at: &Reference) -> Self {
        let oras = Peer::oras(server);
        let late = described(&oras, server, &pinned(at, &self.index), "the index again").await;
        assert!(self.to.get_mut(&self.index).unwrap().insert(late));
        self
    }

    /// By every client that lists referrers.
    async fn are_found(&self, server: &Server, at: &Reference) {
        let (regctl, oras) = (Peer::regctl(server).await, Peer::oras(server));
        let oci_client = OciClient::new(server).await.unwrap();
        for (subject, expected) in &self.to {
            let place = pinned(at, subject);
            let body = ["artifact", "list", "--format", "body", &place];
            let listed = digests(&regctl.bytes(&body).await, "manifests");
            assert_eq!(listed, *expected, "regctl, {place}");
            let flags = Peer::oras_flags(server);
            let discover = [&["discover", &place][..], flags].concat();
            let listed = digests(&oras.bytes(&discover).await, "referrers");
            assert_eq!(listed, *expected, "oras, {place}");
            let place = parsed(at).clone_with_digest(subject.clone());
            let listed = oci_client.inner.pull_referrers(&place, None).await.unwrap();
            let listed: BTreeSet<_> = listed.manifests.into_iter().map(|it| it.digest).collect();
            assert_eq!(listed, *expected, "oci-client, {place}");
        }
    }

    /// The artifact and each referrer, byte for byte, as crane reads them there and our library here.
    async fn are_the_same(
        &self,
        source: &Server,
        from: &Reference,
        target: &Server,
        to: &Reference,
    ) {
        let registry = ours::client(source);
        let crane = Crane::new(target).await.unwrap();
        assert_eq!(crane.read(to).await, ours::read(&registry, from).await);
        for digest in self.to.values().flatten() {
            let at =
                |reference: &Reference| pinned(reference, digest).parse::<Reference>().unwrap();
            let theirs: Content = crane.read(&at(to)).await;
            assert_eq!(theirs, ours::read(&registry, &at(from)).await);
        }
    }
}

/// Has regctl put a signature; its digest.
async fn signed(regctl: &Peer, subject: &str, text: &str) -> String {
    let file = regctl.home().join("signature.json");
    std::fs::write(&file, format!("a signature of {text}")).unwrap();
    let file = file.display().to_string();
    let put = [
        "artifact",
        "put",
        "--artifact-type",
        SIGNATURE,
        "--file",
        &file,
    ];
    let types = ["--file-media-type", SIGNATURE, "--subject", subject];
    let print = ["--format", "{{ .Manifest.GetDescriptor.Digest }}"];
    regctl.text(&[&put[..], &types, &print].concat()).await
}

/// Has oras attach a list of contents; its digest.
async fn described(oras: &Peer, server: &Server, subject: &str, text: &str) -> String {
    std::fs::write(oras.home().join("sbom.json"), format!("what is in {text}")).unwrap();
    let file = format!("sbom.json:{SBOM}");
    let attach = ["attach", "--artifact-type", SBOM, subject, &file];
    let said = oras
        .text(&[&attach[..], Peer::oras_flags(server)].concat())
        .await;
    let digest = said.lines().find_map(|line| line.strip_prefix("Digest: "));
    digest.unwrap().to_owned()
}

fn pinned(at: &Reference, digest: &str) -> String {
    format!("{}/{}@{digest}", at.host(), at.repository())
}

fn digests(document: &[u8], field: &str) -> BTreeSet<String> {
    let document: Value = serde_json::from_slice(document).unwrap();
    // regctl writes null where there are none.
    let list = document[field].as_array().into_iter().flatten();
    list.map(|it| it["digest"].as_str().unwrap().to_owned())
        .collect()
}
