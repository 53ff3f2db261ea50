//! The agent's release binary, idle: it has deployed one function, looked at it since, and has nothing to do.

use std::io::{Cursor, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fractal_core::artifact::kind::media_type;
use fractal_core::artifact::{Descriptor, Digest, ImageManifest, Reference};
use fractal_core::status::LiveSystemPhase;
use fractal_queue::intake::Shrink;
use fractal_queue::store::Sqlite;
use fractal_queue::{Queue, SystemClock};
use fractal_registry::{Options, Registry, RepositoryRef};
use serde_json::json;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::Ground;
use crate::cloud::{ACCOUNT, REGION};
use crate::error::Error;
use crate::probe;
use crate::programs;
use crate::row::{self, Row};

const NAME: &str = "lambda-agent";
const SYSTEM: &str = "Personal/bench/system/app";
/// Longest wait for the agent to do something.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a component in sync is looked at, in seconds.
const INTERVAL: &str = "2";

/// The agent's memory after `quiet` seconds with nothing to do, and what it used meanwhile.
pub(super) async fn idle(ground: &Ground<'_>, quiet: u16) -> Result<Row, Error> {
    publish(ground).await?;
    let path = ground.folder.join("queue.db");
    let store = Sqlite::open(&path).map_err(|error| Error::unexpected("the queue", error))?;
    let queue = Queue::new(Arc::new(store), Arc::new(SystemClock::default()));
    let mut agent = Agent::start(ground, &format!("sqlite:{}", path.display()))?;
    submit(ground, &queue).await?;
    agent.active(&queue).await?;
    agent.looked(ground).await?;

    let pid = agent.0.id();
    let (cpu, last, began) = (probe::cpu(pid), ground.last()?, Instant::now());
    tokio::time::sleep(Duration::from_secs(quiet.into())).await;
    agent.is_there()?;
    let memory = probe::memory(pid).ok_or_else(|| Error::unexpected(NAME, "nothing"))?;
    let used = probe::cpu(pid)
        .unwrap_or_default()
        .saturating_sub(cpu.unwrap_or_default());
    Ok(Row {
        scenario: format!("idle {quiet} s, one function"),
        tool: NAME.to_owned(),
        version: version()?,
        cpu_s: Some(row::round(used.as_secs_f64())),
        wall_s: Some(row::round(began.elapsed().as_secs_f64())),
        rss_peak: Some(memory.peak),
        requests: Some(ground.requests(last)?),
        ratio: Some(1.0),
        ..Row::default()
    })
}

fn version() -> Result<String, Error> {
    let output = Command::new(programs::own(NAME)?)
        .arg("--version")
        .env_clear()
        .output()
        .map_err(Error::io(format!("asking {NAME} for its version")))?;
    let said = String::from_utf8_lossy(&output.stdout);
    Ok(said.trim().trim_start_matches(NAME).trim().to_owned())
}

/// The running agent, killed when dropped.
struct Agent(Child);

impl Agent {
    fn start(ground: &Ground<'_>, queue: &str) -> Result<Self, Error> {
        let log = std::fs::File::create(ground.folder.join("agent.log"))
            .map_err(Error::io("making the agent's log"))?;
        Command::new(programs::own(NAME)?)
            .arg("run")
            .env_clear()
            .env("HOME", ground.folder)
            .env("FRACTAL_QUEUE", queue)
            .env("FRACTAL_INTERVAL", INTERVAL)
            .env("FRACTAL_ALLOW_PRIVATE", &ground.source.registry)
            .env("FRACTAL_LISTEN", "127.0.0.1:0")
            .env("AWS_ENDPOINT_URL", &ground.target.aws)
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", "bench")
            .env("AWS_SECRET_ACCESS_KEY", "bench")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map(Self)
            .map_err(Error::io(format!("starting {NAME}")))
    }

    fn is_there(&mut self) -> Result<(), Error> {
        match self
            .0
            .try_wait()
            .map_err(Error::io("looking at the agent"))?
        {
            None => Ok(()),
            Some(status) => Err(Error::Ended {
                program: NAME.to_owned(),
                status: status.to_string(),
                said: String::new(),
            }),
        }
    }

    /// Waits until the function is deployed.
    async fn active(&mut self, queue: &Queue) -> Result<(), Error> {
        let id = SYSTEM
            .parse()
            .map_err(|error| Error::unexpected("an id", error))?;
        let began = Instant::now();
        loop {
            let view = queue.view(&id).await?;
            if view.is_some_and(|view| view.phase == LiveSystemPhase::Active) {
                return Ok(());
            }
            self.turn(began, "the deployment").await?;
        }
    }

    /// Waits until the agent has looked at what it deployed.
    async fn looked(&mut self, ground: &Ground<'_>) -> Result<(), Error> {
        let (last, began) = (ground.last()?.1, Instant::now());
        let is_look = |operation: &String| operation.starts_with("GetFunction");
        while !ground.target.asked(last)?.operations.iter().any(is_look) {
            self.turn(began, "the agent's look").await?;
        }
        Ok(())
    }

    async fn turn(&mut self, began: Instant, what: &str) -> Result<(), Error> {
        self.is_there()?;
        if began.elapsed() > PATIENCE {
            return Err(Error::Late(what.to_owned()));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok(())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn submit(ground: &Ground<'_>, queue: &Queue) -> Result<(), Error> {
    let body = json!({
        "liveSystemId": SYSTEM,
        "fractalId": "Personal/bench/system/app:1.0.0",
        "blueprintMap": { "function": {
            "id": "function",
            "type": "CustomWorkloads.FaaS.AwsLambda",
            "displayName": "function",
            "provider": "AWS",
            "deliveryModel": "FaaS",
            "parameters": {
                "sourceArtifact": "bench/function:1",
                "runtime": "python3.13",
                "handler": "app.handler",
                "memoryMb": 128,
                "roleArn": format!("arn:aws:iam::{ACCOUNT}:role/lambda-role"),
            },
            "dependencies": [],
            "links": [],
        }},
        "environment": {
            "id": { "type": "Personal", "ownerId": "bench", "shortName": "dev" },
            "parameters": { "registries": { "AWS": ground.source.registry } },
        },
    });
    queue
        .submit(body.to_string().as_bytes(), None, Shrink::Hold)
        .await?;
    Ok(())
}

async fn publish(ground: &Ground<'_>) -> Result<(), Error> {
    let registry = Registry::new(Options::on_loopback())?;
    let to = format!("{}/bench/function:1", ground.source.registry);
    let to: Reference = to
        .parse()
        .map_err(|error| Error::unexpected("a reference", error))?;
    let (empty, zip) = (Bytes::from_static(b"{}"), function()?);
    let blob = |media_type: &str, bytes: &Bytes| {
        Descriptor::new(media_type, Digest::sha256(bytes), bytes.len() as u64)
    };
    let (config, layer) = (
        blob(media_type::OCI_EMPTY, &empty),
        blob(media_type::FUNCTION_ZIP, &zip),
    );
    let repository = RepositoryRef::from(&to);
    for (descriptor, bytes) in [(&config, &empty), (&layer, &zip)] {
        registry
            .push_blob(&repository, descriptor, bytes, None)
            .await?;
    }
    let manifest = ImageManifest::new(Some(media_type::FUNCTION_ZIP), config, vec![layer]);
    let bytes =
        serde_json::to_vec(&manifest).map_err(|error| Error::unexpected("serde_json", error))?;
    registry
        .push_manifest(&to, bytes.into(), media_type::OCI_MANIFEST)
        .await?;
    Ok(())
}

fn function() -> Result<Bytes, Error> {
    let packed = || -> zip::result::ZipResult<Vec<u8>> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer.start_file("app.py", SimpleFileOptions::default())?;
        writer.write_all(b"def handler(event, context):\n    return event\n")?;
        Ok(writer.finish()?.into_inner())
    };
    packed()
        .map(Bytes::from)
        .map_err(|error| Error::unexpected("the zip", error))
}
