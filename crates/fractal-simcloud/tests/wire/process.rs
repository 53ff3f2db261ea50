//! The program: announced endpoints, control over HTTP, state and ledger across kills, and the clean stop.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use fractal_simcloud::{Clock, Endpoints, Entry, TokenIssuer};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::support::{Caller, base64, digest, push_image, send, zip};

/// The program, killed when dropped.
pub(crate) struct Program {
    child: Child,
    pub(crate) endpoints: Endpoints,
}

impl Program {
    pub(crate) async fn start(state: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fractal-simcloud"));
        command
            .arg("--state-dir")
            .arg(state)
            .args(arguments)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(Duration::from_secs(30), lines.next_line())
            .await
            .expect("announced in time")
            .unwrap()
            .expect("a line");
        Self {
            child,
            endpoints: serde_json::from_str(&line).unwrap(),
        }
    }

    async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    async fn control(&self, method: &str, path: &str, body: Value) -> Value {
        let endpoint = &self.endpoints.aws;
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let reply = send(endpoint, method, &format!("/_sim/{path}"), &[], body)
            .await
            .unwrap();
        assert!(reply.status < 300, "{}", reply.text());
        if reply.status == 204 {
            Value::Null
        } else {
            reply.json()
        }
    }

    async fn ledger(&self) -> Vec<Entry> {
        serde_json::from_value(self.control("GET", "ledger", Value::Null).await["entries"].clone())
            .unwrap()
    }
}

fn state() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[tokio::test]
async fn nothing_accepted_is_lost_by_a_kill() {
    let state = state();
    let program = Program::start(state.path(), &["--no-quotas"]).await;
    let caller = Caller::at(&program.endpoints.aws);
    caller.bucket("bucket").await;
    caller
        .s3("PUT", "/bucket/k", &[], "object")
        .await
        .expect(200);
    push_image(&program.endpoints.registry, "app", "v1", "amd64").await;
    caller.create("f", &zip("one")).await.expect(201);
    let settled = caller.settled("f").await;
    caller
        .code("f", json!({ "ZipFile": base64(&zip("two")) }))
        .await
        .expect(200);
    let before = program.ledger().await;
    program.kill().await;

    let program = Program::start(state.path(), &["--no-quotas"]).await;
    let caller = Caller::at(&program.endpoints.aws);
    assert_eq!(program.ledger().await, before);
    assert_eq!(
        caller
            .s3("GET", "/bucket/k", &[], "")
            .await
            .expect(200)
            .body,
        "object"
    );
    send(
        &program.endpoints.registry,
        "GET",
        "/v2/app/manifests/v1",
        &[],
        "",
    )
    .await
    .unwrap()
    .expect(200);
    let served = program
        .control("GET", "lambda/functions", Value::Null)
        .await["functions"][0]
        .clone();
    assert_eq!(
        (served["digest"].as_str(), served["in_progress"].as_bool()),
        (Some(digest(&zip("one")).as_str()), Some(true))
    );
    let after = caller.settled("f").await;
    assert_ne!(after["RevisionId"], settled["RevisionId"]);
    let served = program
        .control("GET", "lambda/functions", Value::Null)
        .await["functions"][0]
        .clone();
    assert_eq!(served["digest"], digest(&zip("two")));
    let numbers: Vec<u64> = program
        .ledger()
        .await
        .iter()
        .map(|entry| entry.seq)
        .collect();
    assert!(
        numbers.len() > before.len()
            && numbers
                .iter()
                .zip(1..)
                .all(|(seq, expected)| *seq == expected)
    );
}

