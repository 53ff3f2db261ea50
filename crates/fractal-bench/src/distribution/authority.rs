//! A certificate authority that one run trusts, and the certificate it gave the registries on loopback.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
};
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
        params.distinguished_name = named("the benchmark's authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let own = KeyPair::generate().map_err(refused)?;
        let authority = CertifiedIssuer::self_signed(params, own).map_err(refused)?;
        let key = KeyPair::generate().map_err(refused)?;
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).map_err(refused)?;
        // OpenSSL takes a certificate whose subject is its issuer for a self-signed one.
        params.distinguished_name = named("the benchmark's registries");
        let certificate = params.signed_by(&key, &authority).map_err(refused)?;
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

fn named(name: &str) -> DistinguishedName {
    let mut all = DistinguishedName::new();
    all.push(DnType::CommonName, name);
    all
}
