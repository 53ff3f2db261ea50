//! The agent for the cloud in memory: correct, and as short as one can be.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use fractal_core::artifact::ArtifactKind;
use fractal_core::contract::ParamError;
use fractal_core::reconcile::{
    At, Content, Finding, Grant, Health, Inputs, Needs, Outputs, Owner, Plan, Platform, Rollout,
};
use fractal_core::{Class, Fault, Reason};
use serde::{Deserialize, Serialize};

use super::api::CloudError;
use super::cloud::{Cloud, Seen};
use super::plan::{self, Step};

/// Reads in which what was just made may still be missing.
const UNSEEN_READS: u8 = 3;

/// Static settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Config {
    /// The zone where the component names none.
    pub zone: String,
}

/// Zone and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The zone.
    pub zone: String,
    /// The object's name there.
    pub name: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.zone, self.name)
    }
}

/// What no read can tell.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Memo {
    /// Settings we have set or are about to set.
    pub owned: BTreeSet<String>,
    /// Bytes we have staged or are about to stage.
    pub staged: BTreeSet<String>,
    /// What the last operation was to bring about.
    pub attempt: Option<String>,
    /// Reads left in which what was just made may be missing.
    pub unseen: u8,
}

/// The object wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// Hash of the bytes.
    pub code: String,
    /// The artifact's digest.
    pub digest: String,
    /// Our settings.
    pub settings: BTreeMap<String, String>,
}

impl Desired {
    /// Where the bytes are staged for a place.
    #[must_use]
    pub fn key(&self, place: &Place) -> String {
        format!("{place}/{}", self.code)
    }

    /// What an operation is to bring about.
    #[must_use]
    pub fn attempt(&self) -> String {
        format!("{} {:?}", self.code, self.settings)
    }
}

/// What is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The object.
    pub object: Option<Seen>,
    /// Whether the bytes wanted are staged; read only where it matters.
    pub staged: bool,
}

/// What can go wrong.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// A call failed.
    #[error("{0}")]
    Call(Fault),
    /// A parameter cannot be used.
    #[error(transparent)]
    Parameter(#[from] ParamError),
    /// The object is another's.
    #[error("the object is not ours")]
    Foreign,
    /// An operation failed after it was accepted, with the cloud's words.
    #[error("the operation failed")]
    Late(String),
}

impl From<CloudError> for Failure {
    fn from(error: CloudError) -> Self {
        let (class, reason) = match &error {
            CloudError::Unreachable | CloudError::Conflict(_) | CloudError::NotFound => {
                (Class::Transient { retry_after: None }, "CloudUnavailable")
            }
            CloudError::Throttled { retry_after } => {
                let retry_after = Some(*retry_after);
                (Class::Transient { retry_after }, "Throttled")
            }
            CloudError::Denied { .. } => (Class::Blocked, "PermissionDenied"),
            CloudError::Invalid(_) => (Class::Terminal, "SpecRefused"),
        };
        let mut fault = Fault::new(class, Reason::new(reason), "the call failed").because(&error);
        if let CloudError::Denied { operation } = error {
            let grants = Reference::GRANTS.iter();
            let permission = grants
                .filter(|grant| grant.call == operation)
                .map(|grant| grant.permission);
            fault = fault.next(format!("grant {}", permission.collect::<String>()));
        }
        Self::Call(fault)
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        let text = failure.to_string();
        match failure {
            Failure::Call(fault) => fault,
            Failure::Parameter(error) => error.into(),
            Failure::Foreign => Self::blocked(Reason::new("OwnedByOther"), text),
            Failure::Late(why) => Self::blocked(Reason::new("OperationFailed"), text).because(why),
        }
    }
}

/// The correct agent.
#[derive(Debug, Clone)]
pub struct Reference(pub Cloud);

impl Reference {
    /// The object wanted, whether or not the cloud could ever hold it.
    pub(crate) fn unchecked(inputs: &Inputs, rollout: &Rollout) -> Result<Desired, Failure> {
        let artifact = &rollout.target.artifact;
        Ok(Desired {
            code: artifact.digest.hex().to_owned(),
            digest: artifact.digest.to_string(),
            settings: inputs.parameters.text_map("settings")?,
        })
    }

    pub(crate) async fn unstage(&self, key: &str) -> Result<(), Failure> {
        Ok(self.0.unstage(key).await?)
    }

    /// Writes the marker that is there already; nobody waits for it.
    pub(crate) async fn mark_again(&self, place: &Place, object: &Seen) {
        if let Some(digest) = object.digest.clone() {
            let _ = self.0.mark(&place.to_string(), digest).await;
        }
    }
}

