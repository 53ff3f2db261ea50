//! Counts what libtest prints. It runs no test.

use std::io::{BufRead, BufReader, Read};

/// Counts over all test binaries of a run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
    /// Test binaries that ended with a summary.
    pub(crate) binaries: u64,
    pub(crate) failures: Vec<String>,
    pub(crate) ignorances: Vec<String>,
}

impl Tally {
    /// Passes every line on to `show` as it comes, and counts.
    pub(crate) fn stream(output: impl Read, show: impl Fn(&str)) -> Self {
        let mut tally = Self::default();
        let mut lines = BufReader::new(output);
        let mut line = Vec::new();
        while lines
            .read_until(b'\n', &mut line)
            .is_ok_and(|read| read > 0)
        {
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end_matches(['\n', '\r']);
            show(text);
            tally.count(text);
            line.clear();
        }
        tally
    }

    fn count(&mut self, line: &str) {
        if let Some(summary) = line.strip_prefix("test result: ") {
            self.binaries += 1;
            self.passed += figure(summary, "passed");
            self.failed += figure(summary, "failed");
            self.ignored += figure(summary, "ignored");
        } else if let Some((name, outcome)) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.rsplit_once(" ... "))
        {
            match outcome {
                "FAILED" => self.failures.push(name.to_owned()),
                outcome if outcome.starts_with("ignored") => self.ignorances.push(name.to_owned()),
                _ => {}
            }
        }
    }
}

/// From `ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s`.
fn figure(summary: &str, what: &str) -> u64 {
    let words: Vec<_> = summary.split([' ', ';']).collect();
    let pair = words.windows(2).find(|pair| pair.last() == Some(&what));
    pair.and_then(|pair| pair.first()?.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_add_up_and_failures_and_ignored_tests_keep_their_names() {
        let output = "\nrunning 3 tests\ntest a::b ... ok\ntest a::c ... FAILED\ntest a::d ... ignored, too slow\n\n\
            test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\n\
            running 12 tests\ntest result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 7 filtered out; finished in 1.00s\n";
        let tally = Tally::stream(output.as_bytes(), |_| {});
        let expected = Tally {
            passed: 13,
            failed: 1,
            ignored: 1,
            binaries: 2,
            failures: vec!["a::c".to_owned()],
            ignorances: vec!["a::d".to_owned()],
        };
        assert_eq!(tally, expected);
    }
}
