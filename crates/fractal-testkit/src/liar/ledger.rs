//! What a liar saw and sent. It is written before the answer leaves, so that a client that has its answer finds its request here.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// A request as it came.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Request {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// By name in lower case; of a name that came twice the last.
    pub headers: BTreeMap<String, String>,
    /// The body, as far as it came.
    pub body: Vec<u8>,
    /// The body ended before its stated length.
    pub cut: bool,
}

impl Request {
    /// A header by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// What came in `Authorization`, if it came.
    #[must_use]
    pub fn authorization(&self) -> Option<&str> {
        self.header("authorization")
    }

    /// Method and target.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }

    /// The target without its query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

/// Connections and bytes, counted where they pass the socket; below TLS where there is TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Connections that were taken.
    pub connections: u64,
    /// Those that are open now.
    pub open: u64,
    /// Bytes of answers handed to the system, heads included.
    pub sent: u64,
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    seen: Mutex<Vec<Request>>,
    connections: AtomicU64,
    open: AtomicU64,
    sent: AtomicU64,
}

impl Ledger {
    /// Keeps a request, and says how many came before it.
    pub(super) fn keep(&self, request: Request) -> usize {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(request);
        seen.len() - 1
    }

    pub(super) fn sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::SeqCst);
    }

    /// Counts a connection for as long as what it returns lives.
    pub(super) fn connected(&self) -> Connected<'_> {
        self.connections.fetch_add(1, Ordering::SeqCst);
        self.open.fetch_add(1, Ordering::SeqCst);
        Connected(self)
    }

    pub(super) fn seen(&self) -> Vec<Request> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn traffic(&self) -> Traffic {
        Traffic {
            connections: self.connections.load(Ordering::SeqCst),
            open: self.open.load(Ordering::SeqCst),
            sent: self.sent.load(Ordering::SeqCst),
        }
    }
}

/// An open connection.
pub(super) struct Connected<'a>(&'a Ledger);

impl Drop for Connected<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}
