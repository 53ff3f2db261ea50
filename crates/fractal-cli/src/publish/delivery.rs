//! Pushing a parcel to registries, all at once, and reading back what each of them has then.

use std::path::Path;
use std::sync::Arc;

use fractal_core::artifact::{Descriptor, Digest, Reference};
use fractal_core::{Fault, Reason};
use fractal_registry::{BlobSource, Pushed, Registry, RegistryError, RepositoryRef, copy};

use super::parcel::{Content, Parcel, empty, empty_bytes};

const DIGEST_MISMATCH: Reason = Reason::new("DigestMismatch");
const FILE_CHANGED: Reason = Reason::new("FileChanged");
const INTERRUPTED: Reason = Reason::new("ResourceLocal");

/// A parcel in a registry, as the registry itself says after the push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The digest that was read back.
    pub digest: Digest,
    /// Bytes that had to be sent; none where the registry had them all.
    pub sent: u64,
}

/// Pushes `parcel` to every reference of `to`, and says of each, in order, what came of it. One that fails stops no other.
pub async fn deliver(
    parcel: &Arc<Parcel>,
    registry: &Registry,
    to: &[Reference],
) -> Vec<(Reference, Result<Arrival, Fault>)> {
    let pushes: Vec<_> = to
        .iter()
        .map(|to| {
            let (parcel, registry, to) = (Arc::clone(parcel), registry.clone(), to.clone());
            tokio::spawn(async move { push(&parcel, &registry, &to).await })
        })
        .collect();
    let mut results = Vec::new();
    for (to, push) in to.iter().zip(pushes) {
        let result = push.await.unwrap_or_else(|error| {
            Err(Fault::transient(INTERRUPTED, "the push was interrupted").because(error))
        });
        results.push((to.clone(), result));
    }
    results
}

async fn push(parcel: &Parcel, registry: &Registry, to: &Reference) -> Result<Arrival, Fault> {
    let sent = match &parcel.content {
        Content::File { path, layer } => {
            let layer = blob(registry, to, layer, path).await;
            let sent = layer.map_err(|error| of_file(path, error))?;
            sent + manifest(parcel, registry, to).await?
        }
        Content::Bytes { bytes, layer } => {
            let sent = blob(registry, to, layer, bytes).await?;
            sent + manifest(parcel, registry, to).await?
        }
        Content::Layout { located, .. } => {
            copy(located, &registry.locate(to)).await?.uploaded_bytes
        }
    };
    let digest = read_back(parcel, registry, to).await?;
    Ok(Arrival { digest, sent })
}

/// Sends the empty config and the manifest, once the layer is there.
async fn manifest(
    parcel: &Parcel,
    registry: &Registry,
    to: &Reference,
) -> Result<u64, RegistryError> {
    let sent = blob(registry, to, &empty(), &empty_bytes()).await?;
    let (bytes, media_type) = (parcel.manifest.clone(), &parcel.media_type);
    registry.push_manifest(to, bytes, media_type).await?;
    Ok(sent)
}

/// What goes wrong while a file is read again is the file's: nothing is wrong with the registry then.
fn of_file(path: &Path, error: RegistryError) -> Fault {
    let local = path.display().to_string();
    match &error {
        RegistryError::DigestMismatch { at, .. }
        | RegistryError::SizeMismatch { at, .. }
        | RegistryError::Truncated { at, .. }
            if **at == *local =>
        {
            Fault::transient(FILE_CHANGED, "the file changed while it was published")
                .at(local)
                .because(error)
                .next("publish it again when nothing writes to it any more")
        }
        _ => error.into(),
    }
}

async fn blob(
    registry: &Registry,
    to: &Reference,
    descriptor: &Descriptor,
    source: &dyn BlobSource,
) -> Result<u64, RegistryError> {
    let repository = RepositoryRef::from(to);
    let pushed = registry
        .push_blob(&repository, descriptor, source, None)
        .await?;
    Ok(match pushed {
        Pushed::Uploaded => descriptor.size,
        Pushed::Existed | Pushed::Mounted => 0,
    })
}

