//! `run`: the daemon.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use fractal_core::{Class, Fault, Reason};
use tokio::signal::unix::{SignalKind, signal};

use super::{installation, may_pass, queue, registry};
use crate::agent::{Agent, Connected};
use crate::args::RuntimeArgs;
use crate::backoff;
use crate::exit::Exit;
use crate::secrets::Secrets;
use crate::service::Service;
use crate::stop::{Stop, Stopper};
use crate::telemetry::{http, metrics::Metrics};

pub(super) async fn run<A: Agent>(args: &RuntimeArgs, own: &A::Args) -> Result<Exit, Fault> {
    let mut stop = stop_on_signals()?;
    let queue = queue(args)?;
    let installation = installation(args, &queue).await?;
    let Some(connected) = connect::<A>(own, &mut stop).await? else {
        return Ok(Exit::Success);
    };
    let registry = registry(args, &connected)?;
    let secrets = args
        .secrets_dir
        .clone()
        .map(Secrets::from_directory)
        .unwrap_or_default();
    let settings = args.settings(holder(A::NAME));
    let metrics = Metrics::new(A::NAME);
    tracing::info!(agent = A::NAME, version = env!("CARGO_PKG_VERSION"), holder = settings.holder, %installation, offers = ?A::OFFERS, "started");
    let service = Service::new(
        connected,
        queue,
        registry,
        (secrets, settings),
        (installation, metrics.clone(), stop),
    )?;
    let _serving = match args.listen {
        Some(address) => {
            let served = http::listen(address, metrics, service.status()).await;
            let (address, task) = served.map_err(|error| {
                Fault::blocked(
                    Reason::new("ListenFailed"),
                    "the metrics port cannot be used",
                )
                .at(address)
                .because(error)
                .next("choose another --listen address")
            })?;
            tracing::info!(%address, "metrics and health served");
            Some(task)
        }
        None => None,
    };
    service.run().await;
    Ok(Exit::Success)
}

/// Connects, and keeps trying while the reason may pass: an agent may start before its network or identity is there.
async fn connect<A: Agent>(own: &A::Args, stop: &mut Stop) -> Result<Option<Connected<A>>, Fault> {
    let mut attempt = 1;
    loop {
        let fault = match A::connect(own).await {
            Ok(connected) => return Ok(Some(connected)),
            Err(fault) if !may_pass(&fault) => return Err(fault),
            Err(fault) => fault,
        };
        let pause = backoff::after_fault(fault.class, attempt, fastrand::f64())
            .unwrap_or(Duration::from_secs(60));
        let class = if matches!(fault.class, Class::Blocked) {
            "Blocked"
        } else {
            "Transient"
        };
        tracing::warn!(reason = %fault.reason, class, fault = %fault, pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX), "not connected");
        tokio::select! {
            () = stop.stopped() => return Ok(None),
            () = tokio::time::sleep(pause) => attempt += 1,
        }
    }
}

/// The first SIGTERM or SIGINT lets work in flight end; a second one ends the process at once.
fn stop_on_signals() -> Result<Stop, Fault> {
    let (stopper, stop) = Stopper::new();
    let unusable = |error: std::io::Error| {
        Fault::transient(Reason::new("ResourceLocal"), "signals cannot be received").because(error)
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(unusable)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(unusable)?;
    tokio::spawn(async move {
        let mut told = false;
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if told {
                tracing::warn!("told twice: stopping at once, claims are left to expire");
                exit_now();
            }
            told = true;
            tracing::info!("stopping: nothing new begins");
            stopper.stop();
        }
    });
    Ok(stop)
}

#[expect(
    clippy::exit,
    reason = "a second signal means now: what is in flight is in the journal"
)]
fn exit_now() -> ! {
    std::process::exit(i32::from(Exit::TryAgain.code()))
}

/// Unique per process: host and process ids repeat across containers.
fn holder(agent: &str) -> String {
    let random = RandomState::new().hash_one(std::process::id());
    format!("{agent}-{random:016x}")
}
