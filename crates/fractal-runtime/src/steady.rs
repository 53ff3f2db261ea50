//! Components that are in sync: looked at without a claim and without a write.
//!
//! Fingerprint and stamp equal means no facts, no render, no read beyond one survey. A slow sweep compares everything all the same.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fractal_core::Class;
use fractal_core::Fault;
use fractal_core::contract::ComponentKey;
use fractal_core::reconcile::{
    At, Consent, Goal, Platform, Preview, Record, Task, fingerprint, preview,
};
use fractal_queue::{ComponentDocument, Desired, Gate, QueueError};

use crate::inputs::inputs;
use crate::journal;
use crate::worker::{Wanted, Worker, of};

/// What is known of components in sync, beyond their documents.
pub(crate) struct Steadiness<P: Platform> {
    surveys: Mutex<HashMap<String, Survey<P>>>,
    swept: Mutex<HashMap<ComponentKey, Instant>>,
}

type Stamps<P> = Option<BTreeMap<<P as Platform>::Place, String>>;
type Survey<P> = Arc<tokio::sync::Mutex<Option<(Instant, Arc<Stamps<P>>)>>>;

impl<P: Platform> Default for Steadiness<P> {
    fn default() -> Self {
        Self {
            surveys: Mutex::default(),
            swept: Mutex::default(),
        }
    }
}

impl<P: Platform> Steadiness<P> {
    /// Whether a full comparison is due. The first one falls at a random moment of the first interval, so that a restart sweeps nothing at once.
    fn sweep_is_due(&self, key: &ComponentKey, interval: Duration) -> bool {
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let at = swept
            .entry(key.clone())
            .or_insert_with(|| now + interval.mul_f64(fastrand::f64()));
        if *at > now {
            return false;
        }
        *at = now + crate::backoff::around(interval, fastrand::f64());
        true
    }

    fn survey(&self, lane: &str) -> Survey<P> {
        self.surveys
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(lane.to_owned())
            .or_default()
            .clone()
    }

    /// Forgets components that are in scope no more.
    pub(crate) fn retain(&self, in_scope: &HashSet<&ComponentKey>) {
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        swept.retain(|key, _| in_scope.contains(key));
    }

    /// How many components have been seen in sync: what a survey saves reads for.
    fn known(&self) -> usize {
        self.swept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }
}

impl<P: Platform> Worker<P> {
    /// Whether there is nothing to do: in sync and unchanged, or failed for good and unchanged.
    pub(crate) async fn is_quiet(&self, document: &ComponentDocument) -> Result<bool, QueueError> {
        if document.tombstone
            || !document.wakes.is_empty()
            || document.taken_over
            || document.lease.is_some()
            || document.approval.is_some()
        {
            return Ok(false);
        }
        if document.status.observed_generation != document.generation {
            return Ok(false);
        }
        let hopeless = document
            .status
            .fault
            .as_ref()
            .is_some_and(|fault| fault.class == Class::Terminal);
        let synced = document.synced == document.generation
            && document.status.fault.is_none()
            && document.status.waiting_since.is_none();
        if !hopeless && !synced {
            return Ok(false);
        }
        match self.unchanged(document, hopeless).await? {
            Ok(quiet) => Ok(quiet),
            Err(fault) => {
                // What runs keeps running while its registry or cloud cannot be asked.
                tracing::warn!(reason = %fault.reason, fault = %fault, "could not look");
                Ok(true)
            }
        }
    }

    async fn unchanged(
        &self,
        document: &ComponentDocument,
        hopeless: bool,
    ) -> Result<Result<bool, Fault>, QueueError> {
        let Desired::Present(body) = self.queue.desired(document).await? else {
            return Ok(Ok(false));
        };
        let Gate::Ready(outputs) = self.queue.gate(document, Some(&body)).await? else {
            return Ok(Ok(hopeless));
        };
        let look = async {
            let inputs = inputs(&self.queue, &self.secrets, &body, outputs.clone()).await?;
            let needs = P::needs(&self.config, &inputs).map_err(Into::into)?;
            let resolved = self.resolve(&needs, &inputs.environment, false).await?;
            let record: Record<P::Place, P::Memo> = journal::load(document.record.as_ref())?;
            let current = fingerprint::<P>(&self.config, &inputs, &resolved.all()).ok();
            if hopeless {
                let known = document.status.artifact.as_ref();
                return Ok(match record.rejected {
                    Some(rejected) => Some(rejected) == current,
                    // It failed before a pass: for its parameters or its artifact.
                    None => known.is_some_and(|known| {
                        known.desired == resolved.target.digest
                            && known.beside == resolved.pinned_beside()
                    }),
                });
            }
            let Some(synced) = record
                .synced
                .as_ref()
                .filter(|synced| Some(&synced.fingerprint) == current.as_ref())
            else {
                return Ok(false);
            };
            let place =
                P::place(&self.config, &inputs, &self.owner(document)).map_err(Into::into)?;
            if synced.stamp != self.stamp(document, &place, &record).await? {
                return Ok(false);
            }
            if !self
                .steadiness
                .sweep_is_due(&document.key, self.settings.sweep)
            {
                return Ok(true);
            }
            let wanted = self.wanted(of(document), &body, outputs, false).await;
            match wanted {
                Ok(wanted) => self
                    .preview(document, Some(&wanted))
                    .await
                    .map(|preview| preview.now.is_empty() && preview.wait.is_none()),
                Err(_) => Ok(true),
            }
        };
        Ok(look.await)
    }

    /// The object's current stamp: from the lane's survey where there is one, else from one read.
    async fn stamp(
        &self,
        document: &ComponentDocument,
        place: &P::Place,
        record: &Record<P::Place, P::Memo>,
    ) -> Result<Option<String>, Fault> {
        if let Some(stamps) = &*self.surveyed(&P::lane(place)).await? {
            return Ok(stamps.get(place).cloned());
        }
        let at = At {
            owner: self.owner(document),
            place: place.clone(),
            memo: record.memo(place),
        };
        let observed = self.platform.observe(&at, None).await.map_err(Into::into)?;
        let stamp = P::stamp(&observed);
        Ok(stamp.filter(|_| P::is_marked(&at, &observed)))
    }

    async fn surveyed(&self, lane: &str) -> Result<Arc<Stamps<P>>, Fault> {
        let slot = self.steadiness.survey(lane);
        let mut known = slot.lock().await;
        if let Some((at, stamps)) = &*known
            && at.elapsed() < self.settings.interval / 2
        {
            return Ok(stamps.clone());
        }
        let stamps = Arc::new(
            self.platform
                .survey(lane, self.steadiness.known())
                .await
                .map_err(Into::into)?,
        );
        *known = Some((Instant::now(), stamps.clone()));
        Ok(stamps)
    }

    /// What a pass would do.
    pub(crate) async fn preview(
        &self,
        document: &ComponentDocument,
        wanted: Option<&Wanted>,
    ) -> Result<Preview, Fault> {
        let owner = self.owner(document);
        let goal = wanted.map_or(Goal::Absent, |wanted| Goal::Present {
            inputs: &wanted.inputs,
            rollout: &wanted.rollout,
        });
        let record = journal::load(document.record.as_ref())?;
        let task = Task {
            owner: &owner,
            config: &self.config,
            goal,
            record,
            consent: Consent::Withheld,
        };
        Box::pin(preview(&self.platform, &task)).await
    }
}
