//! Kubernetes as a [`Platform`]: the glue between the pure parts and the calls.

use std::collections::BTreeMap;

use fractal_core::reconcile::{
    At, Content, Finding, Grant, Health, Inputs, Needs, Notice, Outputs, Owner, Plan, Platform,
    Rollout,
};
use fractal_core::{Fault, Reason};

use crate::api::{Apply, Resource};
use crate::applied::{applied, without_replicas};
use crate::config::Config;
use crate::desired::{self, Desired};
use crate::error::{Error, GRANTS};
use crate::health::Standing;
use crate::inventory::{self, Entry};
use crate::marks;
use crate::needs::{self, SPARK_JOB, WORKLOAD};
use crate::observe::{Cluster, Reach};
use crate::observed::{Observed, Sight};
use crate::place::{self, Memo, Place, Run};
use crate::plan::{self, Step};

/// A Kubernetes cluster.
pub struct Kubernetes {
    pub(crate) cluster: Cluster,
    pub(crate) namespace: String,
}

impl Platform for Kubernetes {
    const OFFERS: &'static [&'static str] = &[WORKLOAD, SPARK_JOB];
    const REVISION: u32 = 1;
    const GRANTS: &'static [Grant] = GRANTS;

    type Config = Config;
    type Place = Place;
    type Memo = Memo;
    type Desired = Desired;
    type Observed = Observed;
    type Step = Step;
    type Error = Error;

    fn provider(config: &Config) -> &str {
        config
            .provider
            .map_or("Kubernetes", crate::config::Provider::as_str)
    }

    fn place(config: &Config, inputs: &Inputs, owner: &Owner) -> Result<Place, Error> {
        place::place(config, inputs, owner)
    }

    fn needs(_: &Config, inputs: &Inputs) -> Result<Needs, Error> {
        needs::needs(inputs)
    }

    fn desired(
        config: &Config,
        place: &Place,
        inputs: &Inputs,
        rollout: &Rollout,
    ) -> Result<Desired, Error> {
        desired::desired(config, place, inputs, rollout)
    }

    fn notices(desired: &Desired) -> Vec<Notice> {
        desired.notices.clone()
    }

    async fn observe(
        &self,
        at: &At<Place, Memo>,
        desired: Option<&Desired>,
    ) -> Result<Observed, Error> {
        self.cluster.observe(at, desired).await
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
        _: &dyn Content,
    ) -> Result<Memo, Error> {
        let mut memo = at.memo.clone();
        match step {
            Step::Record { entries } => self.record(at, entries).await?,
            Step::Forget { uid } => {
                let name = inventory::name(&at.owner);
                let namespace = Some(at.place.namespace.as_str());
                let resource = Resource::config_maps();
                self.cluster
                    .api
                    .delete(&resource, namespace, &name, uid)
                    .await?;
            }
            Step::Create { object, .. } => {
                self.write(at, desired, object, (false, false)).await?;
            }
            Step::Update {
                object,
                force,
                scaled,
                ..
            } => self.write(at, desired, object, (*force, *scaled)).await?,
            Step::HandOver { object, replicas } => {
                let resource = self.resource(desired, object).await?;
                let namespace = object.namespace.as_deref();
                let api = &self.cluster.api;
                api.hand_over(&resource, namespace, &object.name, *replicas)
                    .await?;
            }
            Step::Replace { object, uid, .. } | Step::Prune { object, uid } => {
                if let Some(resource) = self.cluster.served(object).await? {
                    let (namespace, name) = (object.namespace.as_deref(), &object.name);
                    self.cluster
                        .api
                        .delete(&resource, namespace, name, uid)
                        .await?;
                }
                memo.runs.remove(&object.to_string());
            }
        }
        if let Some((object, _)) = run_of(step)
            && let Some(run) = memo.runs.get_mut(&object.to_string())
        {
            run.made = true;
        }
        Ok(memo)
    }

    fn report(at: &At<Place, Memo>, desired: &Desired, observed: &Observed) -> (Health, Outputs) {
        let pairs = desired.wanted.iter().zip(&observed.sights);
        let mut waiting = None;
        for (wanted, sight) in pairs {
            // Work that has run and is gone has done what it was to do.
            if sight.live.is_none() && plan::has_run(at, wanted, sight) {
                let run = at.memo.runs.get(&sight.entry.to_string());
                match run.and_then(|run| run.failed.clone()) {
                    Some(fault) => return (Health::Failed(fault), Outputs::new()),
                    None => continue,
                }
            }
            match &sight.standing {
                Standing::Ready => {}
                Standing::Progressing(why) => waiting = waiting.or(Some(why)),
                Standing::Failed { reason, why, next } => {
                    let fault = failure(sight, (reason, why, next));
                    return (Health::Failed(Box::new(fault)), Outputs::new());
                }
            }
        }
        match waiting {
            Some(why) => (Health::Progressing(why.clone()), Outputs::new()),
            None => (Health::Ready, outputs(at, desired)),
        }
    }

    fn intend(step: &Step, _: Option<&Desired>, memo: &mut Memo) {
        if matches!(step, Step::Record { .. } | Step::Create { .. }) {
            memo.unseen = plan::UNSEEN_LOOKS;
        }
        if let Some((object, hash)) = run_of(step) {
            let run = Run {
                hash: hash.clone(),
                made: false,
                failed: None,
            };
            memo.runs.insert(object.to_string(), run);
        }
    }

    fn learn(memo: &mut Memo, desired: Option<&Desired>, observed: &Observed) {
        memo.unseen = if observed.is_whole() {
            0
        } else {
            memo.unseen.saturating_sub(1)
        };
        for sight in &observed.sights {
            let live = sight.live.as_ref().and_then(|live| live.run.as_deref());
            if let Some(run) = memo.runs.get_mut(&sight.entry.to_string())
                && live == Some(run.hash.as_str())
            {
                run.made = true;
                run.failed = match &sight.standing {
                    Standing::Failed { reason, why, next } => {
                        Some(Box::new(failure(sight, (reason, why, next))))
                    }
                    Standing::Ready | Standing::Progressing(_) => None,
                };
            }
        }
        if desired.is_some() {
            let known = |object: &String| {
                observed
                    .sights
                    .iter()
                    .any(|it| it.entry.to_string() == *object)
            };
            memo.runs.retain(|object, _| known(object));
        }
    }

    fn lane(place: &Place) -> String {
        place.namespace.clone()
    }

    async fn survey(
        &self,
        lane: &str,
        wanted: usize,
    ) -> Result<Option<BTreeMap<Place, String>>, Error> {
        self.cluster.survey(lane, wanted).await
    }

    fn stamp(observed: &Observed) -> Option<String> {
        Some(observed.stamp.clone())
    }

    async fn preflight(&self) -> Vec<Finding> {
        crate::preflight::findings(&self.cluster.api, &self.namespace).await
    }
}

