//! How a step gets at artifact bytes: only as a verified stream.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

use crate::artifact::{Descriptor, Reference};
use crate::fault::{Fault, Reason};

/// A boxed future, where a trait object needs one.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Gives out verified artifact bytes.
pub trait Content: Send + Sync {
    /// Opens the blob that `what` describes, in the repository of `from`.
    fn open<'a>(
        &'a self,
        from: &'a Reference,
        what: &'a Descriptor,
    ) -> BoxFuture<'a, Result<Box<dyn ByteStream>, Fault>>;
}

/// Bytes in pieces, in bounded memory.
///
/// Behaviour:
/// - exactly as many bytes as the descriptor says, then `None`;
/// - the last piece is given out only once size and digest hold, so that what is sent on with its length announced never completes with wrong bytes;
/// - after an error nothing more is given out.
pub trait ByteStream: Send {
    /// The next piece.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, Fault>>;
}

/// Content for a pass that must not need any: taking something away.
#[derive(Debug, Clone, Copy)]
pub struct NoContent;

impl Content for NoContent {
    fn open<'a>(
        &'a self,
        from: &'a Reference,
        _: &'a Descriptor,
    ) -> BoxFuture<'a, Result<Box<dyn ByteStream>, Fault>> {
        let fault = Fault::transient(
            Reason::new("ContentUnavailable"),
            "the artifact is not at hand in this pass",
        )
        .at(from);
        Box::pin(std::future::ready(Err(fault)))
    }
}
