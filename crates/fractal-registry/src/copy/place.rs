//! Bringing one blob to every target that lacks it: found, mounted, or sent from one read that all of them share.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use fractal_core::artifact::{Descriptor, RegistryHost, Repository};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::fan::{self, Feed, Outlet};
use super::target::{Target, Targets, live};
use super::{Run, fail};
use crate::client::Registry;
use crate::counts::tallied;
use crate::error::RegistryError;
use crate::push::session::{Opened, Session};
use crate::push::{Pushed, RepositoryRef};
use crate::site::Site;

/// How long targets that are ready wait for others to join their read.
const JOIN: Duration = Duration::from_secs(5);

/// Repositories that have the blob at hand, one for each registry.
type Holders = BTreeMap<RegistryHost, Repository>;

/// Where a target stands with a blob.
enum Standing {
    There(Pushed),
    Lacks(Slot),
}

/// What takes the blob's bytes.
enum Slot {
    Upload(Box<Session>),
    File,
}

/// A target that was asked.
struct Asked {
    target: Arc<Target>,
    attempt: u32,
    standing: Result<Standing, RegistryError>,
}

/// A target that waits for the blob's bytes.
struct Ready {
    target: Arc<Target>,
    attempt: u32,
    slot: Slot,
}

impl Run {
    /// Brings the blob to `targets`: to one of each registry first, from which the others mount it.
    pub(super) async fn place(self: Arc<Self>, blob: Descriptor, targets: Targets) {
        let blob = Arc::new(blob);
        let mut holders = Holders::new();
        if let Some(from) = self.from.repository() {
            holders.insert(from.host.clone(), from.repository.clone());
        }
        let mut waiting = targets;
        waiting.retain(|target| !target.knows(&blob.digest));
        while !waiting.is_empty() {
            let (now, later) = self.turn(waiting, &holders);
            self.round(&blob, &now, &holders).await;
            for target in live(&now) {
                if let Some(to) = target.site.repository() {
                    let holder = || to.repository.clone();
                    holders.entry(to.host.clone()).or_insert_with(holder);
                }
            }
            waiting = live(&later);
        }
    }

    /// Who is served now, and who waits for one of them to mount from.
    fn turn(&self, waiting: Targets, holders: &Holders) -> (Targets, Targets) {
        let mut first = Vec::new();
        waiting.into_iter().partition(|target| {
            let Some(RepositoryRef { host, .. }) = target.site.repository() else {
                return true;
            };
            if holders.contains_key(host) || self.mounts(host) == Some(false) {
                return true;
            }
            let is_first = !first.contains(host);
            first.push(host.clone());
            is_first
        })
    }

    fn mounts(&self, host: &RegistryHost) -> Option<bool> {
        let mounts = self.mounts.lock().unwrap_or_else(PoisonError::into_inner);
        mounts.get(host).copied()
    }

    fn mounted(&self, host: &RegistryHost, did: bool) {
        let mut mounts = self.mounts.lock().unwrap_or_else(PoisonError::into_inner);
        let known = mounts.entry(host.clone()).or_insert(did);
        // One blob that was not mounted says nothing where others were.
        *known |= did;
    }

    async fn round(self: &Arc<Self>, blob: &Arc<Descriptor>, now: &Targets, holders: &Holders) {
        let mut asking = JoinSet::new();
        for target in now {
            let holder = holder(target, holders);
            asking.spawn(self.clone().ask(blob.clone(), target.clone(), holder, 0));
        }
        while let Some(group) = gather(blob, &mut asking).await {
            for (target, attempt, result) in self.send(blob, group).await {
                match result {
                    Ok(()) => target.took(blob, Pushed::Uploaded),
                    Err(error) => {
                        let again = self.clone().again(blob.clone(), target, attempt, error);
                        asking.spawn(again);
                    }
                }
            }
        }
    }

