//! The oras-go library with the calls of the `oras` command: it copies layouts and pushes files.

use fractal_core::artifact::Reference;
use fractal_testkit::registry::{Peer, Server};

use crate::content::Content;
use crate::layout::{self, TAG};
use crate::matrix::Client;
use crate::samples::Sample;

pub(crate) struct Oras {
    peer: Peer,
    flags: &'static [&'static str],
}

impl Client for Oras {
    async fn new(server: &Server) -> Option<Self> {
        Some(Self {
            peer: Peer::oras(server),
            flags: Peer::oras_flags(server),
        })
    }

    async fn read(&self, at: &Reference) -> Content {
        let digest = self.call(&["resolve", &at.to_string()]).await;
        let name = at.repository().as_str().replace('/', "-");
        let folder = self.peer.home().join(&name);
        let to = format!("{}:{TAG}", folder.display());
        let said = self
            .call(&["cp", "--to-oci-layout", &at.to_string(), &to])
            .await;
        assert_eq!(printed(&said), digest);
        let content = layout::read(&folder).await;
        assert_eq!(content.digest, digest);
        if content.root()["artifactType"].is_string() {
            let files = format!("{name}-files");
            self.call(&["pull", "-o", &files, &at.to_string()]).await;
            let root = content.root();
            let title = &root["layers"][0]["annotations"]["org.opencontainers.image.title"];
            let pulled = self.peer.home().join(files).join(title.as_str().unwrap());
            assert!(std::fs::read(pulled).unwrap() == content.layer(), "{at}");
        }
        content
    }

    async fn write(&self, sample: &Sample, to: &Reference) -> String {
        let to = to.to_string();
        let Some((file, media_type)) = &sample.file else {
            let from = sample.tagged_layout();
            return printed(&self.call(&["cp", "--from-oci-layout", &from, &to]).await);
        };
        // The title is the path as written, which has to stay below the working folder.
        let name = file.file_name().unwrap();
        std::fs::copy(file, self.peer.home().join(name)).unwrap();
        let layer = format!("{}:{media_type}", name.display());
        let push = ["push", "--artifact-type", media_type, &to, &layer];
        printed(&self.call(&push).await)
    }
}

impl Oras {
    async fn call(&self, arguments: &[&str]) -> String {
        self.peer.text(&[arguments, self.flags].concat()).await
    }
}

fn printed(said: &str) -> String {
    let digest = said.lines().find_map(|line| line.strip_prefix("Digest: "));
    digest.unwrap().to_owned()
}
