//! What a cloud's test brings: the cloud, its ledger, its faults, and the deployments the suite asks for.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use fractal_core::Class;
use fractal_core::contract::{ComponentKey, EnvironmentId};
use fractal_core::reconcile::{Content, Inputs, Owner, Platform, Rollout};

/// A setting that is not the agent's: name and value.
pub const FOREIGN_KEY: (&str, &str) = ("FOREIGN", "kept");
/// A setting of every deployment but [`Spec::DroppedKey`].
pub const DROPPED_KEY: &str = "DROPPED";
/// A setting of every deployment. It is `one`, with other settings `two`.
pub const KEPT_KEY: &str = "KEPT";

/// One fresh cloud with the agent's way into it, and the suite's way around the agent.
///
/// Operations of the cloud go on until [`Harness::advance`] lets them finish.
pub trait Harness: Send + Sync {
    /// The agent under test.
    type Platform: Platform;

    /// The agent as a process that has just started: it remembers nothing.
    fn agent(&self) -> Self::Platform;

    /// The agent's static settings.
    fn config(&self) -> <Self::Platform as Platform>::Config;

    /// Where the agent gets bytes from.
    fn content(&self) -> &dyn Content;

    /// Inputs and rollout of a deployment.
    fn deployment(&self, spec: Spec) -> (Inputs, Rollout);

    /// What the cloud holds once `spec` is deployed.
    fn expected(&self, spec: Spec) -> Expected;

    /// Where the ledger stands.
    fn mark(&self) -> u64;

    /// Every call of the agent after a mark, refused ones too.
    fn calls(&self, since: u64) -> Vec<Call>;

    /// Every object that serves or is to serve, whoever's it is.
    fn objects(&self) -> Vec<Object>;

    /// Everything else that was made: staged bytes above all. Empty when all is settled.
    fn leftovers(&self) -> Vec<String>;

    /// Arms a fault.
    fn arm(&self, trouble: Trouble);

    /// Ends all faults.
    fn heal(&self);

    /// Lets everything in progress finish.
    fn advance(&self) -> impl Future<Output = ()>;

    /// Ready once the call of [`Trouble::Hangs`] has taken effect.
    fn hung(&self) -> impl Future<Output = ()>;

    /// Someone else changes something at [`Spec::First`]'s place, and it has settled. `false` where the cloud has no such thing.
    fn outside(&self, act: Outside) -> impl Future<Output = bool>;

    /// The permission a call needs, in the cloud's words.
    fn permission(&self, operation: &str) -> String;

    /// How an operation of [`Trouble::FailsLate`] ends.
    fn late_failure(&self) -> LateFailure;

    /// Reads that may still show what was there before a write.
    fn stale_reads(&self) -> u32 {
        2
    }

    /// How many objects one deployment is made of, each with a call of its own that touches [`Touch::Create`].
    fn parts(&self) -> usize {
        1
    }

    /// Whether a write says what is wanted, and the cloud works towards it by itself.
    ///
    /// Then it takes a write while it still works on an earlier one, our markers are part of what is wanted,
    /// and where the work fails, what served before serves on under them.
    fn is_declarative(&self) -> bool {
        false
    }

    /// Whether a change from [`Spec::First`] to another deployment can be accepted and fail when it settles.
    fn can_fail_late(&self, _to: Spec) -> bool {
        true
    }

    /// Writes after a mark to objects that are not ours, where calls can be told apart by what they are about.
    fn foreign_writes(&self, since: u64) -> Vec<Call> {
        let calls = self.calls(since);
        calls.into_iter().filter(Call::is_write).collect()
    }

    /// Which calls of a change are struck by faults.
    fn effort(&self) -> Effort {
        Effort::EveryCall
    }
}

/// Which calls of a change are struck, one in each case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Every one, with every fault.
    EveryCall,
    /// For clouds where a case takes a good part of a second: every write with every fault.
    ///
    /// Of the reads, between which nothing changes, one after each write and one of each operation; they only fail and are throttled:
    /// a read that hangs or whose answer is lost is one that fails. What is wanted changes after writes, and after one that did nothing
    /// to one thing in turn.
    EveryWrite,
}

