//! Faults to come: which call is to fail, and how. Deciding only; the listeners carry them out.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::ledger::Call;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Action {
    /// Answers an error instead of doing anything.
    Fail {
        /// HTTP status.
        status: u16,
        /// The service's error code.
        code: String,
        /// The service's message.
        #[serde(default)]
        message: String,
        /// Seconds, sent as `Retry-After`.
        #[serde(default)]
        retry_after: Option<u64>,
    },
    /// Answers the service's own throttling error instead of doing anything.
    Throttle {
        /// Seconds, sent as `Retry-After`.
        #[serde(default)]
        retry_after: Option<u64>,
    },
    /// Answers the service's access-denied error naming the action, instead of doing anything.
    Deny,
    /// Resets the connection instead of doing anything.
    Reset,
    /// Does what was asked, then closes the connection without a byte.
    LoseAnswer,
    /// Answers, and cuts the connection within the body.
    CutAnswer {
        /// How many bytes of the body still leave.
        bytes: u64,
    },
    /// Waits before doing what was asked.
    Delay {
        /// How long.
        milliseconds: u64,
    },
    /// The matching write is accepted and fails when it settles.
    FailLate {
        /// `StateReasonCode` or `LastUpdateStatusReasonCode`.
        code: String,
        /// The reason in words.
        reason: String,
    },
    /// After the matching write, so many reads of that resource still show what was there before it.
    StaleReads {
        /// How many reads.
        reads: u32,
    },
}

impl Action {
    fn concerns_writes_only(&self) -> bool {
        matches!(self, Self::FailLate { .. } | Self::StaleReads { .. })
    }
}

/// Which calls a rule is about; an absent field matches every call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// `lambda`, `s3`, `sts`, `iam`, `ecr`, `eks`, `azure`, `gcp`, `vault` or `registry`.
    pub service: Option<String>,
    /// The operation's name in the service's own description.
    pub operation: Option<String>,
    /// Only calls that change something, or only those that do not.
    pub mutating: Option<bool>,
    /// A part of the resource: a function's name, `bucket/key`, a repository.
    pub resource: Option<String>,
}

impl Filter {
    fn matches(&self, call: &Call) -> bool {
        let same =
            |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| wanted == is);
        same(&self.service, &call.service)
            && same(&self.operation, &call.operation)
            && self
                .mutating
                .is_none_or(|mutating| mutating == call.mutating)
            && self
                .resource
                .as_deref()
                .is_none_or(|part| call.resource.contains(part))
    }
}

/// A fault to arm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Which calls count.
    #[serde(default)]
    pub filter: Filter,
    /// The first matching call it strikes, from 1, counted from arming.
    #[serde(default = "first")]
    pub nth: u64,
    /// How many matching calls in a row it strikes; `None` until lifted.
    #[serde(default = "once")]
    pub times: Option<u64>,
    /// What goes wrong.
    pub action: Action,
}

fn first() -> u64 {
    1
}

fn once() -> Option<u64> {
    Some(1)
}

impl Rule {
    /// Strikes the first matching call, once.
    #[must_use]
    pub fn new(filter: Filter, action: Action) -> Self {
        Self {
            filter,
            nth: 1,
            times: Some(1),
            action,
        }
    }

    /// Strikes matching call number `nth`, from 1.
    #[must_use]
    pub fn nth(self, nth: u64) -> Self {
        Self { nth, ..self }
    }

    /// Strikes every matching call until lifted.
    #[must_use]
    pub fn until_lifted(self) -> Self {
        Self {
            times: None,
            ..self
        }
    }

    fn strikes(&self, seen: u64) -> bool {
        seen >= self.nth
            && self
                .times
                .is_none_or(|times| seen.saturating_sub(self.nth) < times)
    }
}

/// A rule in force, and what it has seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Armed {
    /// Given at arming.
    pub id: u64,
    /// The rule.
    pub rule: Rule,
    /// Matching calls since arming.
    pub seen: u64,
    /// How many of them it struck.
    pub struck: u64,
}

/// The faults of one simulated cloud or registry. Clones share the same faults; they are not kept across a restart.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    last: u64,
    armed: Vec<Armed>,
}

impl Faults {
    /// Arms a rule and returns its id.
    pub fn arm(&self, rule: Rule) -> u64 {
        self.with(|table| {
            table.last = table.last.saturating_add(1);
            table.armed.push(Armed {
                id: table.last,
                rule,
                seen: 0,
                struck: 0,
            });
            table.last
        })
    }

    /// Lifts one rule; false when there is none of that id.
    pub fn lift(&self, id: u64) -> bool {
        self.with(|table| {
            let before = table.armed.len();
            table.armed.retain(|armed| armed.id != id);
            table.armed.len() < before
        })
    }

    /// Lifts every rule.
    pub fn clear(&self) {
        self.with(|table| table.armed.clear());
    }

    /// Counts from the next call on again, for every rule.
    pub fn reset_counters(&self) {
        self.with(|table| {
            for armed in &mut table.armed {
                (armed.seen, armed.struck) = (0, 0);
            }
        });
    }

