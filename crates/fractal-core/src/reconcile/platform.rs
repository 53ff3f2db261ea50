//! The one trait that a cloud implements.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::future::Future;
use std::hash::Hash;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::content::Content;
use super::inputs::{Artifact, Inputs, Outputs, Rollout};
use super::plan::{Health, Plan, Step};
use crate::artifact::{ArtifactKind, ArtifactUri, PackageType};
use crate::contract::ComponentKey;
use crate::contract::component::{IdError, plain_id};
use crate::fault::{Fault, Reason};
use crate::fingerprint::Fingerprint;

/// One cloud service's way of running an artifact. Queue, loop, retries, bytes, clock and status are not its business.
///
/// `place`, `needs`, `desired`, `plan`, `report` and `learn` take no `&self`: they cannot reach a client, so they are pure by signature.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no cloud an agent can serve",
    note = "docs/adding-an-agent.md explains what a new cloud has to write"
)]
pub trait Platform: Send + Sync + Sized + 'static {
    /// Offer types it takes from the queue.
    const OFFERS: &'static [&'static str];
    /// Enters every fingerprint: raise it when a better renderer should render everything again.
    const REVISION: u32;
    /// Which permission each call needs: `check` and the messages of denied calls come from it.
    const GRANTS: &'static [Grant];

    /// Static settings that pure code may see. Enters every fingerprint.
    type Config: Serialize + Clone + Send + Sync;
    /// Enough to find an object and to delete it: account, region, name.
    type Place: Debug + Display + Clone + Ord + Hash + Serialize + DeserializeOwned + Send + Sync;
    /// What no cloud read can tell: operation ids, owned keys, staged objects.
    type Memo: Debug + Default + Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync;
    /// The native objects wanted.
    type Desired: Send + Sync;
    /// What the cloud reports now. Absence is a value; clocks and request ids are not in it.
    type Observed: Debug + PartialEq + Send + Sync;
    /// One visible effect, as a value.
    type Step: Step;
    /// What can go wrong, with a class and a reason.
    type Error: Into<Fault> + Send;

    /// The provider whose registry an abstract coordinate means: `AWS`, `Azure`, `GCP`.
    fn provider(config: &Self::Config) -> &str;

    /// Where the component goes.
    ///
    /// # Errors
    /// Where its parameters name no valid place.
    fn place(
        config: &Self::Config,
        inputs: &Inputs,
        owner: &Owner,
    ) -> Result<Self::Place, Self::Error>;

    /// Which artifacts it runs, and what has to be known of them first.
    ///
    /// # Errors
    /// Where its parameters name no artifact.
    fn needs(config: &Self::Config, inputs: &Inputs) -> Result<Needs, Self::Error>;

    /// What is wanted there: a function of exactly what the fingerprint covers.
    ///
    /// # Errors
    /// Where the parameters or the artifact can never run there.
    fn desired(
        config: &Self::Config,
        place: &Self::Place,
        inputs: &Inputs,
        rollout: &Rollout,
    ) -> Result<Self::Desired, Self::Error>;

    /// What people should know of what is wanted, though it stands in nobody's way.
    fn notices(_desired: &Self::Desired) -> Vec<Notice> {
        Vec::new()
    }

    /// Reads what is there now. `desired` only says what is worth reading.
    ///
    /// Behaviour: no writes; an absent object is an observation, not an error.
    fn observe(
        &self,
        at: &At<Self::Place, Self::Memo>,
        desired: Option<&Self::Desired>,
    ) -> impl Future<Output = Result<Self::Observed, Self::Error>> + Send;

    /// What stands between the two. `None` desires absence: deleting is a state, not a verb.
    ///
    /// Behaviour: empty only when code, settings, both markers and the operation state are as desired; an object
    /// without our ownership marker is refused, never changed.
    ///
    /// # Errors
    /// Where the object is another owner's, or an operation failed for good.
    fn plan(
        at: &At<Self::Place, Self::Memo>,
        desired: Option<&Self::Desired>,
        observed: &Self::Observed,
    ) -> Result<Plan<Self::Step>, Self::Error>;

    /// Carries out one step. No decisions, no waiting; only the reads an API forces.
    ///
    /// Behaviour: answers with the memo as it is after the step; repeating a step that took effect is harmless or refused by the cloud.
    fn apply(
        &self,
        at: &At<Self::Place, Self::Memo>,
        desired: Option<&Self::Desired>,
        step: &Self::Step,
        content: &dyn Content,
    ) -> impl Future<Output = Result<Self::Memo, Self::Error>> + Send;

    /// Whether what is in sync also runs, and what it offers to others.
    fn report(
        at: &At<Self::Place, Self::Memo>,
        desired: &Self::Desired,
        observed: &Self::Observed,
    ) -> (Health, Outputs);

    /// What must be durable before the step's first byte leaves.
    fn intend(_step: &Self::Step, _desired: Option<&Self::Desired>, _memo: &mut Self::Memo) {}

    /// What the memo can drop once the cloud shows it.
    fn learn(_memo: &mut Self::Memo, _desired: Option<&Self::Desired>, _observed: &Self::Observed) {
    }

    /// Called after a plan was refused by a fault that may pass: lets the next attempt try again what failed.
    fn relent(_memo: &mut Self::Memo) {}

    /// Account and region: the scope of budgets, breakers and surveys.
    fn lane(place: &Self::Place) -> String;

    /// One list instead of many reads: the stamps of everything in a lane, or `None` where single reads are fewer.
    fn survey(
        &self,
        _lane: &str,
        _wanted: usize,
    ) -> impl Future<Output = Result<Option<BTreeMap<Self::Place, String>>, Self::Error>> + Send
    {
        std::future::ready(Ok(None))
    }

    /// The cloud's own mark of the object's version, in the survey's currency.
    fn stamp(_observed: &Self::Observed) -> Option<String> {
        None
    }

    /// Whether what a stamp does not cover (tags, for one) is there: looked at in single reads, between full comparisons.
    fn is_marked(_at: &At<Self::Place, Self::Memo>, _observed: &Self::Observed) -> bool {
        true
    }

    /// Looks whether the agent can work at all: credentials, permissions, prerequisites.
    fn preflight(&self) -> impl Future<Output = Vec<Finding>> + Send;
}

