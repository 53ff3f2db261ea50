//! Lambda and its staging bucket as values: what each step does, at once and without failing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fractal_core::Fault;
use fractal_core::artifact::{Descriptor, Digest, Facts, ImageFacts, ZipFacts};
use fractal_core::contract::{Environment, EnvironmentId};
use fractal_core::reconcile::{Artifact, At, Inputs, Plan, Platform as _, Release, Rollout};
use fractal_testkit::conformance::owner;
use lambda_agent::{
    Code, Config, Desired, Function, INLINE_MAX, Lambda, Memo, Observed, Operation, Place, Staged,
    Step, Variables,
};
use serde_json::{Value, json};

/// More rounds than any change takes.
const ROUNDS_MAX: usize = 12;

/// A deployment in a few numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) image: bool,
    pub(crate) staged: bool,
    pub(crate) arm: bool,
    pub(crate) version: u8,
    /// A bit for each of `KEY_A` and `KEY_B`.
    pub(crate) variables: u8,
    pub(crate) memory: i32,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            image: false,
            staged: false,
            arm: false,
            version: 1,
            variables: 0,
            memory: 128,
        }
    }
}

impl Shape {
    pub(crate) fn desired(self) -> Desired {
        let (inputs, rollout) = (self.inputs(), self.rollout());
        Lambda::desired(&config(), &place(), &inputs, &rollout)
            .map_err(Fault::from)
            .unwrap()
    }

    fn inputs(self) -> Inputs {
        let variables: BTreeMap<&str, String> = [("KEY_A", 0b01), ("KEY_B", 0b10)]
            .into_iter()
            .filter(|(_, bit)| self.variables & bit != 0)
            .map(|(name, _)| (name, format!("{name} with {} MB", self.memory)))
            .collect();
        let parameters: Value = json!({
            "runtime": "python3.13", "handler": "app.handler", "memoryMb": self.memory,
            "architecture": if self.arm { "arm64" } else { "x86_64" },
            "environment": variables,
        });
        Inputs {
            component: "worker".parse().unwrap(),
            offer: "CustomWorkloads.FaaS.AwsLambda".parse().unwrap(),
            environment: Environment {
                id: EnvironmentId::new("Personal", "suite", "test").unwrap(),
                parameters: serde_json::from_value(json!({})).unwrap(),
            },
            parameters: serde_json::from_value(parameters).unwrap(),
            dependencies: BTreeMap::new(),
            links: Vec::new(),
            secrets: BTreeMap::new(),
        }
    }

    fn rollout(self) -> Rollout {
        let digest = Digest::sha256([self.version, u8::from(self.image), u8::from(self.staged)]);
        let (reference, facts) = if self.image {
            let architecture = if self.arm { "arm64" } else { "amd64" };
            let image = ImageFacts {
                manifest: digest.clone(),
                architecture: architecture.into(),
                size: 1,
            };
            let host = "123456789012.dkr.ecr.eu-central-1.amazonaws.com";
            (format!("{host}/orders:1"), Facts::Image(image))
        } else {
            let size = if self.staged { INLINE_MAX + 1 } else { 100 };
            let zip = ZipFacts {
                layer: Descriptor::new("application/zip", digest.clone(), size),
                unpacked: size,
                names: vec!["app.py".into()],
            };
            ("registry.test/orders:1".to_owned(), Facts::Zip(zip))
        };
        let artifact = Artifact {
            reference: reference.parse().unwrap(),
            digest,
        };
        let facts = Arc::new(facts);
        Rollout {
            target: Release {
                parameter: "sourceArtifact",
                artifact,
                facts,
            },
            beside: Vec::new(),
        }
    }
}

fn config() -> Config {
    Config {
        account: "123456789012".into(),
        region: "eu-central-1".into(),
        default_role: Some("arn:aws:iam::123456789012:role/fn".into()),
        allowed_roles: Vec::new(),
        staging_bucket: Some("staging".into()),
    }
}

fn place() -> Place {
    Place {
        account: "123456789012".into(),
        region: "eu-central-1".into(),
        name: "orders".into(),
    }
}

pub(crate) fn at(memo: Memo) -> At<Place, Memo> {
    At {
        owner: owner(),
        place: place(),
        memo,
    }
}