    /// Every rule in force, in the order of arming.
    #[must_use]
    pub fn armed(&self) -> Vec<Armed> {
        self.with(|table| table.armed.clone())
    }

    /// Counts a call and says what strikes it, in the order of arming.
    pub(crate) fn strike(&self, call: &Call) -> Strikes {
        self.with(|table| {
            let mut strikes = Vec::new();
            for armed in &mut table.armed {
                let counts = armed.rule.filter.matches(call)
                    && (call.mutating || !armed.rule.action.concerns_writes_only());
                armed.seen = armed.seen.saturating_add(u64::from(counts));
                if counts && armed.rule.strikes(armed.seen) {
                    armed.struck = armed.struck.saturating_add(1);
                    strikes.push((armed.id, armed.rule.action.clone()));
                }
            }
            Strikes(strikes)
        })
    }

    fn with<T>(&self, f: impl FnOnce(&mut Table) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What strikes one call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Strikes(Vec<(u64, Action)>);

impl Strikes {
    pub(crate) async fn delay(&self) {
        for (_, action) in &self.0 {
            if let Action::Delay { milliseconds } = action {
                tokio::time::sleep(std::time::Duration::from_millis(*milliseconds)).await;
            }
        }
    }

    /// The fault that keeps the call from having any effect.
    pub(crate) fn before(&self) -> Option<(u64, &Action)> {
        let prevents = |action: &Action| {
            matches!(
                action,
                Action::Fail { .. } | Action::Throttle { .. } | Action::Deny | Action::Reset
            )
        };
        self.0
            .iter()
            .find(|(_, action)| prevents(action))
            .map(|(id, action)| (*id, action))
    }

    /// The fault that loses the answer.
    pub(crate) fn loses_answer(&self) -> Option<u64> {
        self.0
            .iter()
            .find(|(_, action)| matches!(action, Action::LoseAnswer))
            .map(|(id, _)| *id)
    }

    /// How many bytes of the answer's body leave before it is cut.
    pub(crate) fn cuts_answer(&self) -> Option<u64> {
        self.0.iter().find_map(|(_, action)| match action {
            Action::CutAnswer { bytes } => Some(*bytes),
            _ => None,
        })
    }

    pub(crate) fn late_failure(&self) -> Option<(&str, &str)> {
        self.0.iter().find_map(|(_, action)| match action {
            Action::FailLate { code, reason } => Some((code.as_str(), reason.as_str())),
            _ => None,
        })
    }

    pub(crate) fn stale_reads(&self) -> Option<u32> {
        self.0.iter().find_map(|(_, action)| {
            if let Action::StaleReads { reads } = action {
                Some(*reads)
            } else {
                None
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(operation: &str, mutating: bool) -> Call {
        Call {
            service: "lambda".into(),
            operation: operation.into(),
            mutating,
            ..Call::default()
        }
    }

    #[test]
    fn strikes_the_nth_matching_call_only() {
        let faults = Faults::default();
        let writes = Filter {
            mutating: Some(true),
            ..Filter::default()
        };
        faults.arm(Rule::new(writes, Action::Reset).nth(2));
        let struck: Vec<bool> = [
            ("Create", true),
            ("Get", false),
            ("Update", true),
            ("Update", true),
        ]
        .map(|(operation, mutating)| faults.strike(&call(operation, mutating)).before().is_some())
        .to_vec();
        assert_eq!(struck, [false, false, true, false]);
        faults.reset_counters();
        assert!(faults.strike(&call("Create", true)).before().is_none());
        assert!(faults.strike(&call("Create", true)).before().is_some());
    }

    #[test]
    fn holds_until_lifted() {
        let faults = Faults::default();
        let id = faults.arm(
            Rule::new(
                Filter {
                    operation: Some("Get".into()),
                    ..Filter::default()
                },
                Action::Deny,
            )
            .until_lifted(),
        );
        assert!((0..3).all(|_| faults.strike(&call("Get", false)).before().is_some()));
        assert!(faults.strike(&call("List", false)).before().is_none());
        assert!(faults.lift(id));
        assert!(!faults.lift(id));
        assert!(faults.strike(&call("Get", false)).before().is_none());
    }

    #[test]
    fn late_failures_wait_for_a_write() {
        let faults = Faults::default();
        faults.arm(Rule::new(
            Filter::default(),
            Action::FailLate {
                code: "InvalidImage".into(),
                reason: "bad".into(),
            },
        ));
        assert_eq!(faults.strike(&call("Get", false)).late_failure(), None);
        assert_eq!(
            faults.strike(&call("Create", true)).late_failure(),
            Some(("InvalidImage", "bad"))
        );
    }

    #[test]
    fn a_rule_reads_from_short_json() {
        let rule: Rule = serde_json::from_str(
            r#"{"filter":{"service":"s3"},"action":{"kind":"throttle","retry_after":3}}"#,
        )
        .unwrap();
        assert_eq!((rule.nth, rule.times), (1, Some(1)));
        assert!(
            serde_json::from_str::<Rule>(r#"{"filter":{"sevice":"s3"},"action":{"kind":"reset"}}"#)
                .is_err()
        );
    }
}
