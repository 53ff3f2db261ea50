//! Secrets planted in every way in which this crate is given one show up nowhere: errors, logs down to trace level, Debug, panics.
//!
//! The vendors' ways (ECR, ACR, GAR, Vault) are planted in their crates' tests, what an agent stores in `lambda-agent`'s.

use std::path::Path;
use std::sync::Arc;

use fractal_registry::{
    Chain, Credential, CredentialSource, DockerConfig, IdentityClient, IdentityRequest, Registry,
    Secret, StaticCredentials,
};
use fractal_testkit::liar::{Liar, Lie, Reply};
use fractal_testkit::logs::recorded;

use crate::credential_programs::Rig;
use crate::support::{Answer, PASSWORD, Proxy, quick, resolve, through, whole};

const CANARY: &str = "canary-of-the-registry";
/// `u:canary-of-the-registry` as Basic writes it, and its parts that hold the canary however it is aligned.
const CODED: [&str; 2] = ["Y2FuYXJ5", "Y2FuYXJ"];

/// Nothing of what was planted, in any form in which it leaves.
fn clean(what: &str, text: &str) {
    for planted in [CANARY, "canary", PASSWORD, "cHJveHktdXNlcjpj"]
        .iter()
        .chain(&CODED)
    {
        assert!(!text.contains(planted), "{what} shows {planted}: {text}");
    }
}

