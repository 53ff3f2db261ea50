//! The clauses, in the order in which they are put to the test: later ones build on what earlier ones show.

use std::fmt;

macro_rules! clauses {
    ($($clause:ident $name:literal,)+) => {
        /// A promise that every agent keeps.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Clause {
            $(#[doc = concat!("`", $name, "`")] $clause,)+
        }

        impl Clause {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$clause),+];

            /// Its name, as reports and tables have it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$clause => $name),+ }
            }
        }
    };
}

clauses! {
    FreshDeploy "fresh deploy converges",
    SecondPass "second pass plans nothing and writes nothing",
    NewArtifact "new digest changes code only",
    NewSettings "same digest with new settings changes settings only",
    DroppedKey "a dropped key is removed and a foreign key survives",
    Drift "out-of-band change is seen and repaired",
    Undeploy "undeploy, twice",
    UndeployByRecord "undeploy when the stored spec no longer parses",
    Move "move of place leaves nothing behind",
    CallFails "call n fails before its effect",
    AnswerLost "the answer of call n is lost after its effect",
    ChangedMeanwhile "the same with the desired state changed, and changed back, in between",
    StaleRead "stale read after write",
    Busy "operation in progress yields wait and no second write",
    LateFailure "operation that fails late",
    Throttled "throttled is transient with its retry-after",
    Forbidden "forbidden is blocked naming the permission",
    Impossible "impossible spec is terminal with zero calls",
    Foreign "foreign object refused",
    Fenced "a fenced agent stops before its next write",
    Cancelled "cancelled between any two steps and restarted",
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
