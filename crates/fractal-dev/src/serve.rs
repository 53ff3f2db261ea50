//! `fractal-dev serve`: the same world, kept running, with a line for each thing to point a client at.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::error::Error;
use crate::output::{self, Output};
use crate::world::{ACR, ECR, Ports, World};

/// Flags of `serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// Folder for everything; a temporary one, removed at the end, when not given
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Loopback port of the simulated AWS; 0 takes a free one
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    port: u16,
    /// Loopback port of the registry that plays ECR; 0 takes a free one
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    registry_port: u16,
}

pub(crate) async fn run(args: ServeArgs) -> ExitCode {
    match serve(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output::failed("serve", &fractal_core::fault::chain(&error)),
    }
}

async fn serve(args: ServeArgs) -> Result<(), Error> {
    let mut terminate =
        signal(SignalKind::terminate()).map_err(Error::io("waiting for SIGTERM"))?;
    let temporary = match args.state_dir {
        Some(_) => None,
        None => Some(tempfile::tempdir().map_err(Error::io("making a temporary folder"))?),
    };
    let folder = args
        .state_dir
        .clone()
        .or_else(|| temporary.as_ref().map(|folder| folder.path().to_owned()))
        .unwrap_or_default();
    let ports = Ports {
        aws: args.port,
        registry: args.registry_port,
        other: 0,
    };
    let world = World::start(&folder, ports, Duration::from_secs(5)).await?;
    say(&world);
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Error::io("waiting for Ctrl-C"))?,
    }
    world.stop().await;
    Ok(())
}

fn say(world: &World) {
    let out = Output::new();
    out.plain("Running until Ctrl-C: a simulated AWS, two registries, a queue and lambda-agent. In another terminal:\n");
    out.plain(&format!(
        "  export FRACTAL_QUEUE=sqlite:{}",
        world.database.display()
    ));
    out.plain(&format!(
        "  export FRACTAL_REGISTRY_ENDPOINTS={ECR}={},{ACR}={}",
        world.sim.registry_endpoint(),
        world.other.endpoint()
    ));
    out.plain(&format!("  export AWS_ENDPOINT_URL={} AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any AWS_REGION=eu-central-1", world.sim.endpoint()));
    out.plain(&format!("\n  fractal publish greeter.zip {ECR}/samples/greeter:1.0.0\n  fractal up fixtures/samples/live-system.yaml\n  fractal status --watch\n\ndocs/getting-started.md goes through it step by step."));
}
