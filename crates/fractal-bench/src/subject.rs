//! Our own code as a measured process: it gets ready, waits for the word, does its one thing, and waits again to be looked at.
//!
//! `stage` is the agent's own path: its content from the registry, its step, its platform.

use std::io::{BufRead as _, Write as _};

use clap::ValueEnum;
use fractal_aws::Session;
use fractal_core::Fault;
use fractal_core::artifact::{Descriptor, Reference};
use fractal_core::contract::{ComponentKey, EnvironmentId};
use fractal_core::reconcile::{At, Owner, Platform as _};
use fractal_registry::{Options, Registry};
use fractal_runtime::RegistryContent;
use lambda_agent::{Code, Desired, Lambda, LambdaArgs, Memo, Place, Settings, Staged, Step};

use crate::cloud::{ACCOUNT, REGION};
use crate::error::Error;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// Reads the blob, verified, and lets it go.
    Pull,
    /// Puts the blob into a bucket.
    Stage,
}

impl What {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Stage => "stage",
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct SubjectArgs {
    what: What,
    /// Where the blob is.
    #[arg(long)]
    from: String,
    /// Its descriptor, as JSON.
    #[arg(long)]
    blob: String,
    /// The AWS endpoint.
    #[arg(long)]
    aws: String,
    /// The bucket.
    #[arg(long)]
    bucket: String,
}

pub(crate) async fn run(args: &SubjectArgs) -> Result<(), Error> {
    let invalid = |problem: &dyn std::fmt::Display| Error::unexpected("the command line", problem);
    let from: Reference = args.from.parse().map_err(|error| invalid(&error))?;
    let blob: Descriptor = serde_json::from_str(&args.blob).map_err(|error| invalid(&error))?;
    let registry = Registry::new(Options::on_loopback())?;
    match args.what {
        What::Pull => {
            turn("ready")?;
            pull(&registry, &from, &blob).await?;
        }
        What::Stage => {
            let flags = LambdaArgs {
                staging_bucket: Some(args.bucket.clone()),
                ..LambdaArgs::default()
            };
            let session = Session::simulated(&args.aws, REGION, ACCOUNT);
            let lambda = Lambda::connected(session, &flags).platform;
            turn("ready")?;
            stage(&lambda, registry, (from, blob), &args.bucket).await?;
        }
    }
    turn("done")
}

/// Says where it is and waits for a line, or for the end of its input.
fn turn(word: &str) -> Result<(), Error> {
    let failed = || Error::io("talking to the benchmark");
    let mut out = std::io::stdout().lock();
    writeln!(out, "{word}")
        .and_then(|()| out.flush())
        .map_err(failed())?;
    std::io::stdin()
        .lock()
        .read_line(&mut String::new())
        .map(drop)
        .map_err(failed())
}

async fn pull(registry: &Registry, from: &Reference, blob: &Descriptor) -> Result<(), Error> {
    let mut stream = registry.blob(from, blob).await?;
    while let Some(piece) = stream.next().await {
        drop(piece?);
    }
    Ok(())
}

async fn stage(
    lambda: &Lambda,
    registry: Registry,
    (from, blob): (Reference, Descriptor),
    bucket: &str,
) -> Result<(), Error> {
    let object = Staged {
        bucket: bucket.to_owned(),
        key: blob.digest.hex().to_owned(),
    };
    let step = Step::Stage {
        object: object.clone(),
        digest: blob.digest.clone(),
        size: blob.size,
    };
    let desired = desired(from, blob, object);
    let at = At {
        owner: owner()?,
        place: Place {
            account: ACCOUNT.to_owned(),
            region: REGION.to_owned(),
            name: "bench".to_owned(),
        },
        memo: Memo::default(),
    };
    let content = RegistryContent::new(registry);
    let applied = lambda.apply(&at, Some(&desired), &step, &content).await;
    applied.map(drop).map_err(|error| Fault::from(error).into())
}

/// Only the code's place matters to staging.
fn desired(from: Reference, blob: Descriptor, object: Staged) -> Desired {
    Desired {
        digest: blob.digest.clone(),
        code: Code::Zip {
            from,
            layer: Box::new(blob),
            staged: Some(object),
        },
        settings: Settings {
            role: String::new(),
            runtime: None,
            handler: None,
            memory: 128,
            timeout: 3,
            architecture: "x86_64",
            environment: [].into(),
        },
    }
}

fn owner() -> Result<Owner, Error> {
    let invalid = |error: fractal_core::contract::IdError| Error::unexpected("an id", error);
    Ok(Owner {
        installation: "bench".parse().map_err(invalid)?,
        component: ComponentKey {
            live_system: "Personal/bench/system/app".parse().map_err(invalid)?,
            component: "function".parse().map_err(invalid)?,
            offer: "CustomWorkloads.FaaS.AwsLambda".parse().map_err(invalid)?,
            environment: EnvironmentId::new("Personal", "bench", "dev").map_err(invalid)?,
        },
    })
}
