//! Answers as bytes: what no HTTP library would send is sent as readily as what it would.

use std::fmt::Display;
use std::io::Write as _;
use std::time::Duration;

use super::ledger::Request;

/// One answer.
#[derive(Debug)]
pub struct Reply {
    head: Vec<u8>,
    framed: bool,
    pub(super) body: Body,
    pub(super) then: Then,
}

#[derive(Debug)]
pub(super) enum Body {
    Whole(Vec<u8>),
    /// The same chunk again and again, framed as chunks of HTTP, until the client goes.
    Endless(Vec<u8>),
    /// Pieces of so many bytes, with a pause after each.
    Slow(Vec<u8>, usize, Duration),
}

/// What follows an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The next request is waited for.
    KeepAlive,
    /// The connection is closed.
    Close,
    /// Neither sends nor closes.
    Stall,
}

impl Reply {
    /// An answer with this status and no body.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self {
            head: format!("HTTP/1.1 {status} Scripted\r\n").into_bytes(),
            framed: false,
            body: Body::Whole(Vec::new()),
            then: Then::KeepAlive,
        }
    }

    /// No answer: the connection is closed without one.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            head: Vec::new(),
            framed: true,
            body: Body::Whole(Vec::new()),
            then: Then::Close,
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Display) -> Self {
        self.framed |= matches!(name, "Content-Length" | "Transfer-Encoding");
        // Writing to memory does not fail.
        let _written = write!(self.head, "{name}: {value}\r\n");
        self
    }

    /// Adds a header whose value is any bytes.
    #[must_use]
    pub fn raw_header(mut self, name: &str, value: &[u8]) -> Self {
        self.head.extend_from_slice(name.as_bytes());
        self.head.extend_from_slice(b": ");
        self.head.extend_from_slice(value);
        self.head.extend_from_slice(b"\r\n");
        self
    }

    /// A body with its true length.
    #[must_use]
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let length = body.len();
        self.body_of_length(body, length)
    }

    /// A body whose stated length is another.
    #[must_use]
    pub fn body_of_length(mut self, body: impl Into<Vec<u8>>, length: usize) -> Self {
        self.body = Body::Whole(body.into());
        self.header("Content-Length", length)
    }

    /// A body without a stated length.
    #[must_use]
    pub fn chunked(mut self, chunks: &[&[u8]]) -> Self {
        let mut body: Vec<u8> = chunks.iter().flat_map(|chunk| framed(chunk)).collect();
        body.extend_from_slice(b"0\r\n\r\n");
        self.body = Body::Whole(body);
        self.header("Transfer-Encoding", "chunked")
    }

    /// A body of `chunk` again and again, without a stated length and without end.
    #[must_use]
    pub fn endless(mut self, chunk: &[u8]) -> Self {
        self.body = Body::Endless(framed(chunk));
        self.header("Transfer-Encoding", "chunked")
    }

    /// A body with its true length, `piece` bytes at a time, with a pause after each.
    #[must_use]
    pub fn slowly(mut self, body: impl Into<Vec<u8>>, piece: usize, pause: Duration) -> Self {
        let body = body.into();
        let length = body.len();
        self.body = Body::Slow(body, piece.max(1), pause);
        self.header("Content-Length", length)
    }

    /// The same, of whose body only so many bytes are sent; its stated length stays.
    #[must_use]
    pub fn cut(mut self, after: usize) -> Self {
        if let Body::Whole(bytes) | Body::Slow(bytes, ..) = &mut self.body {
            bytes.truncate(after);
        }
        self
    }

    /// What follows it.
    #[must_use]
    pub fn then(mut self, then: Then) -> Self {
        self.then = then;
        self
    }

    /// Content, or the range of it that was asked for, as a registry answers.
    #[must_use]
    pub fn ranged(request: &Request, content: &[u8]) -> Self {
        let whole = || Self::new(200).body(content);
        let asked = request
            .header("range")
            .and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
        let Some((first, last)) = asked else {
            return whole();
        };
        let end = content.len().saturating_sub(1);
        let last = last.parse::<usize>().unwrap_or(end).min(end);
        let range = first
            .parse::<usize>()
            .ok()
            .and_then(|first| Some((first, content.get(first..=last)?)));
        match range {
            Some((first, part)) => Self::new(206)
                .header(
                    "Content-Range",
                    format!("bytes {first}-{last}/{}", content.len()),
                )
                .body(part),
            None => Self::new(416),
        }
    }

    /// A 404 with one of the specification's codes.
    #[must_use]
    pub fn missing(code: &str) -> Self {
        Self::refusing(404, code, "not here")
    }

    /// An error as the specification words them.
    #[must_use]
    pub fn refusing(status: u16, code: &str, message: &str) -> Self {
        Self::new(status).body(format!(
            r#"{{"errors":[{{"code":"{code}","message":"{message}"}}]}}"#
        ))
    }

    /// The bytes before the body.
    pub(super) fn head(&self) -> Vec<u8> {
        let mut head = self.head.clone();
        if !self.framed {
            head.extend_from_slice(b"Content-Length: 0\r\n");
        }
        if !head.is_empty() {
            head.extend_from_slice(b"\r\n");
        }
        head
    }
}

/// A chunk as HTTP frames it.
fn framed(chunk: &[u8]) -> Vec<u8> {
    let mut framed = format!("{:x}\r\n", chunk.len()).into_bytes();
    framed.extend_from_slice(chunk);
    framed.extend_from_slice(b"\r\n");
    framed
}
