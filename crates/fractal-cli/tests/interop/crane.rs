//! crane, of go-containerregistry: it pushes layouts, and reads manifests and blobs by digest.

use fractal_core::artifact::Reference;
use fractal_testkit::registry::{Peer, Server};

use crate::content::Content;
use crate::matrix::Client;
use crate::samples::Sample;

pub(crate) struct Crane(Peer);

impl Client for Crane {
    async fn new(server: &Server) -> Option<Self> {
        Some(Self(Peer::crane(server).await))
    }

    async fn read(&self, at: &Reference) -> Content {
        let digest = self.0.text(&["digest", &at.to_string()]).await;
        let pinned = |digest: &str| format!("{}/{}@{digest}", at.host(), at.repository());
        let manifest = async |digest: &str| self.0.bytes(&["manifest", &pinned(digest)]).await;
        let blob = async |digest: &str| self.0.bytes(&["blob", &pinned(digest)]).await;
        let content = Content::walk(digest, manifest, blob).await;
        let root = content.root();
        if root["artifactType"].is_null() && root["layers"].is_array() {
            // Unpacks every layer and compares it with what the configuration says. It takes every layer for gzip, so the index is left
            // out: one of its images has a plain layer.
            self.0
                .text(&["validate", "--remote", &at.to_string()])
                .await;
        }
        content
    }

    async fn write(&self, sample: &Sample, to: &Reference) -> String {
        let (layout, to) = (sample.layout.display().to_string(), to.to_string());
        let said = self.0.text(&["push", &layout, &to]).await;
        let (_, digest) = said.rsplit_once('@').unwrap();
        digest.to_owned()
    }
}
