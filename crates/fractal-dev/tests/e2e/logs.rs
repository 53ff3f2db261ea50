//! Every log line of a full deployment against `docs/reference/logs.md`, and no secret in any of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::support::agent::{Agent, SECRET_KEY};
use crate::support::artifacts::publish_zip;
use crate::support::stage::Stage;
use crate::support::system::{ECR, component, live_system, zip_function};
use crate::support::until;

const ID: &str = "Personal/owner/logs/shop";
const BOUND: Duration = Duration::from_secs(60);
/// Secrets, each unmistakable. None of them may be logged.
const CANARIES: [(&str, &str); 4] = [
    ("a secret's file", "canary-of-the-secrets-folder"),
    ("a registry password", "canary-of-the-registry"),
    ("an environment value", "canary-of-the-environment"),
    ("the cloud's secret key", SECRET_KEY),
];
/// What has to happen in the run, so that the schema is put to use.
const EXPECTED: [&str; 8] = [
    "started",
    "reconciled",
    "step applied",
    "step failed",
    "reconcile failed",
    "registry answered",
    "stopping: nothing new begins",
    "stopped",
];

/// The schema, as the document's tables give it: members of a line, of its span, and each message's own fields.
struct Schema {
    line: Map<String, Value>,
    span: Map<String, Value>,
    events: BTreeMap<String, Event>,
}

struct Event {
    level: String,
    target: String,
    fields: Map<String, Value>,
}

/// The cells of the table's rows under `heading`, without the backticks around names.
fn table(document: &str, heading: &str) -> Vec<Vec<String>> {
    let section = document
        .split("\n## ")
        .find(|section| section.starts_with(heading))
        .unwrap_or_else(|| panic!("no section {heading}"));
    let rows = section.lines().filter(|line| line.starts_with("| "));
    let cells = |row: &str| {
        row.trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    rows.skip(1).map(cells).collect()
}

fn plain(cell: &str) -> String {
    cell.trim_matches('`').to_owned()
}

/// `name type`, comma by comma.
fn fields(cell: &str) -> Map<String, Value> {
    cell.split(", ")
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, kind) = part
                .split_once("` ")
                .unwrap_or_else(|| panic!("no type: {part}"));
            (name.trim_matches('`').to_owned(), json!(kind))
        })
        .collect()
}

impl Schema {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/logs.md");
        let document = std::fs::read_to_string(path).unwrap();
        let members = |heading| {
            let rows = table(&document, heading);
            rows.iter()
                .map(|row| (plain(&row[0]), json!(row[1])))
                .collect()
        };
        let events = table(&document, "Events").into_iter().map(|row| {
            let event = Event {
                level: row[1].clone(),
                target: plain(&row[2]),
                fields: fields(&row[3]),
            };
            (plain(&row[0]), event)
        });
        Self {
            line: members("Every line"),
            span: members("The span"),
            events: events.collect(),
        }
    }

    fn check(&self, line: &Value) -> Result<(), String> {
        let mut line = line.as_object().ok_or("not an object")?.clone();
        let span = line.remove("span");
        if let Some(span) = &span {
            exactly(span.as_object().ok_or("the span is no object")?, &self.span)?;
        }
        let message = line["message"].as_str().ok_or("the message is no text")?;
        let event = self
            .events
            .get(message)
            .ok_or_else(|| format!("message `{message}` is not documented"))?;
        let allowed: Vec<&str> = event.level.split(" or ").collect();
        if !allowed.contains(&line["level"].as_str().unwrap_or_default()) {
            return Err(format!("level is not {}", event.level));
        }
        if !line["target"]
            .as_str()
            .unwrap_or_default()
            .starts_with(&event.target)
        {
            return Err(format!("target is not {}", event.target));
        }
        let mut expected = self.line.clone();
        expected.remove("span");
        expected.extend(event.fields.clone());
        exactly(&line, &expected)
    }
}

/// The same names, and of each the type that is documented; one that ends in `?` may be missing.
fn exactly(found: &Map<String, Value>, documented: &Map<String, Value>) -> Result<(), String> {
    for (name, kind) in documented {
        let may_be_missing = kind.as_str().is_some_and(|kind| kind.ends_with('?'));
        if !may_be_missing && !found.contains_key(name) {
            return Err(format!("`{name}` is missing"));
        }
    }
    for (name, value) in found {
        let kind = documented
            .get(name)
            .and_then(Value::as_str)
            .ok_or_else(|| format!("`{name}` is not documented"))?;
        if !is_of(kind, value) {
            return Err(format!("`{name}` is no {kind}: {value}"));
        }
    }
    Ok(())
}

