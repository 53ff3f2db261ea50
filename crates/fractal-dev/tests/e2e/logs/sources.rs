//! Logging calls as they stand in the sources of everything an agent is made of.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Crates of which an agent is made.
const SOURCES: [&str; 10] = [
    "agents/lambda-agent",
    "crates/fractal-artifact",
    "crates/fractal-aws",
    "crates/fractal-azure",
    "crates/fractal-core",
    "crates/fractal-gcp",
    "crates/fractal-queue",
    "crates/fractal-registry",
    "crates/fractal-runtime",
    "crates/fractal-vault",
];

/// A logging call as it stands in the source: level, message, and field names.
pub(super) struct Call {
    pub(super) level: String,
    pub(super) message: String,
    pub(super) fields: BTreeSet<String>,
    pub(super) at: String,
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

/// Every logging call.
pub(super) fn calls() -> Vec<Call> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    for source in SOURCES {
        sources(&root.join(source).join("src"), &mut files);
    }
    files.iter().flat_map(|path| calls_in(path)).collect()
}
