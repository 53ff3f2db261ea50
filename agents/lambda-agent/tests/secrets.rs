//! Secrets planted in every way in which the agent's binary is given one, and then looked for in all that it says and keeps: log down
//! to trace level, statuses, metrics, both outputs and the queue's file, byte for byte.
//!
//! Every registry here refuses, each in its own way, so that there is something to say about each credential.

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;
    use std::path::Path;
    use std::process::{Child, Command, Stdio};
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use fractal_queue::intake::Shrink;
    use fractal_queue::store::Sqlite;
    use fractal_queue::{ComponentView, Queue, SystemClock};
    use fractal_simcloud::{Config, SimCloud};
    use fractal_testkit::liar::{Liar, Reply, Request};
    use serde_json::{Value, json};

    const SYSTEM: &str = "Personal/owner/secrets/shop";
    const PATIENCE: Duration = Duration::from_secs(90);
    const LOOK: Duration = Duration::from_millis(50);

    /// Every secret holds this.
    const CANARY: &str = "canary";
    /// Hosts that each have a credential of another kind, with what Docker's file says of it.
    const KINDS: [(&str, &str); 5] = [
        (
            "basic",
            r#"{"username":"robot","password":"canary-of-basic"}"#,
        ),
        // `robot:canary-of-auth`
        ("auth", r#"{"auth":"cm9ib3Q6Y2FuYXJ5LW9mLWF1dGg="}"#),
        ("identity", r#"{"identitytoken":"canary-of-identity"}"#),
        ("token", r#"{"registrytoken":"canary-of-token"}"#),
        ("helped", "{}"),
    ];
    /// What no sink may hold: the canary as it is, and in base64 at each of its three alignments.
    const FORMS: [&str; 4] = [CANARY, "Y2FuYXJ5", "NhbmFye", "jYW5hcn"];

    /// The running agent. Dropped, it is killed.
    struct Agent(Child);

    impl Drop for Agent {
        fn drop(&mut self) {
            drop(self.0.kill());
            drop(self.0.wait());
        }
    }

    /// Sends whoever comes to its token service, which refuses them.
    fn refusing(realm: &str, request: &Request) -> Reply {
        let refused = Reply::refusing(401, "UNAUTHORIZED", "so it is");
        if request.path() == "/token" {
            return refused;
        }
        let challenge = format!("Bearer realm=\"{realm}/token\",service=\"x\"");
        refused.header("WWW-Authenticate", challenge)
    }

    async fn registry() -> Liar {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let realm = format!("http://{}", listener.local_addr().unwrap());
        Liar::on(listener, move |request, _| refusing(&realm, request))
    }

    /// Docker's file and a helper beside it.
    fn configure(folder: &Path) {
        let auths: serde_json::Map<_, _> = KINDS
            .iter()
            .map(|(name, entry)| {
                (
                    format!("{name}.example"),
                    serde_json::from_str(entry).unwrap(),
                )
            })
            .collect();
        let file = json!({ "auths": auths, "credHelpers": { "helped.example": "one", "failing.example": "two" } });
        std::fs::write(folder.join("docker.json"), file.to_string()).unwrap();
        write_program(
            &folder.join("docker-credential-one"),
            r#"printf '{"Username":"robot","Secret":"canary-of-helper"}'"#,
        );
        write_program(
            &folder.join("docker-credential-two"),
            "echo 'refused password=canary-of-failure' >&2; exit 1",
        );
    }

    /// Another process writes it: what one of this process's children holds open cannot be run.
    fn write_program(path: &Path, body: &str) {
        let script = r#"cat > "$0" && chmod 700 "$0""#;
        let mut writer = Command::new("/bin/sh")
            .args(["-c", script])
            .arg(path)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let text = format!("#!/bin/sh\n{body}\n");
        writer
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        assert!(writer.wait().unwrap().success());
    }

    fn start(folder: &Path, cloud: &SimCloud, registry: &Liar, proxy: &Liar) -> Agent {
        let file = |name: &str| File::create(folder.join(name)).unwrap();
        let endpoints = KINDS.iter().map(|(name, _)| *name).chain(["failing"]);
        let endpoints = endpoints.map(|name| format!("{name}.example={}", registry.url()));
        let child = Command::new(env!("CARGO_BIN_EXE_lambda-agent"))
            .args([
                "run",
                "--log",
                "trace,hyper_util=trace,hyper=trace,rustls=trace,mio=trace",
                "--log-format",
                "json",
                "--interval",
                "0.5",
                "--listen",
                "127.0.0.1:0",
            ])
            .arg("--queue")
            .arg(format!("sqlite:{}", folder.join("queue.db").display()))
            .arg("--registry-config")
            .arg(folder.join("docker.json"))
            .arg(format!(
                "--registry-endpoint={}",
                endpoints.collect::<Vec<_>>().join(",")
            ))
            .env_clear()
            .env("HOME", folder)
            .env(
                "PATH",
                std::env::join_paths([folder, Path::new("/usr/bin"), Path::new("/bin")]).unwrap(),
            )
            .env(
                "HTTPS_PROXY",
                format!("http://robot:canary-of-proxy@{}", proxy.host()),
            )
            .env("NO_PROXY", "127.0.0.1")
            .env("AWS_ENDPOINT_URL", cloud.endpoint())
            .env("AWS_REGION", "eu-central-1")
            .env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "canary-of-the-cloud")
            .env("AWS_SESSION_TOKEN", "canary-of-the-session")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdin(Stdio::null())
            .stdout(file("agent.out"))
            .stderr(file("agent.err"))
            .spawn()
            .unwrap();
        Agent(child)
    }

    fn function(host: &str) -> (String, Value) {
        let parameters = json!({
            "sourceArtifact": format!("{host}.example/shop/zip:1"),
            "runtime": "python3.13",
            "handler": "app.handler",
            "roleArn": "arn:aws:iam::123456789012:role/lambda-role",
        });
        let component = json!({
            "id": host, "type": "CustomWorkloads.FaaS.AwsLambda", "displayName": host, "provider": "AWS",
            "deliveryModel": "FaaS", "parameters": parameters, "dependencies": [], "links": [],
        });
        (host.to_owned(), component)
    }

    fn live_system(hosts: &[&str]) -> String {
        let components: serde_json::Map<_, _> = hosts.iter().map(|host| function(host)).collect();
        let environment = json!({ "id": { "type": "Personal", "ownerId": "owner", "shortName": "dev" }, "parameters": {} });
        json!({ "liveSystemId": SYSTEM, "fractalId": format!("{SYSTEM}:1.0.0"), "blueprintMap": components, "environment": environment }).to_string()
    }

    async fn views(queue: &Queue) -> Vec<ComponentView> {
        let view = queue.view(&SYSTEM.parse().unwrap()).await.unwrap();
        view.map(|view| view.components).unwrap_or_default()
    }

    fn read(path: &Path) -> String {
        String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
    }

    /// `/metrics`, at the address that the agent says it serves.
    fn metrics(log: &str) -> String {
        let line = log
            .lines()
            .find(|line| line.contains("metrics and health served"))
            .unwrap();
        let line: Value = serde_json::from_str(line).unwrap();
        let mut socket = TcpStream::connect(line["address"].as_str().unwrap()).unwrap();
        socket
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).unwrap();
        text
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn h08_no_registry_credential_is_in_any_log_status_metric_or_document_of_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        configure(folder);
        let cloud = SimCloud::start(Config::default()).await.unwrap();
        let (registry, proxy) = (
            registry().await,
            Liar::scripted(|_, _| Reply::new(407)).await,
        );
        let store = Sqlite::open(folder.join("queue.db")).unwrap();
        let queue = Queue::new(Arc::new(store), Arc::new(SystemClock::default()));
        let hosts = [
            "basic", "auth", "identity", "token", "helped", "failing", "proxied",
        ];
        let system = live_system(&hosts);
        let submitted = queue.submit(system.as_bytes(), None, Shrink::Hold);
        submitted.await.unwrap();
        let mut agent = start(folder, &cloud, &registry, &proxy);
        let began = Instant::now();
        let shown = loop {
            let shown = views(&queue).await;
            // Nobody has looked yet where no agent has said that it is there.
            let looked = |view: &ComponentView| {
                let fault = view.status.fault.as_ref();
                fault.is_some_and(|fault| fault.reason.as_str() != "NoAgentForOffer")
            };
            if shown.len() == hosts.len() && shown.iter().all(looked) {
                break shown;
            }
            let log = read(&folder.join("agent.err"));
            assert!(
                agent.0.try_wait().unwrap().is_none() && began.elapsed() < PATIENCE,
                "{shown:#?}\n{log}"
            );
            tokio::time::sleep(LOOK).await;
        };
        let reason = |host: &str| {
            let view = shown
                .iter()
                .find(|view| view.key.component.as_str() == host);
            view.unwrap()
                .status
                .fault
                .as_ref()
                .unwrap()
                .reason
                .as_str()
                .to_owned()
        };
        for host in ["basic", "auth", "identity", "token", "helped"] {
            assert_eq!(reason(host), "RegistryAuth", "{host}");
        }
        assert_eq!(
            (reason("failing"), reason("proxied")),
            ("CredentialHelper".into(), "ProxyRefused".into())
        );

        let log = read(&folder.join("agent.err"));
        assert!(
            log.contains("\"TRACE\"") && log.contains("registry answered"),
            "nothing was logged at trace level"
        );
        let statuses = format!(
            "{shown:?}{}",
            shown
                .iter()
                .map(|view| json!(view.status).to_string())
                .collect::<String>()
        );
        let mut sinks = vec![
            ("metrics", metrics(&log)),
            ("statuses", statuses),
            ("the log", log),
        ];
        for name in ["agent.out", "queue.db", "queue.db-wal", "queue.db-shm"] {
            sinks.push((name, read(&folder.join(name))));
        }
        for (sink, text) in &sinks {
            for form in FORMS {
                let found = text.find(form).map(|at| {
                    text[at.saturating_sub(200)..]
                        .chars()
                        .take(400)
                        .collect::<String>()
                });
                assert_eq!(found, None, "`{form}` is in {sink}");
            }
        }
        // They did leave: otherwise there would be nothing to look for.
        let left = format!("{:?}", registry.seen());
        for credential in [
            "cm9ib3Q6Y2FuYXJ5LW9mLWJhc2lj",
            "cm9ib3Q6Y2FuYXJ5LW9mLWF1dGg=",
            "cm9ib3Q6Y2FuYXJ5LW9mLWhlbHBlcg==",
            "canary-of-token",
        ] {
            assert!(
                left.contains(credential),
                "{credential} was shown to no registry"
            );
        }
        let bodies = registry
            .seen()
            .iter()
            .map(|request| String::from_utf8_lossy(&request.body).into_owned())
            .collect::<String>();
        assert!(bodies.contains("canary-of-identity"));
        assert!(proxy.seen()[0].header("proxy-authorization").is_some());
    }
}
