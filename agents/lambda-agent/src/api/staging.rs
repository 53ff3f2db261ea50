//! Zips in the staging bucket: streamed from the registry in bounded memory, never through a file.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream as S3Body;
use aws_sdk_s3::types::ChecksumMode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fractal_aws::Failure;
use fractal_core::Fault;
use fractal_core::artifact::Descriptor;
use fractal_core::reconcile::ByteStream;
use http_body::{Body, Frame, SizeHint};

use crate::error::Error;
use crate::place::Staged;

/// Whether the object is there, whole.
pub(super) async fn is_there(s3: &Client, object: &Staged, size: u64) -> Result<bool, Error> {
    let call = s3
        .head_object()
        .bucket(&object.bucket)
        .key(&object.key)
        .checksum_mode(ChecksumMode::Enabled);
    match call
        .send()
        .await
        .map_err(|error| Failure::new("HeadObject", error))
    {
        Ok(answer)
            if answer
                .content_length()
                .and_then(|length| u64::try_from(length).ok())
                == Some(size) =>
        {
            Ok(true)
        }
        Ok(_) => Err(Error::StagedDiffers(object.clone())),
        // A missing bucket says the same here; the put that follows tells them apart.
        Err(failure) if failure.status == Some(404) => Ok(false),
        Err(failure) => Err(Error::Call(failure)),
    }
}

/// Puts the zip there. Its length is announced and its last bytes come only once the digest holds,
/// so what S3 accepts is what was asked for; S3 checks the SHA-256 once more.
pub(super) async fn put(
    s3: &Client,
    object: &Staged,
    layer: &Descriptor,
    bytes: Box<dyn ByteStream>,
) -> Result<(), Error> {
    let (body, failed) = Upload::new(bytes, layer.size);
    let call = s3
        .put_object()
        .bucket(&object.bucket)
        .key(&object.key)
        .content_length(i64::try_from(layer.size).unwrap_or(i64::MAX))
        .checksum_sha256(STANDARD.encode(layer.digest.to_bytes()))
        .if_none_match("*")
        .body(S3Body::from_body_1_x(body));
    let answer = call
        .send()
        .await
        .map_err(|error| Failure::new("PutObject", error));
    match answer {
        Ok(_) => Ok(()),
        // Someone, probably an earlier attempt of ours, has put it there: the name is its digest.
        Err(failure) if failure.is("PreconditionFailed") || failure.status == Some(412) => Ok(()),
        Err(failure) => Err(failed
            .lock()
            .ok()
            .and_then(|mut fault| fault.take())
            .map_or(Error::Call(failure), Error::Fault)),
    }
}

/// Deletes the object; one that is gone already is as well.
pub(super) async fn delete(s3: &Client, object: &Staged) -> Result<(), Error> {
    let answer = s3
        .delete_object()
        .bucket(&object.bucket)
        .key(&object.key)
        .send()
        .await;
    match answer.map_err(|error| Failure::new("DeleteObject", error)) {
        Err(failure) if failure.status != Some(404) => Err(Error::Call(failure)),
        _ => Ok(()),
    }
}

/// Whether the bucket is there and may be used.
pub(super) async fn probe(s3: &Client, bucket: &str) -> Result<String, Error> {
    let answer = s3
        .head_bucket()
        .bucket(bucket)
        .send()
        .await
        .map_err(|error| Failure::new("HeadBucket", error));
    match answer {
        Ok(_) => Ok(format!("bucket {bucket}")),
        // HEAD answers have no body to carry a code.
        Err(failure) if failure.status == Some(404) => Err(crate::error::no_bucket(bucket)),
        Err(failure) => Err(Error::Call(failure)),
    }
}

type Failed = std::sync::Arc<std::sync::Mutex<Option<Fault>>>;
type Next =
    Pin<Box<dyn Future<Output = (Box<dyn ByteStream>, Result<Option<Bytes>, Fault>)> + Send>>;

/// A verified stream as a request body. What the registry did wrong is kept beside it: the SDK would only say that the body failed.
struct Upload {
    next: std::sync::Mutex<Option<Next>>,
    left: u64,
    failed: Failed,
}

impl Upload {
    fn new(bytes: Box<dyn ByteStream>, size: u64) -> (Self, Failed) {
        let failed = Failed::default();
        (
            Self {
                next: std::sync::Mutex::new(Some(read(bytes))),
                left: size,
                failed: failed.clone(),
            },
            failed,
        )
    }
}

fn read(mut bytes: Box<dyn ByteStream>) -> Next {
    Box::pin(async move {
        let piece = bytes.next().await;
        (bytes, piece)
    })
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let this = self.get_mut();
        let next = this
            .next
            .get_mut()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some(future) = next.as_mut() else {
            return Poll::Ready(None);
        };
        let (bytes, piece) = ready!(future.as_mut().poll(cx));
        *next = None;
        match piece {
            Ok(Some(piece)) => {
                this.left = this.left.saturating_sub(piece.len() as u64);
                *next = Some(read(bytes));
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Ok(None) => Poll::Ready(None),
            Err(fault) => {
                if let Ok(mut failed) = this.failed.lock() {
                    *failed = Some(fault.clone());
                }
                Poll::Ready(Some(Err(fault)))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
