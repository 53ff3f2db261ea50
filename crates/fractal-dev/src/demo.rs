//! The demo: everything the project promises, once through, each promise checked against the simulated cloud's own ledger.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::ValueEnum;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::Error;
use crate::output::{self, Output};
use crate::world::{Ports, World};

mod cloud;
mod steps;
mod system;
mod wait;

/// How often the agent looks at what is in sync: short, since someone watches.
const INTERVAL: Duration = Duration::from_millis(700);
/// Longest wait for what still runs after an interrupt.
const STOP: Duration = Duration::from_secs(5);

/// Flags of `demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// Makes one step fail, to see what that looks like
    #[arg(long = "break", value_name = "STEP")]
    sabotage: Option<Step>,
}

/// The demo's steps, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// Starts a simulated AWS, two registries, a queue and an agent.
    Start,
    /// Makes a function zip and a container image.
    Build,
    /// Publishes both to two registries and compares the digests.
    Publish,
    /// Deploys one live system that holds both.
    Deploy,
    /// Looks again and touches nothing.
    Steady,
    /// Publishes a new version and changes that component only.
    Update,
    /// Breaks something by hand and repairs it.
    Repair,
    /// Takes everything down.
    Down,
}

impl Step {
    fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Start => {
                "start: a simulated AWS, two registries, a queue and lambda-agent, all on loopback"
            }
            Self::Build => "build: one function zip and one container image",
            Self::Publish => "publish: each artifact once, to two registries, with identical bytes",
            Self::Deploy => "deploy: one live system that holds both",
            Self::Steady => "steady: the agent looks again, and nothing is touched",
            Self::Update => "update: a new version of one artifact changes that component only",
            Self::Repair => "repair: someone changes a function by hand, the agent puts it right",
            Self::Down => "down: everything is taken away",
        }
    }
}

/// Runs the demo.
pub(crate) fn run(runtime: Runtime, args: DemoArgs) -> ExitCode {
    let mut current = Step::Start;
    let ended = perform(runtime, args.sabotage, &mut current);
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Interrupted) => output::interrupted(),
        Err(error) => output::failed(&current.name(), &fractal_core::fault::chain(&error)),
    }
}

/// Signals are received before there is a folder to leave behind, and the folder goes once nothing runs that writes into it.
fn perform(runtime: Runtime, sabotage: Option<Step>, current: &mut Step) -> Result<(), Error> {
    let interrupts = runtime.block_on(async { Interrupts::receive() })?;
    let folder = tempfile::tempdir().map_err(Error::io("making a temporary folder"))?;
    let ended = runtime.block_on(async {
        tokio::select! {
            biased;
            error = interrupts.come() => Err(error),
            ended = play(folder.path(), sabotage, current) => ended,
        }
    });
    runtime.shutdown_timeout(STOP);
    ended
}

/// Ctrl-C and SIGTERM.
struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    fn receive() -> Result<Self, Error> {
        let receive = |kind| signal(kind).map_err(Error::io("receiving signals"));
        Ok(Self {
            interrupt: receive(SignalKind::interrupt())?,
            terminate: receive(SignalKind::terminate())?,
        })
    }

    async fn come(mut self) -> Error {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        Error::Interrupted
    }
}

async fn play(folder: &Path, sabotage: Option<Step>, current: &mut Step) -> Result<(), Error> {
    let out = Output::new();
    let steps = Step::value_variants();
    let mut begin = |step: Step| {
        *current = step;
        out.heading(
            steps
                .iter()
                .position(|known| *known == step)
                .unwrap_or_default()
                + 1,
            steps.len(),
            step.title(),
        );
        sabotage == Some(step)
    };

    let broken = begin(Step::Start);
    let world = start(folder, broken).await?;
    let mut stage = steps::Stage::new(&world, folder, out);
    stage.started().await?;
    stage.build(begin(Step::Build))?;
    stage.publish(begin(Step::Publish)).await?;
    stage.deploy(begin(Step::Deploy)).await?;
    stage.steady(begin(Step::Steady)).await?;
    stage.update(begin(Step::Update)).await?;
    stage.repair(begin(Step::Repair)).await?;
    stage.down(begin(Step::Down)).await?;
    world.stop().await;
    out.plain("\nAll of it held. Next: README.md, or `cargo run -p fractal-dev -- serve` to try it yourself.");
    Ok(())
}

/// Sabotaged, the queue's file is a folder.
async fn start(folder: &Path, sabotage: bool) -> Result<World, Error> {
    if sabotage {
        std::fs::create_dir(folder.join("queue.db")).map_err(Error::io("making a folder"))?;
    }
    World::start(folder, Ports::default(), INTERVAL).await
}
