//! A certificate authority that one run trusts, and the certificate it gave the registries on loopback.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};

use crate::error::Error;

/// Where the files are.
#[derive(Debug)]
pub(crate) struct Authority {
    /// The authority's certificate, which clients are to trust.
    pub(crate) trusted: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl Authority {
    /// Makes one in `folder`.
    pub(crate) fn make(folder: &Path) -> Result<Self, Error> {
        let refused = |error: rcgen::Error| Error::unexpected("rcgen", error);
        let mut params = CertificateParams::new(Vec::new()).map_err(refused)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let own = KeyPair::generate().map_err(refused)?;
        let authority = CertifiedIssuer::self_signed(params, own).map_err(refused)?;
        let key = KeyPair::generate().map_err(refused)?;
        let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])
            .and_then(|params| params.signed_by(&key, &authority))
            .map_err(refused)?;
        let written = |name: &str, text: String| {
            let path = folder.join(name);
            std::fs::write(&path, text).map_err(Error::io("writing a certificate"))?;
            Ok::<_, Error>(path)
        };
        Ok(Self {
            trusted: written("authority.pem", authority.pem())?,
            certificate: written("server.pem", certificate.pem())?,
            key: written("server.key", key.serialize_pem())?,
        })
    }

    /// The registry's setting.
    pub(super) fn settings(&self) -> Value {
        json!({ "certificate": self.certificate, "key": self.key })
    }
}