    async fn ask(
        self: Arc<Self>,
        blob: Arc<Descriptor>,
        target: Arc<Target>,
        holder: Option<Repository>,
        attempt: u32,
    ) -> Asked {
        let asking = self.standing(&blob, &target, holder.as_ref(), attempt);
        let standing = tallied(&target.tally, asking).await;
        Asked {
            target,
            attempt,
            standing,
        }
    }

    /// Asks a target again whose upload failed, after a pause where that may help.
    async fn again(
        self: Arc<Self>,
        blob: Arc<Descriptor>,
        target: Arc<Target>,
        mut attempt: u32,
        error: RegistryError,
    ) -> Asked {
        let once = attempt == 0 && is_worth_one(&error);
        let goes_on = match &target.site {
            Site::Registry(..) if once => {
                attempt += 1;
                true
            }
            Site::Registry(registry, _) => {
                let transport = registry.transport();
                let deadline = Instant::now() + registry.options().retry.total;
                transport.pause(&mut attempt, &error, deadline).await
            }
            _ => false,
        };
        if !goes_on {
            return Asked {
                target,
                attempt,
                standing: Err(error),
            };
        }
        tracing::warn!(at = %target.site.shown(), digest = %blob.digest, attempt, error = %error, "blob upload begun again");
        self.ask(blob, target, None, attempt).await
    }

    async fn standing(
        &self,
        blob: &Descriptor,
        target: &Target,
        holder: Option<&Repository>,
        attempt: u32,
    ) -> Result<Standing, RegistryError> {
        let Site::Registry(registry, to) = &target.site else {
            return Ok(match target.site.has_blob(blob).await? {
                true => Standing::There(Pushed::Existed),
                false => Standing::Lacks(Slot::File),
            });
        };
        let session = match self.mount(blob, (registry, to), holder).await? {
            Some(Opened::Mounted) => return Ok(Standing::There(Pushed::Mounted)),
            Some(Opened::Session(session)) => Some(session),
            None => None,
        };
        let is_new = target.has_nothing() && attempt == 0;
        if !is_new && registry.has_blob(to, blob).await? {
            return Ok(Standing::There(match attempt {
                0 => Pushed::Existed,
                // The answer was lost after the blob had been taken.
                _ => Pushed::Uploaded,
            }));
        }
        let opened = match session {
            Some(session) => Opened::Session(session),
            None => registry.open_upload(to, blob, None).await?,
        };
        Ok(match opened {
            Opened::Session(session) => Standing::Lacks(Slot::Upload(session)),
            Opened::Mounted => Standing::There(Pushed::Mounted),
        })
    }

    /// Asks the registry to take the blob from `holder`; `None` where that is in vain.
    async fn mount(
        &self,
        blob: &Descriptor,
        (registry, to): (&Registry, &RepositoryRef),
        holder: Option<&Repository>,
    ) -> Result<Option<Opened>, RegistryError> {
        let Some(holder) = holder.filter(|_| self.mounts(&to.host) != Some(false)) else {
            return Ok(None);
        };
        let opened = match registry.open_upload(to, blob, Some(holder)).await {
            Ok(opened) => Some(opened),
            Err(error) if error.is_passing() => return Err(error),
            // Whoever may push here need not be allowed to read there.
            Err(_) => None,
        };
        self.mounted(&to.host, matches!(opened, Some(Opened::Mounted)));
        Ok(opened)
    }

