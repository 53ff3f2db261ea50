//! Faults: what went wrong, in the one form that the loop acts on and a person reads.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What the loop does about a fault. A class exists only because the loop acts differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "class")]
pub enum Class {
    /// May pass by itself: retried with backoff and jitter, not before `retry_after`.
    Transient {
        /// What the other side asked for.
        #[serde(
            default,
            rename = "retryAfter",
            skip_serializing_if = "Option::is_none"
        )]
        retry_after: Option<Duration>,
    },
    /// Someone else must act first (a permission, a quota, an artifact not pushed yet): retried every few minutes, heals by itself.
    Blocked,
    /// This specification and artifact can never succeed: not retried until either changes.
    Terminal,
}

impl Class {
    /// Its name, for labels and documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transient { .. } => "Transient",
            Self::Blocked => "Blocked",
            Self::Terminal => "Terminal",
        }
    }
}

/// A stable PascalCase word for a kind of fault: the same in status, metrics, logs and documentation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reason(std::borrow::Cow<'static, str>);

impl Reason {
    /// A reason; names are part of the public contract.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(std::borrow::Cow::Borrowed(name))
    }

    /// The word itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Something that went wrong: what, where, why, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// What the loop does about it.
    #[serde(flatten)]
    pub class: Class,
    /// The stable word for it.
    pub reason: Reason,
    /// What happened, in one clause.
    pub what: String,
    /// Where: the operation, parameter or reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Why, as far as the other side said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What a person does next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Fault {
    /// A fault of `class`.
    #[must_use]
    pub fn new(class: Class, reason: Reason, what: impl Into<String>) -> Self {
        Self {
            class,
            reason,
            what: bounded(what.into()),
            place: None,
            why: None,
            next: None,
        }
    }

    /// One that may pass by itself.
    #[must_use]
    pub fn transient(reason: Reason, what: impl Into<String>) -> Self {
        Self::new(Class::Transient { retry_after: None }, reason, what)
    }

    /// One that waits for someone else.
    #[must_use]
    pub fn blocked(reason: Reason, what: impl Into<String>) -> Self {
        Self::new(Class::Blocked, reason, what)
    }

    /// One that only a new specification or artifact can mend.
    #[must_use]
    pub fn terminal(reason: Reason, what: impl Into<String>) -> Self {
        Self::new(Class::Terminal, reason, what)
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.place = Some(bounded(place.to_string()));
        self
    }

    /// Says why.
    #[must_use]
    pub fn because(mut self, why: impl fmt::Display) -> Self {
        self.why = Some(bounded(why.to_string()));
        self
    }

    /// Says what to do next.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(bounded(next.into()));
        self
    }
}

impl Fault {
    /// The same fault with every text in `secrets` replaced by what may be shown of it: a cloud may repeat what it was sent.
    #[must_use]
    pub fn without<'a>(self, secrets: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        secrets
            .into_iter()
            .filter(|(secret, _)| secret.len() >= SECRET_MIN)
            .fold(self, |fault, (secret, shown)| {
                let replace = |text: String| text.replace(secret, &shown);
                Self {
                    what: replace(fault.what),
                    place: fault.place.map(replace),
                    why: fault.why.map(replace),
                    next: fault.next.map(replace),
                    ..fault
                }
            })
    }
}

/// Shortest text that is looked for, in bytes: a shorter one is no secret, and stands in every word.
const SECRET_MIN: usize = 4;
/// Longest text of one part of a fault, in characters: it is stored and logged several times over.
const TEXT_MAX: usize = 2000;

fn bounded(text: String) -> String {
    match text.char_indices().nth(TEXT_MAX) {
        None => text,
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some(place) = &self.place {
            write!(f, " (at {place})")?;
        }
        if let Some(why) = &self.why {
            write!(f, ": {why}")?;
        }
        self.next
            .as_ref()
            .map_or(Ok(()), |next| write!(f, "; {next}"))
    }
}

impl std::error::Error for Fault {}

/// An error and its sources in one line, each said once: for [`Fault::because`].
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_a_cloud_repeated_is_not_shown() {
        let fault = Fault::terminal(Reason::new("Refused"), "refused")
            .because("measured {\"TOKEN\":\"hunter2\"}")
            .without([
                ("hunter2", "<token@1>".to_owned()),
                ("e", "short".to_owned()),
            ]);
        assert_eq!(
            fault.to_string(),
            "refused: measured {\"TOKEN\":\"<token@1>\"}"
        );
    }

    #[test]
    fn a_text_of_any_length_makes_a_fault_of_bounded_length() {
        let fault = Fault::blocked(Reason::new("Long"), "é".repeat(100_000));
        assert_eq!(fault.what.chars().count(), TEXT_MAX + 1);
    }

    #[test]
    fn a_class_is_one_word_in_json() {
        let retry_after = Some(Duration::from_secs(7));
        for class in [Class::Terminal, Class::Transient { retry_after }] {
            let fault = Fault::new(class, Reason::new("X"), "x");
            let json = serde_json::to_value(&fault).unwrap();
            assert_eq!(json["class"], class.as_str());
            assert_eq!(serde_json::from_value::<Fault>(json).unwrap(), fault);
        }
    }
}
