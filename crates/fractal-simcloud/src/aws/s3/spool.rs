//! A request body to a file, hashed on the way and held against everything the client said about it.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use hyper::body::Incoming;
use md5::{Digest as _, Md5};
use sha2::Sha256;
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;

use super::checksum::{Checksum, HEADERS};
use super::chunked::Decoder;
use super::{ApiError, header};
use crate::encoding::{hex, uuid};
use crate::exchange::next_chunk;

/// The most one PUT may carry.
const PUT_LIMIT: u64 = 5 << 30;

pub(super) struct Spooled {
    pub(super) file: String,
    pub(super) size: u64,
    /// Hex MD5, which is the entity tag.
    pub(super) md5: String,
    /// Header name to base64, verified.
    pub(super) checksums: BTreeMap<String, String>,
}

pub(super) async fn spool(
    folder: &Path,
    parts: &Parts,
    body: &mut Incoming,
) -> Result<Spooled, ApiError> {
    let file = uuid();
    let path = folder.join(&file);
    let written = write(&path, parts, body).await;
    if written.is_err() {
        let _ = std::fs::remove_file(&path);
    }
    written.map(|sums| Spooled {
        file,
        size: sums.size,
        md5: hex(&sums.md5.finalize()),
        checksums: sums.stated,
    })
}

struct Sums {
    size: u64,
    md5: Md5,
    sha256: Option<Sha256>,
    checksum: Option<(&'static str, Checksum)>,
    stated: BTreeMap<String, String>,
}

async fn write(path: &Path, parts: &Parts, body: &mut Incoming) -> Result<Sums, ApiError> {
    let payload = header(&parts.headers, "x-amz-content-sha256").unwrap_or_default();
    let chunked = payload.starts_with("STREAMING-")
        || header(&parts.headers, "content-encoding")
            .is_some_and(|coding| coding.contains("aws-chunked"));
    let mut decoder = chunked.then(Decoder::new);
    let mut sums = Sums::begin(parts);
    let mut file = File::create(path).await.map_err(broken)?;
    while let Some(chunk) = next_chunk(body).await.map_err(|_| incomplete())? {
        let pieces = match &mut decoder {
            Some(decoder) => decoder.feed(&chunk).map_err(|_| incomplete())?,
            None => vec![chunk],
        };
        for piece in pieces {
            sums.update(&piece)?;
            file.write_all(&piece).await.map_err(broken)?;
        }
    }
    file.flush().await.map_err(broken)?;
    let trailers = match decoder {
        Some(decoder) if !decoder.is_complete() => return Err(incomplete()),
        Some(decoder) => decoder.trailers,
        None => Vec::new(),
    };
    let decoded: Option<u64> = header(&parts.headers, "x-amz-decoded-content-length")
        .and_then(|length| length.parse().ok());
    match (chunked, decoded) {
        (true, None) => Err(ApiError::new(
            411,
            "MissingContentLength",
            "You must provide the Content-Length HTTP header.",
        )),
        (true, Some(length)) if length != sums.size => Err(incomplete()),
        _ => sums.verify(parts, payload, &trailers),
    }
}

impl Sums {
    fn begin(parts: &Parts) -> Self {
        let trailer = header(&parts.headers, "x-amz-trailer");
        let named = HEADERS
            .into_iter()
            .find(|name| parts.headers.contains_key(*name) || trailer == Some(*name));
        let payload = header(&parts.headers, "x-amz-content-sha256").unwrap_or_default();
        Self {
            size: 0,
            md5: Md5::new(),
            sha256: (payload.len() == 64).then(Sha256::new),
            checksum: named.and_then(|name| Some((name, Checksum::of(name)?))),
            stated: BTreeMap::new(),
        }
    }

    fn update(&mut self, bytes: &[u8]) -> Result<(), ApiError> {
        self.size = self.size.saturating_add(bytes.len() as u64);
        if self.size > PUT_LIMIT {
            return Err(ApiError::new(
                400,
                "EntityTooLarge",
                "Your proposed upload exceeds the maximum allowed size",
            ));
        }
        self.md5.update(bytes);
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(bytes);
        }
        if let Some((_, checksum)) = &mut self.checksum {
            checksum.update(bytes);
        }
        Ok(())
    }

    fn verify(
        mut self,
        parts: &Parts,
        payload: &str,
        trailers: &[(String, String)],
    ) -> Result<Self, ApiError> {
        if self
            .sha256
            .take()
            .is_some_and(|sha256| hex(&sha256.finalize()) != payload)
        {
            let message =
                "The provided 'x-amz-content-sha256' header does not match what was computed.";
            return Err(ApiError::new(400, "XAmzContentSHA256Mismatch", message));
        }
        if let Some(stated) = header(&parts.headers, "content-md5") {
            let stated = STANDARD
                .decode(stated)
                .ok()
                .filter(|bytes| bytes.len() == 16);
            let stated = stated.ok_or_else(|| {
                ApiError::new(
                    400,
                    "InvalidDigest",
                    "The Content-MD5 you specified was invalid.",
                )
            })?;
            if stated != self.md5.clone().finalize().to_vec() {
                return Err(ApiError::new(
                    400,
                    "BadDigest",
                    "The Content-MD5 you specified did not match what we received.",
                ));
            }
        }
        if let Some((name, checksum)) = self.checksum.take() {
            let trailer = trailers
                .iter()
                .find(|(trailer, _)| trailer == name)
                .map(|(_, value)| value.as_str());
            let stated = header(&parts.headers, name).or(trailer).ok_or_else(|| {
                ApiError::new(
                    400,
                    "MalformedTrailerError",
                    "The announced trailer is missing.",
                )
            })?;
            let computed = checksum.base64();
            if stated != computed {
                let algorithm = name.trim_start_matches("x-amz-checksum-").to_uppercase();
                return Err(ApiError::new(
                    400,
                    "BadDigest",
                    format!("The {algorithm} you specified did not match the calculated checksum."),
                ));
            }
            self.stated.insert(name.to_owned(), computed);
        }
        Ok(self)
    }
}

fn incomplete() -> ApiError {
    ApiError::new(
        400,
        "IncompleteBody",
        "The request body terminated unexpectedly",
    )
}

fn broken(error: std::io::Error) -> ApiError {
    ApiError::new(500, "InternalError", error.to_string())
}
