//! What happens in the queue, for whoever shows it: live systems, components and agents, in the order they were written.

use std::collections::VecDeque;

use super::Queue;
use crate::document::agent::Presence;
use crate::document::component::ComponentDocument;
use crate::document::live_system::LiveSystemDocument;
use crate::document::{self, key};
use crate::error::QueueError;
use crate::store::{Change, Changes, Cursor};

/// Something that was written. A deleted document is known by its document key only.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A live system as it is now.
    LiveSystem(Box<LiveSystemDocument>),
    /// A component as it is now.
    Component(Box<ComponentDocument>),
    /// An agent announced itself.
    Agent(Box<Presence>),
    /// A document is gone.
    Deleted(String),
}

/// The stream of what happens.
pub struct Events {
    changes: Box<dyn Changes>,
    ready: VecDeque<Event>,
}

impl Queue {
    /// What happens after `from`; without it, everything there is comes first.
    #[must_use]
    pub fn changes(&self, from: Option<Cursor>) -> Events {
        Events {
            changes: self.store().watch("", from),
            ready: VecDeque::new(),
        }
    }
}

impl Events {
    /// The next event. A dropped future loses none.
    ///
    /// # Errors
    /// Where the store fails or a document cannot be read. After [`crate::store::StoreError::Restored`] or `Expired` a new
    /// stream has to begin without a cursor.
    pub async fn next(&mut self) -> Result<Event, QueueError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(event);
            }
            for change in self.changes.next().await? {
                self.ready.extend(event(change)?);
            }
        }
    }

    /// Where to go on later. Events that were not taken yet are counted as seen: take them first.
    #[must_use]
    pub fn cursor(&self) -> Option<Cursor> {
        self.changes.cursor()
    }
}

fn event(change: Change) -> Result<Option<Event>, QueueError> {
    let shown = [key::LIVE_SYSTEMS, key::COMPONENTS, key::AGENTS];
    let Some(kind) = shown.into_iter().find(|kind| change.key.starts_with(kind)) else {
        return Ok(None);
    };
    let Some(body) = change.body else {
        return Ok(Some(Event::Deleted(change.key)));
    };
    let event = match kind {
        key::LIVE_SYSTEMS => Event::LiveSystem(Box::new(document::read(&change.key, &body)?)),
        key::COMPONENTS => Event::Component(Box::new(document::read(&change.key, &body)?)),
        _ => Event::Agent(Box::new(document::read(&change.key, &body)?)),
    };
    Ok(Some(event))
}
