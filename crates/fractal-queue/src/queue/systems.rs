//! Live systems as they were last read: one with a thousand components is not parsed again for each of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use fractal_core::contract::LiveSystemId;

use super::Queue;
use crate::document::live_system::LiveSystemDocument;
use crate::document::{self, key};
use crate::error::QueueError;
use crate::store::Revision;

/// How many are kept. All go where there would be more: what is in use comes back at once.
const KEPT_MAX: usize = 16;

/// By id: the document written at this revision.
#[derive(Default)]
pub(super) struct Systems {
    kept: Mutex<HashMap<LiveSystemId, (Revision, Arc<LiveSystemDocument>)>>,
}

impl Systems {
    fn get(&self, id: &LiveSystemId, revision: Revision) -> Option<Arc<LiveSystemDocument>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(id)
            .filter(|(known, _)| *known == revision)
            .map(|(_, system)| Arc::clone(system))
    }

    fn keep(&self, id: &LiveSystemId, revision: Revision, system: &Arc<LiveSystemDocument>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(id.clone(), (revision, Arc::clone(system)));
    }
}

impl Queue {
    /// A live system as it is in the store now, parsed only where it has changed.
    pub(super) async fn system(
        &self,
        id: &LiveSystemId,
    ) -> Result<Option<Arc<LiveSystemDocument>>, QueueError> {
        let document_key = key::live_system(id);
        let Some(stored) = self.store().get(&document_key).await? else {
            return Ok(None);
        };
        if let Some(known) = self.inner.systems.get(id, stored.revision) {
            return Ok(Some(known));
        }
        let system = Arc::new(document::read(&document_key, &stored.body)?);
        self.inner.systems.keep(id, stored.revision, &system);
        Ok(Some(system))
    }
}
