//! The conformance suite's way into and around the simulated AWS.

use std::collections::BTreeMap;

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Environment, FunctionCode, PackageType, Runtime};
use fractal_core::Class;
use fractal_core::artifact::Digest;
use fractal_core::reconcile::{Content, Inputs, Rollout};
use fractal_simcloud::{Action, Entry, Filter, Rule, Served};
use fractal_testkit::conformance::{
    Call, DROPPED_KEY, Expected, FOREIGN_KEY, Harness, KEPT_KEY, LateFailure, Object, Outcome,
    Outside, Spec, Touch, Trouble, owner,
};
use fractal_testkit::content::MemoryContent;
use lambda_agent::{Config, INLINE_MAX, Lambda, LambdaArgs};
use serde_json::json;

use super::artifacts::{image_rollout, push_image, zip_rollout, zips};
use super::cloud::{Aws, BUCKET, REGION, ROLE, inputs};

/// What a late failure says.
const LATE: &str = "The function's role lost its permissions.";
const NAME: &str = "orders";

/// How code gets to Lambda.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    InlineZip,
    StagedZip,
    Image,
}

/// A fresh AWS for the suite.
pub(crate) struct LambdaCloud {
    aws: Aws,
    way: Way,
    content: MemoryContent,
    images: BTreeMap<&'static str, Digest>,
    /// The ledger before the agent's first call.
    begin: u64,
}

impl LambdaCloud {
    pub(crate) async fn inline_zip() -> Self {
        Self::fresh(Way::InlineZip).await
    }

    pub(crate) async fn staged_zip() -> Self {
        Self::fresh(Way::StagedZip).await
    }

    pub(crate) async fn image() -> Self {
        Self::fresh(Way::Image).await
    }

    async fn fresh(way: Way) -> Self {
        let aws = Aws::start().await;
        let (mut content, mut images) = (MemoryContent::default(), BTreeMap::new());
        match way {
            Way::Image => {
                for text in ["first", "second", "tampered"] {
                    let digest = push_image(aws.sim.registry_endpoint(), text).await;
                    images.insert(text, digest);
                }
            }
            Way::InlineZip | Way::StagedZip => {
                for zip in zips(size(way)).values() {
                    content.add(zip.clone());
                }
            }
        }
        if way == Way::StagedZip {
            aws.make_bucket().await;
        }
        let begin = aws.sim.ledger().last();
        Self {
            aws,
            way,
            content,
            images,
            begin,
        }
    }

    fn connected(&self) -> fractal_runtime::Connected<Lambda> {
        let args = LambdaArgs {
            default_role_arn: Some(ROLE.into()),
            allow_roles: Vec::new(),
            staging_bucket: (self.way == Way::StagedZip).then(|| BUCKET.into()),
        };
        Lambda::connected(self.aws.session(), &args)
    }

    /// Region and function name. A staging bucket serves its own region only, so there the other place is another name.
    fn place(&self, spec: Spec) -> (&'static str, &'static str) {
        match (spec, self.way) {
            (Spec::OtherPlace, Way::StagedZip) => (REGION, "orders-moved"),
            (Spec::OtherPlace, _) => ("eu-west-1", NAME),
            _ => (REGION, NAME),
        }
    }

    /// Hash of the code of a version, as the simulation tells what is served.
    fn hash(&self, version: &str) -> String {
        match self.way {
            Way::Image => self.images[version].to_string(),
            Way::InlineZip | Way::StagedZip => {
                Digest::sha256(&zips(size(self.way))[version]).to_string()
            }
        }
    }

    fn rollout(&self, spec: Spec) -> Rollout {
        match self.way {
            Way::Image => image_rollout(self.place(spec).0, &self.images[version(spec)]),
            Way::InlineZip | Way::StagedZip => zip_rollout(&zips(size(self.way))[version(spec)]),
        }
    }

    fn touches(entry: &Entry) -> Touch {
        match (entry.service.as_str(), entry.operation.as_str()) {
            ("lambda", "CreateFunction") => Touch::Create,
            ("lambda", "UpdateFunctionCode") => Touch::Code,
            ("lambda", "UpdateFunctionConfiguration") => Touch::Settings,
            ("lambda", "TagResource" | "UntagResource") => Touch::Marker,
            ("lambda", "DeleteFunction") => Touch::Delete,
            ("s3", _) if entry.mutating => Touch::Staged,
            (_, operation) => {
                assert!(!entry.mutating, "{operation} is not known here");
                Touch::Nothing
            }
        }
    }

