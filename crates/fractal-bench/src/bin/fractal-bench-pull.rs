//! Our pull as a program: the registry client that agents have, with their settings, and a file.
//!
//! `fractal-bench-pull REPOSITORY DIGEST SIZE FILE`; over plain HTTP where `PLAIN_HTTP` is set, else over TLS, with the
//! authority trusted that `SSL_CERT_FILE` names. The file exists, and is written over. One thread and its blocking
//! ones, as agents have.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Error, ErrorKind, Result, Write as _};

use fractal_core::artifact::kind::media_type;
use fractal_core::artifact::{Descriptor, Reference};
use fractal_core::fault::chain;
use fractal_registry::{Options, Registry, RegistryError};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [repository, digest, size, file] = arguments.as_slice() else {
        return Err(invalid("REPOSITORY DIGEST SIZE FILE"));
    };
    let from: Reference = format!("{repository}@{digest}").parse().map_err(invalid)?;
    let digest = digest.parse().map_err(invalid)?;
    let size = size.parse().map_err(invalid)?;
    let blob = Descriptor::new(media_type::OCI_LAYER, digest, size);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let file = File::options().write(true).open(file)?;
    runtime.block_on(pull(&from, &blob, file))
}

async fn pull(from: &Reference, blob: &Descriptor, mut file: File) -> Result<()> {
    let registry = Registry::new(options(from)).map_err(failed)?;
    let mut stream = registry.blob(from, blob).await.map_err(failed)?;
    while let Some(piece) = stream.next().await {
        file.write_all(&piece.map_err(failed)?)?;
    }
    Ok(())
}

/// Loopback hosts with a port speak plain HTTP unless an endpoint says otherwise.
fn options(from: &Reference) -> Options {
    if std::env::var_os("PLAIN_HTTP").is_some() {
        return Options::on_loopback();
    }
    fractal_runtime::install_crypto_provider();
    let host = from.host().clone();
    Options {
        endpoints: BTreeMap::from([(host.clone(), format!("https://{host}"))]),
        ca_bundle: std::env::var_os("SSL_CERT_FILE").map(Into::into),
        ..Options::on_loopback()
    }
}

fn failed(error: RegistryError) -> Error {
    Error::other(chain(&error))
}

fn invalid(problem: impl ToString) -> Error {
    Error::new(ErrorKind::InvalidInput, problem.to_string())
}