/// The function that a create call makes of what is desired.
pub(crate) fn function(desired: &Desired) -> Function {
    let mut function = Function {
        arn: place().arn(),
        revision: "1".into(),
        is_image: false,
        code_sha256: String::new(),
        image_sha256: None,
        role: String::new(),
        runtime: None,
        handler: None,
        memory: 0,
        timeout: 0,
        architecture: String::new(),
        environment: Variables::default(),
        tags: BTreeMap::from([
            ("fractal:owner".to_owned(), owner().marker()),
            ("fractal:digest".to_owned(), desired.digest.to_string()),
        ]),
        state: Operation::Settled,
        update: Operation::Settled,
    };
    let variables = desired.settings.environment.iter();
    let variables = variables.map(|(name, value)| (name.clone(), value.expose().to_owned()));
    set(&mut function, desired, Variables(variables.collect()));
    run(&mut function, desired);
    function
}

fn set(function: &mut Function, desired: &Desired, variables: Variables) {
    let settings = &desired.settings;
    function.role.clone_from(&settings.role);
    function.runtime.clone_from(&settings.runtime);
    function.handler.clone_from(&settings.handler);
    (function.memory, function.timeout) = (settings.memory, settings.timeout);
    function.environment = variables;
    function.update = Operation::Settled;
}

fn run(function: &mut Function, desired: &Desired) {
    let hash = desired.code.sha256();
    function.is_image = matches!(desired.code, Code::Image { .. });
    function.image_sha256 = function.is_image.then(|| hash.clone());
    function.code_sha256 = hash;
    function.architecture = desired.settings.architecture.to_owned();
    function.update = Operation::Settled;
}

/// The cloud and what is remembered of it.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) function: Option<Function>,
    pub(crate) bucket: BTreeSet<Staged>,
    memo: Memo,
}

impl Model {
    /// Rounds of plan and apply until a plan is empty.
    pub(crate) fn converge(&mut self, desired: Option<&Desired>) -> Result<(), String> {
        for _ in 0..ROUNDS_MAX {
            let observed = self.observe(desired);
            Lambda::learn(&mut self.memo, desired, &observed);
            match Lambda::plan(&at(self.memo.clone()), desired, &observed) {
                Ok(Plan::InSync) => return Ok(()),
                Ok(Plan::Wait(_)) => {}
                Ok(Plan::Apply { now, .. }) => {
                    for step in &now {
                        Lambda::intend(step, desired, &mut self.memo);
                        self.apply(step, desired)?;
                    }
                }
                Err(_) => Lambda::relent(&mut self.memo),
            }
        }
        Err(format!("not in sync after {ROUNDS_MAX} rounds: {self:?}"))
    }

    fn observe(&self, desired: Option<&Desired>) -> Observed {
        let wanted = desired.and_then(Desired::staged);
        Observed {
            function: self.function.clone(),
            staged: wanted.is_some_and(|object| self.bucket.contains(object)),
        }
    }

    fn apply(&mut self, step: &Step, desired: Option<&Desired>) -> Result<(), String> {
        let refused = || format!("{step} cannot be carried out on {:?}", self.function);
        match (step, desired, self.function.clone()) {
            (Step::Stage { object, .. }, ..) => _ = self.bucket.insert(object.clone()),
            (Step::Unstage { object }, ..) => {
                self.bucket.remove(object);
                self.memo.staged.remove(object);
            }
            (Step::Delete { .. }, _, Some(_)) => self.function = None,
            (Step::Create { .. }, Some(desired), None) => {
                self.take(desired)?;
                self.function = Some(function(desired));
            }
            (Step::Settings { variables, .. }, Some(desired), Some(mut function)) => {
                set(&mut function, desired, variables.clone());
                self.function = Some(function);
            }
            (Step::Code { .. }, Some(desired), Some(mut function)) => {
                self.take(desired)?;
                run(&mut function, desired);
                self.function = Some(function);
            }
            (Step::Mark { digest }, _, Some(mut function)) => {
                function
                    .tags
                    .insert("fractal:digest".into(), digest.to_string());
                self.function = Some(function);
            }
            _ => return Err(refused()),
        }
        Ok(())
    }

    /// Lambda copies what is staged in the call that names it.
    fn take(&self, desired: &Desired) -> Result<(), String> {
        match desired.staged() {
            Some(object) if !self.bucket.contains(object) => Err(format!("{object} is not there")),
            _ => Ok(()),
        }
    }

    /// How the function differs from what is desired, others' variables aside.
    pub(crate) fn differs_from(&self, desired: &Desired) -> Option<String> {
        let Some(mut found) = self.function.clone() else {
            return Some("there is no function".to_owned());
        };
        if let Some(value) = found.environment.0.remove("FOREIGN") {
            assert_eq!(value, "kept");
        }
        let wanted = function(desired);
        (found != wanted).then(|| format!("{found:?} is not {wanted:?}"))
    }
}
