//! Which parts there are, at which version, and what makes each the same everywhere: Go module sums, pip hashes, a crate's own lock file.
//! It installs nothing.

/// One program, or one Python environment, the tests run against.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) source: Source,
    /// Paths below the parts folder; a part without one of them is damaged.
    pub(crate) programs: &'static [&'static str],
    /// A program and its arguments that print the version on standard output.
    pub(crate) probe: (&'static str, &'static [&'static str]),
    /// What is fetched and about how long it takes on two cores, for the person who waits.
    pub(crate) cost: &'static str,
}

/// Where a part comes from, with its lock.
#[derive(Debug)]
pub(crate) enum Source {
    Go {
        package: &'static str,
        module: &'static str,
        sums: &'static str,
    },
    Python {
        requirements: &'static str,
    },
    Crate,
}

impl Part {
    /// The file or folder below the parts folder that is this part's and no other's.
    pub(crate) fn path(&self) -> String {
        match self.source {
            Source::Go { .. } => format!("bin/{}", self.name),
            Source::Python { .. } | Source::Crate => self.name.to_owned(),
        }
    }

    /// A hash of everything that pins this part.
    pub(crate) fn key(&self) -> u64 {
        let lock = match self.source {
            Source::Go {
                package,
                module,
                sums,
            } => [package, module, sums],
            Source::Python { requirements } => [requirements, "", ""],
            Source::Crate => [""; 3],
        };
        [self.name, self.version]
            .into_iter()
            .chain(lock)
            .fold(SEED, |hash, text| {
                checksum(checksum(hash, text.as_bytes()), b"\0")
            })
    }
}

/// A hash of all pins: other pins go to another folder, so two checkouts never disturb each other.
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

pub(crate) const GO_TOOLCHAIN: &str = include_str!("../../parts/python/go.txt");

pub(crate) const PARTS: &[Part] = &[
    Part {
        name: "registry",
        version: "v3.1.2",
        source: Source::Go {
            package: "github.com/distribution/distribution/v3/cmd/registry",
            module: include_str!("../../parts/go/registry/go.mod"),
            sums: include_str!("../../parts/go/registry/go.sum"),
        },
        programs: &["bin/registry"],
        probe: ("bin/registry", &["--version"]),
        cost: "Go modules of the OCI reference registry, then compiling: about 90 s",
    },
    Part {
        name: "crane",
        version: "v0.22.1",
        source: Source::Go {
            package: "github.com/google/go-containerregistry/cmd/crane",
            module: include_str!("../../parts/go/crane/go.mod"),
            sums: include_str!("../../parts/go/crane/go.sum"),
        },
        programs: &["bin/crane"],
        probe: ("bin/crane", &["version"]),
        cost: "Go modules, then compiling: about 30 s",
    },
    Part {
        name: "regctl",
        version: "v0.11.7",
        source: Source::Go {
            package: "github.com/regclient/regclient/cmd/regctl",
            module: include_str!("../../parts/go/regctl/go.mod"),
            sums: include_str!("../../parts/go/regctl/go.sum"),
        },
        programs: &["bin/regctl"],
        probe: ("bin/regctl", &["version"]),
        cost: "Go modules, then compiling: about 10 s",
    },
    Part {
        name: "ministack",
        version: "1.5.33",
        source: Source::Python {
            requirements: include_str!("../../parts/python/ministack.txt"),
        },
        programs: &["ministack/bin/python", "ministack/bin/ministack"],
        probe: (
            "ministack/bin/python",
            &[
                "-c",
                "import importlib.metadata as m, ministack; print(m.version('ministack'))",
            ],
        ),
        cost: "17 wheels from PyPI, 25 MB: about 15 s",
    },
    Part {
        name: "boto3",
        version: "1.44.5",
        source: Source::Python {
            requirements: include_str!("../../parts/python/boto3.txt"),
        },
        programs: &["boto3/bin/python"],
        probe: (
            "boto3/bin/python",
            &[
                "-c",
                "import importlib.metadata as m, boto3, awslambdaric; print(m.version('boto3'))",
            ],
        ),
        cost: "10 wheels from PyPI (boto3, awslambdaric 4.2.2), 18 MB: about 10 s",
    },
    Part {
        name: "cargo-deny",
        version: "0.20.2",
        source: Source::Crate,
        programs: &["cargo-deny/bin/cargo-deny"],
        probe: ("cargo-deny/bin/cargo-deny", &["--version"]),
        cost: "a crate and its dependencies, then compiling: about 2 min",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_locked_to_the_version_it_names() {
        for part in PARTS {
            match part.source {
                Source::Go {
                    package,
                    module,
                    sums,
                } => {
                    assert!(module.contains(&format!("tool {package}")), "{}", part.name);
                    let line = module
                        .lines()
                        .find(|line| {
                            package.starts_with(line.split_whitespace().next().unwrap_or("?"))
                        })
                        .unwrap();
                    assert_eq!(
                        line.split_whitespace().nth(1),
                        Some(part.version),
                        "{}",
                        part.name
                    );
                    assert!(
                        sums.lines()
                            .any(|sum| sum.contains(&format!(" {} h1:", part.version))),
                        "{}",
                        part.name
                    );
                }
                Source::Python { requirements } => {
                    assert!(
                        requirements.contains(&format!("\n{}=={} \\", part.name, part.version)),
                        "{}",
                        part.name
                    );
                    for requirement in requirements
                        .lines()
                        .filter(|line| line.contains("==") && !line.starts_with('#'))
                    {
                        assert!(requirement.ends_with('\\'), "{requirement} has no hash");
                    }
                }
                Source::Crate => assert!(part.version.split('.').count() == 3, "{}", part.name),
            }
        }
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
