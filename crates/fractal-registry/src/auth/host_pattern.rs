//! Which registry hosts something is for, a credential or a permission: exact names, or every name below a suffix.

use std::fmt;
use std::str::FromStr;

use fractal_core::artifact::RegistryHost;

/// `registry.example`, `registry.example:5000`, or `*.registry.example` for every host below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern(Box<str>);

/// What is wrong with a host pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no registry host, and no `*.` with a host of two labels or more", .0.escape_debug())]
pub struct HostPatternError(Box<str>);

impl FromStr for HostPattern {
    type Err = HostPatternError;

    fn from_str(text: &str) -> Result<Self, HostPatternError> {
        let refused = || HostPatternError(text.chars().take(100).collect::<String>().into());
        let host = text.strip_prefix("*.").unwrap_or(text);
        let host: RegistryHost = host.parse().map_err(|_| refused())?;
        let whole_domain = text.starts_with("*.") && !host.as_str().contains('.');
        if whole_domain {
            return Err(refused());
        }
        Ok(Self(text.to_ascii_lowercase().into()))
    }
}

impl HostPattern {
    /// Is it for `host`? Suffixes match whole labels only.
    #[must_use]
    pub fn matches(&self, host: &RegistryHost) -> bool {
        self.fits(&host.as_str().to_ascii_lowercase())
    }

    /// Is it for this host, written in lower case with the port where that matters?
    pub(crate) fn fits(&self, host: &str) -> bool {
        match self.0.strip_prefix('*') {
            Some(suffix) => host
                .strip_suffix(suffix)
                .is_some_and(|label| !label.is_empty()),
            None => *host == *self.0,
        }
    }
}

impl From<&RegistryHost> for HostPattern {
    /// Exactly this host.
    fn from(host: &RegistryHost) -> Self {
        Self(host.as_str().to_ascii_lowercase().into())
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r07_a_suffix_matches_on_a_label_boundary_only() {
        let check = |pattern: &str, host: &str, expected: bool| {
            let pattern: HostPattern = pattern.parse().unwrap();
            assert_eq!(
                pattern.matches(&host.parse().unwrap()),
                expected,
                "{pattern} {host}"
            );
        };
        check("r.example", "r.example", true);
        check("r.example", "a.r.example", false);
        check("127.0.0.1:5000", "127.0.0.1:5000", true);
        check("127.0.0.1:5000", "127.0.0.1:5001", false);
        check("*.r.example", "a.r.example", true);
        check("*.r.example", "a.b.r.example", true);
        check("*.r.example", "r.example", false);
        check("*.r.example", "evilr.example", false);
        check("*.r.example", "a.r.example.evil.tld", false);
    }

    #[test]
    fn a_pattern_names_a_host() {
        for bad in [
            "",
            "*",
            "*.",
            "*.com",
            "a b",
            "https://r.example",
            "r.example/x",
            "*.*.x.y",
        ] {
            assert!(bad.parse::<HostPattern>().is_err(), "{bad}");
        }
    }
}
