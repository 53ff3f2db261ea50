//! Blob uploads: single POST, POST then PUT, chunks in order, and mounting from another repository.

use std::io;
use std::path::Path;

use http::Method;
use hyper::body::Incoming;
use tokio::fs::OpenOptions;
use tokio::io::AsyncWriteExt as _;

use super::routes::{is_repository, sha256_digest};
use super::{Asked, Core, reply};
use crate::exchange::{Reply, next_chunk};

impl Core {
    pub(super) async fn start_upload(&self, asked: &Asked, body: &mut Incoming) -> Reply {
        if asked.parts.method != Method::POST {
            return reply::not_allowed();
        }
        if let Some(mounted) = self.mount(asked) {
            return mounted;
        }
        let id = match self.shelf.begin_upload(&asked.repository) {
            Ok(id) => id,
            Err(error) => return reply::broken(&error),
        };
        match asked.parameter("digest") {
            Some(digest) => self.finish(asked, &id, 0, digest, body).await,
            None => progress(&asked.repository, &id, 0),
        }
    }

    /// The mounted blob's answer, when another repository has it; otherwise an upload begins.
    fn mount(&self, asked: &Asked) -> Option<Reply> {
        let digest = asked.parameter("mount")?;
        let hex = sha256_digest(digest)?;
        let from = asked.parameter("from").filter(|from| is_repository(from))?;
        self.shelf.blob_size(from, hex)?;
        Some(match self.shelf.link_blob(&asked.repository, hex) {
            Ok(()) => created(&asked.repository, digest),
            Err(error) => reply::broken(&error),
        })
    }

    pub(super) async fn upload(&self, asked: &Asked, id: &str, body: &mut Incoming) -> Reply {
        let Some((path, size)) = self.shelf.find_upload(&asked.repository, id) else {
            return reply::error(
                404,
                "BLOB_UPLOAD_UNKNOWN",
                "blob upload unknown to registry",
            );
        };
        match asked.parts.method {
            Method::GET => Reply {
                status: 204,
                ..progress(&asked.repository, id, size)
            },
            Method::PATCH => self.patch(asked, id, (&path, size), body).await,
            Method::PUT => match asked.parameter("digest") {
                Some(digest) => self.finish(asked, id, size, digest, body).await,
                None => reply::error(400, "DIGEST_INVALID", "digest missing"),
            },
            Method::DELETE => match self.shelf.cancel_upload(id) {
                Ok(()) => Reply::new(204),
                Err(error) => reply::broken(&error),
            },
            _ => reply::not_allowed(),
        }
    }

    async fn patch(
        &self,
        asked: &Asked,
        id: &str,
        (path, size): (&Path, u64),
        body: &mut Incoming,
    ) -> Reply {
        if let Err(refused) = continues(asked, id, size) {
            return refused;
        }
        match append(path, body).await {
            Ok(added) => progress(&asked.repository, id, size.saturating_add(added)),
            Err(error) => reply::broken(&error),
        }
    }

    async fn finish(
        &self,
        asked: &Asked,
        id: &str,
        size: u64,
        digest: &str,
        body: &mut Incoming,
    ) -> Reply {
        let Some(hex) = sha256_digest(digest) else {
            return reply::error(400, "DIGEST_INVALID", "unsupported or malformed digest");
        };
        if let Err(refused) = continues(asked, id, size) {
            return refused;
        }
        let Some((path, _)) = self.shelf.find_upload(&asked.repository, id) else {
            return reply::error(
                404,
                "BLOB_UPLOAD_UNKNOWN",
                "blob upload unknown to registry",
            );
        };
        if let Err(error) = append(&path, body).await {
            return reply::broken(&error);
        }
        let shelf = std::sync::Arc::clone(&self.shelf);
        let (repository, id, hex) = (asked.repository.clone(), id.to_owned(), hex.to_owned());
        let finished =
            tokio::task::spawn_blocking(move || shelf.finish_upload(&repository, &id, &hex)).await;
        match finished {
            Ok(Ok(true)) => created(&asked.repository, digest),
            Ok(Ok(false)) => reply::error(
                400,
                "DIGEST_INVALID",
                "provided digest did not match uploaded content",
            ),
            Ok(Err(error)) => reply::broken(&error),
            Err(error) => reply::broken(&io::Error::other(error)),
        }
    }
}

fn created(repository: &str, digest: &str) -> Reply {
    Reply::new(201)
        .header("location", format!("/v2/{repository}/blobs/{digest}"))
        .header("docker-content-digest", digest)
}

fn progress(repository: &str, id: &str, size: u64) -> Reply {
    Reply::new(202)
        .header("location", format!("/v2/{repository}/blobs/uploads/{id}"))
        .header("range", format!("0-{}", size.saturating_sub(1)))
        .header("docker-upload-uuid", id)
}

/// A chunk with a `Content-Range` must begin where the upload stands and be as long as it says.
fn continues(asked: &Asked, id: &str, size: u64) -> Result<(), Reply> {
    let Some(range) = asked.header("content-range") else {
        return Ok(());
    };
    let range = range
        .trim_start_matches("bytes ")
        .split('/')
        .next()
        .unwrap_or_default();
    let bounds = range
        .split_once('-')
        .and_then(|(first, last)| Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?)));
    let length: Option<u64> = asked
        .header("content-length")
        .and_then(|length| length.parse().ok());
    let fits = |first: u64, last: u64| {
        length.is_none_or(|length| {
            last.checked_sub(first).and_then(|span| span.checked_add(1)) == Some(length)
        })
    };
    match bounds {
        Some((first, last)) if first == size && fits(first, last) => Ok(()),
        _ => Err(
            reply::error(416, "BLOB_UPLOAD_INVALID", "chunk out of order")
                .header(
                    "location",
                    format!("/v2/{}/blobs/uploads/{id}", asked.repository),
                )
                .header("range", format!("0-{}", size.saturating_sub(1))),
        ),
    }
}

/// Appends the body; what arrived before a broken connection stays, as the upload's status then says.
async fn append(path: &Path, body: &mut Incoming) -> io::Result<u64> {
    let mut file = OpenOptions::new().append(true).open(path).await?;
    let mut added = 0_u64;
    loop {
        match next_chunk(body).await {
            Ok(Some(chunk)) => {
                file.write_all(&chunk).await?;
                added = added.saturating_add(chunk.len() as u64);
            }
            Ok(None) => {
                file.flush().await?;
                return Ok(added);
            }
            Err(_) => {
                file.flush().await?;
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}