fn is_of(kind: &str, value: &Value) -> bool {
    let text = value.as_str();
    match kind.trim_end_matches('?') {
        "text" => text.is_some(),
        "number" => value.as_u64().is_some(),
        "time" => {
            text.is_some_and(|text| fractal_core::Timestamp::try_from(text.to_owned()).is_ok())
        }
        "level" => matches!(text, Some("DEBUG" | "INFO" | "WARN" | "ERROR")),
        other => panic!("the document uses an unknown type: {other}"),
    }
}

/// Create, change, repair, a failure, removal, a stop: by an agent that logs everything.
async fn deploy(stage: &Stage) -> Agent {
    let secrets = stage.path().join("secrets");
    std::fs::create_dir_all(secrets.join("dev")).unwrap();
    std::fs::write(secrets.join("dev/token"), CANARIES[0].1).unwrap();
    let docker = json!({ "auths": { ECR: { "username": "user", "password": CANARIES[1].1 } } });
    let config = stage.path().join("docker.json");
    std::fs::write(&config, docker.to_string()).unwrap();
    publish_zip(&stage.client, "shop/orders:live", "1").await;
    let flags = [
        "--log",
        "debug",
        "--interval",
        "0.3",
        "--listen",
        "127.0.0.1:0",
        "--secrets-dir",
        secrets.to_str().unwrap(),
        "--registry-config",
        config.to_str().unwrap(),
    ];
    let mut agent = stage.agent("logging", &flags).await;
    let function = |memory: u32| {
        let mut function = zip_function("orders", "shop/orders:live", "1");
        function["parameters"]["memoryMb"] = json!(memory);
        function["parameters"]["environment"] =
            json!({ "TOKEN": { "$envSecret": "token" }, "PLAIN": CANARIES[2].1 });
        function
    };
    stage.submit(&live_system(ID, &[function(256)])).await;
    stage.active(ID, BOUND).await;
    stage.submit(&live_system(ID, &[function(512)])).await;
    stage.active(ID, BOUND).await;
    let served = stage.cloud.functions().remove(0);
    assert_eq!(
        served["environment"]["TOKEN"], CANARIES[0].1,
        "the secret has arrived"
    );
    let name = served["function"].as_str().unwrap();
    let mark = stage.cloud.last();
    stage.cloud.set_memory(name, 3008);
    until("the repair", BOUND, async || {
        // The first of these writes is ours.
        stage.cloud.writes(mark).len() >= 2
            && stage.cloud.functions()[0]["settings"]["MemorySize"] == 512
    })
    .await;
    stage.cloud.fault(
        json!({ "operation": "UpdateFunctionConfiguration" }),
        json!({ "kind": "deny" }),
    );
    let missing = component("missing", json!({ "sourceArtifact": "shop/nothing:here" }));
    let wrong = component("wrong", json!({ "sourceArtifact": "no reference at all" }));
    stage
        .submit(&live_system(ID, &[function(1024), missing, wrong]))
        .await;
    until("failures", BOUND, async || {
        let view = stage.view(ID).await.unwrap();
        view.components
            .iter()
            .all(|shown| shown.status.fault.is_some())
    })
    .await;
    stage.cloud.lift();
    stage.remove(ID).await;
    until("the removal", BOUND, async || {
        stage
            .view(ID)
            .await
            .is_none_or(|view| view.components.is_empty())
    })
    .await;
    agent.process.signal("TERM");
    assert_eq!(agent.process.end(BOUND).await.code(), Some(0));
    agent
}

