//! What one agent has to do: its scope read once, then followed by a watch, and kept as a few words per component.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use fractal_core::Timestamp;
use fractal_core::contract::{ComponentKey, LiveSystemId};

use super::Queue;
use crate::document::agent::{Environments, Scope};
use crate::document::ask::Ask;
use crate::document::component::ComponentDocument;
use crate::document::live_system::LiveSystemDocument;
use crate::document::{self, key};
use crate::error::QueueError;
use crate::store::{Change, Changes, StoreError};

/// A component whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Its key.
    pub key: ComponentKey,
    /// The desired generation.
    pub generation: u64,
    /// Whether its worker must have nothing else in flight.
    pub alone: bool,
    /// Whether the last worker seems to be dead.
    pub takeover: bool,
}

/// The due times of a scope. One per agent; it costs about 300 bytes per component.
pub struct Agenda {
    queue: Queue,
    scope: Scope,
    feeds: [Feed; 3],
    /// Live systems that were written since their components were last looked at.
    flipped: BTreeSet<LiveSystemId>,
    entries: HashMap<Box<str>, Entry>,
    questions: HashMap<Box<str>, Ask>,
}

/// A watch that begins anew where the store was restored.
struct Feed {
    prefix: &'static str,
    changes: Box<dyn Changes>,
}

struct Entry {
    key: ComponentKey,
    generation: u64,
    due: Timestamp,
    /// A later time that only this agent knows of: a steady pass found nothing to do and wrote nothing.
    deferred: Option<Timestamp>,
    /// The document, kept only while somebody works on it: its lease has to be watched.
    leased: Option<Box<ComponentDocument>>,
    alone: bool,
    set_aside: bool,
}

impl Queue {
    /// The agenda of a scope. It knows nothing before the first [`Agenda::refresh`].
    #[must_use]
    pub fn agenda(&self, scope: Scope) -> Agenda {
        let feed = |prefix| Feed {
            prefix,
            changes: self.store().watch(prefix, None),
        };
        Agenda {
            queue: self.clone(),
            scope,
            feeds: [
                feed(key::COMPONENTS),
                feed(key::ASKS),
                feed(key::LIVE_SYSTEMS),
            ],
            flipped: BTreeSet::new(),
            entries: HashMap::new(),
            questions: HashMap::new(),
        }
    }

    /// Up to `max` components of a scope that are due, from one read of everything. Agents follow an [`Agenda`] instead.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn due(
        &self,
        scope: Scope,
        now: Timestamp,
        max: usize,
    ) -> Result<Vec<Due>, QueueError> {
        let mut agenda = self.agenda(scope);
        agenda.refresh().await?;
        Ok(agenda.due(now, max))
    }
}

