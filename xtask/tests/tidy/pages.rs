//! Rules for Markdown pages: links lead somewhere, and every invariant names what enforces it.

use std::collections::BTreeSet;

use crate::tree::{files, none, root};

const ARCHITECTURE: &str = "docs/architecture.md";

#[test]
fn every_relative_link_leads_to_a_file_and_a_heading() {
    let mut complaints = Vec::new();
    for page in files(".md") {
        let folder = root().join(&page.path).parent().unwrap().to_owned();
        for link in links(&page.text) {
            let (path, heading) = link
                .split_once('#')
                .map_or((link.as_str(), None), |(path, heading)| {
                    (path, Some(heading))
                });
            let target = if path.is_empty() {
                root().join(&page.path)
            } else {
                folder.join(path)
            };
            let found = target.exists();
            let text = std::fs::read_to_string(&target).unwrap_or_default();
            if !found || heading.is_some_and(|heading| !anchors(&text).contains(heading)) {
                complaints.push(format!("{}: {link} leads nowhere", page.path));
            }
        }
    }
    none(complaints);
}

/// `**I7** text. Enforced by: `name`, `other`.` — each name is an identifier outside the pages.
#[test]
fn every_invariant_names_the_test_or_lint_that_enforces_it() {
    let Ok(page) = std::fs::read_to_string(root().join(ARCHITECTURE)) else {
        assert!(
            !root().join("CHANGELOG.md").exists(),
            "a checkout that is to be released has {ARCHITECTURE}"
        );
        return;
    };
    let invariants: Vec<_> = page.lines().filter(|line| number(line).is_some()).collect();
    assert!(
        !invariants.is_empty(),
        "{ARCHITECTURE} has no line that begins with an invariant's number, like **I1**"
    );
    let known = identifiers();
    let mut complaints = Vec::new();
    for (place, line) in invariants.iter().enumerate() {
        if number(line) != Some(place + 1) {
            complaints.push(format!("I{} is expected here: {line}", place + 1));
        }
        let names = enforcers(line);
        if names.is_empty() {
            complaints.push(format!("names nothing that enforces it: {line}"));
        }
        complaints.extend(
            names
                .iter()
                .filter(|name| !known.contains(**name))
                .map(|name| format!("{name} is nowhere in the tree: {line}")),
        );
    }
    none(complaints);
}

/// The one table of reasons: what the code can say, the page explains, and nothing else.
#[test]
fn every_reason_is_explained_and_every_explained_reason_exists() {
    let sources = files(".rs");
    let shipped = sources
        .iter()
        .filter(|file| file.path.contains("/src/") && !file.path.contains("testkit"))
        .map(|file| {
            let tests = file.text.find("#[cfg(test)]").unwrap_or(file.text.len());
            &file.text[..tests]
        });
    let code: BTreeSet<&str> = shipped.flat_map(reasons).collect();
    let page = std::fs::read_to_string(root().join("docs/errors.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let explained: BTreeSet<&str> = rows
        .filter_map(|row| row.split(" |").next())
        .flat_map(|cell| cell.split(", "))
        .map(|name| name.trim_matches('`'))
        .collect();
    let missing = code.difference(&explained);
    let stale = explained.difference(&code);
    none(
        missing
            .map(|name| format!("docs/errors.md does not explain {name}"))
            .chain(stale.map(|name| format!("docs/errors.md explains {name}, which nothing says")))
            .collect(),
    );
}

/// Code quoted in a page is code that is there: a line `<!-- from PATH -->` stands before its fence.
#[test]
fn quoted_code_stands_in_the_file_it_is_quoted_from() {
    let mut complaints = Vec::new();
    for page in files(".md") {
        let mut lines = page.text.lines();
        while let Some(line) = lines.next() {
            let Some(path) = line
                .strip_prefix("<!-- from ")
                .and_then(|rest| rest.strip_suffix(" -->"))
            else {
                continue;
            };
            let code: Vec<&str> = lines
                .by_ref()
                .skip(1)
                .take_while(|line| !line.starts_with("```"))
                .collect();
            let source = std::fs::read_to_string(root().join(path)).unwrap_or_default();
            if code.is_empty() || !source.contains(&code.join("\n")) {
                complaints.push(format!(
                    "{}: the code quoted from {path} is not there",
                    page.path
                ));
            }
        }
    }
    none(complaints);
}

/// The words in `Reason::new("...")`.
fn reasons(text: &str) -> impl Iterator<Item = &str> {
    let after = text.split("Reason::new(").skip(1);
    after.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next())
}

fn number(line: &str) -> Option<usize> {
    let line = line.trim_start_matches(['-', '*', ' ']);
    line.strip_prefix('I')?.split("**").next()?.parse().ok()
}

/// The names in backticks after `Enforced by:`; of a path (`crate::module::name`) the last part counts.
fn enforcers(line: &str) -> Vec<&str> {
    let Some((_, rest)) = line.split_once("Enforced by:") else {
        return Vec::new();
    };
    rest.split('`')
        .skip(1)
        .step_by(2)
        .map(|name| name.rsplit("::").next().unwrap_or(name))
        .collect()
}

/// Every word of sources and settings, and every file's name.
fn identifiers() -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for file in files(".rs").into_iter().chain(files(".toml")) {
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        words.extend(file.text.split(|c| !is_word(c)).map(str::to_owned));
        words.extend(file.path.rsplit('/').next().map(str::to_owned));
        words.insert(file.path);
    }
    words
}

/// Targets of inline links that are neither absolute nor inside a code block.
fn links(page: &str) -> Vec<String> {
    let (mut found, mut code) = (Vec::new(), false);
    for line in page.lines() {
        code ^= line.trim_start().starts_with("```");
        if !code {
            let prose: String = line.split('`').step_by(2).collect();
            let targets = prose
                .split("](")
                .skip(1)
                .filter_map(|rest| rest.split([')', ' ']).next().map(str::to_owned));
            found.extend(
                targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:")),
            );
        }
    }
    found
}

/// The fragment of every heading, as forges make them.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim());
    let kept = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    headings
        .map(|heading| {
            heading
                .to_lowercase()
                .chars()
                .filter(|c| kept(*c))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
        .collect()
}

#[test]
fn the_rules_of_this_file_read_pages_as_they_are_written() {
    let page = "# A Title: with `code`\n[one](a.md#b) and ![two](i.png \"t\") `[no](x.md)` [far](https://example.org)\n```\n[no](y.md)\n```\n";
    assert_eq!(links(page), ["a.md#b", "i.png"]);
    assert!(anchors(page).contains("a-title-with-code"));
    let line = "- **I12** Text. Enforced by: `plan_is_pure`, `core::tests::other`.";
    assert_eq!(
        (number(line), enforcers(line)),
        (Some(12), vec!["plan_is_pure", "other"])
    );
    assert_eq!(number("Is not one"), None);
}
