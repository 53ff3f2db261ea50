//! The cloud's calls. Each counts for the armed faults, is entered in the ledger, and answers as a service on a network would.

use std::collections::BTreeMap;
use std::time::Duration;

use super::cloud::{Cloud, Operation, Seen, State, Stored, Version};
use crate::conformance::{Call, Outcome, Touch, Trouble};

/// What an operation that fails late says.
pub(super) const LATE: &str = "ZoneExhausted: the zone has no room";

/// What a call can fail with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(super) enum CloudError {
    #[error("no answer")]
    Unreachable,
    #[error("429: too many calls")]
    Throttled { retry_after: Duration },
    #[error("403: `{operation}` is denied")]
    Denied { operation: &'static str },
    #[error("404: there is no such object")]
    NotFound,
    #[error("409: {0}")]
    Conflict(&'static str),
    #[error("400: {0}")]
    Invalid(&'static str),
}

type Answer<T> = Result<T, CloudError>;

/// What the armed faults do to one call.
#[derive(Debug, Default)]
struct Fate {
    prevented: Option<CloudError>,
    answer_lost: bool,
    hangs: bool,
    stale_reads: u32,
    fails_late: bool,
}

impl State {
    fn fate(&mut self, operation: &'static str, touches: Touch) -> Fate {
        let mut fate = Fate::default();
        let write = touches != Touch::Nothing;
        let on_object = write && touches != Touch::Staged && touches != Touch::Marker;
        self.armed.retain_mut(|armed| {
            let counts = match armed.trouble {
                Trouble::Forbids(_) => write,
                Trouble::FailsLate => on_object && touches != Touch::Delete,
                _ => true,
            };
            armed.seen += usize::from(counts);
            let struck = counts && fate.strike(armed.trouble, armed.seen, operation, on_object);
            !struck
        });
        fate
    }
}

impl Fate {
    /// Whether the fault is used up.
    fn strike(
        &mut self,
        trouble: Trouble,
        seen: usize,
        operation: &'static str,
        on_object: bool,
    ) -> bool {
        match trouble {
            Trouble::Fails(n) if n == seen => self.prevented = Some(CloudError::Unreachable),
            Trouble::LosesAnswer(n) if n == seen => self.answer_lost = true,
            Trouble::Hangs(n) if n == seen => self.hangs = true,
            Trouble::Throttles(n, retry_after) if n == seen => {
                self.prevented = Some(CloudError::Throttled { retry_after });
            }
            Trouble::Forbids(n) => {
                if seen >= n {
                    self.prevented = Some(CloudError::Denied { operation });
                }
                return false;
            }
            Trouble::StaleReads(reads) => {
                self.stale_reads = if on_object { reads } else { 0 };
                return false;
            }
            Trouble::FailsLate => self.fails_late = true,
            _ => return false,
        }
        true
    }
}

impl Cloud {
    /// One call: its fate, its effect, its line in the ledger, and what comes back.
    async fn call<T>(
        &self,
        (operation, touches): (&'static str, Touch),
        effect: impl FnOnce(&mut State, &Fate) -> Answer<T>,
    ) -> Answer<T> {
        let (answer, hangs) = {
            let mut state = self.state();
            let mut fate = state.fate(operation, touches);
            let prevented = fate.prevented.take();
            let struck = prevented.is_some() || fate.answer_lost || fate.hangs;
            let (outcome, answer) = match prevented {
                Some(error) => (Outcome::Prevented, Err(error)),
                None => match effect(&mut state, &fate) {
                    Ok(value) => (Outcome::Accepted, Ok(value)),
                    Err(error) => (Outcome::Refused, Err(error)),
                },
            };
            let answer = if fate.answer_lost {
                Err(CloudError::Unreachable)
            } else {
                answer
            };
            state.calls.push(Call {
                operation: operation.to_owned(),
                touches,
                outcome,
                struck,
            });
            state.hung |= fate.hangs;
            (answer, fate.hangs)
        };
        if hangs {
            std::future::pending::<()>().await;
        }
        answer
    }

    pub(super) async fn read(&self, place: &str) -> Answer<Option<Seen>> {
        self.call(("GetObject", Touch::Nothing), |state, _| {
            if let Some((left, before)) = state.stale.get_mut(place)
                && *left > 0
            {
                *left -= 1;
                return Ok(before.clone());
            }
            Ok(state.objects.get(place).map(|stored| stored.seen.clone()))
        })
        .await
    }

    pub(super) async fn is_staged(&self, key: &str) -> Answer<bool> {
        self.call(("HeadBlob", Touch::Nothing), |state, _| {
            Ok(state.blobs.contains_key(key))
        })
        .await
    }

    pub(super) async fn stage(&self, key: &str, code: String) -> Answer<()> {
        self.call(("PutBlob", Touch::Staged), |state, _| {
            state.blobs.insert(key.to_owned(), code);
            Ok(())
        })
        .await
    }

    pub(super) async fn unstage(&self, key: &str) -> Answer<()> {
        self.call(("DeleteBlob", Touch::Staged), |state, _| {
            state.blobs.remove(key);
            Ok(())
        })
        .await
    }

    pub(super) async fn create(
        &self,
        place: &str,
        (owner, digest): (String, String),
        blob: &str,
        settings: BTreeMap<String, String>,
    ) -> Answer<()> {
        self.call(("CreateObject", Touch::Create), |state, fate| {
            if state.objects.contains_key(place) {
                return Err(CloudError::Conflict("the object exists"));
            }
            check(&settings)?;
            let code = state.blob(blob)?;
            let seen = Seen {
                owner: Some(owner),
                digest: Some(digest),
                latest: Version { code, settings },
                operation: Operation::Running,
            };
            state.wrote(place, fate);
            let fails_late = fate.fails_late.then(|| LATE.to_owned());
            let stored = Stored {
                seen,
                serving: None,
                fails_late,
            };
            state.objects.insert(place.to_owned(), stored);
            Ok(())
        })
        .await
    }

    pub(super) async fn update_code(&self, place: &str, blob: &str) -> Answer<()> {
        self.call(("UpdateCode", Touch::Code), |state, fate| {
            let code = state.blob(blob)?;
            state.update(place, fate, |version| version.code = code)
        })
        .await
    }

    pub(super) async fn update_settings(
        &self,
        place: &str,
        settings: BTreeMap<String, String>,
    ) -> Answer<()> {
        self.call(("UpdateSettings", Touch::Settings), |state, fate| {
            check(&settings)?;
            state.update(place, fate, |version| version.settings = settings)
        })
        .await
    }

    pub(super) async fn mark(&self, place: &str, digest: String) -> Answer<()> {
        self.call(("MarkObject", Touch::Marker), |state, _| {
            let stored = state.objects.get_mut(place).ok_or(CloudError::NotFound)?;
            if stored.seen.operation == Operation::Running {
                return Err(CloudError::Conflict("an operation is in progress"));
            }
            stored.seen.digest = Some(digest);
            Ok(())
        })
        .await
    }

    pub(super) async fn delete(&self, place: &str) -> Answer<()> {
        self.call(("DeleteObject", Touch::Delete), |state, fate| {
            if !state.objects.contains_key(place) {
                return Err(CloudError::NotFound);
            }
            state.wrote(place, fate);
            state.objects.remove(place);
            Ok(())
        })
        .await
    }
}

impl State {
    fn blob(&self, key: &str) -> Answer<String> {
        self.blobs
            .get(key)
            .cloned()
            .ok_or(CloudError::Invalid("the staged bytes are not there"))
    }

    fn wrote(&mut self, place: &str, fate: &Fate) {
        let before = self.objects.get(place).map(|stored| stored.seen.clone());
        self.stale
            .insert(place.to_owned(), (fate.stale_reads, before));
    }

    fn update(
        &mut self,
        place: &str,
        fate: &Fate,
        change: impl FnOnce(&mut Version),
    ) -> Answer<()> {
        let stored = self.objects.get(place).ok_or(CloudError::NotFound)?;
        match &stored.seen.operation {
            Operation::Running => return Err(CloudError::Conflict("an operation is in progress")),
            Operation::CreateFailed(_) => {
                return Err(CloudError::Conflict("the object was never made"));
            }
            Operation::Done | Operation::UpdateFailed(_) => {}
        }
        self.wrote(place, fate);
        if let Some(stored) = self.objects.get_mut(place) {
            change(&mut stored.seen.latest);
            stored.seen.operation = Operation::Running;
            stored.fails_late = fate.fails_late.then(|| LATE.to_owned());
        }
        Ok(())
    }
}

fn check(settings: &BTreeMap<String, String>) -> Answer<()> {
    if settings.keys().any(String::is_empty) {
        return Err(CloudError::Invalid("a setting has no name"));
    }
    Ok(())
}
