//! Which calls of a change are struck, and by which faults.

use std::collections::BTreeMap;

use super::harness::{Call, Effort};

/// A call that is struck, one case after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    /// Its number, from 1.
    pub(super) call: usize,
    /// Whether faults strike it that only tell writes apart from one another: lost answers, hanging calls.
    pub(super) is_whole: bool,
}

impl Effort {
    /// The calls of an undisturbed change that are struck.
    pub(super) fn targets(self, calls: &[Call]) -> Vec<Target> {
        let all = (1..).zip(calls);
        match self {
            Self::EveryCall => all.map(|(call, _)| whole(call)).collect(),
            Self::EveryWrite => {
                let reads = reads(calls);
                let target = |(call, made): (usize, &Call)| {
                    let read = reads.contains(&call).then_some(Target {
                        call,
                        is_whole: false,
                    });
                    if made.is_write() {
                        Some(whole(call))
                    } else {
                        read
                    }
                };
                all.filter_map(target).collect()
            }
        }
    }
}

const fn whole(call: usize) -> Target {
    Target {
        call,
        is_whole: true,
    }
}

/// After each write the read whose operation was chosen least so far, and of operations that were never chosen the first one.
fn reads(calls: &[Call]) -> Vec<usize> {
    let mut chosen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut numbers = Vec::new();
    let numbered: Vec<(usize, &Call)> = (1..).zip(calls).collect();
    for stretch in numbered.split(|(_, call)| call.is_write()) {
        let least = stretch
            .iter()
            .min_by_key(|(_, call)| chosen.get(call.operation.as_str()).copied().unwrap_or(0));
        if let Some((number, call)) = least {
            *chosen.entry(&call.operation).or_default() += 1;
            numbers.push(*number);
        }
    }
    for (number, call) in numbered.iter().filter(|(_, call)| !call.is_write()) {
        if !chosen.contains_key(call.operation.as_str()) {
            chosen.insert(&call.operation, 1);
            numbers.push(*number);
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::super::harness::{Outcome, Touch};
    use super::*;

    fn calls(operations: &[&str]) -> Vec<Call> {
        let call = |operation: &&str| Call {
            operation: (*operation).to_owned(),
            touches: if operation.starts_with("put") {
                Touch::Settings
            } else {
                Touch::Nothing
            },
            outcome: Outcome::Accepted,
            struck: false,
        };
        operations.iter().map(call).collect()
    }

    #[test]
    fn every_write_every_stretch_and_every_operation_is_struck() {
        let calls = calls(&[
            "get a", "get b", "get c", "put a", "get a", "get b", "put b", "get b",
        ]);
        let of = |effort: Effort| -> Vec<(usize, bool)> {
            let targets = effort.targets(&calls);
            targets.iter().map(|it| (it.call, it.is_whole)).collect()
        };
        let expected = [
            (1, false),
            (3, false),
            (4, true),
            (6, false),
            (7, true),
            (8, false),
        ];
        assert_eq!(of(Effort::EveryWrite), expected);
        assert_eq!(
            of(Effort::EveryCall),
            (1..=8).map(|call| (call, true)).collect::<Vec<_>>()
        );
    }
}