#[tokio::test]
async fn every_line_is_documented_and_none_holds_a_secret() {
    let key = format!("AKIAEXAMPLE:123456789012:{SECRET_KEY}");
    let flags = ["--settle-ms", "50", "--no-quotas", "--identity", &key];
    let stage = Stage::with_password(Some(CANARIES[1].1), &flags).await;
    let schema = Schema::read();
    let agent = deploy(&stage).await;
    let text = agent.process.stderr();
    assert_eq!(agent.process.stdout(), "", "logs go to standard error");
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let mut wrong = Vec::new();
    for line in agent.log() {
        *seen
            .entry(line["message"].as_str().unwrap_or_default().to_owned())
            .or_default() += 1;
        if let Err(why) = schema.check(&line) {
            wrong.push(format!("{why}\n    {line}"));
        }
    }
    println!("{} lines: {seen:#?}", text.lines().count());
    assert!(
        wrong.is_empty(),
        "{} lines differ from docs/reference/logs.md:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    for message in EXPECTED {
        assert!(seen.contains_key(message), "`{message}` did not happen");
    }
    for (what, canary) in CANARIES {
        assert!(!text.contains(canary), "{what} was logged");
    }
}

/// Crates of which an agent is made.
const SOURCES: [&str; 7] = [
    "agents/lambda-agent",
    "crates/fractal-artifact",
    "crates/fractal-aws",
    "crates/fractal-core",
    "crates/fractal-queue",
    "crates/fractal-registry",
    "crates/fractal-runtime",
];

/// A logging call as it stands in the source: level, message, and field names.
struct Call {
    level: String,
    message: String,
    fields: BTreeSet<String>,
    at: String,
}

fn sources(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push(path);
        }
    }
}

/// The arguments of a macro call, split at its own commas. `text` begins behind the opening bracket.
fn arguments(text: &str) -> Vec<String> {
    let (mut depth, mut quoted, mut parts) = (0_i32, false, vec![String::new()]);
    let mut before = ' ';
    for letter in text.chars() {
        match letter {
            '"' if before != '\\' => quoted = !quoted,
            '(' | '[' | '{' if !quoted => depth += 1,
            ')' | ']' | '}' if !quoted && depth == 0 => break,
            ')' | ']' | '}' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        before = letter;
        parts.last_mut().unwrap().push(letter);
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}

fn calls_in(path: &Path) -> Vec<Call> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut calls = Vec::new();
    for (at, _) in text.match_indices("tracing::") {
        let rest = &text[at + "tracing::".len()..];
        let Some((level, rest)) = rest.split_once("!(") else {
            continue;
        };
        if !["trace", "debug", "info", "warn", "error"].contains(&level) {
            continue;
        }
        let mut parts = arguments(rest);
        let message = parts.pop().unwrap();
        let name = |part: &String| {
            let name = part.split_once('=').map_or(part.as_str(), |(name, _)| name);
            name.trim().trim_start_matches(['%', '?']).to_owned()
        };
        calls.push(Call {
            level: level.to_uppercase(),
            message: message.trim().trim_matches('"').to_owned(),
            fields: parts.iter().map(name).collect(),
            at: path.display().to_string(),
        });
    }
    calls
}

#[test]
fn every_event_in_the_sources_is_documented_and_every_documented_one_is_there() {
    let schema = Schema::read();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    for source in SOURCES {
        sources(&root.join(source).join("src"), &mut files);
    }
    let calls: Vec<Call> = files.iter().flat_map(|path| calls_in(path)).collect();
    assert!(calls.len() > 20, "the sources were not read");
    let mut wrong = Vec::new();
    for call in &calls {
        let Some(event) = schema.events.get(&call.message) else {
            wrong.push(format!("{}: `{}` is not documented", call.at, call.message));
            continue;
        };
        if !event.level.split(" or ").any(|level| level == call.level) {
            wrong.push(format!(
                "{}: `{}` is {}, not {}",
                call.at, call.message, call.level, event.level
            ));
        }
        let is_optional = |kind: &Value| kind.as_str().is_some_and(|kind| kind.ends_with('?'));
        let missing = event
            .fields
            .iter()
            .filter(|(name, kind)| !is_optional(kind) && !call.fields.contains(*name));
        let unknown = call
            .fields
            .iter()
            .filter(|name| !event.fields.contains_key(*name));
        for name in missing.map(|(name, _)| name).chain(unknown) {
            wrong.push(format!(
                "{}: `{}` and the document differ in `{name}`",
                call.at, call.message
            ));
        }
    }
    for message in schema.events.keys() {
        if !calls.iter().any(|call| call.message == *message) {
            wrong.push(format!("`{message}` is documented, and logged nowhere"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
