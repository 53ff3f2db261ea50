//! Names with `*` for any characters. There is no other operator, so matching takes time proportional to the lengths.

use serde::Serialize;

use super::super::object::Object;
use super::accounts::Account;

/// Longest pattern, in bytes.
const LENGTH_MAX: usize = 512;
/// Stands for every kind of every group when it is alone.
const ANY: &str = "*";

/// A name with `*` for any characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct Pattern(String);

/// A text that is no pattern.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a pattern must have 1 to {LENGTH_MAX} visible characters without spaces")]
pub(super) struct PatternError;

impl Pattern {
    pub(super) fn parse(text: String) -> Result<Self, PatternError> {
        let sound = (1..=LENGTH_MAX).contains(&text.len())
            && !text.contains(|c: char| c.is_whitespace() || c.is_control());
        if sound {
            Ok(Self(text))
        } else {
            Err(PatternError)
        }
    }

    pub(super) fn is_literal(&self) -> bool {
        !self.0.contains('*')
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        matches(&self.0, text)
    }

    /// `group/Kind`, or `Kind` of the core group.
    pub(super) fn matches_kind(&self, object: &Object) -> bool {
        if self.0 == ANY {
            return true;
        }
        let (group, kind) = self.0.split_once('/').unwrap_or(("", &self.0));
        matches(group, object.group()) && matches(kind, object.kind())
    }

    /// Whether it is one account's namespace and name.
    pub(super) fn is_full_account(&self) -> bool {
        self.is_literal() && self.0.contains('/')
    }

    /// `namespace/name`, or `name` in any namespace. What stands for every name is matched by stars alone.
    pub(super) fn matches_account(&self, account: &Account) -> bool {
        let (namespace, name) = self.0.split_once('/').unwrap_or((ANY, &self.0));
        matches(namespace, &account.namespace) && matches(name, &account.name)
    }
}

/// Each part between two `*` is looked for once, from where the one before it ended: the leftmost place is as good as any other.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(head) else {
        return false;
    };
    let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*').filter(|part| !part.is_empty()) {
        let Some((_, after)) = text.split_once(part) else {
            return false;
        };
        text = after;
    }
    text.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn stars_stand_for_any_characters() {
        for (pattern, text) in [
            ("*", ""),
            ("a", "a"),
            ("a*", "a"),
            ("*a", "bca"),
            ("a*b*c", "a1b2b3c"),
            ("**", "x"),
            ("team-*", "team-a"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("", "a"),
            ("a", "A"),
            ("a*a", "a"),
            ("ab*ba", "aba"),
            ("team-*", "team"),
            ("*b*", "acd"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn y14_a_pattern_of_many_stars_takes_linear_time() {
        let pattern = Pattern::parse("a*".repeat(255) + "b").unwrap();
        let text = "a".repeat(1_000_000);
        let begun = Instant::now();
        assert!(!pattern.matches(&text));
        assert!(begun.elapsed() < Duration::from_secs(1));
        assert_eq!(Pattern::parse("a".repeat(513)), Err(PatternError));
    }
}
