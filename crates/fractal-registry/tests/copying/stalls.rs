//! A registry that opens an upload and then takes nothing, or takes all and does not answer: the others go on.

use std::time::{Duration, Instant};

use fractal_core::artifact::Reference;
use fractal_registry::{CopyOptions, RegistryError, Timeouts};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::rig::{Rig, client, reference, simulated};

const IDLE: Duration = Duration::from_millis(300);
/// Longer than a few deadlines take on a busy machine.
const BOUND: Duration = Duration::from_secs(30);

/// What becomes of a blob.
#[derive(Clone, Copy)]
enum Blobs {
    Untouched,
    Unanswered,
}

async fn stalling(blobs: Blobs) -> (Reference, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = format!("{}/app:1", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(serve(socket, blobs));
        }
    });
    (to.parse().unwrap(), serving)
}

async fn serve(mut socket: TcpStream, blobs: Blobs) {
    loop {
        let mut head = Vec::new();
        while !head.windows(4).any(|window| window == b"\r\n\r\n") {
            if socket.read_buf(&mut head).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let answer = match head.first() {
            Some(b'P') if head.starts_with(b"PUT") => {
                if matches!(blobs, Blobs::Unanswered) {
                    let mut sink = tokio::io::sink();
                    let _ended = tokio::io::copy(&mut socket, &mut sink).await;
                }
                return std::future::pending().await;
            }
            Some(b'P') => {
                "HTTP/1.1 202 Accepted\r\nLocation: /v2/app/blobs/uploads/1\r\nContent-Length: 0\r\n\r\n"
            }
            Some(b'H') => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            _ => {
                "HTTP/1.1 404 Not Found\r\nContent-Length: 38\r\n\r\n{\"errors\":[{\"code\":\"NAME_UNKNOWN\"}]}  "
            }
        };
        if socket.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_target_that_takes_nothing_is_dropped_and_the_others_go_on() {
    let mut rig = Rig::new().await;
    rig.registry = client(Timeouts {
        idle: IDLE,
        commit: IDLE,
        ..Timeouts::default()
    });
    let targets = [simulated().await, simulated().await];
    let (stalls, serving) = stalling(Blobs::Untouched).await;
    let to = [
        reference(&targets[0], "app:1"),
        stalls,
        reference(&targets[1], "app:1"),
    ];
    let located: Vec<_> = to.iter().map(|to| rig.registry.locate(to)).collect();
    let options = CopyOptions {
        referrers: false,
        ..CopyOptions::default()
    };
    let from = rig.registry.locate(&rig.from);
    let started = Instant::now();
    let report = fractal_registry::copy(&from, &located, &options).await;
    assert!(started.elapsed() < BOUND, "{:?}", started.elapsed());
    let error = report.targets[1].clone().unwrap_err();
    assert!(matches!(error, RegistryError::Slow { .. }), "{error}");
    assert!(rig.has(&to[0]).await && rig.has(&to[2]).await);
    assert!(report.rereads > 0, "it is tried by reads of its own");
    serving.abort();
}

#[tokio::test]
async fn a_target_that_does_not_answer_for_a_blob_holds_up_nobody_else() {
    let rig = Rig::new().await;
    let targets = [simulated().await, simulated().await];
    let (silent, serving) = stalling(Blobs::Unanswered).await;
    let to = [
        reference(&targets[0], "app:1"),
        silent,
        reference(&targets[1], "app:1"),
    ];
    let located: Vec<_> = to.iter().map(|to| rig.registry.locate(to)).collect();
    let from = rig.registry.locate(&rig.from);
    let copying = tokio::spawn(async move {
        let options = CopyOptions {
            referrers: false,
            ..CopyOptions::default()
        };
        fractal_registry::copy(&from, &located, &options).await
    });
    let started = Instant::now();
    // The commit deadline of the silent one is five minutes.
    while !(rig.has(&to[0]).await && rig.has(&to[2]).await) {
        assert!(started.elapsed() < BOUND && !copying.is_finished());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    copying.abort();
    serving.abort();
}
