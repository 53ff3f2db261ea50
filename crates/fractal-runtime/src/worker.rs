//! One component: looked at, claimed if there is something to do, passed, settled.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fractal_core::artifact::agreement::Pinned;
use fractal_core::artifact::{ArtifactUri, Reference};
use fractal_core::contract::{Component, ComponentId, ComponentKey, Environment};
use fractal_core::reconcile::{
    Artifact, Consent, Content, Goal, Inputs, InstallationId, Needs, NoContent, Outputs, Owner,
    PassReport, Platform, Record, Release, Rollout, Task, reconcile,
};
use fractal_core::status::ArtifactStatus;
use fractal_core::{Fault, Fingerprint};
use fractal_queue::{
    Claim, Company, ComponentDocument, Desired, Due, Gate, Queue, QueueError, Refusal, Take, Tenure,
};
use std::collections::BTreeMap;
use tokio::sync::Mutex;

use crate::artifacts::Artifacts;
use crate::content::RegistryContent;
use crate::inputs::inputs;
use crate::journal::{self, ClaimJournal};
use crate::secrets::Secrets;
use crate::settings::Settings;
use crate::steady::Steadiness;
use crate::stop::Stop;
use crate::telemetry::metrics::Metrics;

mod agreement;
mod answer;
mod settle;
mod verdict;

use settle::{Ended, Look};

/// Everything a worker needs; shared by all components of an agent.
pub(crate) struct Worker<P: Platform> {
    pub(crate) platform: P,
    pub(crate) config: P::Config,
    pub(crate) queue: Queue,
    pub(crate) artifacts: Artifacts,
    pub(crate) secrets: Secrets,
    pub(crate) settings: Settings,
    pub(crate) installation: InstallationId,
    pub(crate) metrics: Metrics,
    pub(crate) stop: Stop,
    pub(crate) steadiness: Steadiness<P>,
}

/// What the loop does with the component next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visit {
    /// Its document says when.
    Settled,
    /// Nothing was written: look again after this long.
    Again(Duration),
}

/// What a pass needs of a present component.
pub(crate) struct Wanted {
    pub(crate) inputs: Inputs,
    pub(crate) rollout: Rollout,
    coordinates: Vec<Pinned>,
}

/// What a component's references mean now: the artifact it runs, and those beside it.
pub(crate) struct Resolved {
    pub(crate) target: Artifact,
    pub(crate) beside: Vec<Artifact>,
    /// Of those, what was named by a coordinate and a tag.
    pub(crate) coordinates: Vec<Pinned>,
}

impl Resolved {
    fn of(wanted: &Wanted) -> Self {
        let beside = wanted.rollout.beside.iter();
        Self {
            target: wanted.rollout.target.artifact.clone(),
            beside: beside.map(|release| release.artifact.clone()).collect(),
            coordinates: wanted.coordinates.clone(),
        }
    }

    pub(crate) fn all(&self) -> Vec<&Artifact> {
        std::iter::once(&self.target).chain(&self.beside).collect()
    }

    /// Those beside the target, pinned.
    pub(crate) fn pinned_beside(&self) -> Vec<Reference> {
        self.beside.iter().map(Artifact::pinned).collect()
    }
}

impl<P: Platform> Worker<P> {
    /// Looks at a component whose time has come.
    pub(crate) async fn visit(&self, due: &Due) -> Visit {
        match self.try_visit(due).await {
            Ok(visit) => visit,
            Err(error) => {
                let fault = Fault::from(&error);
                tracing::warn!(reason = %fault.reason, fault = %fault, "queue failed");
                Visit::Again(Duration::from_secs(2))
            }
        }
    }

    async fn try_visit(&self, due: &Due) -> Result<Visit, QueueError> {
        if let Some(document) = self.queue.component(&due.key).await?
            && self.is_quiet(&document).await?
        {
            self.metrics.steady();
            return Ok(Visit::Again(crate::backoff::around(
                self.settings.interval,
                fastrand::f64(),
            )));
        }
        let company = if due.alone {
            Company::Alone
        } else {
            Company::Shared
        };
        let tenure = Tenure {
            holder: self.settings.holder.clone(),
            length: self.settings.lease,
            company,
        };
        match self.queue.claim(&due.key, None, &tenure).await? {
            Take::Claimed(claim) => self.work(*claim).await,
            Take::Refused(Refusal::Leased { wait, .. }) => Ok(Visit::Again(wait)),
            Take::Refused(refusal) => {
                tracing::debug!(?refusal, "claim refused");
                Ok(Visit::Again(Duration::from_secs(1)))
            }
        }
    }

