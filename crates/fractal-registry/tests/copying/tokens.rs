//! Tokens that run out under way, registries that ask to wait, and connections that end in the middle of a blob.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fractal_registry::{CopyOptions, Credential, Options, Registry, StaticCredentials, copy};
use fractal_simcloud::{Action, Clock, Registry as Simulated, RegistryAuth, RegistryConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::rig::{BLOBS, Rig, count, failing, on, reference, simulated};

const LIFE: u64 = 60;
/// Longer than a busy machine takes.
const BOUND: Duration = Duration::from_secs(30);

async fn guarded(clock: &Clock) -> Simulated {
    let auth = RegistryAuth::Bearer {
        username: "ci".into(),
        password: "secret".into(),
        token_seconds: LIFE,
        anonymous_pull: false,
    };
    let config = RegistryConfig {
        auth,
        clock: clock.clone(),
        ..RegistryConfig::default()
    };
    Simulated::start(config).await.unwrap()
}

fn client(server: &Simulated) -> Registry {
    let credential = Credential::basic("ci", "secret");
    let credentials = StaticCredentials::new([(server.host().parse().unwrap(), credential)].into());
    Registry::new(Options {
        credentials: Arc::new(credentials),
        ..Options::on_loopback()
    })
    .unwrap()
}

#[tokio::test]
async fn a_token_that_runs_out_between_blobs_or_within_one_is_renewed() {
    for operation in ["StartUpload", "FinishUpload"] {
        let rig = Rig::new().await;
        let clock = Clock::manual();
        let target = guarded(&clock).await;
        let registry = client(&target);
        let delay = Action::Delay { milliseconds: 500 };
        target.faults().arm(on(operation, delay).nth(2));
        let to = reference(&target, "app:1");
        let (from, located) = (rig.registry.locate(&rig.from), registry.locate(&to));
        let copying = tokio::spawn(async move {
            let options = CopyOptions {
                referrers: false,
                ..CopyOptions::default()
            };
            copy(&from, &[located], &options).await
        });
        let started = Instant::now();
        while target.faults().armed()[0].struck == 0 {
            assert!(started.elapsed() < BOUND);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // The request is held up, and its token is no longer good when it is looked at.
        clock.advance(LIFE * 1000 + 1);
        let report = copying.await.unwrap();
        let copied = report.only().unwrap();
        assert_eq!(copied.uploaded as usize, BLOBS, "{operation}");
        let refused = target.ledger().since(0).into_iter();
        let refused = refused.filter(|entry| entry.status == 401).count();
        assert!(
            refused >= 2,
            "{operation}: the first challenge, and the token that ran out"
        );
        assert_eq!(registry.resolve(&to).await.unwrap().digest, rig.digest);
    }
}

#[tokio::test]
async fn a_registry_that_asks_for_a_second_gets_it() {
    let rig = Rig::new().await;
    let target = simulated().await;
    let throttled = failing(429, "TOOMANYREQUESTS", Some(1));
    target.faults().arm(on("FinishUpload", throttled));
    let started = Instant::now();
    let report = rig.copy(&[reference(&target, "app:1")]).await;
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(report.rereads, 1);
    assert_eq!(report.only().unwrap().uploaded as usize, BLOBS);
}

/// Passes everything on to `server`, but ends the first connection that has carried more than a mebibyte.
async fn front(server: &Simulated) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (host, server) = (listener.local_addr().unwrap().to_string(), server.host());
    let broken = Arc::new(AtomicBool::new(false));
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(pass(socket, server.clone(), broken.clone()));
        }
    });
    host
}

async fn pass(socket: TcpStream, server: String, broken: Arc<AtomicBool>) -> Option<()> {
    let behind = TcpStream::connect(server).await.ok()?;
    let (mut from, mut back) = socket.into_split();
    let (mut answers, mut to) = behind.into_split();
    let answering = tokio::spawn(async move { tokio::io::copy(&mut answers, &mut back).await });
    let (mut carried, mut buffer) = (0, vec![0; 64 * 1024]);
    loop {
        let read = from.read(&mut buffer).await.ok()?;
        carried += read;
        if read == 0 || (carried > 1 << 20 && !broken.swap(true, Ordering::SeqCst)) {
            answering.abort();
            return None;
        }
        to.write_all(&buffer[..read]).await.ok()?;
    }
}

#[tokio::test]
async fn a_connection_that_ends_in_the_middle_of_a_blob_costs_one_more_read() {
    let rig = Rig::new().await;
    let (target, other) = (simulated().await, simulated().await);
    let breaking = front(&target).await;
    let to = [
        format!("{breaking}/app:1").parse().unwrap(),
        reference(&other, "app:1"),
    ];
    let report = rig.copy(&to).await;
    assert_eq!(report.rereads, 1);
    for copied in report.targets {
        assert_eq!(copied.unwrap().uploaded as usize, BLOBS);
    }
    assert!(rig.has(&reference(&target, "app:1")).await && rig.has(&to[1]).await);
    assert_eq!(count(&other, 0, "FinishUpload"), BLOBS);
}