impl Agenda {
    /// Takes in all there is to know now. Call it until it succeeds: a restored store is read anew.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn refresh(&mut self) -> Result<(), QueueError> {
        let mut feed = 0;
        while let Some(watch) = self.feeds.get_mut(feed) {
            match watch.changes.ready().await {
                Err(error) => return self.begin_anew(error),
                Ok(changes) if changes.is_empty() => feed += 1,
                Ok(changes) => self.take_in(changes),
            }
        }
        self.follow_flips().await
    }

    /// Waits until something changes, and takes it in. A dropped future loses nothing.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn changed(&mut self) -> Result<(), QueueError> {
        self.follow_flips().await?;
        let [components, asks, systems] = &mut self.feeds;
        let changes = tokio::select! {
            changes = components.changes.next() => changes,
            changes = asks.changes.next() => changes,
            changes = systems.changes.next() => changes,
        };
        match changes {
            Ok(changes) => self.take_in(changes),
            Err(error) => self.begin_anew(error)?,
        }
        self.follow_flips().await
    }

    /// Whoever flipped a live system lets its components follow; where it died in between, we do.
    async fn follow_flips(&mut self) -> Result<(), QueueError> {
        while let Some(id) = self.flipped.last().cloned() {
            match self.queue.follow(&id).await {
                Err(QueueError::Store(error)) => return Err(error.into()),
                Err(error) => {
                    let error = fractal_core::fault::chain(&error);
                    tracing::warn!(live_system = %id, error, "a live system was not followed");
                }
                Ok(()) => {}
            }
            self.flipped.remove(&id);
        }
        Ok(())
    }

    /// Up to `max` components that are due, the longest waiting first. A worker that stood still long enough counts as dead.
    #[must_use]
    pub fn due(&self, now: Timestamp, max: usize) -> Vec<Due> {
        let mut all: Vec<(&Box<str>, &Entry)> = self
            .entries
            .iter()
            .filter(|(key, entry)| self.is_due(key, entry, now))
            .collect();
        all.sort_by_key(|(key, entry)| (entry.time(), *key));
        all.into_iter()
            .take(max)
            .map(|(_, entry)| entry.as_due())
            .collect()
    }

    /// How long there is nothing due, at `now`; `None` where nothing ever will be without a change.
    #[must_use]
    pub fn idle(&self, now: Timestamp) -> Option<Duration> {
        self.entries
            .iter()
            .filter(|(_, entry)| !entry.set_aside)
            .map(|(key, entry)| self.idle_of(key, entry, now))
            .min()
    }

    /// Leaves a component alone until `until`, in this process only and only until its document changes.
    pub fn defer(&mut self, key: &ComponentKey, until: Timestamp) {
        if let Some(entry) = self.entries.get_mut(key::component(key).as_str()) {
            entry.deferred = Some(until);
        }
    }

    /// Questions nobody has answered yet, the oldest first.
    #[must_use]
    pub fn asks(&self) -> Vec<Ask> {
        let mut open: Vec<Ask> = self.questions.values().cloned().collect();
        open.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        open
    }

    /// Keys of everything in scope.
    pub fn keys(&self) -> impl Iterator<Item = &ComponentKey> {
        self.entries.values().map(|entry| &entry.key)
    }

    fn begin_anew(&mut self, error: StoreError) -> Result<(), QueueError> {
        if !matches!(error, StoreError::Restored | StoreError::Expired { .. }) {
            return Err(error.into());
        }
        tracing::warn!(reason = %error, "the queue was read anew");
        for feed in &mut self.feeds {
            feed.changes = self.queue.store().watch(feed.prefix, None);
        }
        self.entries.clear();
        self.questions.clear();
        Ok(())
    }

    fn take_in(&mut self, changes: Vec<Change>) {
        for change in changes {
            let taken = if change.key.starts_with(key::LIVE_SYSTEMS) {
                self.take_flip(&change)
            } else if change.key.starts_with(key::ASKS) {
                self.take_question(&change)
            } else {
                self.take_component(&change)
            };
            if let Err(error) = taken {
                tracing::warn!(key = change.key, error = %fractal_core::fault::chain(&error), "a document was passed over");
            }
        }
    }

    fn take_component(&mut self, change: &Change) -> Result<(), QueueError> {
        self.entries.remove(change.key.as_str());
        let Some(body) = change.body.as_ref().filter(|_| self.may_cover(&change.key)) else {
            return Ok(());
        };
        let document: ComponentDocument = document::read(&change.key, body)?;
        if self.scope.covers(&document.key) {
            // The first look starts the challenger's watch.
            let held = self.queue.held_for(&change.key, &document).is_some();
            self.entries
                .insert(change.key.as_str().into(), Entry::of(document, held));
        }
        Ok(())
    }

    fn take_flip(&mut self, change: &Change) -> Result<(), QueueError> {
        let Some(body) = &change.body else {
            return Ok(());
        };
        let system: LiveSystemDocument = document::read(&change.key, body)?;
        self.flipped.insert(system.id);
        Ok(())
    }

    fn take_question(&mut self, change: &Change) -> Result<(), QueueError> {
        self.questions.remove(change.key.as_str());
        let Some(body) = &change.body else {
            return Ok(());
        };
        let ask: Ask = document::read(&change.key, body)?;
        if ask.answer.is_none() && self.scope.covers(&ask.key) {
            self.questions.insert(change.key.as_str().into(), ask);
        }
        Ok(())
    }

    /// Foreign components are passed over without being parsed.
    fn may_cover(&self, document_key: &str) -> bool {
        let here = match &self.scope.environments {
            Environments::All => true,
            Environments::Only(some) => some
                .iter()
                .any(|id| key::is_of(document_key, None, Some(&key::encoded_environment(id)))),
        };
        let offers = &self.scope.offers;
        here && (offers.is_empty()
            || offers
                .iter()
                .any(|offer| key::is_of(document_key, Some(&key::encoded_offer(offer)), None)))
    }

    fn is_due(&self, key: &str, entry: &Entry, now: Timestamp) -> bool {
        !entry.set_aside && self.idle_of(key, entry, now).is_zero()
    }

    fn idle_of(&self, key: &str, entry: &Entry, now: Timestamp) -> Duration {
        // A lease stands in for the due time: whoever holds it works on it now.
        if let Some(document) = &entry.leased {
            return self.queue.held_for(key, document).unwrap_or_default();
        }
        Duration::from_millis(entry.time().unix_millis().saturating_sub(now.unix_millis()))
    }
}

impl Entry {
    fn of(document: ComponentDocument, held: bool) -> Self {
        let dead = document.lease.is_some() && !held;
        Self {
            key: document.key.clone(),
            generation: document.generation,
            due: document.due,
            deferred: None,
            alone: document.must_be_alone(dead),
            set_aside: document.set_aside.is_some(),
            leased: document.lease.is_some().then(|| Box::new(document)),
        }
    }

    fn time(&self) -> Timestamp {
        self.deferred.unwrap_or(self.due).max(self.due)
    }

    fn as_due(&self) -> Due {
        let takeover = self.leased.is_some();
        let alone = self
            .leased
            .as_ref()
            .map_or(self.alone, |document| document.must_be_alone(true));
        Due {
            key: self.key.clone(),
            generation: self.generation,
            alone,
            takeover,
        }
    }
}