    async fn work(&self, claim: Claim) -> Result<Visit, QueueError> {
        let began = Instant::now();
        if claim.takeover() {
            tracing::warn!(holder = %self.settings.holder, "took over from a worker that stood still");
        }
        let looked = self.look(&claim).await?;
        let (claim, ended) = match looked {
            Err(look) => (claim, Ended::Early(look)),
            Ok(None) => self.pass(claim, None).await,
            Ok(Some(wanted)) => self.pass(claim, Some(&wanted)).await,
        };
        self.settle(claim, ended, began.elapsed()).await
    }

    /// What is wanted; none where the component is to go. An error is something that ends the pass before it reaches the cloud.
    async fn look(&self, claim: &Claim) -> Result<Result<Option<Wanted>, Box<Look>>, QueueError> {
        let body = match claim.desired() {
            Desired::Present(body) => Some(&**body),
            Desired::Absent => None,
            Desired::Unreadable(why) => {
                let fault = Fault::terminal(
                    fractal_core::Reason::new("BodyUnreadable"),
                    "the desired body cannot be read",
                )
                .because(why);
                return Ok(Err(Box::new(Look::Faulty(
                    fault.next("submit the live system again"),
                    None,
                ))));
            }
        };
        let outputs = match self.queue.gate(claim.document(), body).await? {
            Gate::Ready(outputs) => outputs,
            Gate::Waiting { on, why } => return Ok(Err(Box::new(Look::Waiting { on, why }))),
        };
        let Some(body) = body else {
            return Ok(Ok(None));
        };
        let fresh = !claim.wakes().is_empty();
        Ok(self
            .wanted(of(claim.document()), body, outputs, fresh)
            .await
            .map(Some))
    }

    pub(crate) async fn wanted(
        &self,
        (key, known): (&ComponentKey, Option<&ArtifactStatus>),
        body: &Component,
        outputs: BTreeMap<ComponentId, Outputs>,
        fresh: bool,
    ) -> Result<Wanted, Box<Look>> {
        let faulty = |fault| Box::new(Look::Faulty(fault, None));
        let inputs = inputs(&self.queue, &self.secrets, body, outputs)
            .await
            .map_err(faulty)?;
        let needs = P::needs(&self.config, &inputs).map_err(|error| faulty(error.into()))?;
        let resolved = self.resolve(&needs, &inputs.environment, fresh).await;
        let resolved = resolved.map_err(faulty)?;
        tracing::Span::current().record("digest", resolved.target.digest.as_str());
        let rollout = async {
            self.agree(key, known, &resolved).await?;
            self.rollout(&resolved, &needs, &inputs.environment).await
        };
        match rollout.await {
            Ok(rollout) => Ok(Wanted {
                inputs,
                rollout,
                coordinates: resolved.coordinates,
            }),
            Err(fault) => Err(Box::new(Look::Faulty(fault, Some(Box::new(resolved))))),
        }
    }

    /// The artifacts that a component's needs mean now.
    pub(crate) async fn resolve(
        &self,
        needs: &Needs,
        environment: &Environment,
        fresh: bool,
    ) -> Result<Resolved, Fault> {
        let provider = P::provider(&self.config);
        let agent = self.settings.registry.as_ref();
        let artifacts = self.artifacts.within(environment);
        let one = |needs| artifacts.resolve(needs, provider, environment, agent, fresh);
        let target = one(needs).await?;
        let mut beside = Vec::new();
        for needs in &needs.beside {
            beside.push(one(needs).await?);
        }
        let all = std::iter::once((needs, &target)).chain(needs.beside.iter().zip(&beside));
        let coordinates = all
            .filter_map(|(needs, found)| pinned(needs, found))
            .collect();
        Ok(Resolved {
            target,
            beside,
            coordinates,
        })
    }

    async fn rollout(
        &self,
        resolved: &Resolved,
        needs: &Needs,
        environment: &Environment,
    ) -> Result<Rollout, Fault> {
        let artifacts = self.artifacts.within(environment);
        let mut rollout = Rollout {
            target: release(&artifacts, &resolved.target, needs).await?,
            beside: Vec::new(),
        };
        for (artifact, needs) in resolved.beside.iter().zip(&needs.beside) {
            let release = release(&artifacts, artifact, needs).await?;
            rollout.beside.push(release);
        }
        Ok(rollout)
    }

