//! What the suite says: how often each clause was put to the test, or what broke it.

use std::fmt;

use super::clause::Clause;

/// A clause that holds, and the cases that show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Tally {
    /// The clause.
    pub clause: Clause,
    /// Cases by scenario.
    pub cases: Vec<(String, usize)>,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.clause)?;
        self.cases
            .iter()
            .try_for_each(|(scenario, cases)| write!(f, " {scenario} n={cases}"))
    }
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A clause that is broken.
#[derive(Clone, PartialEq, Eq)]
pub struct Violation {
    /// The clause.
    pub clause: Clause,
    /// In which case, and how.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broken clause `{}`: {}", self.clause, self.what)
    }
}

impl fmt::Debug for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Violation {}

/// The suite as a whole, up to the first clause that is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Clauses that hold, in order.
    pub held: Vec<Tally>,
    /// The first that does not.
    pub broken: Option<Violation>,
}