impl Kubernetes {
    /// The cluster behind `client`; `namespace` is where `check` looks whether it may work.
    #[must_use]
    pub fn new(client: kube::Client, namespace: &str) -> Self {
        Self {
            cluster: Cluster::new(client),
            namespace: namespace.to_owned(),
        }
    }

    async fn record(&self, at: &At<Place, Memo>, entries: &[Entry]) -> Result<(), Error> {
        let mut object = inventory::object(&at.owner, &at.place, entries);
        marks::mark(&mut object, (&at.owner, &at.place), None, None);
        let how = Apply::Do { force: true };
        let answer = self
            .cluster
            .api
            .apply(&Resource::config_maps(), &object, how)
            .await;
        answer.map(drop).map_err(|error| match error {
            Error::Call(failure) => match failure.missing_namespace() {
                Some(namespace) => Error::NamespaceMissing(namespace.to_owned()),
                None => Error::Call(failure),
            },
            other => other,
        })
    }

    async fn write(
        &self,
        at: &At<Place, Memo>,
        desired: Option<&Desired>,
        entry: &Entry,
        (force, scaled): (bool, bool),
    ) -> Result<(), Error> {
        let found = desired.and_then(|desired| {
            let mut all = desired.wanted.iter();
            all.find(|wanted| {
                let mut known = wanted.entry.clone();
                // That a kind has no namespaces was found out after it was wanted.
                if entry.namespace.is_none() {
                    known.namespace = None;
                }
                known == *entry
            })
        });
        let wanted = found.ok_or(Error::Unplanned)?;
        let resource = self.resource(desired, entry).await?;
        let mut object = applied(wanted, entry, at);
        if scaled {
            without_replicas(&mut object);
        }
        let how = Apply::Do { force };
        self.cluster
            .api
            .apply(&resource, &object, how)
            .await
            .map(drop)
    }

    async fn resource(&self, desired: Option<&Desired>, entry: &Entry) -> Result<Resource, Error> {
        match self.cluster.reach(desired, entry).await? {
            Reach::Served(resource) => Ok(resource),
            Reach::Defined(_) | Reach::Unknown => Err(Error::KindUnknown {
                kind: entry.kind.clone(),
                api_version: entry.api_version.clone(),
            }),
        }
    }
}

/// Why an object does not run, as its component's fault.
fn failure(sight: &Sight, (reason, why, next): (&Reason, &str, &str)) -> Fault {
    let what = format!("{} does not run", sight.entry);
    Fault::blocked(reason.clone(), what).because(why).next(next)
}

/// The work a step starts.
const fn run_of(step: &Step) -> Option<(&Entry, &fractal_core::Fingerprint)> {
    match step {
        Step::Create {
            object,
            run: Some(run),
            ..
        }
        | Step::Update {
            object,
            run: Some(run),
            ..
        } => Some((object, run)),
        _ => None,
    }
}

/// What the component offers: where its Service answers, inside the cluster.
fn outputs(at: &At<Place, Memo>, desired: &Desired) -> Outputs {
    let namespace = &at.place.namespace;
    let mut outputs: Outputs = [
        ("namespace", namespace.clone()),
        ("name", at.place.component.clone()),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect();
    let service = desired
        .wanted
        .iter()
        .find(|wanted| wanted.entry.kind == "Service" && wanted.entry.name == at.place.component);
    let port = service.and_then(|it| it.object.pointer("/spec/ports/0/port")?.as_i64());
    if let (Some(service), Some(port)) = (service, port) {
        let space = service.entry.namespace.as_ref().unwrap_or(namespace);
        let host = format!("{}.{space}.svc", service.entry.name);
        outputs.insert("url".to_owned(), format!("http://{host}:{port}"));
        outputs.insert("host".to_owned(), host);
        outputs.insert("port".to_owned(), port.to_string());
    }
    outputs
}