    async fn take_place(&self, marker: Option<String>) {
        let lambda = self.aws.lambda();
        let _ = lambda.delete_function().function_name(NAME).send().await;
        let mut create = lambda.create_function().function_name(NAME).role(ROLE);
        if let Some(marker) = marker {
            create = create.tags("fractal:owner", marker);
        }
        let code = FunctionCode::builder();
        let (create, code) = match self.way {
            Way::Image => (
                create.package_type(PackageType::Image),
                code.image_uri(self.uri("tampered")),
            ),
            Way::InlineZip | Way::StagedZip => (
                create.runtime(Runtime::Python313).handler("app.handler"),
                code.zip_file(Blob::new(zips(None)["tampered"].clone())),
            ),
        };
        create.code(code.build()).send().await.unwrap();
    }

    async fn change_code(&self) {
        let lambda = self.aws.lambda();
        let update = lambda.update_function_code().function_name(NAME);
        let update = match self.way {
            Way::Image => update.image_uri(self.uri("tampered")),
            _ => update.zip_file(Blob::new(zips(None)["tampered"].clone())),
        };
        update.send().await.unwrap();
    }

    async fn set(&self, (name, value): (&str, &str)) {
        let lambda = self.aws.lambda();
        let now = lambda.get_function_configuration().function_name(NAME);
        let now = now.send().await.unwrap();
        let mut variables = now.environment().unwrap().variables().unwrap().clone();
        variables.insert(name.to_owned(), value.to_owned());
        let environment = Environment::builder()
            .set_variables(Some(variables))
            .build();
        let update = lambda.update_function_configuration().function_name(NAME);
        update.environment(environment).send().await.unwrap();
    }

    async fn untag(&self, key: &str) {
        let arn = format!("arn:aws:lambda:{REGION}:123456789012:function:{NAME}");
        let call = self
            .aws
            .lambda()
            .untag_resource()
            .resource(arn)
            .tag_keys(key);
        call.send().await.unwrap();
    }

    fn uri(&self, version: &str) -> String {
        let rollout = image_rollout(REGION, &self.images[version]);
        rollout.target.artifact.pinned().to_string()
    }
}

impl Harness for LambdaCloud {
    type Platform = Lambda;

    fn agent(&self) -> Lambda {
        self.connected().platform
    }

    fn config(&self) -> Config {
        self.connected().config
    }

    fn content(&self) -> &dyn Content {
        &self.content
    }

    fn deployment(&self, spec: Spec) -> (Inputs, Rollout) {
        let (region, name) = self.place(spec);
        let memory = if spec == Spec::Impossible {
            1
        } else {
            memory(spec)
        };
        let parameters = json!({
            "functionName": name, "region": region, "memoryMb": memory,
            "runtime": "python3.13", "handler": "app.handler",
            "environment": variables(spec),
        });
        (inputs(parameters, json!({})), self.rollout(spec))
    }

    fn expected(&self, spec: Spec) -> Expected {
        let (region, name) = self.place(spec);
        let mut settings = variables(spec);
        settings.insert("(memory)".into(), memory(spec).to_string());
        Expected {
            place: format!("{region}/{name}"),
            serves: self.hash(version(spec)),
            settings,
            digest: self.rollout(spec).target.artifact.digest.to_string(),
        }
    }

    fn mark(&self) -> u64 {
        self.aws.sim.ledger().last()
    }

    fn calls(&self, since: u64) -> Vec<Call> {
        let entries = self.aws.sim.ledger().since(since.max(self.begin));
        let ours = entries.iter().filter(|entry| entry.service != "registry");
        ours.map(|entry| Call {
            operation: entry.operation.clone(),
            touches: Self::touches(entry),
            outcome: match entry.outcome {
                fractal_simcloud::Outcome::FaultBefore => Outcome::Prevented,
                fractal_simcloud::Outcome::Refused => Outcome::Refused,
                _ => Outcome::Accepted,
            },
            struck: entry.fault.is_some(),
        })
        .collect()
    }

    fn objects(&self) -> Vec<Object> {
        self.aws.sim.functions().iter().map(object).collect()
    }

    fn leftovers(&self) -> Vec<String> {
        let objects = self.aws.sim.objects();
        objects
            .iter()
            .map(|object| format!("s3://{}/{}", object.bucket, object.key))
            .collect()
    }

