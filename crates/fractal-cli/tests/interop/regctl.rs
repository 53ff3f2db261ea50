//! regctl, of regclient: it copies layouts and puts files as artifacts.

use fractal_core::artifact::Reference;
use fractal_testkit::registry::{Peer, Server};

use crate::content::Content;
use crate::matrix::Client;
use crate::samples::Sample;

pub(crate) struct Regctl(Peer);

impl Client for Regctl {
    async fn new(server: &Server) -> Option<Self> {
        Some(Self(Peer::regctl(server).await))
    }

    async fn read(&self, at: &Reference) -> Content {
        let digest = self.0.text(&["image", "digest", &at.to_string()]).await;
        let repository = format!("{}/{}", at.host(), at.repository());
        let manifest = async |digest: &str| {
            let pinned = format!("{repository}@{digest}");
            let get = ["manifest", "get", "--format", "raw-body", &pinned];
            self.0.bytes(&get).await
        };
        let blob = async |digest: &str| self.0.bytes(&["blob", "get", &repository, digest]).await;
        Content::walk(digest, manifest, blob).await
    }

    async fn write(&self, sample: &Sample, to: &Reference) -> String {
        let to = to.to_string();
        if let Some((file, media_type)) = &sample.file {
            let file = file.display().to_string();
            let types = [
                "--artifact-type",
                media_type,
                "--file-media-type",
                media_type,
            ];
            let titled = ["--file-title", "--strip-dirs", "--file", &file, &to];
            let put = [&["artifact", "put"][..], &types, &titled].concat();
            self.0.text(&put).await;
        } else {
            let from = format!("ocidir://{}", sample.tagged_layout());
            self.0.text(&["image", "copy", &from, &to]).await;
        }
        self.0.text(&["image", "digest", &to]).await
    }
}
