//! What a part is, and what makes it the same everywhere: Go module sums, pip hashes, a crate's own lock file. It installs nothing.

mod table;

use super::go::Module;
use super::python::Environment;

pub(crate) use table::{GO_TOOLCHAIN, PARTS};

/// One program, or one Python environment, the tests run against.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) source: Source,
    /// Paths below the parts folder and the part's own; a part without one of them is damaged.
    pub(crate) programs: &'static [&'static str],
    /// A program and its arguments that print the version on standard output.
    pub(crate) probe: (&'static str, &'static [&'static str]),
    /// What is fetched and about how long it takes on two cores, for the person who waits.
    pub(crate) cost: &'static str,
}

/// Where a part comes from, with its lock.
#[derive(Debug)]
pub(crate) enum Source {
    Go(Module),
    Python(Environment),
    Crate,
}

impl Part {
    /// What the view of all parts links to: files or folders below the part's own folder.
    pub(crate) fn offers(&self) -> Vec<&'static str> {
        match self.source {
            Source::Go(_) => self.programs.to_vec(),
            Source::Python(_) | Source::Crate => vec![self.name],
        }
    }

    /// A hash of everything that pins this part.
    pub(crate) fn key(&self) -> u64 {
        let mut pinned = vec![LAYOUT, self.name, self.version];
        match &self.source {
            Source::Go(module) => {
                pinned.extend(module.packages);
                pinned.extend([module.module, module.sums, module.linked]);
                pinned.extend(module.files.iter().flat_map(|(name, text)| [*name, *text]));
            }
            Source::Python(environment) => {
                pinned.extend([environment.wheels, environment.archives]);
            }
            Source::Crate => {}
        }
        pinned.into_iter().fold(SEED, |hash, text| {
            checksum(checksum(hash, text.as_bytes()), b"\0")
        })
    }
}

/// Enters every key: parts that lie differently in their folders are other parts.
const LAYOUT: &str = "a folder for each part";

/// A hash of all pins, which names the view of all parts.
pub(crate) fn key() -> String {
    let all = PARTS
        .iter()
        .fold(SEED, |hash, part| checksum(hash, &part.key().to_le_bytes()));
    format!("{all:016x}")
}

pub(crate) const SEED: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a over words of eight bytes: finds damage, not malice. Authenticity was checked at installation, by the sums of the registries.
pub(crate) fn checksum(seed: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut hash = seed ^ bytes.len() as u64;
    for word in words {
        hash = mix(hash, u64::from_le_bytes(*word));
    }
    let last = rest
        .iter()
        .fold(0, |value, byte| value << 8 | u64::from(*byte));
    mix(hash, last)
}

fn mix(hash: u64, word: u64) -> u64 {
    (hash ^ word)
        .wrapping_mul(0x0000_0100_0000_01b3)
        .rotate_left(23)
}

#[cfg(test)]
mod tests {
    use super::super::go::PUBLISHED;
    use super::*;

    #[test]
    fn a_part_is_another_as_soon_as_anything_that_pins_it_changes() {
        let keys = |module: Module| {
            let part = Part {
                name: "thing",
                version: "v1.0.0",
                source: Source::Go(module),
                programs: &["bin/thing"],
                probe: ("bin/thing", &[]),
                cost: "",
            };
            part.key()
        };
        let mut all = vec![
            keys(PUBLISHED),
            keys(Module {
                packages: &["."],
                ..PUBLISHED
            }),
            keys(Module {
                module: "x",
                ..PUBLISHED
            }),
            keys(Module {
                sums: "x",
                ..PUBLISHED
            }),
            keys(Module {
                linked: "x",
                ..PUBLISHED
            }),
            keys(Module {
                files: &[("main.go", "x")],
                ..PUBLISHED
            }),
        ];
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 6);
    }

    #[test]
    fn the_checksum_sees_one_bit_a_swap_and_the_length() {
        let all = [
            &b"abcdefgh12345678"[..],
            b"abcdefgi12345678",
            b"12345678abcdefgh",
            b"abcdefgh12345678\0",
            b"",
        ];
        let mut sums: Vec<_> = all.iter().map(|bytes| checksum(SEED, bytes)).collect();
        sums.sort_unstable();
        sums.dedup();
        assert_eq!(sums.len(), all.len());
    }
}
