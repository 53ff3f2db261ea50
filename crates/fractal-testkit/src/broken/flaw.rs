//! The flaws, the clause that names each, and the later clauses that it breaks as well.

use serde::Serialize;

use crate::conformance::Clause;
use crate::conformance::Clause::{
    AnswerLost, Busy, CallFails, Cancelled, ChangedMeanwhile, Drift, DroppedKey, Fenced, Forbidden,
    Foreign, FreshDeploy, Impossible, LateFailure, Move, NewArtifact, NewSettings, SecondPass,
    StaleRead, Throttled, Undeploy, UndeployByRecord,
};

macro_rules! flaws {
    ($($flaw:ident $what:literal $first:ident [$($also:ident),*],)+) => {
        /// One way to be broken.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
        pub enum Flaw {
            $(#[doc = $what] $flaw,)+
        }

        impl Flaw {
            /// All of them, by the clause that names them.
            pub const ALL: &'static [Self] = &[$(Self::$flaw),+];

            /// The first clause it breaks: the one that the suite names.
            #[must_use]
            pub const fn clause(self) -> Clause {
                match self { $(Self::$flaw => $first),+ }
            }

            /// Later clauses that it breaks as well, since they imply the first.
            #[must_use]
            pub const fn also(self) -> &'static [Clause] {
                match self { $(Self::$flaw => &[$($also),*]),+ }
            }
        }
    };
}

flaws! {
    PlansNothing "Finds everything in sync." FreshDeploy [SecondPass, NewArtifact, NewSettings, DroppedKey, Drift, Undeploy, UndeployByRecord, Move, CallFails, AnswerLost, ChangedMeanwhile, StaleRead, Busy, LateFailure, Throttled, Forbidden, Impossible, Foreign, Fenced, Cancelled],
    ReadySoon "Takes an operation in progress for done." FreshDeploy [SecondPass, NewArtifact, NewSettings, DroppedKey, Drift, Undeploy, UndeployByRecord, Move, CallFails, AnswerLost, ChangedMeanwhile, StaleRead, Busy, LateFailure, Throttled, Forbidden, Impossible, Foreign, Fenced, Cancelled],
    WritesWhileReading "Writes the digest marker with every read." SecondPass [NewSettings, Drift, Busy, Throttled, Forbidden, Fenced, Cancelled],
    SettingsWithCode "Writes the settings again after new code." NewArtifact [],
    RecreatesForSettings "Deletes the object to give it other settings." NewSettings [DroppedKey, LateFailure],
    KeepsDropped "Takes every setting it finds for someone else's." DroppedKey [ChangedMeanwhile],
    DropsForeign "Takes every setting it finds for its own." DroppedKey [],
    TrustsMarker "Believes the digest marker instead of the code's own hash." Drift [ChangedMeanwhile],
    TrustsMemory "Believes that settings are still what it wrote last." Drift [CallFails, Throttled, Forbidden],
    NeverDeletes "Forgets what it was to delete." Undeploy [UndeployByRecord, Move, CallFails, AnswerLost, ChangedMeanwhile, StaleRead, Throttled, Forbidden, Fenced, Cancelled],
    DeletesKnownOnly "Deletes only what the same process has deployed." UndeployByRecord [Cancelled],
    OneZoneClient "Looks for everything where it deployed last." Move [CallFails, AnswerLost, ChangedMeanwhile, StaleRead, Throttled, Forbidden, Fenced, Cancelled],
    ReadErrorIsAbsence "Takes a failed read for an absent object." CallFails [AnswerLost, ChangedMeanwhile, Throttled],
    ErrorsAreFinal "Takes a failed call for one that can never succeed." CallFails [AnswerLost, StaleRead],
    StagedAfterwards "Remembers staged bytes once the answer is there." AnswerLost [ChangedMeanwhile, StaleRead, Cancelled],
    OwnsAfterwards "Remembers its settings once the answer is there." ChangedMeanwhile [],
    BelievesAbsence "Believes the first read after a create." StaleRead [],
    WritesWhileBusy "Writes to an object that is busy." Busy [Throttled, Forbidden],
    ForgetsFailure "Repeats what failed late, and says nothing." LateFailure [],
    HidesReason "Says that something failed late, not why." LateFailure [],
    DropsRetryAfter "Comes back too soon after being throttled." Throttled [],
    ForbiddenIsTransient "Takes a denied call for one that may pass." Forbidden [],
    NamesNoPermission "Says that a call was denied, not what to grant." Forbidden [],
    LetsCloudRefuse "Leaves it to the cloud to refuse an impossible spec." Impossible [],
    DeletesForeign "Deletes whatever is at its place." Foreign [],
    AdoptsOthers "Takes another installation's object for its own." Foreign [],
    TwoWritesAtOnce "Takes staged bytes away with the step that marks the digest." Fenced [Cancelled],
    RemembersInProcess "Remembers staged bytes in the process instead of the record." Cancelled [],
}
