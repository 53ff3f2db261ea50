//! Which calls are to fail, and how. It decides; the server carries out.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::conformance::Trouble;

use super::ledger::ProxiedCall;

/// A fault to arm. Calls are counted from arming on, from 1; reads count too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The connection of call `n` is closed before the API server hears of it, once.
    Closes(usize),
    /// Call `n` is answered 503 before the API server hears of it, once.
    Unavailable(usize),
    /// The API server does what call `n` asks for, and the connection is closed without an answer, once.
    LosesAnswer(usize),
    /// The API server does what call `n` asks for, and no answer comes until healed.
    Hangs(usize),
    /// Call `n` is answered 429 with `Retry-After` in whole seconds, at least 1, as priority and fairness does it, once.
    Throttles(usize, Duration),
    /// Write `n` and every write and dry run after it are answered 403 as RBAC does it, until healed.
    Forbids(usize),
    /// After each write so many reads of that object, or of lists it is in, show what was there before, until healed.
    StaleReads(u32),
}

impl Fault {
    /// The fault for a trouble of the conformance suite; none for what a proxy cannot bring about.
    ///
    /// [`Trouble::Fails`] closes the connection of even calls and answers odd ones 503.
    #[must_use]
    pub fn of(trouble: Trouble) -> Option<Self> {
        Some(match trouble {
            Trouble::Fails(call) if call.is_multiple_of(2) => Self::Closes(call),
            Trouble::Fails(call) => Self::Unavailable(call),
            Trouble::LosesAnswer(call) => Self::LosesAnswer(call),
            Trouble::Hangs(call) => Self::Hangs(call),
            Trouble::Throttles(call, after) => Self::Throttles(call, after),
            Trouble::Forbids(write) => Self::Forbids(write),
            Trouble::StaleReads(reads) => Self::StaleReads(reads),
            Trouble::FailsLate => return None,
        })
    }
}

/// What is to become of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strike {
    Close,
    Unavailable,
    LoseAnswer,
    Hang,
    Throttle(Duration),
    Forbid,
}

#[derive(Debug)]
struct Armed {
    fault: Fault,
    /// Calls counted so far.
    count: usize,
}

impl Armed {
    /// Counts a call.
    fn strikes(&mut self, call: &ProxiedCall) -> Option<Strike> {
        let counts = !matches!(self.fault, Fault::Forbids(_)) || call.is_write();
        self.count += usize::from(counts);
        let is = |nth: usize| nth == self.count;
        match self.fault {
            Fault::Closes(nth) if is(nth) => Some(Strike::Close),
            Fault::Unavailable(nth) if is(nth) => Some(Strike::Unavailable),
            Fault::LosesAnswer(nth) if is(nth) => Some(Strike::LoseAnswer),
            Fault::Hangs(nth) if is(nth) => Some(Strike::Hang),
            Fault::Throttles(nth, after) if is(nth) => Some(Strike::Throttle(after)),
            Fault::Forbids(nth) if self.count >= nth && call.wants_to_write() => {
                Some(Strike::Forbid)
            }
            _ => None,
        }
    }
}

/// The armed faults of one proxy.
#[derive(Debug)]
pub(crate) struct Faults {
    armed: Mutex<Vec<Armed>>,
    /// How many calls hang. Healing sets it back, which is what they wait for.
    hanging: watch::Sender<usize>,
}

impl Faults {
    pub(crate) fn new() -> Self {
        Self {
            armed: Mutex::default(),
            hanging: watch::Sender::new(0),
        }
    }

    pub(crate) fn arm(&self, fault: Fault) {
        let mut armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        armed.push(Armed { fault, count: 0 });
    }

    pub(crate) fn heal(&self) {
        let mut armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        armed.clear();
        self.hanging.send_replace(0);
    }

    /// The first fault that strikes this call. Every fault counts it.
    pub(crate) fn strike(&self, call: &ProxiedCall) -> Option<Strike> {
        let mut armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        let strikes: Vec<_> = armed
            .iter_mut()
            .filter_map(|armed| armed.strikes(call))
            .collect();
        strikes.first().copied()
    }

    /// How many reads after a write are stale.
    pub(crate) fn stale_reads(&self) -> Option<u32> {
        let armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        armed.iter().find_map(|armed| match armed.fault {
            Fault::StaleReads(reads) => Some(reads),
            _ => None,
        })
    }

    /// Ready once a call hangs.
    pub(crate) async fn hung(&self) {
        let mut hanging = self.hanging.subscribe();
        // The sender is ours, so the channel is never closed.
        drop(hanging.wait_for(|hanging| *hanging > 0).await);
    }

    /// Hangs until healed.
    pub(crate) async fn hang(&self) {
        let mut hanging = self.hanging.subscribe();
        self.hanging.send_modify(|hanging| *hanging += 1);
        drop(hanging.wait_for(|hanging| *hanging == 0).await);
    }
}

#[cfg(test)]
mod tests {
    use super::super::ledger::Ledger;
    use super::*;

    fn call(method: &str, query: &str) -> ProxiedCall {
        let uri = format!("/api/v1/namespaces/a/configmaps/b{query}");
        let request = hyper::Request::builder()
            .method(method)
            .uri(uri)
            .body(())
            .unwrap();
        Ledger::default().arrived(&request.into_parts().0)
    }

    #[test]
    fn a_fault_strikes_its_call_and_no_other() {
        let faults = Faults::new();
        faults.arm(Fault::Closes(2));
        let strikes: Vec<_> = (0..3).map(|_| faults.strike(&call("GET", ""))).collect();
        assert_eq!(strikes, [None, Some(Strike::Close), None]);
    }

    #[test]
    fn permission_is_lost_for_good_and_reads_and_dry_runs_do_not_bring_it_about() {
        let faults = Faults::new();
        faults.arm(Fault::Forbids(2));
        let calls = [
            call("GET", ""),
            call("PATCH", "?dryRun=All"),
            call("PATCH", ""),
            call("PATCH", ""),
            call("GET", ""),
            call("PATCH", "?dryRun=All"),
            call("DELETE", ""),
        ];
        let struck: Vec<_> = calls
            .iter()
            .map(|call| faults.strike(call).is_some())
            .collect();
        assert_eq!(struck, [false, false, false, true, false, true, true]);
        faults.heal();
        assert_eq!(faults.strike(&call("DELETE", "")), None);
    }

    #[test]
    fn every_trouble_but_a_late_failure_is_a_fault() {
        assert_eq!(Fault::of(Trouble::Fails(1)), Some(Fault::Unavailable(1)));
        assert_eq!(Fault::of(Trouble::Fails(2)), Some(Fault::Closes(2)));
        assert_eq!(Fault::of(Trouble::FailsLate), None);
    }
}
