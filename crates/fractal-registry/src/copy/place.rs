//! What is asked of a target about one blob: is it there, can it be mounted, may it be sent; and again where that broke off.
//!
//! Who is asked when is not decided here.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use fractal_core::artifact::{Descriptor, RegistryHost, Repository};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::Run;
use super::target::Target;
use crate::client::Registry;
use crate::counts::tallied;
use crate::error::RegistryError;
use crate::push::session::{Opened, Session};
use crate::push::{Pushed, RepositoryRef};
use crate::site::Site;

/// Repositories that have the blob at hand, one for each registry.
pub(super) type Holders = BTreeMap<RegistryHost, Repository>;

/// Where a target stands with a blob.
pub(super) enum Standing {
    There(Pushed),
    Lacks(Slot),
}

/// What takes the blob's bytes.
pub(super) enum Slot {
    Upload(Box<Session>),
    File,
}

/// A target that was asked.
pub(super) struct Asked {
    pub(super) target: Arc<Target>,
    pub(super) attempt: u32,
    pub(super) standing: Result<Standing, RegistryError>,
    pub(super) room: Room,
}

/// A target that waits for the blob's bytes.
pub(super) struct Ready {
    pub(super) target: Arc<Target>,
    pub(super) attempt: u32,
    pub(super) slot: Slot,
    pub(super) room: Room,
}

/// One of the uploads that a target may have open.
pub(super) type Room = Option<OwnedSemaphorePermit>;

impl Run {
    pub(super) fn mounts(&self, host: &RegistryHost) -> Option<bool> {
        let mounts = self.mounts.lock().unwrap_or_else(PoisonError::into_inner);
        mounts.get(host).copied()
    }

    fn mounted(&self, host: &RegistryHost, did: bool) {
        let mut mounts = self.mounts.lock().unwrap_or_else(PoisonError::into_inner);
        let known = mounts.entry(host.clone()).or_insert(did);
        // One blob that was not mounted says nothing where others were.
        *known |= did;
    }

    pub(super) async fn ask(
        self: Arc<Self>,
        blob: Arc<Descriptor>,
        target: Arc<Target>,
        holder: Option<Repository>,
        attempt: u32,
    ) -> Asked {
        let room = target.uploads.clone().acquire_owned().await.ok();
        let asking = self.standing(&blob, &target, holder.as_ref(), attempt);
        let standing = tallied(&target.tally, asking).await;
        Asked {
            target,
            attempt,
            standing,
            room,
        }
    }

    /// Asks a target again whose upload failed, after a pause where that may help.
    pub(super) async fn again(
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
                room: None,
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

    pub(super) fn note_read(&self, blob: &Descriptor) {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if !opened.insert(blob.digest.clone()) {
            self.rereads.fetch_add(1, Ordering::Relaxed);
        }
        self.progress
            .expected
            .fetch_add(blob.size, Ordering::Relaxed);
    }
}

pub(super) fn holder(target: &Target, holders: &Holders) -> Option<Repository> {
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
