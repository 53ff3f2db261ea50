//! What the thread that owns the connection is asked, each with the way its answer goes. Carries nothing out.

use tokio::sync::oneshot;

use super::super::{Change, Cursor, Expected, Revision, StoreError, Stored};
use super::Seen;

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

pub(super) enum Request {
    Read(Read),
    Write(Write),
}

pub(super) enum Read {
    Cursor {
        reply: Reply<Cursor>,
    },
    Get {
        key: String,
        reply: Reply<Option<Stored>>,
    },
    List {
        prefix: String,
        reply: Reply<Vec<Stored>>,
    },
    Changes {
        prefix: String,
        after: Revision,
        reply: Reply<Page>,
    },
}

pub(super) struct Write {
    pub(super) key: String,
    pub(super) expected: Expected,
    /// `None` deletes.
    pub(super) body: Option<Vec<u8>>,
    pub(super) reply: Reply<Revision>,
}

impl Request {
    pub(super) fn refuse(self, error: StoreError) {
        // Whoever went away needs no answer.
        match self {
            Self::Read(Read::Cursor { reply }) => drop(reply.send(Err(error))),
            Self::Read(Read::Get { reply, .. }) => drop(reply.send(Err(error))),
            Self::Read(Read::List { reply, .. }) => drop(reply.send(Err(error))),
            Self::Read(Read::Changes { reply, .. }) => drop(reply.send(Err(error))),
            Self::Write(Write { reply, .. }) => drop(reply.send(Err(error))),
        }
    }
}

/// Part of a watch. `upto` is the last revision it covers, foreign prefixes included.
pub(super) struct Page {
    pub(super) changes: Vec<Change>,
    pub(super) upto: Revision,
    pub(super) seen: Seen,
}
