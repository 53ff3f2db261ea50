//! Blobs: HEAD, GET with ranges, DELETE.

use http::Method;

use super::routes::sha256_digest;
use super::{Asked, Core, reply};
use crate::exchange::{Content, Reply, byte_range};

impl Core {
    pub(super) async fn blob(&self, asked: &Asked, digest: &str) -> Reply {
        let Some(hex) = sha256_digest(digest) else {
            return reply::error(
                400,
                "DIGEST_INVALID",
                "provided digest did not match uploaded content",
            );
        };
        let Some(size) = self.shelf.blob_size(&asked.repository, hex) else {
            return reply::error(404, "BLOB_UNKNOWN", "blob unknown to registry");
        };
        match asked.parts.method {
            Method::GET | Method::HEAD => self.read_blob(asked, hex, size),
            Method::DELETE => match self.shelf.unlink_blob(&asked.repository, hex) {
                Ok(()) => Reply::new(202).header("docker-content-digest", digest),
                Err(error) => reply::broken(&error),
            },
            _ => reply::not_allowed(),
        }
    }

    fn read_blob(&self, asked: &Asked, hex: &str, size: u64) -> Reply {
        let path = self.shelf.blob_path(hex);
        let reply = |status| {
            let reply = Reply::new(status).header("docker-content-digest", format!("sha256:{hex}"));
            reply
                .header("content-type", "application/octet-stream")
                .header("accept-ranges", "bytes")
                .header("etag", format!("\"sha256:{hex}\""))
        };
        match byte_range(asked.header("range"), size) {
            Err(()) => reply::error(416, "RANGE_INVALID", "invalid range")
                .header("content-range", format!("bytes */{size}")),
            Ok(None) => reply(200).content(Content::File {
                path,
                start: 0,
                length: size,
            }),
            Ok(Some((start, length))) => {
                let last = start.saturating_add(length).saturating_sub(1);
                reply(206)
                    .header("content-range", format!("bytes {start}-{last}/{size}"))
                    .content(Content::File {
                        path,
                        start,
                        length,
                    })
            }
        }
    }
}
