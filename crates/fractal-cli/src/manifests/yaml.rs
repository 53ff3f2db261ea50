//! Objects as YAML documents that every reader understands alike, those of YAML 1.1 that Kubernetes' tools use included.

use fractal_core::{Fault, Reason};
use serde_json::Value;

use crate::error::CliError;

/// A document, without the `---` before it.
pub(super) fn document(object: &Value) -> Result<String, CliError> {
    let options = serde_saphyr::ser_options! {
        // Folding long lines helps nobody who compares them.
        folded_wrap_chars: usize::MAX,
    };
    serde_saphyr::to_string_with_options(object, options).map_err(|error| {
        Fault::terminal(Reason::new("Internal"), "the object has no YAML form")
            .because(error)
            .into()
    })
}

#[cfg(test)]
mod tests {
    use fractal_artifact::manifests::{Overlay, Request, Sources, render};
    use serde_json::json;

    use super::*;

    /// What the reader of bundles makes of it, which reads as the API server's decoder does.
    fn read(manifest: &str) -> Value {
        let sources = Sources {
            manifest_name: "printed.yaml",
            manifest,
            parameters: None,
        };
        let request = Request {
            component: "none",
            environment: "none",
            overlay: &Overlay::default(),
            strict: false,
        };
        let rendered =
            render(&sources, &request).unwrap_or_else(|error| panic!("{error}: {manifest}"));
        rendered.objects[0].value().clone()
    }

    #[test]
    fn what_is_printed_is_read_back_as_it_was() {
        let texts = [
            "",
            " ",
            "yes",
            "No",
            "on",
            "y",
            "~",
            "null",
            "true",
            "1",
            "012",
            "0x1F",
            "0o17",
            "1e3",
            "1_000",
            ".5",
            "+1",
            "-",
            "- a",
            "a: b",
            "a #b",
            "# a",
            "&a",
            "*a",
            "!a",
            "|",
            ">",
            "%a",
            "@a",
            "`a",
            "{a}",
            "[a]",
            "'a'",
            "\"a\"",
            "a\nb",
            "a\nb\n",
            "a\n\n\n",
            "\na",
            "  a\n b\n",
            "a  \nb\t\n",
            "\ta",
            "a\tb",
            "a\r\nb",
            "\u{85}",
            "\u{2028}x",
            "\u{feff}a",
            "é😀",
            "12:30:45",
            "2001-01-01",
            "=",
            "<<",
            "...",
            "---",
            "a:",
            ":a",
            "?",
            "? a",
            "#!/bin/sh\nexec a --b \"$C\"\n",
            "a\\nb",
            "\u{7}",
            "\0",
            "0b1",
            ".inf",
            ".NaN",
            "1.",
            "1:2",
            "a,b",
            "NaN",
            "Infinity",
        ];
        for text in texts {
            let long = format!("{text}{}", " words and more".repeat(20));
            for text in [text, &long] {
                let object = json!({
                    "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"},
                    "data": {"plain": text, "list": [text, [text], {"k": text}], "": {}, "n": [], text: 1},
                    "numbers": [0, -1, 1.5, 1e300, u64::MAX, i64::MIN, true, null],
                });
                assert_eq!(read(&document(&object).unwrap()), object, "{text:?}");
            }
        }
    }
}