fn sources(folder: &Path) -> Vec<(&'static str, Arc<dyn CredentialSource>)> {
    let fixed = |credential: Credential| -> Arc<dyn CredentialSource> {
        let host = "r.example".parse().unwrap();
        Arc::new(StaticCredentials::new([(host, credential)].into()))
    };
    let docker = |entry: &str| -> Arc<dyn CredentialSource> {
        let path = folder.join(format!("{}.json", entry.len()));
        std::fs::write(&path, format!(r#"{{"auths":{{"r.example":{{{entry}}}}}}}"#)).unwrap();
        Arc::new(DockerConfig::read(&path).unwrap())
    };
    let coded = "dTpjYW5hcnktb2YtdGhlLXJlZ2lzdHJ5";
    vec![
        ("a password", fixed(Credential::basic("u", CANARY))),
        ("a token", fixed(Credential::Token(Secret::new(CANARY)))),
        (
            "a refresh token",
            fixed(Credential::Refresh(Secret::new(CANARY))),
        ),
        ("auth", docker(&format!(r#""auth":"{coded}""#))),
        (
            "a written password",
            docker(&format!(r#""username":"u","password":"{CANARY}""#)),
        ),
        (
            "an identity token",
            docker(&format!(r#""identitytoken":"{CANARY}""#)),
        ),
        (
            "a registry token",
            docker(&format!(r#""registrytoken":"{CANARY}""#)),
        ),
    ]
}

fn helper() -> (Rig, Arc<dyn CredentialSource>) {
    let rig = Rig::new(r#"{"credsStore":"all"}"#);
    rig.helper(
        "all",
        &format!(r#"printf '{{"Username":"u","Secret":"{CANARY}"}}'"#),
    );
    let source = Arc::new(rig.source());
    (rig, source)
}

/// Whatever a registry may do with what it is shown.
fn lies(liar: &Liar) -> Vec<Lie> {
    vec![
        Lie::Challenge(vec![b"Basic realm=\"x\"".to_vec()]),
        Lie::Token(401, r#"{"details":"so it is"}"#.into()),
        Lie::Token(403, r#"{"details":"so it is"}"#.into()),
        Lie::Token(500, "so it is".into()),
        Lie::Token(200, r#"{"token":"other"}"#.into()),
        Lie::Token(200, "no token".into()),
        Lie::Realm(format!(
            "{}/token?service=x",
            liar.url().replace("http", "ftp")
        )),
        Lie::Status(403, Vec::new()),
        Lie::Reset,
    ]
}

#[tokio::test]
async fn h08_a_registrys_credential_is_in_no_error_log_or_debug_output() {
    let lines = recorded();
    let liar = Liar::stocked().await;
    let (_rig, helped) = helper();
    let folder = tempfile::tempdir().unwrap();
    let mut all = sources(folder.path());
    all.push(("a helper", helped));
    for (what, source) in all {
        let mut options = quick();
        options
            .endpoints
            .insert("r.example".parse().unwrap(), liar.url());
        options.credentials = Arc::new(Chain::new(vec![source]));
        clean(what, &format!("{options:?}"));
        let mut shown = 0;
        for lie in lies(&liar) {
            let registry = Registry::new(options.clone()).unwrap();
            liar.tell(lie.clone());
            let error = registry
                .resolve(&"r.example/shop/zip:1".parse().unwrap())
                .await;
            if let Err(error) = error {
                clean(what, &format!("{error:?} {error}"));
                clean(what, &whole(&error.into()));
                shown += 1;
            }
            clean(what, &format!("{registry:?}"));
        }
        assert!(shown >= 8, "{what}: {shown}");
    }
    // It did leave: the test would otherwise look at nothing.
    let left = liar.seen().into_iter().filter(|request| {
        let text = format!(
            "{:?}{}",
            request.authorization(),
            String::from_utf8_lossy(&request.body)
        );
        text.contains(CANARY) || text.contains("dTpjYW5hcnk")
    });
    assert!(left.count() > 20);
    assert!(lines.text().contains("registry answered"));
    clean("the log", &lines.text());
}

#[tokio::test]
async fn h08_what_an_identity_service_repeats_is_taken_out() {
    let lines = recorded();
    let secret = Secret::new(CANARY);
    for status in [400, 401, 403, 429, 500] {
        let service = Liar::scripted(move |request, _| {
            let repeated = format!("{:?}", request.header("x-token"));
            Reply::new(status).body(format!(
                r#"{{"error":"no","error_description":{repeated:?}}}"#
            ))
        })
        .await;
        let url = service.url().parse().unwrap();
        let request = IdentityRequest::form(&url, "/token", &[("secret", CANARY)])
            .secret_header("x-token", "", &secret);
        clean("a request", &format!("{request:?}"));
        match IdentityClient::new(quick()).unwrap().send(&request).await {
            Ok(answer) => clean("an answer", &format!("{answer:?} {}", answer.said)),
            Err(error) => {
                clean("an error", &format!("{error:?} {error}"));
                clean("a fault", &whole(&error.of_identity("the service")));
            }
        }
        assert_eq!(service.seen()[0].header("x-token"), Some(CANARY));
    }
    clean("the log", &lines.text());
}

#[tokio::test]
async fn h08_a_proxys_password_is_in_no_error_log_or_debug_output() {
    let lines = recorded();
    let repeating =
        format!("HTTP/1.1 403 {PASSWORD}\r\nx: {PASSWORD}\r\n\r\n{PASSWORD}").into_bytes();
    for answer in [
        Answer::status(407),
        Answer::Bytes(repeating),
        Answer::Bytes(PASSWORD.as_bytes().to_vec()),
        Answer::Silence,
    ] {
        let proxy = Proxy::start(answer).await;
        let options = through(&proxy.url(), &proxy.url());
        clean(
            "options",
            &format!("{options:?} {:?}", Registry::new(options.clone()).unwrap()),
        );
        let fault = resolve(options, "r.example/a:1").await.unwrap_err();
        clean("a fault", &whole(&fault));
        assert!(proxy.heads()[0].contains("Proxy-Authorization: Basic "));
    }
    let closed = format!("http://proxy-user:{PASSWORD}@127.0.0.1:1");
    clean(
        "a fault",
        &whole(
            &resolve(through(&closed, ""), "r.example/a:1")
                .await
                .unwrap_err(),
        ),
    );
    clean("the log", &lines.text());
}

#[tokio::test]
async fn h08_a_panic_with_a_credential_in_hand_shows_none() {
    let lost = async || Err::<(), _>(Credential::basic("u", CANARY));
    let ended = tokio::spawn(async move { lost().await.unwrap() }).await;
    let said = ended.unwrap_err().into_panic();
    let said = said.downcast_ref::<String>().unwrap();
    assert!(said.contains("<redacted>"), "{said}");
    clean("a panic", said);
}
