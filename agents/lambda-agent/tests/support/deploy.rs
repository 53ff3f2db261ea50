//! One deployment after the other onto a fresh simulated AWS, and what the ledger says was sent.

use bytes::Bytes;
use fractal_core::artifact::Digest;
use fractal_core::reconcile::{
    Applied, Consent, End, Goal, Journal, NoteError, Record, Rollout, Task, preview, reconcile,
};
use fractal_core::{Fault, Fingerprint};
use fractal_simcloud::Entry;
use fractal_testkit::conformance::owner;
use fractal_testkit::content::MemoryContent;
use lambda_agent::{Lambda, LambdaArgs, Memo, Place};
use serde_json::{Value, json};

use super::artifacts::{image_rollout, push_image, zip_rollout};
use super::cloud::{Aws, BUCKET, REGION, ROLE, inputs};

/// More passes than any deployment here takes.
const PASSES_MAX: usize = 12;

/// What is to be deployed, and how the agent is set up.
pub(crate) struct Deployment {
    artifacts: Vec<(Artifact, Value)>,
    parameters: Value,
    environment: Value,
    default_role: Option<String>,
    bucket: bool,
    consent: Consenting,
}

/// An artifact to deploy.
#[derive(Debug, Clone)]
enum Artifact {
    Zip(Bytes),
    /// An image whose layer says this.
    Image(&'static str),
}

/// Who allows that the function is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consenting {
    Nobody,
    Environment,
    /// Someone who saw the plan.
    ThisPlan,
    /// Someone who saw another one.
    OtherPlan,
    /// Someone who saw the same steps for another artifact.
    OtherAim,
}

impl Deployment {
    pub(crate) fn of(zip: Bytes) -> Self {
        Self::begin(Artifact::Zip(zip))
    }

    pub(crate) fn of_image(says: &'static str) -> Self {
        Self::begin(Artifact::Image(says))
    }

    fn begin(artifact: Artifact) -> Self {
        Self {
            artifacts: vec![(artifact, json!({}))],
            consent: Consenting::Nobody,
            parameters: json!({}),
            environment: json!({}),
            default_role: Some(ROLE.to_owned()),
            bucket: false,
        }
    }

    /// Another deployment after it.
    pub(crate) fn then(mut self, zip: Bytes, parameters: Value) -> Self {
        self.artifacts.push((Artifact::Zip(zip), parameters));
        self
    }

    /// An image after it.
    pub(crate) fn then_image(mut self, says: &'static str) -> Self {
        self.artifacts.push((Artifact::Image(says), json!({})));
        self
    }

    pub(crate) fn allowed_by(self, consent: Consenting) -> Self {
        Self { consent, ..self }
    }

    pub(crate) fn with(self, parameters: Value) -> Self {
        Self { parameters, ..self }
    }

    pub(crate) fn in_environment(self, environment: Value) -> Self {
        Self {
            environment,
            ..self
        }
    }

    pub(crate) fn with_default_role(self, role: &str) -> Self {
        Self {
            default_role: Some(role.to_owned()),
            ..self
        }
    }

    pub(crate) fn without_default_role(self) -> Self {
        Self {
            default_role: None,
            ..self
        }
    }

    pub(crate) fn with_bucket(self) -> Self {
        Self {
            bucket: true,
            ..self
        }
    }

    fn parameters(&self, more: &Value) -> Value {
        let mut all = json!({
            "functionName": "orders", "runtime": "python3.13", "handler": "app.handler",
            "environment": { "STAGE": "test" },
        });
        for given in [&self.parameters, more] {
            let members = given.as_object().unwrap().clone();
            all.as_object_mut().unwrap().extend(members);
        }
        all
    }

