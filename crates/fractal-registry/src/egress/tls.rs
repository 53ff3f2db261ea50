//! The one TLS configuration: the system's authorities and an extra bundle, read at the first https request.

use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::error::RegistryError;

/// For clients that only speak plain HTTP: trusts nobody.
pub(super) fn nobody() -> Result<Arc<ClientConfig>, RegistryError> {
    config(RootCertStore::empty())
}

/// Reads the system's authorities and those of `bundle`.
pub(super) fn trusted(bundle: Option<&Path>) -> Result<Arc<ClientConfig>, RegistryError> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    for problem in &system.errors {
        tracing::warn!(error = %problem, "system certificate authority skipped");
    }
    roots.add_parsable_certificates(system.certs);
    if let Some(path) = bundle {
        add_bundle(&mut roots, path)?;
    }
    if roots.is_empty() {
        return Err(setting(
            "the system has no certificate authorities and no extra bundle is set".into(),
        ));
    }
    config(roots)
}

/// Reads a bundle to see whether it can be used, so that a bad one is known at start and not at the first request.
pub(super) fn check_bundle(path: &Path) -> Result<(), RegistryError> {
    add_bundle(&mut RootCertStore::empty(), path)
}

fn add_bundle(roots: &mut RootCertStore, path: &Path) -> Result<(), RegistryError> {
    let broken = |problem: String| setting(format!("{}: {problem}", path.display()));
    let mut count = 0_usize;
    for certificate in
        CertificateDer::pem_file_iter(path).map_err(|error| broken(error.to_string()))?
    {
        let certificate = certificate.map_err(|error| broken(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| broken(error.to_string()))?;
        count += 1;
    }
    if count == 0 {
        Err(broken("it holds no certificate".into()))
    } else {
        Ok(())
    }
}

fn config(roots: RootCertStore) -> Result<Arc<ClientConfig>, RegistryError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| setting(error.to_string()))?;
    Ok(Arc::new(
        builder.with_root_certificates(roots).with_no_client_auth(),
    ))
}

fn setting(problem: String) -> RegistryError {
    RegistryError::Setting {
        setting: "ca-bundle",
        problem: problem.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_without_certificates_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, "nothing here").unwrap();
        let error = check_bundle(&path).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("ca.pem: it holds no certificate"),
            "{error}"
        );
        assert!(check_bundle(&folder.path().join("absent.pem")).is_err());
    }
}
