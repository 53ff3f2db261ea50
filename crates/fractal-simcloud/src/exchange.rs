//! One HTTP exchange as values: a bounded request body in, a reply out. No routing and no service's error format.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::Response;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncSeekExt as _, ReadBuf};

/// A refused body is read on to its end up to this size, so that the client is still there to read the refusal.
const DRAINED: u64 = 256 << 20;
const CHUNK: usize = 64 << 10;
/// What was written is sent while nothing more comes, and dropped when an error does.
const FLUSH: std::time::Duration = std::time::Duration::from_millis(50);

pub(crate) type ReplyBody = BoxBody<Bytes, io::Error>;

/// What leaves, or that nothing does.
pub(crate) enum Answer {
    Reply(Reply),
    /// Close the connection without a byte.
    Cut,
    /// Reset the connection.
    Reset,
}

#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) content: Content,
    /// The error code, when this is an error.
    pub(crate) error: Option<String>,
    /// The body breaks off after so many bytes.
    pub(crate) cut_after: Option<u64>,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    Empty,
    Bytes(Bytes),
    File {
        path: PathBuf,
        start: u64,
        length: u64,
    },
}

impl Content {
    fn length(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { length, .. } => *length,
        }
    }
}

impl Reply {
    pub(crate) fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content: Content::Empty,
            error: None,
            cut_after: None,
        }
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn bytes(mut self, kind: &str, bytes: impl Into<Bytes>) -> Self {
        self.content = Content::Bytes(bytes.into());
        self.header("content-type", kind)
    }

    pub(crate) fn json(status: u16, value: &serde_json::Value) -> Self {
        Self::new(status).bytes("application/json", value.to_string())
    }

    pub(crate) fn content(mut self, content: Content) -> Self {
        self.content = content;
        self
    }

    pub(crate) fn coded(mut self, code: impl Into<String>) -> Self {
        self.error = Some(code.into());
        self
    }

    pub(crate) fn is_success(&self) -> bool {
        self.status < 400
    }

    /// The response, with the content's length but not the content itself after a HEAD.
    pub(crate) async fn into_response(self, head: bool) -> Response<ReplyBody> {
        let mut builder = Response::builder().status(self.status);
        for (name, value) in &self.headers {
            builder = builder.header(name, value);
        }
        let own_length = self
            .headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        if !own_length && self.status != 204 && self.status != 304 {
            builder = builder.header("content-length", self.content.length());
        }
        let body = if head {
            Ok(empty())
        } else {
            body_of(self.content).await
        };
        let body = body.map(|body| match self.cut_after {
            Some(left) => CutBody {
                body,
                left,
                flushed: None,
            }
            .boxed(),
            None => body,
        });
        body.ok()
            .and_then(|body| builder.body(body).ok())
            .unwrap_or_else(broken)
    }
}

fn broken() -> Response<ReplyBody> {
    let mut response = Response::new(empty());
    *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
    response
}

fn empty() -> ReplyBody {
    Empty::new().map_err(|never| match never {}).boxed()
}

async fn body_of(content: Content) -> io::Result<ReplyBody> {
    Ok(match content {
        Content::Empty => empty(),
        Content::Bytes(bytes) => Full::new(bytes).map_err(|never| match never {}).boxed(),
        Content::File {
            path,
            start,
            length,
        } => {
            let mut file = File::open(path).await?;
            file.seek(io::SeekFrom::Start(start)).await?;
            FileBody { file, left: length }.boxed()
        }
    })
}

/// A body that fails after so many bytes, which ends its connection.
struct CutBody {
    body: ReplyBody,
    left: u64,
    flushed: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Body for CutBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            let flushed = self
                .flushed
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(FLUSH)));
            ready!(flushed.as_mut().poll(cx));
            return Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())));
        }
        let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(cx)) else {
            return Poll::Ready(None);
        };
        let mut data = frame?.into_data().unwrap_or_default();
        data.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left = self.left.saturating_sub(data.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

struct FileBody {
    file: File,
    left: u64,
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let wanted = usize::try_from(self.left).unwrap_or(CHUNK).min(CHUNK);
        let mut chunk = vec![0; wanted];
        let mut buffer = ReadBuf::new(&mut chunk);
        ready!(Pin::new(&mut self.file).poll_read(cx, &mut buffer))?;
        let read = buffer.filled().len();
        if read == 0 {
            return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
        }
        chunk.truncate(read);
        self.left = self.left.saturating_sub(read as u64);
        Poll::Ready(Some(Ok(Frame::data(chunk.into()))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Why a request body was not taken.
#[derive(Debug)]
pub(crate) enum BodyError {
    TooLarge,
    Broken,
}

/// The whole body, when it has at most `limit` bytes.
pub(crate) async fn read_body(body: &mut Incoming, limit: usize) -> Result<Bytes, BodyError> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = next_chunk(body).await? {
        if bytes.len().saturating_add(chunk.len()) > limit {
            drain(body).await;
            return Err(BodyError::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

/// The next bytes of a body; `None` at its end.
pub(crate) async fn next_chunk(body: &mut Incoming) -> Result<Option<Bytes>, BodyError> {
    while let Some(frame) = body.frame().await {
        if let Ok(chunk) = frame.map_err(|_| BodyError::Broken)?.into_data() {
            return Ok(Some(chunk));
        }
    }
    Ok(None)
}

/// Reads what is left of a body and forgets it.
pub(crate) async fn drain(body: &mut Incoming) {
    let mut drained = 0_u64;
    while let Ok(Some(chunk)) = next_chunk(body).await {
        drained = drained.saturating_add(chunk.len() as u64);
        if drained > DRAINED {
            break;
        }
    }
}

/// The byte range a `Range: bytes=a-b` header asks of `size` bytes: `None` without one, an error when it lies outside.
pub(crate) fn byte_range(header: Option<&str>, size: u64) -> Result<Option<(u64, u64)>, ()> {
    let Some((first, last)) = header
        .and_then(|text| text.strip_prefix("bytes="))
        .and_then(|text| text.split_once('-'))
    else {
        return Ok(None);
    };
    let (start, end) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(start), Ok(end)) if end < start => return Ok(None),
        (Ok(start), Ok(end)) => (start, end.min(size.saturating_sub(1))),
        (Ok(start), Err(_)) if last.is_empty() => (start, size.saturating_sub(1)),
        (Err(_), Ok(suffix)) if first.is_empty() && suffix > 0 => {
            (size.saturating_sub(suffix), size.saturating_sub(1))
        }
        _ => return Ok(None),
    };
    if start >= size {
        Err(())
    } else {
        Ok(Some((start, end.saturating_sub(start).saturating_add(1))))
    }
}
