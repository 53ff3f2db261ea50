//! `run`: the daemon.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use fractal_core::{Class, Fault, Reason};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use super::{may_pass, queue, reaching, surroundings};
use crate::agent::{Agent, Connected};
use crate::args::RuntimeArgs;
use crate::backoff;
use crate::service::{Service, Status, Surroundings};
use crate::stop::{Stop, Stopper};
use crate::telemetry::{http, metrics::Metrics};
use fractal_core::Exit;

/// Signals this close together are one: process supervisors tell a process and its group.
const ONE_SIGNAL: Duration = Duration::from_secs(1);
/// Longest pause between two tries to connect: shorter than what health checks take for standing still.
const CONNECT_AGAIN: Duration = Duration::from_secs(30);

pub(super) async fn run<A: Agent>(args: &RuntimeArgs, own: &A::Args) -> Result<Exit, Fault> {
    let mut stop = stop_on_signals()?;
    // What is set wrongly is said before anything is tried.
    drop(queue(args)?);
    let (metrics, status) = (Metrics::new(A::NAME), Status::default());
    let _serving = serve(args, &metrics, &status).await?;
    let Some(connected) = connect::<A>((args, own), &mut stop, &status).await? else {
        return Ok(Exit::Success);
    };
    let surroundings = surroundings(args, &connected, (holder(A::NAME), stop)).await?;
    let (holder, installation) = (&surroundings.settings.holder, &surroundings.installation);
    tracing::info!(agent = A::NAME, version = env!("CARGO_PKG_VERSION"), holder, %installation, offers = A::OFFERS.join(","), "started");
    let surroundings = Surroundings {
        metrics,
        status,
        ..surroundings
    };
    Service::new(connected, surroundings)?.run().await;
    Ok(Exit::Success)
}

/// Metrics and health are there before the agent is connected: an orchestrator must not kill it while it waits for its cloud.
async fn serve(
    args: &RuntimeArgs,
    metrics: &Metrics,
    status: &Status,
) -> Result<Option<JoinHandle<()>>, Fault> {
    let Some(address) = args.listen else {
        return Ok(None);
    };
    let served = http::listen(address, metrics.clone(), status.clone()).await;
    let (address, task) = served.map_err(|error| {
        let what = "the metrics port cannot be used";
        let fault = Fault::blocked(Reason::new("ListenFailed"), what).at(address);
        fault.because(error).next("choose another --listen address")
    })?;
    tracing::info!(%address, "metrics and health served");
    Ok(Some(task))
}

/// Connects, and keeps trying while the reason may pass: an agent may start before its network or identity is there.
async fn connect<A: Agent>(
    (args, own): (&RuntimeArgs, &A::Args),
    stop: &mut Stop,
    status: &Status,
) -> Result<Option<Connected<A>>, Fault> {
    let registry = reaching(args)?;
    let mut attempt = 1;
    loop {
        status.turned();
        let fault = match A::connect(own, &registry).await {
            Ok(connected) => return Ok(Some(connected)),
            Err(fault) if !may_pass(&fault) => return Err(fault),
            Err(fault) => fault,
        };
        let pause = backoff::after_fault(fault.class, attempt, fastrand::f64())
            .unwrap_or(CONNECT_AGAIN)
            .min(CONNECT_AGAIN);
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
        let mut told = None;
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            let first = *told.get_or_insert_with(Instant::now);
            if stopper.is_stopping() && first.elapsed() < ONE_SIGNAL {
                continue;
            }
            if stopper.is_stopping() {
                tracing::warn!("told twice: stopping at once, claims are left to expire");
                exit_now();
            }
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
