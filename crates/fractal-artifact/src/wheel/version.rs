//! Versions of distributions (PEP 440), brought to one spelling so that they can be compared.

/// The one spelling of all versions equal to `text`; `None` where it is no version.
///
/// Beyond PEP 440's own normal form, zeros at the release's end are dropped: `1.0` and `1.0.0` are equal.
pub(super) fn canonical(text: &str) -> Option<String> {
    let lower = text.trim().to_ascii_lowercase();
    let (public, local) = match lower.split_once('+') {
        Some((public, local)) => (public, Some(local)),
        None => (&*lower, None),
    };
    let mut rest = Rest(public.strip_prefix('v').unwrap_or(public));
    let mut version = String::new();
    let mut first = rest.number()?;
    if rest.eat("!") {
        if first != "0" {
            version = format!("{first}!");
        }
        first = rest.number()?;
    }
    version.push_str(&release(first, &mut rest));
    if let Some((stage, number)) = rest.stage(PRE) {
        version.push_str(&format!("{stage}{number}"));
    }
    if let Some((_, number)) = rest.stage(POST).or_else(|| rest.implicit_post()) {
        version.push_str(&format!(".post{number}"));
    }
    if let Some((_, number)) = rest.stage(DEV) {
        version.push_str(&format!(".dev{number}"));
    }
    if !rest.0.is_empty() {
        return None;
    }
    match local {
        None => Some(version),
        Some(local) => Some(format!("{version}+{}", segments(local)?)),
    }
}

/// A file name's version: hyphens are written as underscores there.
pub(super) fn of_file_name(text: &str) -> Option<String> {
    canonical(&text.replace('_', "-"))
}

/// Spellings and what they mean; longer ones first where one begins another.
type Stages = &'static [(&'static str, &'static str)];
const PRE: Stages = &[
    ("alpha", "a"),
    ("beta", "b"),
    ("preview", "rc"),
    ("pre", "rc"),
    ("rc", "rc"),
    ("a", "a"),
    ("b", "b"),
    ("c", "rc"),
];
const POST: Stages = &[("post", ""), ("rev", ""), ("r", "")];
const DEV: Stages = &[("dev", "")];

struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn eat(&mut self, text: &str) -> bool {
        let rest = self.0.strip_prefix(text);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn separator(&mut self) {
        self.0 = self.0.strip_prefix(['.', '-', '_']).unwrap_or(self.0);
    }

    /// Digits without the zeros before them. Kept as text: there is no largest version.
    fn number(&mut self) -> Option<&'a str> {
        let end = self.0.find(|c: char| !c.is_ascii_digit());
        let (digits, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        (!digits.is_empty()).then(|| plain(digits))
    }

    /// A stage's word with separators around it, and its number, zero where there is none.
    fn stage(&mut self, stages: Stages) -> Option<(&'static str, &'a str)> {
        let mut rest = Self(self.0);
        rest.separator();
        let (_, stage) = stages.iter().find(|(word, _)| rest.eat(word))?;
        let mut behind = Self(rest.0);
        behind.separator();
        let number = behind.number();
        self.0 = if number.is_some() { behind.0 } else { rest.0 };
        Some((stage, number.unwrap_or("0")))
    }

    /// `1.0-1` is `1.0.post1`.
    fn implicit_post(&mut self) -> Option<(&'static str, &'a str)> {
        let mut rest = Self(self.0.strip_prefix('-')?);
        let number = rest.number()?;
        self.0 = rest.0;
        Some(("", number))
    }
}

fn release(first: &str, rest: &mut Rest<'_>) -> String {
    let mut numbers = vec![first];
    loop {
        let mut behind = Rest(rest.0);
        if !behind.eat(".") {
            break;
        }
        let Some(number) = behind.number() else {
            break;
        };
        numbers.push(number);
        rest.0 = behind.0;
    }
    while numbers.len() > 1 && numbers.last() == Some(&"0") {
        numbers.pop();
    }
    numbers.join(".")
}

fn segments(local: &str) -> Option<String> {
    let one = |segment: &str| {
        let fits = !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_alphanumeric());
        let number = segment.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| {
            if number {
                plain(segment).to_owned()
            } else {
                segment.to_owned()
            }
        })
    };
    let segments: Option<Vec<String>> = local.split(['.', '-', '_']).map(one).collect();
    Some(segments?.join("."))
}

fn plain(digits: &str) -> &str {
    let plain = digits.trim_start_matches('0');
    if plain.is_empty() { "0" } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_versions_have_one_spelling() {
        for (spellings, expected) in [
            (&["1.0", "1", "v1.0.0", "01.00", " 1.0 ", "0!1"][..], "1"),
            (&["2.1.0", "2.1"], "2.1"),
            (&["1!2.0", "01!2"], "1!2"),
            (
                &["1.0a1", "1.0.alpha1", "1.0-ALPHA-1", "1a01", "1.0_a_1"],
                "1a1",
            ),
            (&["1.0rc", "1.0c0", "1.0-pre", "1.0.preview0"], "1rc0"),
            (
                &["1.0.post1", "1.0-1", "1.0post1", "1.0-r1", "1.0.rev.1"],
                "1.post1",
            ),
            (&["1.0.dev3", "1.0dev3", "1.0-dev-3"], "1.dev3"),
            (
                &["1.0b2.post3.dev4", "1.0-beta.2-post.3-dev4"],
                "1b2.post3.dev4",
            ),
            (
                &["1.0+ubuntu.1", "1.0+Ubuntu-01", "1+ubuntu_1"],
                "1+ubuntu.1",
            ),
            (
                &["20260102030405060708090", "020260102030405060708090"],
                "20260102030405060708090",
            ),
        ] {
            for spelling in spellings {
                assert_eq!(canonical(spelling).as_deref(), Some(expected), "{spelling}");
            }
        }
        assert_eq!(of_file_name("1.0_1"), canonical("1.0.post1"));
        assert_eq!(of_file_name("1.0+local_1"), canonical("1.0+local.1"));
    }

    #[test]
    fn what_is_no_version_is_none() {
        for text in [
            "",
            "v",
            "1.",
            "1..2",
            "x1",
            "1.0x",
            "1.0+",
            "1.0+a+b",
            "1.0+a..b",
            "!1",
            "1!",
            "1.0 1",
            "../1",
            "1.0/2",
            "1.0-",
            "1.0_1",
            "1.0.post1.post2",
            "é",
        ] {
            assert_eq!(canonical(text), None, "{text}");
        }
    }
}
