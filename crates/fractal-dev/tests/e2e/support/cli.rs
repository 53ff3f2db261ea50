//! The `fractal` command, and its output with what differs from run to run taken out.

use std::path::PathBuf;

use serde_json::Value;

use super::process::command;
use super::stage::Stage;

/// Members whose values are of one run only.
const VOLATILE: [&str; 6] = [
    "since",
    "waitingSince",
    "nextAttempt",
    "attempts",
    "agent",
    "at",
];

/// The command, on a stage's queue.
pub(crate) struct Cli {
    folder: PathBuf,
    registry: String,
}

impl Cli {
    pub(crate) fn new(stage: &Stage) -> Self {
        Self {
            folder: stage.path().to_owned(),
            registry: stage.cloud.endpoints.registry.clone(),
        }
    }

    /// Submits a live system from a file.
    pub(crate) fn up(&self, body: &str) -> String {
        std::fs::write(self.folder.join("live-system.json"), body).unwrap();
        self.run(&["up", "live-system.json"])
    }

    /// Runs it, and tells command line, exit code and output.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = command("fractal")
            .args(arguments)
            .current_dir(&self.folder)
            .env(
                "FRACTAL_QUEUE",
                format!("sqlite:{}", self.folder.join("queue.db").display()),
            )
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| self.redact(&String::from_utf8(bytes).unwrap());
        format!(
            "$ fractal {}\nexit code {}\n{}{}",
            arguments.join(" "),
            output.status.code().unwrap(),
            text(output.stdout),
            text(output.stderr)
        )
    }

    fn redact(&self, text: &str) -> String {
        let text = match serde_json::from_str::<Value>(text) {
            Ok(mut document) => {
                redact_members(&mut document);
                serde_json::to_string_pretty(&document).unwrap() + "\n"
            }
            Err(_) => text.lines().map(|line| redact_line(line) + "\n").collect(),
        };
        let host = self.registry.trim_start_matches("http://");
        text.replace(host, "<registry>")
            .replace(
                concat!("lambda-agent ", env!("CARGO_PKG_VERSION")),
                "lambda-agent <version>",
            )
            .replace(&self.folder.display().to_string(), "<folder>")
    }
}

/// Takes times and counts out of a line, and the width of a column that depends on them.
fn redact_line(line: &str) -> String {
    let indent = line.len() - line.trim_start().len();
    let words: Vec<&str> = line
        .trim()
        .split("  ")
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    let text: Vec<String> = words
        .join("  ")
        .split(' ')
        .map(|word| {
            if is_time(word) {
                "<time>".to_owned()
            } else {
                word.to_owned()
            }
        })
        .collect();
    let text = text.join(" ");
    match text
        .split_once("tried ")
        .and_then(|(_, rest)| rest.split_once(','))
    {
        Some((_, rest)) => format!("{}tried <n> times,{rest}", " ".repeat(indent)),
        None => format!("{}{text}", " ".repeat(indent)),
    }
}

fn is_time(word: &str) -> bool {
    word.len() >= 20 && word.starts_with("20") && word.as_bytes()[10] == b'T' && word.ends_with('Z')
}

fn redact_members(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, member) in map {
                if VOLATILE.contains(&name.as_str()) {
                    *member = Value::String("<volatile>".into());
                } else {
                    redact_members(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact_members),
        _ => {}
    }
}
