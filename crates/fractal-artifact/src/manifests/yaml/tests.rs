//! What Kubernetes' own decoder reads, text by text; and what is refused although it reads it.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::*;

/// Recorded from `sigs.k8s.io/yaml`: see the README beside it.
const RECORDED: &str = include_str!("../../../tests/manifests/yaml.jsonl");

/// Read by go-yaml, and refused here: what the versions of YAML understand differently, or what nobody means.
const NARROWER: [&str; 17] = [
    "a: |\n  last\n  ",
    "{a :, b: 1}\n",
    "y: 1\non: 2\n",
    "a: 1\na: 2\n",
    "1: a\n\"1\": b\n",
    "1.5: a\n",
    "a: !!binary YQ==\n",
    "a: !!timestamp 2001-01-01\n",
    "a: !custom 1\n",
    "a: !!python/object:os.system x\n",
    "%YAML 1.1\n---\na: 1\n",
    "[?a]\n",
    "{a:, b: 1}\n",
    "a: \"x\ny\"\n",
    "? a\n  b\n: c\n",
    "a: 'b\u{2028} c'\n",
    "a: [1]#c\n",
];

fn read(yaml: &str) -> Result<Value, YamlError> {
    let mut documents = documents(text(yaml)?, Scalars::Resolved)?;
    assert!(documents.len() < 2, "{yaml:?}");
    Ok(documents.pop().map(|it| it.value).unwrap_or_default())
}

fn problem(yaml: &str) -> (usize, usize, String) {
    match read(yaml) {
        Err(YamlError::Syntax {
            line,
            column,
            problem,
        }) => (line, column, problem),
        other => panic!("{yaml:?} is read as {other:?}"),
    }
}

fn budget(yaml: &str) -> (String, usize) {
    match text(yaml).and_then(|yaml| documents(yaml, Scalars::Resolved)) {
        Err(YamlError::Budget { what, max, .. }) => (what, max),
        other => panic!("read as {other:?}"),
    }
}