/// Deployments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spec {
    /// The first artifact, with settings.
    First,
    /// Another artifact, same settings.
    NewArtifact,
    /// The first artifact, [`KEPT_KEY`] has another value.
    NewSettings,
    /// Another artifact and other settings.
    Both,
    /// The first artifact without [`DROPPED_KEY`].
    DroppedKey,
    /// The first deployment at another place.
    OtherPlace,
    /// One that pure code can tell will never run.
    Impossible,
}

/// What the suite asks the agent for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// A deployment.
    Present(Spec),
    /// Nothing, by the record alone.
    Absent,
}

/// What a cloud holds of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Where, in the form of [`Object::place`].
    pub place: String,
    /// What runs, in the form of [`Object::serves`].
    pub serves: String,
    /// The settings owned.
    pub settings: BTreeMap<String, String>,
    /// The digest marker.
    pub digest: String,
}

/// An object in the cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Where, as text.
    pub place: String,
    /// The ownership marker.
    pub owner: Option<String>,
    /// The bytes that really run; nothing until it runs.
    pub serves: Option<String>,
    /// The settings in force, foreign ones included.
    pub settings: BTreeMap<String, String>,
    /// The digest marker.
    pub digest: Option<String>,
}

/// A call in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The call, as the API names it.
    pub operation: String,
    /// What it touches.
    pub touches: Touch,
    /// What became of it.
    pub outcome: Outcome,
    /// Whether an armed fault struck it: it was prevented, or its answer was lost.
    pub struck: bool,
}

impl Call {
    /// Whether it asked for a change.
    #[must_use]
    pub fn is_write(&self) -> bool {
        self.touches != Touch::Nothing
    }

    /// Whether it changed something.
    #[must_use]
    pub fn is_accepted_write(&self) -> bool {
        self.is_write() && self.outcome == Outcome::Accepted
    }
}

/// What a call touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touch {
    /// It reads.
    Nothing,
    /// Bytes that a later call refers to.
    Staged,
    /// The object as a whole: it makes it.
    Create,
    /// The object as a whole: it deletes it.
    Delete,
    /// What runs.
    Code,
    /// How it runs.
    Settings,
    /// Our markers.
    Marker,
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it asks for.
    ///
    /// Whether anybody was told is another matter.
    Accepted,
    /// The cloud refused it.
    Refused,
    /// An armed fault kept it from doing anything.
    Prevented,
}

/// Faults to arm. Calls are counted from arming on, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Call `n` fails before it does anything, once.
    Fails(usize),
    /// Call `n` does what it asks for, and its answer is lost, once.
    LosesAnswer(usize),
    /// Call `n` does what it asks for, and its answer never comes.
    Hangs(usize),
    /// Call `n` is throttled, once.
    Throttles(usize, Duration),
    /// Mutating call `n` and all after it are denied, until healed.
    Forbids(usize),
    /// After each write so many reads show what was there before, until healed.
    StaleReads(u32),
    /// The next write to the object is accepted and fails when it settles.
    FailsLate,
}

/// What someone else does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// Sets [`FOREIGN_KEY`] on our object.
    AddsKey,
    /// Makes our object run other bytes.
    ChangesCode,
    /// Gives [`KEPT_KEY`] another value.
    ChangesSettings,
    /// Removes the digest marker.
    DropsDigestMarker,
    /// Removes the ownership marker.
    DropsOwnerMarker,
    /// Puts an object of another owner in the place, instead of ours where there is one.
    TakesPlace,
    /// The same, with an object that has no ownership marker.
    TakesPlaceUnmarked,
}

/// A failure after an operation was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateFailure {
    /// The class it means.
    pub class: Class,
    /// What the cloud says, to be found in the fault.
    pub says: String,
}

/// The component the suite deploys.
///
/// # Panics
/// Never: the names are constants that fit.
#[must_use]
#[expect(clippy::expect_used, reason = "constants that a test parses")]
pub fn owner() -> Owner {
    Owner {
        installation: "conformance".parse().expect("an installation id"),
        component: ComponentKey {
            environment: EnvironmentId::new("Personal", "suite", "test").expect("an environment"),
            live_system: "suite".parse().expect("a live system"),
            component: "worker".parse().expect("a component"),
            offer: "Conformance.Suite.Worker".parse().expect("an offer"),
        },
    }
}
