//! A watch: pages of what was written after a revision, pulled by the reader, and a wait where there is none.
//!
//! There is no log: the documents themselves, ordered by revision, are the history, and tombstones are its deletes.

use std::sync::Arc;

use tokio::sync::watch;

use super::{Change, Changes, Cursor, Link, Revision, Seen, StoreError, StoreFuture};

pub(super) struct Follow {
    link: Arc<Link>,
    prefix: String,
    at: Option<Cursor>,
    /// Deletes up to here were swept before this watch began, so that it never had to see them.
    swept: Option<Revision>,
    seen: watch::Receiver<Seen>,
}

impl Follow {
    pub(super) fn new(link: Arc<Link>, prefix: &str, at: Option<Cursor>) -> Self {
        let seen = link.seen.clone();
        Self {
            link,
            prefix: prefix.into(),
            at,
            swept: None,
            seen,
        }
    }

    async fn page(&mut self) -> Result<Vec<Change>, StoreError> {
        self.seen.mark_unchanged();
        let after = self.at.as_ref().map_or(Revision::ZERO, |at| at.revision);
        let page = self.link.page(self.prefix.clone(), after).await?;
        self.check(&page.seen, after)?;
        self.at = Some(Cursor {
            incarnation: page.seen.cursor.incarnation,
            revision: page.upto,
        });
        Ok(page.changes)
    }

    fn check(&mut self, now: &Seen, after: Revision) -> Result<(), StoreError> {
        if let Some(at) = &self.at
            && (at.incarnation != now.cursor.incarnation || now.cursor.revision < at.revision)
        {
            return Err(StoreError::Restored);
        }
        let from_scratch = after == Revision::ZERO;
        let known = *self
            .swept
            .get_or_insert(if from_scratch { now.swept } else { after });
        if now.swept > known && after < now.swept {
            return Err(StoreError::Expired { from: after });
        }
        Ok(())
    }
}

impl Changes for Follow {
    fn next(&mut self) -> StoreFuture<'_, Vec<Change>> {
        Box::pin(async move {
            loop {
                let changes = self.page().await?;
                if !changes.is_empty() {
                    return Ok(changes);
                }
                self.seen.changed().await.map_err(|_| StoreError::Closed)?;
            }
        })
    }

    fn ready(&mut self) -> StoreFuture<'_, Vec<Change>> {
        Box::pin(self.page())
    }

    fn cursor(&self) -> Option<Cursor> {
        self.at.clone()
    }
}
