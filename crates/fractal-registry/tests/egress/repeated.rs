//! A registry and its token service that repeat what they are shown, in words and in the URLs they send us to.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fractal_registry::{Credential, Registry, Secret, StaticCredentials};
use fractal_testkit::liar::{Liar, Reply};
use fractal_testkit::logs::recorded;

use crate::support::{quick, whole};

const PASSWORD: &str = "ca/nary+ \"of the echo";
const TOKEN: &str = "canary-of-the-token-service";
const CHALLENGE: &str = "WWW-Authenticate";
const BASIC: &str = "Basic realm=\"r\"";
const STATUSES: [u16; 7] = [400, 401, 403, 404, 429, 500, 503];

/// Every way of writing what was planted, and parts of it: a form that is only half taken out is shown.
fn clean(what: &str, text: &str) {
    let pair = STANDARD.encode(format!("bob:{PASSWORD}"));
    let planted = [
        "nary",
        "of the echo",
        "of%20the%20echo",
        "of+the+echo",
        &pair[4..20],
        TOKEN,
    ];
    for part in planted {
        assert!(!text.contains(part), "{what} shows {part}: {text}");
    }
}

fn credentials() -> [(&'static str, Credential); 3] {
    [
        ("a password", Credential::basic("bob", PASSWORD)),
        (
            "a refresh token",
            Credential::Refresh(Secret::new(PASSWORD)),
        ),
        (
            "a registry token",
            Credential::Token(Secret::new("canary-itself")),
        ),
    ]
}

/// What was sent, as it came and as whoever decodes it would write it.
fn echo(authorization: Option<&str>, body: &[u8]) -> String {
    let coded = authorization.and_then(|value| value.strip_prefix("Basic "));
    let decoded = coded.and_then(|coded| STANDARD.decode(coded).ok());
    let decoded = String::from_utf8(decoded.unwrap_or_default()).unwrap();
    let password = decoded.split_once(':').map_or("", |(_, password)| password);
    format!(
        "you sent {} that is {password} and {}",
        authorization.unwrap_or_default(),
        String::from_utf8_lossy(body)
    )
}

fn refusal(status: u16, text: &str) -> Reply {
    Reply::refusing(
        status,
        "DENIED",
        &text.replace('\\', "\\\\").replace('"', "\\\""),
    )
}

/// Asks the registry with each credential; what comes of it shows none of them. How often something was taken out: answers to a HEAD
/// have no words, and a refresh token is nothing to show where Basic is asked for.
async fn all_are_clean(what: &str, liar: &Liar) -> usize {
    let mut redacted = 0;
    for (whose, credential) in credentials() {
        let mut options = quick();
        let host: fractal_core::artifact::RegistryHost = "r.example".parse().unwrap();
        options.endpoints.insert(host.clone(), liar.url());
        options.credentials = Arc::new(StaticCredentials::new([(host, credential)].into()));
        let registry = Registry::new(options).unwrap();
        let reference = "r.example/shop/app:1".parse().unwrap();
        let error = registry.resolve(&reference).await.unwrap_err();
        let what = format!("{what}, {whose}");
        clean(&what, &format!("{error} {error:?}"));
        let told = whole(&error.into());
        clean(&what, &told);
        redacted += usize::from(told.contains("<redacted>"));
    }
    redacted
}

#[tokio::test]
async fn h08_what_a_registry_repeats_of_a_password_is_taken_out() {
    let lines = recorded();
    let mut redacted = 0;
    for status in STATUSES {
        let liar = Liar::scripted(move |request, _| match request.authorization() {
            None => Reply::new(401).header(CHALLENGE, BASIC),
            shown => refusal(status, &echo(shown, &request.body)).header(CHALLENGE, BASIC),
        })
        .await;
        redacted += all_are_clean(&format!("status {status}"), &liar).await;
    }
    assert!(redacted >= 6, "{redacted}");
    clean("the log", &lines.text());
}

#[tokio::test]
async fn h08_what_a_token_service_repeats_is_taken_out() {
    let lines = recorded();
    let mut redacted = 0;
    for status in STATUSES {
        let liar = Liar::scripted(move |request, _| {
            if request.line().contains("/token") {
                return refusal(status, &echo(request.authorization(), &request.body));
            }
            let challenge = bearer(request.header("host").unwrap_or_default());
            match request.authorization() {
                None => Reply::new(401).header(CHALLENGE, challenge),
                shown => refusal(status, &echo(shown, &request.body)).header(CHALLENGE, challenge),
            }
        })
        .await;
        redacted += all_are_clean(&format!("status {status}"), &liar).await;
    }
    assert!(redacted >= 6, "{redacted}");
    clean("the log", &lines.text());
}

#[tokio::test]
async fn h08_what_a_registry_repeats_of_a_token_or_in_a_url_is_taken_out() {
    let lines = recorded();
    for redirects in [false, true] {
        let liar = Liar::scripted(move |request, _| {
            if request.line().contains("/token") {
                return Reply::new(200).body(format!(r#"{{"token":"{TOKEN}"}}"#));
            }
            match request.authorization() {
                None => {
                    let host = request.header("host").unwrap_or_default();
                    Reply::new(401).header(CHALLENGE, bearer(host))
                }
                Some(shown) if redirects => Reply::new(307).header(
                    "Location",
                    format!("ftp://elsewhere.example/{}", shown.replace(' ', "/")),
                ),
                shown => refusal(403, &echo(shown, &request.body)),
            }
        })
        .await;
        let redacted = all_are_clean(&format!("redirects: {redirects}"), &liar).await;
        assert!(redacted >= 2, "{redacted}");
        let left = liar.seen().into_iter();
        let tokens = left.filter(|request| {
            request
                .authorization()
                .is_some_and(|shown| shown.contains(TOKEN))
        });
        assert!(
            tokens.count() >= 2,
            "the token was shown: {:#?}",
            liar.lines()
        );
    }
    clean("the log", &lines.text());
}

fn bearer(host: &str) -> String {
    format!("Bearer realm=\"http://{host}/token\",service=\"s\"")
}