    /// Sends the blob to everyone of `group` from one read.
    async fn send(
        &self,
        blob: &Arc<Descriptor>,
        group: Vec<Ready>,
    ) -> Vec<(Arc<Target>, u32, Result<(), RegistryError>)> {
        self.note_read(blob);
        let stream = match tallied(&self.tally, self.blobs.open(blob)).await {
            Ok(stream) => stream,
            Err(error) => {
                let all = group.into_iter();
                return all
                    .map(|ready| (ready.target, ready.attempt, Err(error.clone())))
                    .collect();
            }
        };
        let (mut uploads, mut outlets, mut waiting) = (JoinSet::new(), Vec::new(), Vec::new());
        for (place, ready) in group.into_iter().enumerate() {
            let (chunks, feed) = fan::share(blob.size);
            let offered = feed.offered();
            let (target, blob) = (ready.target.clone(), blob.clone());
            let upload = uploads.spawn(async move {
                let taking = take(&target, &blob, ready.slot, feed);
                (place, tallied(&target.tally, taking).await)
            });
            outlets.push(Outlet::new(chunks, offered, upload));
            waiting.push((ready.target, ready.attempt, None));
        }
        let pouring = fan::pour(stream, &mut outlets, self.waits, |bytes| {
            self.read.fetch_add(bytes, Ordering::Relaxed);
            self.progress.read.fetch_add(bytes, Ordering::Relaxed);
        });
        tallied(&self.tally, pouring).await;
        drop(outlets);
        while let Some(joined) = uploads.join_next().await {
            if let Ok((place, result)) = joined
                && let Some((.., slot)) = waiting.get_mut(place)
            {
                *slot = Some(result);
            }
        }
        let all = waiting.into_iter();
        all.map(|(target, attempt, result)| {
            let result = result.unwrap_or_else(|| Err(stalled(&target, self.waits.idle())));
            (target, attempt, result)
        })
        .collect()
    }

    fn note_read(&self, blob: &Descriptor) {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if !opened.insert(blob.digest.clone()) {
            self.rereads.fetch_add(1, Ordering::Relaxed);
        }
        self.progress
            .expected
            .fetch_add(blob.size, Ordering::Relaxed);
    }
}

fn holder(target: &Target, holders: &Holders) -> Option<Repository> {
    let to = target.site.repository()?;
    let holder = holders.get(&to.host)?;
    (*holder != to.repository).then(|| holder.clone())
}

/// A token may run out between the session and the blob; bytes may be damaged on one way and not on the next.
const fn is_worth_one(error: &RegistryError) -> bool {
    matches!(
        error,
        RegistryError::Unauthenticated { .. } | RegistryError::DigestMismatch { .. }
    )
}

/// The next targets that share a read: all that are ready soon after the first; `None` when nobody is left.
async fn gather(blob: &Descriptor, asking: &mut JoinSet<Asked>) -> Option<Vec<Ready>> {
    let mut ready: Vec<Ready> = Vec::new();
    let mut until = Instant::now();
    loop {
        let next = if ready.is_empty() {
            asking.join_next().await
        } else {
            match tokio::time::timeout_at(until, asking.join_next()).await {
                Ok(next) => next,
                Err(_) => break,
            }
        };
        let Some(asked) = next else { break };
        let Ok(Asked {
            target,
            attempt,
            standing,
        }) = asked
        else {
            continue;
        };
        match standing {
            Ok(Standing::There(pushed)) => target.took(blob, pushed),
            Ok(Standing::Lacks(slot)) => {
                if ready.is_empty() {
                    until = Instant::now() + JOIN;
                }
                ready.push(Ready {
                    target,
                    attempt,
                    slot,
                });
            }
            Err(error) => fail(&vec![target], &error),
        }
    }
    (!ready.is_empty()).then_some(ready)
}

async fn take(
    target: &Target,
    blob: &Descriptor,
    slot: Slot,
    feed: Feed,
) -> Result<(), RegistryError> {
    match (&target.site, slot) {
        (Site::Registry(registry, _), Slot::Upload(session)) => {
            let offered = Some(feed.offered());
            registry
                .fill(*session, blob, (Box::pin(feed), offered))
                .await
        }
        (site, _) => site.write_blob(blob, feed).await,
    }
}

fn stalled(target: &Target, limit: Duration) -> RegistryError {
    RegistryError::Slow {
        at: target.site.shown(),
        problem: format!("it took nothing for {limit:?}, or too little, while others waited")
            .into(),
    }
}