#[tokio::test]
async fn what_was_answered_before_a_kill_at_any_moment_is_there_after_it() {
    let state = state();
    let mut answered = Vec::new();
    for round in 0..5 {
        let program = Program::start(state.path(), &["--no-quotas"]).await;
        let caller = Caller::at(&program.endpoints.aws);
        let killing = async {
            tokio::time::sleep(Duration::from_millis(20 + 15 * round)).await;
            program.kill().await;
        };
        let creating = async {
            for number in 0..10_000 {
                let name = format!("f{round}-{number}");
                match caller
                    .try_lambda(
                        "POST",
                        "/2015-03-31/functions",
                        &crate::support::creation(&name, &zip(&name)),
                    )
                    .await
                {
                    Ok(reply) => {
                        answered.push((name, reply.expect(201).json()["CodeSha256"].clone()))
                    }
                    Err(_) => break,
                }
            }
        };
        tokio::select! {
            () = async { tokio::join!(killing, async { let _: () = creating.await; }); } => {}
        }
    }
    let program = Program::start(state.path(), &["--no-quotas"]).await;
    let entries = program.ledger().await;
    for (name, hash) in &answered {
        let creations = entries
            .iter()
            .filter(|entry| entry.resource == *name && entry.is_accepted_write())
            .count();
        assert_eq!(creations, 1, "{name}");
        let seen = Caller::at(&program.endpoints.aws)
            .get(name)
            .await
            .expect(200)
            .json();
        assert_eq!(&seen["Configuration"]["CodeSha256"], hash);
    }
    let functions = program
        .control("GET", "lambda/functions", Value::Null)
        .await["functions"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(
        functions,
        entries
            .iter()
            .filter(|entry| entry.is_accepted_write())
            .count()
    );
    assert!(!answered.is_empty());
}

#[tokio::test]
async fn control_arms_faults_moves_time_and_lists_objects() {
    let state = state();
    let program = Program::start(state.path(), &["--manual-clock"]).await;
    let caller = Caller::at(&program.endpoints.aws);
    let rule = json!({ "filter": { "operation": "GetFunction" }, "times": null, "action": { "kind": "deny" } });
    let id = program.control("POST", "faults", rule).await["id"]
        .as_u64()
        .unwrap();
    caller.get("f").await.refused(403, "AccessDeniedException");
    assert_eq!(
        program.control("GET", "faults", Value::Null).await["faults"][0]["struck"],
        1
    );
    program
        .control("DELETE", &format!("faults/{id}"), Value::Null)
        .await;
    caller
        .get("f")
        .await
        .refused(404, "ResourceNotFoundException");
    for _ in 0..15 {
        caller
            .delete("f")
            .await
            .refused(404, "ResourceNotFoundException");
    }
    caller
        .delete("f")
        .await
        .refused(429, "TooManyRequestsException");
    program.control("POST", "counters/reset", Value::Null).await;
    caller
        .delete("f")
        .await
        .refused(404, "ResourceNotFoundException");
    let before = program
        .control("POST", "clock/advance", json!({ "milliseconds": 0 }))
        .await["now_ms"]
        .as_u64();
    let after = program
        .control("POST", "clock/advance", json!({ "milliseconds": 70 }))
        .await["now_ms"]
        .as_u64();
    assert_eq!(after, before.map(|before| before + 70));
    caller.bucket("bucket").await;
    caller
        .s3("PUT", "/bucket/a/b", &[], "object")
        .await
        .expect(200);
    let objects = program.control("GET", "s3/objects", Value::Null).await["objects"].clone();
    assert_eq!(
        (objects[0]["key"].as_str(), objects[0]["size"].as_u64()),
        (Some("a/b"), Some(6))
    );
    let bad = send(
        &program.endpoints.aws,
        "POST",
        "/_sim/faults",
        &[],
        r#"{"action":{"kind":"explode"}}"#,
    )
    .await
    .unwrap();
    assert_eq!(bad.status, 400);
}

#[tokio::test]
async fn sigterm_ends_it_cleanly_and_a_taken_port_is_an_error() {
    let state = state();
    let mut program = Program::start(state.path(), &[]).await;
    let port = program.endpoints.aws.rsplit(':').next().unwrap().to_owned();
    let second = Command::new(env!("CARGO_BIN_EXE_fractal-simcloud"))
        .args(["--port", &port])
        .env_clear()
        .output()
        .await
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&second.stderr)
            .contains(&format!("cannot listen on 127.0.0.1:{port}: "))
    );
    let id = program.child.id().unwrap().to_string();
    let sent = Command::new("/bin/sh")
        .args(["-c", &format!("kill -TERM {id}")])
        .status()
        .await
        .unwrap();
    assert!(sent.success());
    let ended = tokio::time::timeout(Duration::from_secs(10), program.child.wait())
        .await
        .expect("ends in time")
        .unwrap();
    assert_eq!(ended.code(), Some(0));
}

#[tokio::test]
async fn an_identities_file_sets_up_every_vendor_it_names() {
    let state = state();
    let issuer = TokenIssuer::new("https://cluster").unwrap();
    let cluster = json!({ "issuer": "https://cluster", "publicKey": issuer.public_key_pem() });
    let identities = json!({
        "vault": {
            "roles": [{
                "mount": "kubernetes", "login": "kubernetes", "name": "pod", "issuer": cluster, "subject": "me",
                "policies": ["read"], "ttlSeconds": 60, "maxTtlSeconds": 600,
            }],
            "policies": [{ "name": "read", "rules": [["fractal_cloud/data/*", ["read"]]] }],
        },
        "gcp": { "accounts": [{ "email": "a@p", "attached": true, "access": "reader" }] },
    });
    let file = state.path().join("identities.json");
    std::fs::write(&file, identities.to_string()).unwrap();
    let file = file.to_str().unwrap();
    let arguments = ["--identities", file, "--registry-vendor", "google"];
    let program = Program::start(state.path(), &arguments).await;
    assert_eq!(program.endpoints.azure, None);
    let vault = program.endpoints.vault.as_deref().unwrap();
    let jwt = issuer.token(&Clock::system(), "me", "any", 60);
    let body = json!({ "role": "pod", "jwt": jwt }).to_string();
    let path = "/v1/auth/kubernetes/login";
    send(vault, "POST", path, &[], body)
        .await
        .unwrap()
        .expect(200);
    let path = "/computeMetadata/v1/instance/service-accounts/default/token";
    let headers = [("metadata-flavor", "Google")];
    let google = program.endpoints.gcp.as_deref().unwrap();
    send(google, "GET", path, &headers, "")
        .await
        .unwrap()
        .expect(200);
    let challenged = send(&program.endpoints.registry, "GET", "/v2/", &[], "")
        .await
        .unwrap();
    assert!(
        challenged
            .expect(401)
            .header("www-authenticate")
            .contains("/v2/token")
    );
    let services: Vec<String> = program
        .ledger()
        .await
        .into_iter()
        .map(|entry| entry.service)
        .collect();
    assert_eq!(services, ["vault", "gcp", "registry"]);
}
