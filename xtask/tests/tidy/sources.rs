//! Rules for source files and for what no file may hold.

use crate::tree::{files, none};

const LONGEST_FILE: usize = 600;

/// Words that say nothing of what a file holds.
const EMPTY_NAMES: &[&str] = &[
    "helper",
    "helpers",
    "manager",
    "misc",
    "mod",
    "processor",
    "stuff",
    "util",
    "utils",
];

#[test]
fn every_source_file_opens_by_saying_what_it_is() {
    let sources = files(".rs");
    assert!(sources.len() > 20, "the checkout's sources were not found");
    let silent = sources
        .into_iter()
        .filter(|file| !file.text.starts_with("//! "));
    none(
        silent
            .map(|file| format!("{} does not open with a //! line", file.path))
            .collect(),
    );
}

#[test]
fn no_source_file_is_longer_than_a_reader_can_hold() {
    let long = files(".rs")
        .into_iter()
        .filter(|file| file.text.lines().count() > LONGEST_FILE);
    none(
        long.map(|file| format!("{} has more than {LONGEST_FILE} lines: split it", file.path))
            .collect(),
    );
}

#[test]
fn file_names_say_what_is_inside() {
    let stem = |path: &str| {
        path.rsplit('/')
            .next()
            .unwrap()
            .split('.')
            .next()
            .unwrap()
            .to_owned()
    };
    let empty = files(".rs").into_iter().filter(|file| {
        stem(&file.path)
            .split('_')
            .any(|word| EMPTY_NAMES.contains(&word))
    });
    none(
        empty
            .map(|file| format!("{}: name it after what it holds", file.path))
            .collect(),
    );
}

#[test]
fn nothing_is_left_to_do_and_nothing_is_switched_off() {
    let marks = [
        concat!("to", "do!("),
        concat!("un", "implemented!("),
        concat!("FIX", "ME"),
        concat!("TO", "DO"),
        concat!("XX", "X:"),
        concat!("#[", "ignore"),
        concat!("#[", "allow("),
        concat!("#![", "allow("),
        concat!("db", "g!("),
    ];
    let mut complaints = Vec::new();
    for file in files(".rs") {
        complaints.extend(
            marks
                .iter()
                .filter(|mark| file.text.contains(**mark))
                .map(|mark| format!("{} holds {mark}", file.path)),
        );
    }
    none(complaints);
}

#[test]
fn a_lint_is_set_aside_only_with_a_reason() {
    let mut complaints = Vec::new();
    for file in files(".rs") {
        let opening = concat!("[", "expect(");
        for (place, _) in file.text.match_indices(opening) {
            let attribute: String = file
                .text
                .chars()
                .skip(file.text.get(..place).unwrap().chars().count())
                .take_while(|c| *c != ']')
                .collect();
            if !attribute.contains("reason = \"") {
                complaints.push(format!("{}: {attribute}] gives no reason", file.path));
            }
        }
    }
    none(complaints);
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    let homes = [
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("/Us", "ers/"),
        concat!("C:\\Us", "ers"),
        concat!("/wo", "rk/"),
    ];
    let mut complaints = Vec::new();
    for file in files("")
        .into_iter()
        .filter(|file| file.path != "Cargo.lock")
    {
        complaints.extend(
            homes
                .iter()
                .filter(|home| file.text.contains(**home))
                .map(|home| format!("{} holds a path below {home}", file.path)),
        );
    }
    none(complaints);
}
