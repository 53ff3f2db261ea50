//! Function runtimes: the language behind a name, in whichever cloud's words it is written.

/// A language that function runtimes are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Python,
    Node,
    Ruby,
    Java,
    DotNet,
    Go,
    Php,
    /// An executable of the function's own.
    Custom,
}

/// The names that Lambda's API knows, those that no function can be made with any more first.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html>
const LAMBDA_DEPRECATED: &[&str] = &[
    "nodejs",
    "nodejs4.3",
    "nodejs4.3-edge",
    "nodejs6.10",
    "nodejs8.10",
    "nodejs10.x",
    "nodejs12.x",
    "nodejs14.x",
    "nodejs16.x",
    "nodejs18.x",
    "python2.7",
    "python3.6",
    "python3.7",
    "python3.8",
    "python3.9",
    "dotnetcore1.0",
    "dotnetcore2.0",
    "dotnetcore2.1",
    "dotnetcore3.1",
    "dotnet6",
    "ruby2.5",
    "ruby2.7",
    "java8",
    "go1.x",
    "provided",
];
const LAMBDA_CURRENT: &[&str] = &[
    "nodejs20.x",
    "nodejs22.x",
    "nodejs24.x",
    "nodejs26.x",
    "python3.10",
    "python3.11",
    "python3.12",
    "python3.13",
    "python3.14",
    "python3.15",
    "java8.al2",
    "java8.al2023",
    "java11",
    "java11.al2023",
    "java17",
    "java17.al2023",
    "java21",
    "java25",
    "dotnet8",
    "dotnet10",
    "ruby3.2",
    "ruby3.3",
    "ruby3.4",
    "ruby4.0",
    "provided.al2",
    "provided.al2023",
];

/// What Lambda makes of a runtime's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    Current,
    Deprecated,
    /// Another cloud's name for this one.
    Spelled(&'static str),
    /// A language without its version, as Azure names runtimes.
    Unversioned,
    Unknown,
}

/// What Lambda makes of `runtime`.
pub(super) fn on_lambda(runtime: &str) -> Known {
    if LAMBDA_CURRENT.contains(&runtime) {
        return Known::Current;
    }
    if LAMBDA_DEPRECATED.contains(&runtime) {
        return Known::Deprecated;
    }
    let plain = |name: &str| -> String {
        let name = name.strip_suffix(".x").unwrap_or(name);
        name.chars().filter(char::is_ascii_alphanumeric).collect()
    };
    let mut names = LAMBDA_CURRENT.iter().copied();
    names
        .find(|name| plain(name) == plain(runtime))
        .map_or_else(|| unknown(runtime), Known::Spelled)
}

fn unknown(runtime: &str) -> Known {
    match Language::of(runtime) {
        Some(Language::Php) | None => Known::Unknown,
        Some(_) if runtime.chars().any(|c| c.is_ascii_digit()) => Known::Unknown,
        Some(_) => Known::Unversioned,
    }
}

impl Language {
    /// The language of a runtime's name in any cloud's words.
    pub(super) fn of(runtime: &str) -> Option<Self> {
        let word: String = runtime
            .chars()
            .take_while(|c| c.is_ascii_alphabetic())
            .collect();
        Some(match word.to_ascii_lowercase().as_str() {
            "python" => Self::Python,
            "nodejs" | "node" => Self::Node,
            "ruby" => Self::Ruby,
            "java" => Self::Java,
            "dotnet" | "dotnetcore" => Self::DotNet,
            "go" => Self::Go,
            "php" => Self::Php,
            "provided" | "custom" => Self::Custom,
            _ => return None,
        })
    }

    /// How people call it.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Python => "Python",
            Self::Node => "Node.js",
            Self::Ruby => "Ruby",
            Self::Java => "Java",
            Self::DotNet => ".NET",
            Self::Go => "Go",
            Self::Php => "PHP",
            Self::Custom => "a custom runtime",
        }
    }
}

/// The minor version of CPython 3 that a runtime's name says: `python3.13` and `python313` are 13.
pub(super) fn python_minor(runtime: &str) -> Option<u32> {
    let version = runtime.to_ascii_lowercase();
    let version = version.strip_prefix("python")?.strip_prefix('3')?;
    version.trim_start_matches('.').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_is_known_by_every_clouds_name() {
        for (name, language) in [
            ("python3.13", Some(Language::Python)),
            ("python313", Some(Language::Python)),
            ("nodejs22.x", Some(Language::Node)),
            ("node", Some(Language::Node)),
            ("dotnet-isolated", Some(Language::DotNet)),
            ("provided.al2023", Some(Language::Custom)),
            ("go122", Some(Language::Go)),
            ("cobol", None),
            ("", None),
        ] {
            assert_eq!(Language::of(name), language, "{name}");
        }
        assert_eq!(python_minor("python3.9"), Some(9));
        assert_eq!(python_minor("python313"), Some(13));
        assert_eq!(python_minor("python"), None);
        assert_eq!(python_minor("nodejs22.x"), None);
    }

    #[test]
    fn lambda_knows_its_own_names_only() {
        assert_eq!(on_lambda("python3.13"), Known::Current);
        assert_eq!(on_lambda("python3.9"), Known::Deprecated);
        assert_eq!(on_lambda("python313"), Known::Spelled("python3.13"));
        assert_eq!(on_lambda("nodejs22"), Known::Spelled("nodejs22.x"));
        assert_eq!(on_lambda("python3.99"), Known::Unknown);
        assert_eq!(on_lambda("cobol"), Known::Unknown);
        assert_eq!(on_lambda("python"), Known::Unversioned);
        assert_eq!(on_lambda("php"), Known::Unknown);
    }
}
