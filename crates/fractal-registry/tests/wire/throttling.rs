//! Registries that ask for patience.

use std::time::{Duration, Instant};

use fractal_core::{Class, Fault};
use fractal_registry::{Registry, RequestKind};

use crate::server::{Reply, Server, client, quick};

fn found() -> Reply {
    Reply::new(200).header(
        "Docker-Content-Digest",
        format!("sha256:{}", "0".repeat(64)),
    )
}

#[tokio::test]
async fn g10_a_short_pause_is_kept_and_the_request_sent_again() {
    let server = Server::scripted(|_, before| {
        if before == 0 {
            Reply::new(429).header("Retry-After", "1")
        } else {
            found()
        }
    })
    .await;
    let started = Instant::now();
    client().resolve(&server.reference("app:1")).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(server.lines().len(), 2);
}

#[tokio::test]
async fn g10_a_long_pause_is_handed_to_the_caller_and_holds_back_everyone() {
    let server = Server::scripted(|_, _| {
        Reply::new(429)
            .header("Retry-After", "600")
            .body(r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow"}]}"#)
    })
    .await;
    let registry = client();
    let started = Instant::now();
    let fault = Fault::from(
        registry
            .manifest(
                &server.reference("app:1"),
                &format!("sha256:{}", "0".repeat(64)).parse().unwrap(),
            )
            .await
            .unwrap_err(),
    );
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (
            Class::Transient {
                retry_after: Some(Duration::from_secs(600))
            },
            "RegistryThrottled"
        )
    );
    assert_eq!(fault.why.as_deref(), Some("TOOMANYREQUESTS: slow"));
    // Another repository of the same host is not even asked.
    let fault = Fault::from(
        registry
            .resolve(&server.reference("other:1"))
            .await
            .unwrap_err(),
    );
    let Class::Transient {
        retry_after: Some(left),
    } = fault.class
    else {
        panic!("{fault}")
    };
    assert!(left > Duration::from_secs(590) && left <= Duration::from_secs(600));
    assert_eq!(server.lines().len(), 1);
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn g11_server_errors_pass_or_are_named_after_four_attempts() {
    let passing =
        Server::scripted(|_, before| if before < 3 { Reply::new(503) } else { found() }).await;
    client().resolve(&passing.reference("app:1")).await.unwrap();
    let lasting = Server::scripted(|_, _| Reply::new(502).body("<html>bad gateway</html>")).await;
    let registry = client();
    let digest = format!("sha256:{}", "0".repeat(64)).parse().unwrap();
    let fault = Fault::from(
        registry
            .manifest(&lasting.reference("app:1"), &digest)
            .await
            .unwrap_err(),
    );
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (
            Class::Transient { retry_after: None },
            "RegistryUnavailable"
        )
    );
    assert_eq!(
        fault.why.as_deref(),
        Some("status 502, <html>bad gateway</html>")
    );
    assert_eq!(registry.requests().of(RequestKind::Manifest), 4);
}

#[tokio::test]
async fn a_refusal_is_not_repeated() {
    let server = Server::scripted(|_, _| Reply::new(400).body("no")).await;
    let registry = Registry::new(quick()).unwrap();
    let digest = format!("sha256:{}", "0".repeat(64)).parse().unwrap();
    let fault = Fault::from(
        registry
            .manifest(&server.reference("app:1"), &digest)
            .await
            .unwrap_err(),
    );
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (Class::Blocked, "RegistryRefused")
    );
    assert_eq!(server.lines().len(), 1);
}
