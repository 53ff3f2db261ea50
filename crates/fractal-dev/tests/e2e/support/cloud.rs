//! The simulated AWS in a process of its own, and its control interface.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fractal_simcloud::{Endpoints, Entry};
use serde_json::{Value, json};

use super::process::{Process, command};
use super::until;

const START: Duration = Duration::from_secs(60);

/// The simulated AWS.
pub(crate) struct Cloud {
    process: Process,
    pub(crate) endpoints: Endpoints,
    folder: PathBuf,
    flags: Vec<String>,
    starts: u32,
}

impl Cloud {
    /// Starts it with its state in `folder`.
    pub(crate) async fn start(folder: &Path, flags: &[&str]) -> Self {
        let flags: Vec<String> = flags.iter().map(ToString::to_string).collect();
        let process = launch(folder, &flags, &["0".into(), "0".into()], 0);
        let endpoints = announced(&process).await.unwrap();
        Self {
            process,
            endpoints,
            folder: folder.to_owned(),
            flags,
            starts: 1,
        }
    }

    /// Kills it with SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same ports and state. A port may be in somebody else's use for a moment.
    pub(crate) async fn restart(&mut self) {
        let port = |url: &str| url.rsplit(':').next().unwrap().to_owned();
        let ports = [port(&self.endpoints.aws), port(&self.endpoints.registry)];
        for _ in 0..200 {
            self.process = launch(&self.folder, &self.flags, &ports, self.starts);
            self.starts += 1;
            if announced(&self.process).await.is_some() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the simulated cloud does not get its ports back");
    }

    /// Every call after entry `since`.
    pub(crate) fn ledger(&self, since: u64) -> Vec<Entry> {
        let answer = self.control("GET", &format!("ledger?since={since}"), &Value::Null);
        serde_json::from_value(answer["entries"].clone()).unwrap()
    }

    /// The number of the ledger's last entry.
    pub(crate) fn last(&self) -> u64 {
        self.control("GET", "ledger?since=999999999", &Value::Null)["last"]
            .as_u64()
            .unwrap()
    }

    /// Accepted writes after entry `since`, pushes to the registry left out.
    pub(crate) fn writes(&self, since: u64) -> Vec<Entry> {
        let mut entries = self.ledger(since);
        entries.retain(|entry| entry.service != "registry" && entry.is_accepted_write());
        entries
    }

    /// How many writes of one kind were accepted on resources that begin so.
    pub(crate) fn accepted(&self, operation: &str, resource: &str) -> usize {
        let mut writes = self.writes(0);
        writes.retain(|entry| entry.operation == operation && entry.resource.starts_with(resource));
        writes.len()
    }

    /// What the function of a component serves now.
    pub(crate) fn function(&self, component: &str) -> Option<Value> {
        let is = |one: &Value| {
            one["function"]
                .as_str()
                .unwrap()
                .starts_with(&format!("{component}-"))
        };
        self.functions().into_iter().find(is)
    }

    /// What each function serves now.
    pub(crate) fn functions(&self) -> Vec<Value> {
        let answer = self.control("GET", "lambda/functions", &Value::Null);
        answer["functions"].as_array().unwrap().clone()
    }

    /// Arms a fault on every such call until it is lifted, and returns its id.
    pub(crate) fn fault(&self, filter: Value, action: Value) -> u64 {
        self.arm(&json!({ "filter": filter, "times": null, "action": action }))
    }

    /// Holds the `nth` such call back for a while, before it has any effect.
    pub(crate) fn delay(&self, filter: Value, nth: usize, delay: Duration) -> u64 {
        let action = json!({ "kind": "delay", "milliseconds": delay.as_millis() as u64 });
        self.arm(&json!({ "filter": filter, "nth": nth, "action": action }))
    }

    fn arm(&self, rule: &Value) -> u64 {
        self.control("POST", "faults", rule)["id"].as_u64().unwrap()
    }

    /// How many calls a fault has struck.
    pub(crate) fn struck(&self, fault: u64) -> u64 {
        let armed = self.control("GET", "faults", &Value::Null);
        let armed = armed["faults"].as_array().unwrap();
        let one = armed.iter().find(|armed| armed["id"] == fault).unwrap();
        one["struck"].as_u64().unwrap()
    }

    /// Lifts every fault.
    pub(crate) fn lift(&self) {
        self.control("DELETE", "faults", &Value::Null);
    }

    /// Changes a function's memory as someone at the console would.
    pub(crate) fn set_memory(&self, function: &str, megabytes: u32) {
        let path = format!("/2015-03-31/functions/{function}/configuration");
        let scope = "console/20260101/eu-central-1/lambda/aws4_request";
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature={}",
            "0".repeat(64)
        );
        let headers = format!("authorization: {authorization}\r\nx-amz-date: 20260101T000000Z\r\n");
        let body = json!({ "MemorySize": megabytes });
        let (status, text) = exchange(&self.endpoints.aws, "PUT", &path, &headers, &body).unwrap();
        assert_eq!(status, 200, "{text}");
    }

    fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let path = format!("/_sim/{path}");
        let (status, text) = exchange(&self.endpoints.aws, method, &path, "", body).unwrap();
        assert!((200..300).contains(&status), "{status} {text}");
        if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap()
        }
    }
}

fn launch(folder: &Path, flags: &[String], ports: &[String; 2], number: u32) -> Process {
    let mut command = command("fractal-simcloud");
    command
        .arg("--state-dir")
        .arg(folder.join("aws"))
        .args(["--port", &ports[0], "--registry-port", &ports[1]])
        .args(flags);
    Process::start(command, folder, &format!("simcloud-{number}"))
}

/// The endpoints, once it says them; none where it ended instead.
async fn announced(process: &Process) -> Option<Endpoints> {
    let said = || process.stdout().ends_with('\n');
    until("the simulated cloud's start", START, async || {
        said() || !process.stderr().is_empty()
    })
    .await;
    said().then(|| serde_json::from_str(&process.stdout()).unwrap())
}

/// One request and its answer: status and body.
fn exchange(
    endpoint: &str,
    method: &str,
    path: &str,
    headers: &str,
    body: &Value,
) -> std::io::Result<(u16, String)> {
    let address = endpoint.trim_start_matches("http://");
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\n{headers}content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8(answer).unwrap();
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Ok((status, text.to_owned()))
}
