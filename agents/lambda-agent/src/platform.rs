//! Lambda as a [`Platform`]: the glue between the pure parts and the calls.

use std::collections::BTreeMap;

use fractal_core::artifact::ArtifactKind;
use fractal_core::reconcile::{
    At, Content, Finding, Grant, Health, Inputs, Needs, Outputs, Owner, Plan, Platform, Rollout,
};

use crate::api::Api;
use crate::config::Config;
use crate::desired::{self, DIGEST_TAG, Desired, OWNER_TAG};
use crate::error::{Error, GRANTS};
use crate::observed::{Function, Observed, Operation};
use crate::place::{self, Memo, Place};
use crate::plan::{self, Step};

/// AWS Lambda.
pub struct Lambda {
    pub(crate) api: Api,
    pub(crate) bucket: Option<String>,
}

impl Platform for Lambda {
    const OFFERS: &'static [&'static str] = &["CustomWorkloads.FaaS.AwsLambda"];
    const REVISION: u32 = 1;
    const GRANTS: &'static [Grant] = GRANTS;

    type Config = Config;
    type Place = Place;
    type Memo = Memo;
    type Desired = Desired;
    type Observed = Observed;
    type Step = Step;
    type Error = Error;

    fn provider(_: &Config) -> &str {
        "AWS"
    }

    fn place(config: &Config, inputs: &Inputs, owner: &Owner) -> Result<Place, Error> {
        place::place(config, inputs, owner)
    }

    fn needs(_: &Config, inputs: &Inputs) -> Result<Needs, Error> {
        crate::needs::needs(inputs)
    }

    fn desired(
        config: &Config,
        place: &Place,
        inputs: &Inputs,
        rollout: &Rollout,
    ) -> Result<Desired, Error> {
        desired::desired(config, place, inputs, rollout)
    }

    async fn observe(
        &self,
        at: &At<Place, Memo>,
        desired: Option<&Desired>,
    ) -> Result<Observed, Error> {
        let function = self.api.function(&at.place).await?;
        let staged = match desired.and_then(|desired| Some((desired.staged()?, desired))) {
            Some((object, desired)) if !runs(function.as_ref(), desired) => {
                self.api
                    .is_staged(&at.place, object, desired.zip_size())
                    .await?
            }
            _ => false,
        };
        Ok(Observed { function, staged })
    }

    fn plan(
        at: &At<Place, Memo>,
        desired: Option<&Desired>,
        observed: &Observed,
    ) -> Result<Plan<Step>, Error> {
        plan::plan(at, desired, observed)
    }

    async fn apply(
        &self,
        at: &At<Place, Memo>,
        desired: Option<&Desired>,
        step: &Step,
        content: &dyn Content,
    ) -> Result<Memo, Error> {
        let (place, mut memo) = (&at.place, at.memo.clone());
        match (step, desired) {
            (Step::Stage { object, .. }, Some(desired)) => {
                self.api.stage(place, object, desired, content).await?
            }
            (Step::Create { .. }, Some(desired)) => {
                self.api.create(&at.owner, place, desired, content).await?
            }
            (
                Step::Settings {
                    variables,
                    revision,
                    ..
                },
                Some(desired),
            ) => {
                self.api
                    .update_settings(place, desired, variables, revision)
                    .await?;
            }
            (Step::Code { revision, .. }, Some(desired)) => {
                self.api
                    .update_code(place, desired, revision, content)
                    .await?
            }
            (Step::Mark { digest }, _) => self.api.mark(place, digest.as_str()).await?,
            (Step::Delete { .. }, _) => self.api.delete(place).await?,
            (Step::Unstage { object }, _) => {
                self.api.unstage(place, object).await?;
                memo.staged.remove(object);
            }
            (
                Step::Stage { .. }
                | Step::Create { .. }
                | Step::Settings { .. }
                | Step::Code { .. },
                None,
            ) => return Err(Error::Unplanned),
        }
        memo.made = match step {
            Step::Create { .. } | Step::Settings { .. } | Step::Code { .. } | Step::Mark { .. } => {
                true
            }
            Step::Delete { .. } => false,
            Step::Stage { .. } | Step::Unstage { .. } => memo.made,
        };
        Ok(memo)
    }

    fn report(at: &At<Place, Memo>, _: &Desired, observed: &Observed) -> (Health, Outputs) {
        let Some(function) = &observed.function else {
            return (
                Health::Progressing("no function yet".into()),
                Outputs::new(),
            );
        };
        let outputs = [
            ("arn", function.arn.clone()),
            ("functionName", at.place.name.clone()),
            ("region", at.place.region.clone()),
        ];
        (
            Health::Ready,
            outputs
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
        )
    }

    fn intend(step: &Step, desired: Option<&Desired>, memo: &mut Memo) {
        match step {
            Step::Stage { object, .. } => {
                memo.staged.insert(object.clone());
            }
            Step::Create { .. } => {
                memo.unseen = plan::UNSEEN_READS;
                attempt(desired, memo);
            }
            Step::Settings { .. } | Step::Code { .. } => attempt(desired, memo),
            Step::Delete { .. } => memo.attempt = None,
            Step::Mark { .. } | Step::Unstage { .. } => {}
        }
    }

    fn learn(memo: &mut Memo, desired: Option<&Desired>, observed: &Observed) {
        let Some(function) = &observed.function else {
            memo.unseen = memo.unseen.saturating_sub(1);
            return;
        };
        memo.unseen = 0;
        if function.state == Operation::Settled && function.update == Operation::Settled {
            memo.attempt = None;
        }
        // A variable that we dropped and that is gone is not ours any more: someone else may set it.
        let wanted = |name: &String| {
            desired.is_none_or(|desired| desired.settings.environment.contains_key(name))
        };
        memo.owned_env
            .retain(|name| wanted(name) || function.environment.0.contains_key(name));
    }

    fn relent(memo: &mut Memo) {
        memo.attempt = None;
    }

    fn lane(place: &Place) -> String {
        format!("{}/{}", place.account, place.region)
    }

    async fn survey(
        &self,
        lane: &str,
        wanted: usize,
    ) -> Result<Option<BTreeMap<Place, String>>, Error> {
        let Some((account, region)) = lane.split_once('/') else {
            return Ok(None);
        };
        let place = |name| Place {
            account: account.to_owned(),
            region: region.to_owned(),
            name,
        };
        // One list call for fifty functions, one read for each of ours: whichever are fewer.
        let functions = self.api.functions(region, wanted).await?;
        Ok(functions.map(|functions| {
            let stamps = functions.into_iter();
            stamps.map(|(name, stamp)| (place(name), stamp)).collect()
        }))
    }

    fn stamp(observed: &Observed) -> Option<String> {
        let function = observed.function.as_ref()?;
        Some(format!("{} {}", function.revision, function.code_sha256))
    }

    fn is_marked(at: &At<Place, Memo>, observed: &Observed) -> bool {
        observed.function.as_ref().is_some_and(|function| {
            let owner = function.tags.get(OWNER_TAG);
            owner.is_some_and(|marker| *marker == at.owner.marker())
                && function.tags.contains_key(DIGEST_TAG)
        })
    }

    async fn preflight(&self) -> Vec<Finding> {
        crate::preflight::findings(&self.api, self.bucket.as_deref()).await
    }
}

fn runs(function: Option<&Function>, desired: &Desired) -> bool {
    function.is_some_and(|function| function.running() == desired.code.sha256())
}

/// The union of old and new keys, so that a crash in between loses none of them.
fn attempt(desired: Option<&Desired>, memo: &mut Memo) {
    memo.attempt = desired.and_then(Desired::attempt);
    memo.owned_env.extend(
        desired
            .into_iter()
            .flat_map(|desired| desired.settings.environment.keys().cloned()),
    );
}

/// Kinds Lambda runs.
pub(crate) const ACCEPTS: &[ArtifactKind] = &[ArtifactKind::FunctionZip, ArtifactKind::Container];
