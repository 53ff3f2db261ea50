//! Live systems in files: YAML or JSON of the body that SDKs post, with the blueprint in the same file where there is one.

use std::io::Read as _;
use std::path::Path;

use fractal_core::contract::LiveSystem;
use fractal_core::contract::wire::{self, BODY_MAX};
use fractal_core::json;
use fractal_queue::QueueError;
use fractal_queue::intake::IntakeError;
use serde_json::Value;

use crate::error::CliError;

/// Stands for standard input.
const STDIN: &str = "-";

/// Reads the live system in the file `path`, or on standard input where that is `-`.
pub(crate) fn read(path: &Path) -> Result<LiveSystem, CliError> {
    let bytes = bytes(path)?;
    let body = parse(path, &bytes)?;
    wire::from_value(&body, None).map_err(|error| CliError::Refused {
        place: place(path),
        source: QueueError::Intake(IntakeError::Wire(error)),
    })
}

/// How the file is called in messages.
pub(crate) fn place(path: &Path) -> String {
    if path.as_os_str() == STDIN {
        "standard input".into()
    } else {
        path.display().to_string()
    }
}

/// The file's bytes; one byte more than is taken is enough to know that it is too large.
fn bytes(path: &Path) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    let limit = BODY_MAX as u64 + 1;
    let read = if path.as_os_str() == STDIN {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    read.map_err(|error| CliError::file(path, error))?;
    if bytes.len() > BODY_MAX {
        let problem = format!("it has more than {BODY_MAX} bytes");
        return Err(problem_at(path, "YAML or JSON", problem));
    }
    Ok(bytes)
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Value, CliError> {
    if is_json(path, bytes) {
        return json::parse(bytes).map_err(|error| problem_at(path, "JSON", error.to_string()));
    }
    let text =
        std::str::from_utf8(bytes).map_err(|error| problem_at(path, "YAML", error.to_string()))?;
    let options = serde_saphyr::options! {
        // YAML 1.2: `no` and `on` are texts, as country codes and switches in parameters mean them.
        strict_booleans: true,
        // A snippet would repeat what may be a secret.
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        // The plain form speaks of the parser's own settings.
        let problem = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
        problem_at(path, "YAML", problem)
    })
}

/// By its name, else by its first character: JSON escapes that YAML does not know are read right only as JSON.
fn is_json(path: &Path, bytes: &[u8]) -> bool {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => true,
        Some("yaml" | "yml") => false,
        _ => bytes.trim_ascii_start().starts_with(b"{"),
    }
}

fn problem_at(path: &Path, form: &'static str, problem: String) -> CliError {
    CliError::Document {
        place: place(path),
        form,
        problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yaml(text: &str) -> Result<Value, String> {
        parse(Path::new("a.yaml"), text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn yaml_is_read_as_version_1_2_has_it() {
        let read = yaml("country: no\nswitch: on\nflag: true\nnumber: 012\ntext: '1'\n").unwrap();
        assert_eq!(read["country"], "no");
        assert_eq!(read["switch"], "on");
        assert_eq!(read["flag"], true);
        assert_eq!(read["text"], "1");
    }

    #[test]
    fn a_key_twice_is_refused_in_both_forms() {
        let error = yaml("a: 1\nb:\n  c: 1\n  c: 2\n").unwrap_err();
        assert!(
            error.contains("duplicate") && error.contains("line 4"),
            "{error}"
        );
        let error = parse(Path::new("a.json"), br#"{"a":1,"a":2}"#)
            .unwrap_err()
            .to_string();
        assert!(error.contains("key `a` occurs twice at line 1"), "{error}");
    }

    #[test]
    fn h08_a_malformed_document_is_not_repeated() {
        let error = yaml("password: canary\n  broken: [").unwrap_err();
        assert!(!error.contains("canary"), "{error}");
    }

    #[test]
    fn one_document_of_bounded_aliases_is_taken() {
        assert!(yaml("a: 1\n---\nb: 2\n").is_err());
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let before = level - 1;
            bomb.push_str(&format!(
                "a{level}: &a{level} [{}]\n",
                vec![format!("*a{before}"); 10].join(", ")
            ));
        }
        assert!(yaml(&bomb).is_err());
    }

    #[test]
    fn json_is_told_by_name_or_first_character() {
        let escaped = br#" {"a":"\ud83d\ude00\/"}"#;
        assert_eq!(parse(Path::new("-"), escaped).unwrap()["a"], "😀/");
        assert!(is_json(Path::new("a.json"), b"a: 1"));
        assert!(!is_json(Path::new("a.yml"), b"{a: 1}"));
    }
}