    pub(crate) async fn run(self) -> Deployed {
        let aws = Aws::start().await;
        if self.bucket {
            aws.make_bucket().await;
        }
        let begin = aws.sim.ledger().last();
        let args = LambdaArgs {
            default_role_arn: self.default_role.clone(),
            allow_roles: Vec::new(),
            staging_bucket: self.bucket.then(|| BUCKET.to_owned()),
        };
        let connected = Lambda::connected(aws.session(), &args);
        let (mut record, mut end) = (Record::default(), End::Stopped);
        for (artifact, more) in &self.artifacts {
            let mut content = MemoryContent::default();
            let rollout = artifact.published(&aws, &mut content).await;
            let inputs = inputs(self.parameters(more), self.environment.clone());
            for _ in 0..PASSES_MAX {
                let mut task = Task {
                    owner: &owner(),
                    config: &connected.config,
                    goal: Goal::Present {
                        inputs: &inputs,
                        rollout: &rollout,
                    },
                    record,
                    consent: Consent::Withheld,
                };
                task.consent = self.consent.given(&connected.platform, &task).await;
                let mut journal = Unfenced;
                let pass = reconcile(&connected.platform, task, &mut journal, &content);
                let report = Box::pin(pass).await;
                (record, end) = (report.record, report.end);
                aws.settle();
                if !matches!(end, End::Wait(_)) {
                    break;
                }
            }
        }
        Deployed {
            end,
            entries: agents(aws.sim.ledger().since(begin)),
            zip_hex: match &self.artifacts[0].0 {
                Artifact::Zip(zip) => Digest::sha256(zip).hex().to_owned(),
                Artifact::Image(_) => String::new(),
            },
        }
    }
}

impl Artifact {
    async fn published(&self, aws: &Aws, content: &mut MemoryContent) -> Rollout {
        match self {
            Self::Zip(zip) => {
                content.add(zip.clone());
                zip_rollout(zip)
            }
            Self::Image(says) => {
                let digest = push_image(aws.sim.registry_endpoint(), says).await;
                image_rollout(REGION, &digest)
            }
        }
    }
}

impl Consenting {
    async fn given(self, platform: &Lambda, task: &Task<'_, Lambda>) -> Consent {
        match self {
            Self::Nobody => Consent::Withheld,
            Self::Environment => Consent::Environment,
            Self::OtherPlan => Consent::Plan(Fingerprint::of(&"another plan").unwrap()),
            Self::OtherAim => {
                let Goal::Present { inputs, rollout } = task.goal else {
                    panic!("nothing is wanted")
                };
                let mut other = rollout.clone();
                other.target.artifact.digest = Digest::sha256("another artifact");
                let goal = Goal::Present {
                    inputs,
                    rollout: &other,
                };
                let record = task.record.clone();
                let consent = Consent::Withheld;
                let (owner, config) = (task.owner, task.config);
                let task = Task {
                    owner,
                    config,
                    goal,
                    record,
                    consent,
                };
                let plan = preview(platform, &task).await.unwrap();
                plan.approval.map_or(Consent::Withheld, Consent::Plan)
            }
            Self::ThisPlan => {
                let plan = preview(platform, task).await.unwrap();
                plan.approval.map_or(Consent::Withheld, Consent::Plan)
            }
        }
    }
}

/// What the publisher sends to the registry is not the agent's.
fn agents(entries: Vec<Entry>) -> Vec<Entry> {
    let ours = entries.into_iter();
    ours.filter(|entry| entry.service != "registry").collect()
}

/// What came of it.
pub(crate) struct Deployed {
    pub(crate) end: End,
    /// The first zip's SHA-256.
    pub(crate) zip_hex: String,
    entries: Vec<Entry>,
}

impl Deployed {
    /// Operations of the writes that were accepted, in order.
    pub(crate) fn writes(&self) -> Vec<&str> {
        let accepted = self
            .entries
            .iter()
            .filter(|entry| entry.is_accepted_write());
        accepted.map(|entry| entry.operation.as_str()).collect()
    }

    /// The one accepted request of an operation.
    pub(crate) fn request(&self, operation: &str) -> Value {
        assert!(matches!(self.end, End::Ready(_)), "{:?}", self.end);
        let mut requests = self
            .entries
            .iter()
            .filter(|entry| entry.operation == operation);
        let request = requests.next().unwrap().request.clone();
        assert!(
            requests.next().is_none(),
            "{operation} was sent more than once"
        );
        request
    }

    /// The fault it ended with, before any call.
    pub(crate) fn refused(&self) -> &Fault {
        assert_eq!(self.entries, Vec::new());
        match &self.end {
            End::Fault(fault) => fault,
            end => panic!("{end:?}"),
        }
    }
}

/// Nothing interrupts these deployments.
struct Unfenced;

impl Journal<Place, Memo> for Unfenced {
    async fn note(&mut self, _: &Record<Place, Memo>) -> Result<(), NoteError> {
        Ok(())
    }

    fn stopping(&self) -> bool {
        false
    }

    fn applied(&mut self, _: &Applied) {}
}