impl Platform for Reference {
    const OFFERS: &'static [&'static str] = &["Conformance.Suite.Worker"];
    const REVISION: u32 = 1;
    const GRANTS: &'static [Grant] = super::harness::GRANTS;

    type Config = Config;
    type Place = Place;
    type Memo = Memo;
    type Desired = Desired;
    type Observed = Observed;
    type Step = Step;
    type Error = Failure;

    fn provider(_: &Config) -> &str {
        "Reference"
    }

    fn place(config: &Config, inputs: &Inputs, _: &Owner) -> Result<Place, Failure> {
        let zone = inputs.parameters.text("zone")?.unwrap_or(&config.zone);
        Ok(Place {
            zone: zone.to_owned(),
            name: "worker".to_owned(),
        })
    }

    fn needs(_: &Config, inputs: &Inputs) -> Result<Needs, Failure> {
        let text = inputs.required_text("sourceArtifact")?;
        let artifact = text
            .parse()
            .map_err(|_| ParamError::missing("sourceArtifact", "a reference"))?;
        Ok(Needs {
            artifact,
            parameter: "sourceArtifact",
            accepts: &[ArtifactKind::FunctionZip],
            package_type: None,
            size_max: u64::MAX,
            architectures: &["amd64"],
            beside: Vec::new(),
        })
    }

    fn desired(
        _: &Config,
        _: &Place,
        inputs: &Inputs,
        rollout: &Rollout,
    ) -> Result<Desired, Failure> {
        let desired = Self::unchecked(inputs, rollout)?;
        if desired.settings.keys().any(String::is_empty) {
            return Err(ParamError::missing("settings", "names that are not empty").into());
        }
        Ok(desired)
    }

    async fn observe(
        &self,
        at: &At<Place, Memo>,
        desired: Option<&Desired>,
    ) -> Result<Observed, Failure> {
        let object = self.0.read(&at.place.to_string()).await?;
        let runs = |desired: &Desired| {
            object
                .as_ref()
                .is_some_and(|object| object.latest.code == desired.code)
        };
        let staged = match desired {
            Some(desired) if !runs(desired) => self.0.is_staged(&desired.key(&at.place)).await?,
            // A failed operation may need the bytes once more.
            Some(desired) => at.memo.staged.contains(&desired.key(&at.place)),
            None => false,
        };
        Ok(Observed { object, staged })
    }

    fn plan(
        at: &At<Place, Memo>,
        desired: Option<&Desired>,
        observed: &Observed,
    ) -> Result<Plan<Step>, Failure> {
        plan::plan(at, desired, observed)
    }

    async fn apply(
        &self,
        at: &At<Place, Memo>,
        desired: Option<&Desired>,
        step: &Step,
        _: &dyn Content,
    ) -> Result<Memo, Failure> {
        let (cloud, place, mut memo) = (&self.0, at.place.to_string(), at.memo.clone());
        match (step, desired) {
            (Step::Stage { key }, Some(desired)) => cloud.stage(key, desired.code.clone()).await?,
            (Step::Create, Some(desired)) => {
                let marks = (at.owner.marker(), desired.digest.clone());
                let blob = desired.key(&at.place);
                cloud
                    .create(&place, marks, &blob, desired.settings.clone())
                    .await?;
            }
            (Step::Settings { settings }, _) => {
                cloud.update_settings(&place, settings.clone()).await?
            }
            (Step::Code { key }, _) => cloud.update_code(&place, key).await?,
            (Step::Mark { digest }, _) => cloud.mark(&place, digest.clone()).await?,
            (Step::Delete, _) => match cloud.delete(&place).await {
                Ok(()) | Err(CloudError::NotFound) => {}
                Err(error) => return Err(error.into()),
            },
            (Step::Unstage { key }, _) => {
                cloud.unstage(key).await?;
                memo.staged.remove(key);
            }
            (Step::Stage { .. } | Step::Create, None) => {
                return Err(CloudError::Conflict("nothing is wanted").into());
            }
        }
        Ok(memo)
    }

    fn report(_: &At<Place, Memo>, _: &Desired, _: &Observed) -> (Health, Outputs) {
        (Health::Ready, Outputs::new())
    }

    fn intend(step: &Step, desired: Option<&Desired>, memo: &mut Memo) {
        match step {
            Step::Stage { key } => {
                memo.staged.insert(key.clone());
            }
            Step::Create | Step::Settings { .. } | Step::Code { .. } => {
                if *step == Step::Create {
                    memo.unseen = UNSEEN_READS;
                }
                memo.attempt = desired.map(Desired::attempt);
                memo.owned.extend(
                    desired
                        .into_iter()
                        .flat_map(|desired| desired.settings.keys().cloned()),
                );
            }
            Step::Delete => memo.attempt = None,
            Step::Mark { .. } | Step::Unstage { .. } => {}
        }
    }

    fn learn(memo: &mut Memo, desired: Option<&Desired>, observed: &Observed) {
        let Some(object) = &observed.object else {
            memo.unseen = memo.unseen.saturating_sub(1);
            return;
        };
        memo.unseen = 0;
        let wanted =
            |name: &String| desired.is_none_or(|desired| desired.settings.contains_key(name));
        memo.owned
            .retain(|name| wanted(name) || object.latest.settings.contains_key(name));
    }

    fn relent(memo: &mut Memo) {
        memo.attempt = None;
    }

    fn lane(place: &Place) -> String {
        place.zone.clone()
    }

    async fn preflight(&self) -> Vec<Finding> {
        Vec::new()
    }
}