    async fn pass(&self, claim: Claim, wanted: Option<&Wanted>) -> (Claim, Ended<P>) {
        let record = match journal::load(claim.document().record.as_ref()) {
            Ok(record) => record,
            Err(fault) => return (claim, Ended::Early(Box::new(Look::Faulty(fault, None)))),
        };
        let consent = self.consent(&claim);
        let owner = self.owner(claim.document());
        let claim = Mutex::new(claim);
        let report = self
            .reconcile(&claim, &owner, record, consent, wanted)
            .await;
        let artifact = wanted.map(|wanted| {
            let facts = wanted.rollout.target.facts.clone();
            (Resolved::of(wanted), facts)
        });
        (
            claim.into_inner(),
            Ended::Passed {
                report: Box::new(report),
                artifact,
            },
        )
    }

    async fn reconcile(
        &self,
        claim: &Mutex<Claim>,
        owner: &Owner,
        record: Record<P::Place, P::Memo>,
        consent: Consent,
        wanted: Option<&Wanted>,
    ) -> PassReport<P::Place, P::Memo> {
        let goal = wanted.map_or(Goal::Absent, |wanted| Goal::Present {
            inputs: &wanted.inputs,
            rollout: &wanted.rollout,
        });
        let task = Task {
            owner,
            config: &self.config,
            goal,
            record,
            consent,
        };
        let mut journal = ClaimJournal {
            queue: &self.queue,
            claim,
            stop: &self.stop,
            metrics: &self.metrics,
        };
        let content: Box<dyn Content> = match wanted {
            Some(wanted) => {
                let artifacts = self.artifacts.within(&wanted.inputs.environment);
                Box::new(RegistryContent(artifacts.registry().clone()))
            }
            None => Box::new(NoContent),
        };
        // Boxed: a cloud SDK's futures are tens of kilobytes.
        let pass = Box::pin(reconcile(&self.platform, task, &mut journal, &*content));
        tokio::select! {
            report = pass => report,
            never = self.keep(claim) => match never {},
        }
    }

    /// Renews the claim while a pass runs: one step may take longer than the lease. A lost claim is seen at the next note.
    async fn keep(&self, claim: &Mutex<Claim>) -> std::convert::Infallible {
        loop {
            tokio::time::sleep(self.settings.lease / 3).await;
            if let Err(error) = self.queue.renew(&mut *claim.lock().await).await {
                tracing::warn!(fault = %Fault::from(&error), "claim not renewed");
            }
        }
    }

    fn consent(&self, claim: &Claim) -> Consent {
        if self.settings.may_replace(&claim.key().environment) {
            return Consent::Environment;
        }
        let approved = claim
            .document()
            .approval
            .as_ref()
            .map(|hash| serde_json::Value::String(hash.clone()));
        let approved = approved.and_then(|hash| serde_json::from_value::<Fingerprint>(hash).ok());
        approved.map_or(Consent::Withheld, Consent::Plan)
    }

    pub(crate) fn owner(&self, document: &ComponentDocument) -> Owner {
        Owner {
            installation: self.installation.clone(),
            component: document.key.clone(),
        }
    }
}

/// Whose a component is, and what is known of its artifact.
pub(crate) fn of(document: &ComponentDocument) -> (&ComponentKey, Option<&ArtifactStatus>) {
    (&document.key, document.status.artifact.as_ref())
}

/// A digest means the same everywhere; a tag has to be compared.
fn pinned(needs: &Needs, found: &Artifact) -> Option<Pinned> {
    match &needs.artifact {
        ArtifactUri::Abstract(coordinate) if found.reference.digest().is_none() => Some(Pinned {
            coordinate: coordinate.to_string(),
            reference: found.reference.clone(),
            digest: found.digest.clone(),
        }),
        _ => None,
    }
}

async fn release(
    artifacts: &Artifacts,
    artifact: &Artifact,
    needs: &Needs,
) -> Result<Release, Fault> {
    Ok(Release {
        parameter: needs.parameter,
        artifact: artifact.clone(),
        facts: artifacts.facts(artifact, needs).await?,
    })
}

/// Shared by tasks.
pub(crate) type Shared<P> = Arc<Worker<P>>;
