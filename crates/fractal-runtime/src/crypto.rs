//! The process's one crypto provider. With two in a build, rustls could not choose between them and would panic.

/// Makes aws-lc-rs the provider of every TLS connection of this process. First thing in every `main`.
pub fn install_crypto_provider() {
    // A second call only says that there is one already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