#[test]
fn y04_everything_is_read_as_kubernetes_reads_it() {
    let mut differences = Vec::new();
    let mut narrower = 0;
    for line in RECORDED.lines() {
        let recorded: Value = serde_json::from_str(line).unwrap();
        let yaml = recorded["yaml"].as_str().unwrap();
        let mut wanted = recorded.get("json");
        if NARROWER.contains(&yaml) {
            assert!(
                wanted.take().is_some(),
                "{yaml:?} is refused by go-yaml too"
            );
            narrower += 1;
        }
        let got = read(yaml).ok();
        if got.as_ref() != wanted {
            differences.push(format!("{yaml:?}: {got:?} instead of {wanted:?}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert_eq!(narrower, NARROWER.len());
}

#[test]
fn y01_what_grows_by_aliases_is_refused_at_once() {
    let begun = Instant::now();
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let before = format!("*a{}", level - 1);
        laughs += &format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(", "));
    }
    assert_eq!(budget(&laughs), ("more nodes".into(), NODES_MAX));

    let keys: String = (0..1000).map(|key| format!("  k{key}: 1\n")).collect();
    let merges: String = (0..1000)
        .map(|at| format!("m{at}:\n  <<: *base\n"))
        .collect();
    let quadratic = format!("base: &base\n{keys}{merges}");
    assert_eq!(budget(&quadratic), ("more nodes".into(), NODES_MAX));

    let long = format!(
        "a: &a {}\nb: [{}]\n",
        "x".repeat(100_000),
        vec!["*a"; 100].join(", ")
    );
    let bytes = "more bytes repeated by anchors and aliases";
    assert_eq!(budget(&long), (bytes.into(), ALIAS_BYTES_MAX));

    let mut deep = String::from("a0: &a0 [[[[[[[[[[x]]]]]]]]]]\n");
    for level in 1..20 {
        deep += &format!("a{level}: &a{level} [[[[[[[[[[*a{}]]]]]]]]]]\n", level - 1);
    }
    assert_eq!(budget(&deep), ("deeper nesting".into(), DEPTH_MAX));

    let (line, column, problem) = problem("a: 1\nb: &b\n  c: *b\n");
    assert_eq!((line, column), (3, 6));
    assert_eq!(problem, "an alias stands within what it repeats");
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn y02_depth_documents_and_bytes_are_bounded() {
    for deep in [
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        "- ".repeat(100_000),
        (0..1000)
            .map(|depth| format!("{}a:\n", " ".repeat(depth)))
            .collect(),
    ] {
        assert_eq!(budget(&deep), ("deeper nesting".into(), DEPTH_MAX));
    }
    let documents = "a: 1\n---\n".repeat(100_000);
    assert_eq!(budget(&documents), ("more documents".into(), DOCUMENTS_MAX));
    let empty = "---\n".repeat(1_000_000);
    assert_eq!(budget(&empty), ("more documents".into(), DOCUMENTS_MAX));
    let items = "- 1\n".repeat(NODES_MAX);
    assert_eq!(budget(&items), ("more nodes".into(), NODES_MAX));
    let long = format!("a: {}\n", "x".repeat(5 * 1024 * 1024));
    assert_eq!(budget(&long), (format!("{} bytes", long.len()), BYTES_MAX));
}

#[test]
fn the_limits_themselves_are_taken() {
    let depth = DEPTH_MAX - 1;
    let nested = format!("a: {}1{}\n", "[".repeat(depth), "]".repeat(depth));
    assert!(read(&nested).is_ok());
    let items = format!("a:\n{}", "- 1\n".repeat(NODES_MAX - 5));
    assert!(read(&items).is_ok());
    let documents_max = "a: 1\n---\n".repeat(DOCUMENTS_MAX - 1) + "a: 1\n";
    assert_eq!(
        documents(&documents_max, Scalars::Resolved).unwrap().len(),
        DOCUMENTS_MAX
    );
}

#[test]
fn y03_what_is_refused_is_refused_with_line_and_column() {
    for (yaml, line, column, said) in [
        (
            "a: 1\nb:\n  c: 1\n  c: 2\n",
            4,
            3,
            "the key `c` is there twice",
        ),
        (
            "a: 1\nyes: 1\ntrue: 2\n",
            3,
            1,
            "the key `true` is there twice",
        ),
        ("a: 1\nb: !!python/object:os.system ls\n", 2, 4, "a tag"),
        ("b: !<tag:example.com,2000:x> 1\n", 1, 4, "a tag"),
        ("a: !!seq {}\n", 1, 4, "a tag"),
        ("a:\n  b:\n\t- c\n", 3, 2, "tabs disallowed"),
        ("a:\n    \tb: c\n", 2, 6, "a tab as indentation"),
        (
            "a: 1\n\tb: 2\n",
            1,
            4,
            "while scanning a plain scalar, found a tab",
        ),
        ("a: \u{0}\n", 1, 4, "a NUL character"),
        ("a: 1\nb: x\u{7}\n", 2, 5, "a control character"),
        ("a: 1\nb: é\u{2028}\n", 2, 5, "a Unicode line end"),
        (
            "a: 1\n\u{feff}b: 2\n",
            2,
            1,
            "a byte order mark inside the file",
        ),
        ("a: [1, 2\nb: 3\n", 2, 2, ""),
        ("a: .nan\n", 1, 4, "a number that JSON cannot say"),
        ("a: {b: http://x/?q=1}\n", 1, 8, "a `?` between brackets"),
        ("a:\n  <<: 3\n", 2, 3, "`<<` merges mappings only"),
    ] {
        let (at, col, problem) = problem(yaml);
        assert_eq!((at, col), (line, column), "{yaml:?}: {problem}");
        assert!(problem.starts_with(said), "{yaml:?}: {problem}");
    }
    assert_eq!(read("\u{feff}a: 1\n").unwrap()["a"], 1);
    assert_eq!(read("a:\tb # tabs elsewhere\t\n").unwrap()["a"], "b");
}

#[test]
fn h08_no_scalar_is_repeated_in_a_problem() {
    for yaml in [
        "password: canary\n  broken: [",
        "canary: [1\n",
        "a: 'canary\n",
        "a: \"canary \\q\"\n",
        "a: !!int canary\n",
        "a: @canary\n",
        "canary\nb: 1\n",
        "a: |canary\n",
    ] {
        let (_, _, problem) = problem(yaml);
        assert!(!problem.contains("canary"), "{problem}");
    }
}

#[test]
fn documents_without_content_are_left_out() {
    let read = documents(
        "# a\n---\n---\na: 1\n--- # b\nnull\n---\n~\n...\n---\nb: 2\n",
        Scalars::Resolved,
    );
    let lines: Vec<_> = read.unwrap().iter().map(|it| it.line).collect();
    assert_eq!(lines, [4, 11]);
}

#[test]
fn verbatim_scalars_are_the_text_that_is_written() {
    let yaml = "a: 0777\nb: yes\nc: 1.0\nd: ' x '\ne: ~\nf:\ng: ''\nh: !!str 1\n";
    let read = documents(yaml, Scalars::Verbatim).unwrap();
    let wanted = serde_json::json!({
        "a": "0777", "b": "yes", "c": "1.0", "d": " x ", "e": null, "f": null, "g": "", "h": "1"
    });
    assert_eq!(read.first().unwrap().value, wanted);
}
