//! The cluster's own certificate authority, the certificate of 127.0.0.1 that it signed, and the key that signs service account tokens.

use std::fmt;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

use super::error::ClusterError;

/// Names the API server's certificate holds, as a real cluster's does.
const NAMES: [&str; 4] = [
    "127.0.0.1",
    "localhost",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
];

/// Keys and certificates. Nobody trusts them but who is told to, and they are gone with the cluster.
pub(crate) struct Identity {
    authority_pem: String,
    authority: CertificateDer<'static>,
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    key: KeyPair,
    accounts: KeyPair,
}

impl Identity {
    pub(crate) fn new() -> Result<Self, ClusterError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "fractal test cluster");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let names = NAMES.map(str::to_owned);
        let certificate = CertificateParams::new(names)?.signed_by(&key, &authority)?;
        Ok(Self {
            authority_pem: authority.pem(),
            authority: authority.der().clone(),
            certificate: certificate.der().clone(),
            certificate_pem: certificate.pem(),
            key,
            accounts: KeyPair::generate()?,
        })
    }

    pub(crate) fn authority_pem(&self) -> &str {
        &self.authority_pem
    }

    pub(crate) fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    pub(crate) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// The key that signs service account tokens, ECDSA on P-256.
    pub(crate) fn accounts_key_pem(&self) -> String {
        self.accounts.serialize_pem()
    }

    pub(crate) fn accounts_public_pem(&self) -> String {
        self.accounts.public_key_pem()
    }

    /// For clients that trust this cluster and nobody else.
    pub(crate) fn client(&self) -> Result<Arc<ClientConfig>, ClusterError> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.clone())?;
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?;
        let config = builder.with_root_certificates(roots).with_no_client_auth();
        Ok(Arc::new(config))
    }

    /// For servers on 127.0.0.1 that this cluster's clients trust; HTTP/1.1 only.
    pub(crate) fn server(&self) -> Result<Arc<ServerConfig>, ClusterError> {
        let key = PrivatePkcs8KeyDer::from(self.key.serialize_der());
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?;
        let mut config = builder
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], key.into())?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}
