//! The oci-client crate, in this process: it sends and reads manifests and blobs one by one.

use fractal_core::artifact::Reference;
use fractal_testkit::registry::{PASSWORD, Server, Setup, USER};
use http::HeaderValue;
use oci_client::Client as Inner;
use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::manifest::OciDescriptor;
use oci_client::secrets::RegistryAuth;

use crate::content::{Content, named};
use crate::layout;
use crate::matrix::Client;
use crate::samples::Sample;

/// Every manifest type there is in the samples.
const ACCEPTED: &[&str] = &[
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
];
/// Nothing listens there. An explicit proxy keeps the crate from the environment's, and all that is asked for is excepted from it.
const NO_PROXY: &str = "http://127.0.0.1:1";

pub(crate) struct OciClient {
    pub(crate) inner: Inner,
    pub(crate) auth: RegistryAuth,
    /// Does the registry say where it put what it took?
    locates: bool,
}

impl Client for OciClient {
    async fn new(server: &Server) -> Option<Self> {
        let authority = server.authority().map(|path| Certificate {
            encoding: CertificateEncoding::Pem,
            data: std::fs::read(path).unwrap(),
        });
        let config = ClientConfig {
            protocol: match server.setup() {
                Setup::Tls => ClientProtocol::Https,
                _ => ClientProtocol::Http,
            },
            extra_root_certificates: authority.into_iter().collect(),
            http_proxy: Some(NO_PROXY.into()),
            https_proxy: Some(NO_PROXY.into()),
            no_proxy: Some("127.0.0.1,localhost".into()),
            ..ClientConfig::default()
        };
        let auth = match server.setup().authenticates() {
            true => RegistryAuth::Basic(USER.into(), PASSWORD.into()),
            false => RegistryAuth::Anonymous,
        };
        let inner = Inner::try_from(config).unwrap();
        inner.store_auth_if_needed(server.host(), &auth).await;
        Some(Self {
            inner,
            auth,
            // go-containerregistry's does not.
            locates: server.setup() != Setup::Referrers,
        })
    }

    async fn read(&self, at: &Reference) -> Content {
        let (tagged, auth) = (parsed(at), &self.auth);
        let digest = self.inner.fetch_manifest_digest(&tagged, auth).await;
        let manifest = async |digest: &str| {
            let pinned = tagged.clone_with_digest(digest.to_owned());
            let pulled = self.inner.pull_manifest_raw(&pinned, auth, ACCEPTED).await;
            let (bytes, said) = pulled.unwrap();
            assert_eq!(said, digest);
            bytes.to_vec()
        };
        let blob = async |digest: &str| {
            let descriptor = OciDescriptor {
                digest: digest.to_owned(),
                ..OciDescriptor::default()
            };
            let mut bytes = Vec::new();
            let pulled = self.inner.pull_blob(&tagged, &descriptor, &mut bytes).await;
            pulled.unwrap();
            bytes
        };
        Content::walk(digest.unwrap(), manifest, blob).await
    }

    async fn write(&self, sample: &Sample, to: &Reference) -> String {
        let content = layout::read(&sample.layout).await;
        let tagged = parsed(to);
        self.push(&content, &tagged, &content.digest, true).await;
        let digest = self.inner.fetch_manifest_digest(&tagged, &self.auth).await;
        digest.unwrap()
    }
}

impl OciClient {
    /// What a manifest names first, then the manifest: by tag where it is the artifact's own, else by digest.
    async fn push(
        &self,
        content: &Content,
        tagged: &oci_client::Reference,
        digest: &str,
        root: bool,
    ) {
        let bytes = content.parts[digest].clone();
        for (child, is_manifest) in named(&bytes) {
            if is_manifest {
                Box::pin(self.push(content, tagged, &child, false)).await;
            } else {
                let blob = content.parts[&child].clone();
                match self.inner.push_blob(tagged, blob, &child).await {
                    Err(OciDistributionError::RegistryNoLocationError) if !self.locates => {
                        assert!(self.inner.blob_exists(tagged, &child).await.unwrap());
                    }
                    pushed => drop(pushed.unwrap()),
                }
            }
        }
        let document: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let media_type = document["mediaType"].as_str().unwrap();
        let media_type = HeaderValue::from_str(media_type).unwrap();
        let to = if root {
            tagged.clone()
        } else if self.locates {
            tagged.clone_with_digest(digest.to_owned())
        } else {
            // Without the place, the crate panics over a manifest that has no tag.
            let (host, repository) = (tagged.registry(), tagged.repository());
            let tag = digest.replace(':', "-child-");
            oci_client::Reference::with_tag(host.to_owned(), repository.to_owned(), tag)
        };
        let pushed = self.inner.push_manifest_raw(&to, bytes, media_type).await;
        pushed.unwrap();
    }
}

pub(crate) fn parsed(reference: &Reference) -> oci_client::Reference {
    reference.to_string().parse().unwrap()
}
