//! Compatibility tags (PEP 425): `python-abi-platform`, each part possibly several joined by dots.

use std::collections::BTreeSet;

/// Most tags that one compressed tag may stand for.
const TAGS_MAX: usize = 1000;

/// Tags, expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tags(BTreeSet<[String; 3]>);

impl Tags {
    /// The tags that compressed ones stand for; `None` where one is malformed or stands for too many.
    pub(super) fn parse<'a>(compressed: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut tags = BTreeSet::new();
        for text in compressed {
            let parts: Vec<&str> = text.split('-').collect();
            let [python, abi, platform] = parts.as_slice() else {
                return None;
            };
            for python in python.split('.') {
                for abi in abi.split('.') {
                    for platform in platform.split('.') {
                        let tag = [python, abi, platform];
                        if !tag.into_iter().all(is_word) || tags.len() >= TAGS_MAX {
                            return None;
                        }
                        tags.insert(tag.map(str::to_lowercase));
                    }
                }
            }
        }
        (!tags.is_empty()).then_some(Self(tags))
    }

    /// The one compressed tag that stands for exactly these.
    pub(super) fn compressed(&self) -> Option<String> {
        let part = |at: usize| {
            let words: BTreeSet<&str> = self
                .0
                .iter()
                .filter_map(|tag| tag.get(at).map(String::as_str))
                .collect();
            words.into_iter().collect::<Vec<_>>().join(".")
        };
        let text = [part(0), part(1), part(2)].join("-");
        let same = Self::parse([&*text].into_iter()).as_ref() == Some(self);
        same.then_some(text)
    }

    /// Whether one of them runs on CPython 3 on 64-bit Linux.
    pub(super) fn run_on_linux(&self) -> bool {
        self.0.iter().any(|[python, abi, platform]| {
            let interpreter = python.starts_with("py3") || python.starts_with("cp3");
            let binary = abi == "none" || abi.starts_with("abi3") || abi.starts_with("cp3");
            interpreter && binary && is_linux(platform)
        })
    }

    /// The first few, for a message.
    pub(super) fn shown(&self) -> String {
        let first: Vec<String> = self.0.iter().take(4).map(|tag| tag.join("-")).collect();
        let more = if self.0.len() > first.len() {
            ", …"
        } else {
            ""
        };
        first.join(", ") + more
    }
}

fn is_word(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn is_linux(platform: &str) -> bool {
    let of_linux = ["linux_", "manylinux", "musllinux_"];
    platform == "any"
        || (of_linux.iter().any(|start| platform.starts_with(start))
            && (platform.ends_with("_x86_64") || platform.ends_with("_aarch64")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(texts: &[&str]) -> Tags {
        Tags::parse(texts.iter().copied()).unwrap()
    }

    #[test]
    fn compressed_tags_stand_for_every_combination() {
        let all = tags(&["py2.py3-none-any"]);
        assert_eq!(all, tags(&["py3-none-any", "py2-none-any"]));
        assert_eq!(all.compressed().as_deref(), Some("py2.py3-none-any"));
        assert_eq!(all.shown(), "py2-none-any, py3-none-any");
        let odd = tags(&["cp311-cp311-linux_x86_64", "py3-none-any"]);
        assert_eq!(odd.compressed(), None);
    }

    #[test]
    fn z16_tags_of_other_platforms_do_not_run() {
        for (text, runs) in [
            ("py3-none-any", true),
            ("py2.py3-none-any", true),
            ("py311-none-any", true),
            (
                "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64",
                true,
            ),
            ("cp311-abi3-musllinux_1_2_aarch64", true),
            ("cp312-cp312-linux_x86_64", true),
            ("cp311-cp311-win_amd64", false),
            ("cp311-cp311-macosx_11_0_universal2", false),
            ("cp311-cp311-macosx_11_0_arm64.manylinux_2_17_x86_64", true),
            ("cp311-cp311-manylinux_2_17_i686", false),
            ("cp311-cp311-linux_armv7l", false),
            ("py2-none-any", false),
            ("pp310-pypy310_pp73-manylinux_2_17_x86_64", false),
        ] {
            assert_eq!(tags(&[text]).run_on_linux(), runs, "{text}");
        }
    }

    #[test]
    fn malformed_tags_and_endless_ones_are_none() {
        for text in [
            "",
            "py3",
            "py3-none",
            "py3-none-any-x",
            "py3--any",
            "py3-none-a/b",
            "py3.-none-any",
        ] {
            assert_eq!(Tags::parse([text].into_iter()), None, "{text}");
        }
        assert_eq!(Tags::parse([].into_iter()), None);
        let many: Vec<String> = (0..40).map(|n| format!("p{n}")).collect();
        let many = many.join(".");
        let text = format!("{many}-{many}-any");
        assert_eq!(Tags::parse([&*text].into_iter()), None);
    }
}
