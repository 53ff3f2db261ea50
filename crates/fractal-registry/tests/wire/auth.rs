//! Challenges, tokens and credentials, and who gets to see them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use fractal_core::artifact::{Descriptor, Digest, RegistryHost};
use fractal_core::{Class, Fault};
use fractal_registry::{
    BoxFuture, Credential, CredentialSource, Registry, RequestKind, StaticCredentials,
};

use crate::server::{Reply, Request, Server, Then, quick};

const BASIC: &str = "Basic dXNlcjpjYW5hcnk=";

pub(crate) fn with_credentials(all: &[(&str, &str, &str)]) -> Registry {
    let by_host = all
        .iter()
        .map(|(host, user, password)| (host.parse().unwrap(), Credential::basic(user, password)));
    let mut options = quick();
    options.credentials = Arc::new(StaticCredentials::new(by_host.collect::<BTreeMap<_, _>>()));
    Registry::new(options).unwrap()
}

fn found() -> Reply {
    Reply::new(200).header(
        "Docker-Content-Digest",
        format!("sha256:{}", "0".repeat(64)),
    )
}

fn challenge(realm: &str) -> Reply {
    Reply::new(401).header(
        "WWW-Authenticate",
        format!(r#"Bearer realm="{realm}",service="reg",scope="repository:app:pull""#),
    )
}

/// A registry that takes only `Bearer good`, and names a token service at `realm`.
async fn bearer(realm: String) -> Server {
    Server::scripted(move |request, _| match request.header("authorization") {
        Some("Bearer good") => found(),
        _ => challenge(&realm),
    })
    .await
}

async fn refused(registry: &Registry, server: &Server) -> Fault {
    Fault::from(
        registry
            .resolve(&server.reference("app:1"))
            .await
            .unwrap_err(),
    )
}

#[tokio::test]
async fn g01_basic_is_shown_when_asked_for_and_unasked_from_then_on() {
    let server = Server::scripted(|request, _| match request.header("authorization") {
        Some(BASIC) => found(),
        _ => Reply::new(401).header("WWW-Authenticate", r#"Basic realm="x""#),
    })
    .await;
    let registry = with_credentials(&[(&server.host(), "user", "canary")]);
    for _ in 0..3 {
        registry.resolve(&server.reference("app:1")).await.unwrap();
    }
    let shown: Vec<_> = server
        .seen()
        .iter()
        .map(|request| request.header("authorization").map(str::to_owned))
        .collect();
    assert_eq!(
        shown,
        [
            None,
            Some(BASIC.into()),
            Some(BASIC.into()),
            Some(BASIC.into())
        ]
    );
}

#[tokio::test]
async fn a_token_is_fetched_once_and_kept_by_scope() {
    let tokens =
        Server::scripted(|_, _| Reply::new(200).body(r#"{"token":"good","expires_in":300}"#)).await;
    let server = bearer(format!("http://{}/token", tokens.host())).await;
    let registry = with_credentials(&[(&server.host(), "user", "canary")]);
    let reference = server.reference("app:1");
    let all: Vec<_> = (0..8)
        .map(|_| {
            let (registry, reference) = (registry.clone(), reference.clone());
            tokio::spawn(async move { registry.resolve(&reference).await })
        })
        .collect();
    for one in all {
        one.await.unwrap().unwrap();
    }
    assert_eq!(
        tokens.lines(),
        ["GET /token?service=reg&scope=repository%3Aapp%3Apull"]
    );
    assert_eq!(tokens.seen()[0].header("authorization"), Some(BASIC));
    assert_eq!(registry.requests().of(RequestKind::Token), 1);
}

#[tokio::test]
async fn g02_a_realm_elsewhere_gets_nothing() {
    for realm in [
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/token",
        "https://10.0.0.1/token",
        "http://auth.example/token",
        "https://user:pw@127.0.0.1/token",
        "file:///etc/passwd",
        "not a url",
    ] {
        let server = bearer(realm.into()).await;
        let registry = with_credentials(&[(&server.host(), "user", "canary")]);
        let fault = refused(&registry, &server).await;
        assert_eq!(
            (fault.class, fault.reason.as_str()),
            (Class::Blocked, "RegistryRealm"),
            "{realm}"
        );
        assert_eq!(registry.requests().of(RequestKind::Token), 0, "{realm}");
        assert!(!fault.to_string().contains("pw"));
    }
}

#[tokio::test]
async fn g02_a_token_service_that_redirects_is_not_followed() {
    let trap = Server::scripted(|_, _| Reply::new(200).body(r#"{"token":"good"}"#)).await;
    let target = format!("http://{}/token", trap.host());
    let tokens = Server::scripted(move |_, _| Reply::new(302).header("Location", &target)).await;
    let server = bearer(format!("http://{}/token", tokens.host())).await;
    let fault = refused(
        &with_credentials(&[(&server.host(), "user", "canary")]),
        &server,
    )
    .await;
    assert_eq!(fault.reason.as_str(), "RegistryRealm");
    assert!(trap.lines().is_empty());
}

#[tokio::test]
async fn h08_a_credential_is_shown_to_no_other_host() {
    let first =
        Server::scripted(|_, _| Reply::new(401).header("WWW-Authenticate", r#"Basic realm="x""#))
            .await;
    let registry = with_credentials(&[
        ("other.example", "user", "canary"),
        ("127.0.0.1:1", "user", "canary"),
    ]);
    let fault = refused(&registry, &first).await;
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (Class::Blocked, "RegistryAuth")
    );
    assert!(fault.what.contains("an anonymous client"), "{fault}");
    assert!(
        first
            .seen()
            .iter()
            .all(|request| request.header("authorization").is_none())
    );
}

#[tokio::test]
async fn g01_a_registry_that_never_accepts_is_asked_a_bounded_number_of_times() {
    for challenge in [
        r#"Basic realm="x""#,
        "Digest realm=x",
        "Bearer",
        &format!("Basic {}", "x".repeat(64 * 1024)),
    ] {
        let owned = challenge.to_owned();
        let server = Server::scripted(move |_, _| {
            Reply::new(401)
                .header("WWW-Authenticate", &owned)
                .body(r#"{"errors":[{"code":"UNAUTHORIZED","message":"no"}]}"#)
        })
        .await;
        let fault = refused(
            &with_credentials(&[(&server.host(), "user", "canary")]),
            &server,
        )
        .await;
        assert_eq!(
            (fault.class, fault.reason.as_str()),
            (Class::Blocked, "RegistryAuth"),
            "{challenge:.20}"
        );
        assert!(
            server.lines().len() <= 2,
            "{challenge:.20}: {:?}",
            server.lines()
        );
        assert!(!fault.to_string().contains("canary"));
    }
}

#[tokio::test]
async fn g07_a_token_service_is_capped_and_its_refusal_is_told() {
    let huge = Server::scripted(|_, _| {
        Reply::new(200)
            .body_of_length("x", 1 << 30)
            .then(Then::Stall)
    })
    .await;
    let server = bearer(format!("http://{}/token", huge.host())).await;
    assert_eq!(
        refused(&with_credentials(&[]), &server)
            .await
            .reason
            .as_str(),
        "RegistryProtocol"
    );
    let denying = Server::scripted(|_, _| {
        Reply::new(401).body(r#"{"details":"incorrect username or password"}"#)
    })
    .await;
    let server = bearer(format!("http://{}/token", denying.host())).await;
    let fault = refused(
        &with_credentials(&[(&server.host(), "user", "canary")]),
        &server,
    )
    .await;
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (Class::Blocked, "RegistryAuth")
    );
    assert!(fault.what.contains("user `user`"), "{fault}");
    assert!(
        fault
            .why
            .as_ref()
            .unwrap()
            .contains("incorrect username or password"),
        "{fault}"
    );
}

#[tokio::test]
async fn g08_a_403_names_identity_and_action() {
    let server = Server::scripted(|request, _| match request.header("authorization") {
        Some(BASIC) => Reply::new(403)
            .body(r#"{"errors":[{"code":"DENIED","message":"requested access is denied"}]}"#),
        _ => Reply::new(401).header("WWW-Authenticate", r#"Basic realm="x""#),
    })
    .await;
    let fault = refused(
        &with_credentials(&[(&server.host(), "user", "canary")]),
        &server,
    )
    .await;
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (Class::Blocked, "RegistryForbidden")
    );
    assert_eq!(fault.what, "the registry forbids user `user` to pull");
    assert_eq!(
        fault.why.as_deref(),
        Some("DENIED: requested access is denied")
    );
    assert_eq!(fault.place, Some(format!("{}/app:1", server.host())));
}

/// A source whose password changes when asked anew.
#[derive(Debug)]
struct Rotating(AtomicUsize);

impl CredentialSource for Rotating {
    fn credential<'a>(
        &'a self,
        _: &'a RegistryHost,
        fresh: bool,
    ) -> BoxFuture<'a, Result<Credential, Fault>> {
        let turn = if fresh {
            self.0.fetch_add(1, Ordering::SeqCst) + 1
        } else {
            self.0.load(Ordering::SeqCst)
        };
        Box::pin(async move { Ok(Credential::basic("user", &format!("password-{turn}"))) })
    }
}

fn basic(password: &str) -> String {
    use base64::Engine as _;
    format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(format!("user:{password}"))
    )
}

#[tokio::test]
async fn a_rotated_password_is_asked_for_anew_without_a_restart() {
    let accepted = Arc::new(Mutex::new(basic("password-0")));
    let current = accepted.clone();
    let server = Server::scripted(move |request, _| match request.header("authorization") {
        Some(shown) if shown == *current.lock().unwrap() => found(),
        _ => Reply::new(401).header("WWW-Authenticate", r#"Basic realm="x""#),
    })
    .await;
    let mut options = quick();
    options.credentials = Arc::new(Rotating(AtomicUsize::new(0)));
    let registry = Registry::new(options).unwrap();
    registry.resolve(&server.reference("app:1")).await.unwrap();
    *accepted.lock().unwrap() = basic("password-1");
    registry.resolve(&server.reference("app:1")).await.unwrap();
    // The first exchange of a new client may meet a password that is already out of date.
    let mut options = quick();
    options.credentials = Arc::new(Rotating(AtomicUsize::new(0)));
    Registry::new(options)
        .unwrap()
        .resolve(&server.reference("app:1"))
        .await
        .unwrap();
}

#[tokio::test]
async fn g06_a_token_that_runs_out_under_way_is_renewed_and_the_blob_resumed() {
    let bytes: Vec<u8> = (0..600_000_u32).map(|n| (n % 251) as u8).collect();
    let minted = Arc::new(AtomicUsize::new(0));
    let counter = minted.clone();
    let tokens = Server::scripted(move |_, _| {
        let serial = counter.fetch_add(1, Ordering::SeqCst) + 1;
        Reply::new(200).body(format!(r#"{{"token":"t{serial}"}}"#))
    })
    .await;
    let realm = format!("http://{}/token", tokens.host());
    let (content, current) = (bytes.clone(), minted.clone());
    let broken = AtomicUsize::new(0);
    let server = Server::scripted(move |request: &Request, _| {
        // After the break only a second token is taken.
        let wanted = if broken.load(Ordering::SeqCst) == 0 {
            "Bearer t1".to_owned()
        } else {
            format!("Bearer t{}", current.load(Ordering::SeqCst).max(2))
        };
        if request.header("authorization") != Some(&wanted) {
            return challenge(&realm);
        }
        if broken.fetch_add(1, Ordering::SeqCst) == 0 {
            return Reply::new(200)
                .body_of_length(&content[..200_000], content.len())
                .then(Then::Close);
        }
        Reply::ranged(request, &content)
    })
    .await;
    let descriptor = Descriptor::new("x", Digest::sha256(&bytes), bytes.len() as u64);
    let registry = with_credentials(&[]);
    let given = registry
        .blob(&server.reference("app:1"), &descriptor)
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    assert_eq!(given, bytes);
    assert_eq!(minted.load(Ordering::SeqCst), 2);
    let last = server.seen().pop().unwrap();
    assert_eq!(last.header("range"), Some("bytes=200000-599999"));
}