    fn arm(&self, trouble: Trouble) {
        let any = Filter::default;
        let writes = || Filter {
            mutating: Some(true),
            ..Filter::default()
        };
        let lambda = || Filter {
            service: Some("lambda".into()),
            ..writes()
        };
        let rule = match trouble {
            Trouble::Fails(n) => Rule::new(any(), failure(n)).nth(n as u64),
            Trouble::LosesAnswer(n) => Rule::new(any(), Action::LoseAnswer).nth(n as u64),
            Trouble::Hangs(n) => return self.aws.wire.hang_at(n),
            Trouble::Throttles(n, after) => {
                let retry_after = Some(after.as_secs());
                Rule::new(any(), Action::Throttle { retry_after }).nth(n as u64)
            }
            Trouble::Forbids(n) => Rule::new(writes(), Action::Deny)
                .nth(n as u64)
                .until_lifted(),
            Trouble::StaleReads(reads) => {
                Rule::new(lambda(), Action::StaleReads { reads }).until_lifted()
            }
            Trouble::FailsLate => {
                let code = "InsufficientRolePermissions".into();
                Rule::new(
                    lambda(),
                    Action::FailLate {
                        code,
                        reason: LATE.into(),
                    },
                )
            }
        };
        self.aws.sim.faults().arm(rule);
    }

    fn heal(&self) {
        self.aws.sim.faults().clear();
        self.aws.wire.hang_at(0);
    }

    async fn advance(&self) {
        self.aws.settle();
    }

    async fn hung(&self) {
        self.aws.wire.hung().await;
    }

    async fn outside(&self, act: Outside) -> bool {
        match act {
            Outside::AddsKey => self.set(FOREIGN_KEY).await,
            Outside::ChangesCode => self.change_code().await,
            Outside::ChangesSettings => self.set((KEPT_KEY, "tampered")).await,
            Outside::DropsDigestMarker => self.untag("fractal:digest").await,
            Outside::DropsOwnerMarker => self.untag("fractal:owner").await,
            Outside::TakesPlace => {
                self.take_place(Some(format!("other/{}", owner().component.hash())))
                    .await;
            }
            Outside::TakesPlaceUnmarked => self.take_place(None).await,
        }
        self.aws.settle();
        let read = self.aws.lambda().get_function().function_name(NAME);
        read.send().await.unwrap();
        true
    }

    fn permission(&self, operation: &str) -> String {
        let service = if operation.ends_with("Object") {
            "s3"
        } else {
            "lambda"
        };
        format!("{service}:{operation}")
    }

    fn late_failure(&self) -> LateFailure {
        LateFailure {
            class: Class::Blocked,
            says: LATE.into(),
        }
    }
}

/// A cut connection tells the agent less than an error: both take turns.
fn failure(n: usize) -> Action {
    if n.is_multiple_of(2) {
        return Action::Reset;
    }
    Action::Fail {
        status: 500,
        code: "ServiceException".into(),
        message: "internal error".into(),
        retry_after: None,
    }
}

fn object(served: &Served) -> Object {
    let mut settings = served.environment.clone();
    if let Some(memory) = served.settings.get("MemorySize") {
        settings.insert("(memory)".into(), memory.to_string());
    }
    Object {
        place: format!("{}/{}", served.region, served.function),
        owner: served.tags.get("fractal:owner").cloned(),
        serves: served.digest.clone(),
        settings,
        digest: served.tags.get("fractal:digest").cloned(),
    }
}

/// Larger than a request takes where there is a bucket.
fn size(way: Way) -> Option<usize> {
    (way == Way::StagedZip).then_some(INLINE_MAX as usize + 1)
}

fn version(spec: Spec) -> &'static str {
    if matches!(spec, Spec::NewArtifact | Spec::Both) {
        "second"
    } else {
        "first"
    }
}

fn memory(spec: Spec) -> i32 {
    if matches!(spec, Spec::NewSettings | Spec::Both) {
        256
    } else {
        128
    }
}

fn variables(spec: Spec) -> BTreeMap<String, String> {
    let kept = if matches!(spec, Spec::NewSettings | Spec::Both) {
        "two"
    } else {
        "one"
    };
    let dropped = (spec != Spec::DroppedKey).then_some((DROPPED_KEY, "here"));
    [Some((KEPT_KEY, kept)), dropped]
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