/// A component at one place.
#[derive(Debug, Clone, PartialEq)]
pub struct At<L, M> {
    /// Whose it is.
    pub owner: Owner,
    /// Where.
    pub place: L,
    /// What is remembered of it.
    pub memo: M,
}

/// An artifact that a component names, and what has to be known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// As the component names it.
    pub artifact: ArtifactUri,
    /// The parameter that names it, for messages.
    pub parameter: &'static str,
    /// Kinds the target runs.
    pub accepts: &'static [ArtifactKind],
    /// The component's `packageType`.
    pub package_type: Option<PackageType>,
    /// Largest single layer that can possibly be deployed, in bytes: refused from the manifest, before a byte is read.
    pub size_max: u64,
    /// CPU architectures the target runs, the preferred first, in Go's words.
    pub architectures: &'static [&'static str],
    /// Artifacts that say how this one runs: resolved and read the same way.
    pub beside: Vec<Self>,
}

impl Needs {
    /// This one and those beside it.
    pub fn all(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.beside)
    }
}

/// Something worth knowing that stands in nobody's way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// A stable PascalCase word.
    pub reason: Reason,
    /// For people.
    pub message: String,
}

/// Names one installation of the product: two of them never touch each other's objects.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstallationId(Box<str>);

impl std::str::FromStr for InstallationId {
    type Err = IdError;

    /// Takes 1 to 64 letters, digits, `-`, `_` and `.`.
    fn from_str(text: &str) -> Result<Self, IdError> {
        plain_id("installation id", text, 64)?;
        Ok(Self(text.into()))
    }
}

impl Display for InstallationId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose an object is: written into every object in the call that makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The installation.
    pub installation: InstallationId,
    /// The component.
    pub component: ComponentKey,
}

impl Owner {
    /// The ownership marker's text: `<installation>/<32 hex of the key's hash>`, at most 97 characters.
    #[must_use]
    pub fn marker(&self) -> String {
        format!("{}/{}", self.installation, self.component.hash())
    }
}

/// A permission that a call needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// The call, as the API names it.
    pub call: &'static str,
    /// The permission, as the cloud names it.
    pub permission: &'static str,
    /// What it is needed for.
    pub purpose: &'static str,
}

/// One result of looking whether the agent can work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub subject: String,
    /// What is wrong with it and what to do, or nothing.
    pub problem: Option<String>,
    /// What was found.
    pub detail: String,
}

/// The fingerprint of what is desired of a component: everything `desired` is a function of.
///
/// `artifacts` are the one it runs and those beside it, in the order of its needs. Facts are a function of their digests, so they
/// need not be read to know that nothing changed.
///
/// # Errors
/// Where the platform's `Config` has no JSON form.
pub fn fingerprint<P: Platform>(
    config: &P::Config,
    inputs: &Inputs,
    artifacts: &[&Artifact],
) -> Result<Fingerprint, serde_json::Error> {
    #[derive(Serialize)]
    struct Covered<'a, C> {
        revision: u32,
        config: &'a C,
        inputs: &'a Inputs,
        artifact: Option<&'a &'a Artifact>,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        beside: &'a [&'a Artifact],
    }
    Fingerprint::of(&Covered {
        revision: P::REVISION,
        config,
        inputs,
        artifact: artifacts.first(),
        beside: artifacts.get(1..).unwrap_or_default(),
    })
}