/// What the registry has under the name that was pushed to: asked by tag, then fetched and compared byte by byte.
async fn read_back(parcel: &Parcel, registry: &Registry, to: &Reference) -> Result<Digest, Fault> {
    let named = match to.tag() {
        Some(tag) => Reference::by_tag(to.host().clone(), to.repository().clone(), tag.clone()),
        None => to.clone(),
    };
    let found = registry.resolve(&named).await?.digest;
    if found != *parcel.digest() {
        return Err(differs(parcel, to).because(format!("it has {found}, not {}", parcel.digest())));
    }
    let stored = registry.manifest(to, &found).await?;
    if stored.bytes != parcel.manifest {
        return Err(differs(parcel, to).because("it serves another manifest under the same digest"));
    }
    Ok(found)
}

fn differs(parcel: &Parcel, to: &Reference) -> Fault {
    let what = format!(
        "the registry does not have what was pushed: {}",
        parcel.name()
    );
    Fault::terminal(DIGEST_MISMATCH, what).at(to).next(
        "look who else pushes to this tag, or what rewrites manifests there; then publish again",
    )
}

#[cfg(test)]
mod tests {
    use fractal_registry::Options;
    use fractal_simcloud::{Registry as Simulated, RegistryConfig};

    use super::*;

    async fn parcel(folder: &std::path::Path, content: &str) -> Arc<Parcel> {
        use std::io::Write as _;
        let path = folder.join("orders.zip");
        let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
        zip.start_file("app.py", zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(content.as_bytes()).unwrap();
        zip.finish().unwrap();
        Arc::new(Parcel::pack(path.to_str().unwrap(), None).await.unwrap())
    }

    #[tokio::test]
    async fn a_tag_that_somebody_else_moved_is_no_success() {
        let folder = tempfile::tempdir().unwrap();
        let server = Simulated::start(RegistryConfig::default()).await.unwrap();
        let registry = Registry::new(Options::on_loopback()).unwrap();
        let to: Reference = format!("{}/acme/orders:1", server.host()).parse().unwrap();
        let first = parcel(folder.path(), "first").await;
        let arrived = deliver(&first, &registry, std::slice::from_ref(&to)).await;
        assert_eq!(arrived[0].1.as_ref().unwrap().digest, *first.digest());
        assert_eq!(
            read_back(&first, &registry, &to).await,
            Ok(first.digest().clone())
        );
        let second = parcel(folder.path(), "second").await;
        assert!(
            deliver(&second, &registry, std::slice::from_ref(&to)).await[0]
                .1
                .is_ok()
        );
        let fault = read_back(&first, &registry, &to).await.unwrap_err();
        assert_eq!(fault.reason, DIGEST_MISMATCH);
        let both = format!("it has {}, not {}", second.digest(), first.digest());
        assert_eq!(fault.why, Some(both));
    }

    #[tokio::test]
    async fn a_file_that_changes_after_it_was_packed_is_not_published() {
        let folder = tempfile::tempdir().unwrap();
        let server = Simulated::start(RegistryConfig::default()).await.unwrap();
        let registry = Registry::new(Options::on_loopback()).unwrap();
        let to: Reference = format!("{}/acme/orders:1", server.host()).parse().unwrap();
        let packed = parcel(folder.path(), "packed").await;
        for content in ["other!", "", "a good deal longer"] {
            parcel(folder.path(), content).await;
            let result = deliver(&packed, &registry, std::slice::from_ref(&to)).await;
            let fault = result[0].1.as_ref().unwrap_err();
            assert_eq!(fault.reason, FILE_CHANGED, "{content}: {fault}");
        }
        assert!(registry.resolve(&to).await.is_err());
    }
}
