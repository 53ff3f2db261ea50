//! skopeo, where it is on PATH: it copies between layouts and registries. It is no part, since no package registry of a language has it.

use fractal_core::artifact::Reference;
use fractal_testkit::registry::{Peer, Server, Setup};

use crate::content::Content;
use crate::layout::{self, TAG};
use crate::matrix::Client;
use crate::samples::Sample;

pub(crate) struct Skopeo {
    peer: Peer,
    plain: bool,
}

impl Client for Skopeo {
    async fn new(server: &Server) -> Option<Self> {
        Some(Self {
            peer: Peer::installed("skopeo", server)?,
            plain: server.setup() != Setup::Tls,
        })
    }

    async fn read(&self, at: &Reference) -> Content {
        let folder = self
            .peer
            .home()
            .join(at.repository().as_str().replace('/', "-"));
        let to = format!("oci:{}:{TAG}", folder.display());
        let digest = self
            .copy(&format!("docker://{at}"), &to, "--src-tls-verify")
            .await;
        let content = layout::read(&folder).await;
        assert_eq!(content.digest, digest);
        content
    }

    async fn write(&self, sample: &Sample, to: &Reference) -> String {
        let from = format!("oci:{}", sample.tagged_layout());
        self.copy(&from, &format!("docker://{to}"), "--dest-tls-verify")
            .await
    }
}

impl Skopeo {
    /// Copies every image of an index as it is; the digest it says the copy has.
    async fn copy(&self, from: &str, to: &str, verify: &str) -> String {
        let file = self.peer.home().join("digest");
        let verify = format!("{verify}={}", !self.plain);
        let file_flag = format!("--digestfile={}", file.display());
        // No signature policy of the machine's is asked.
        let copy = [
            "--insecure-policy",
            "copy",
            "--all",
            "--preserve-digests",
            &verify,
            &file_flag,
            from,
            to,
        ];
        self.peer.text(&copy).await;
        std::fs::read_to_string(file).unwrap().trim().to_owned()
    }
}
