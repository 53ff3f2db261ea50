//! The `oci-client` crate as a program: pulls a blob into a file, or copies an artifact. Its blobs are verified by the crate itself.
//!
//! `pull REPOSITORY DIGEST FILE`, which exists and is written over, or `copy FROM TO...`; over plain HTTP where `PLAIN_HTTP` is set. `SSL_CERT_FILE` names the
//! one authority that is trusted. The crate's defaults, but for what serves it: uploads in one PUT, since its
//! chunked ones take several times as long, and no authorities of the system, whose loading takes longer than a small pull.

use std::error::Error;
use std::process::ExitCode;

use futures_util::StreamExt as _;
use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::manifest::{
    IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE, OciDescriptor, OciImageManifest, OciManifest,
};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};
use tokio::io::AsyncWriteExt as _;

type Failed = Box<dyn Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let done = runtime
        .map_err(Failed::from)
        .and_then(|runtime| runtime.block_on(run(&arguments)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fractal-bench-oci-client: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &[String]) -> Result<(), Failed> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["version"] => {
            println!("0.18.0");
            Ok(())
        }
        ["pull", repository, digest, file] => pull(&client()?, repository, digest, file).await,
        ["copy", from, to @ ..] => copy_all(&client()?, from, to).await,
        _ => Err("pull REPOSITORY DIGEST FILE, or copy FROM TO...".into()),
    }
}

fn client() -> Result<Client, Failed> {
    let plain = std::env::var_os("PLAIN_HTTP").is_some();
    let authority = std::env::var_os("SSL_CERT_FILE").ok_or("SSL_CERT_FILE names no file")?;
    let authority = Certificate {
        encoding: CertificateEncoding::Pem,
        data: std::fs::read(authority)?,
    };
    let config = ClientConfig {
        protocol: if plain {
            ClientProtocol::Http
        } else {
            ClientProtocol::Https
        },
        use_monolithic_push: true,
        tls_certs_only: vec![authority],
        ..ClientConfig::default()
    };
    Ok(Client::try_from(config)?)
}

async fn pull(client: &Client, repository: &str, digest: &str, file: &str) -> Result<(), Failed> {
    let image: Reference = format!("{repository}@{digest}").parse()?;
    authorise(client, &image).await;
    let mut file = tokio::fs::File::options().write(true).open(file).await?;
    client.pull_blob(&image, digest, &mut file).await?;
    file.flush().await?;
    Ok(())
}

/// The crate has no fan-out: each target is a copy of its own, all at once.
async fn copy_all(client: &Client, from: &str, to: &[&str]) -> Result<(), Failed> {
    let from: Reference = from.parse()?;
    let copies = to.iter().map(|to| copy(client, &from, to));
    for copied in futures_util::future::join_all(copies).await {
        copied?;
    }
    Ok(())
}

async fn copy(client: &Client, from: &Reference, to: &str) -> Result<(), Failed> {
    let to: Reference = to.parse()?;
    authorise(client, from).await;
    authorise(client, &to).await;
    let anonymous = RegistryAuth::Anonymous;
    let accepted = [OCI_IMAGE_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE];
    let (bytes, digest) = client
        .pull_manifest_raw(from, &anonymous, &accepted)
        .await?;
    // What is there already is not sent again, as every other tool does it.
    match client.fetch_manifest_digest(&to, &anonymous).await {
        Ok(there) if there == digest => return Ok(()),
        _ => {}
    }
    let OciManifest::Image(manifest) = serde_json::from_slice(&bytes)? else {
        return Err("an index is not copied here".into());
    };
    for blob in blobs(&manifest) {
        copy_blob(client, (from, &to), blob).await?;
    }
    let media_type = manifest
        .media_type
        .as_deref()
        .unwrap_or(OCI_IMAGE_MEDIA_TYPE);
    client
        .push_manifest_raw(&to, bytes, media_type.parse()?)
        .await?;
    Ok(())
}

fn blobs(manifest: &OciImageManifest) -> impl Iterator<Item = &OciDescriptor> {
    manifest
        .layers
        .iter()
        .chain(std::iter::once(&manifest.config))
}

async fn copy_blob(
    client: &Client,
    (from, to): (&Reference, &Reference),
    blob: &OciDescriptor,
) -> Result<(), Failed> {
    if client.blob_exists(to, &blob.digest).await? {
        return Ok(());
    }
    let pulled = client.pull_blob_stream(from, blob).await?;
    let stream = pulled.map(|piece| piece.map_err(OciDistributionError::from));
    let size = u64::try_from(blob.size)?;
    client
        .push_blob_stream(to, stream, &blob.digest, Some(size))
        .await?;
    Ok(())
}

async fn authorise(client: &Client, image: &Reference) {
    client
        .store_auth_if_needed(image.resolve_registry(), &RegistryAuth::Anonymous)
        .await;
}
