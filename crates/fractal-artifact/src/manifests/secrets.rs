//! What looks like a secret in clear text: a parameter whose name says so, or a value in a form that only secrets have.
//!
//! A guess, made for warnings. A name that ends like a reference to a secret (`DB_SECRET_NAME`) is not taken for one.

/// Parts of names that say secret.
const NAMES: [&str; 12] = [
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "SECRET",
    "TOKEN",
    "APIKEY",
    "API_KEY",
    "PRIVATE_KEY",
    "ACCESS_KEY",
    "CREDENTIAL",
    "CONNECTION_STRING",
    "CONNECTIONSTRING",
];
/// Ends of names that refer to a secret instead of holding it.
const REFERENCES: [&str; 9] = [
    "_NAME", "_REF", "_ID", "_PATH", "_FILE", "_URL", "_URI", "_KEYNAME", "_ENABLED",
];
/// Beginnings of values that only secrets have: access keys of AWS, tokens of GitHub, GitLab, Slack and Stripe, JSON web tokens.
const PREFIXES: [&str; 12] = [
    "AKIA",
    "ASIA",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "sk_live_",
    "rk_live_",
    "eyJ",
];
/// Parts of values that only secrets have: private keys, connection strings and signatures of Azure.
const PARTS: [&str; 5] = [
    "PRIVATE KEY-----",
    "AccountKey=",
    "SharedAccessKey=",
    "SharedAccessSignature=",
    "Password=",
];
/// Shortest value with one of [`PREFIXES`] that is a secret, in bytes.
const PREFIXED_MIN: usize = 20;

/// Whether a parameter looks like a secret in clear text: by its name, or by the form of its value. Empty values are none.
#[must_use]
pub fn looks_secret(name: &str, value: &str) -> bool {
    if value.trim().is_empty() {
        return false;
    }
    names_secret(name) || is_secret_value(value)
}

fn names_secret(name: &str) -> bool {
    NAMES.iter().any(|part| contains(name, part))
        && !REFERENCES.iter().any(|end| ends_with(name, end))
}

fn is_secret_value(value: &str) -> bool {
    PARTS.iter().any(|part| value.contains(part))
        || (value.len() >= PREFIXED_MIN && PREFIXES.iter().any(|part| value.starts_with(part)))
        || has_userinfo(value)
}

/// A URL with a password in it.
fn has_userinfo(value: &str) -> bool {
    let Some((_, rest)) = value.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let userinfo = authority.rsplit_once('@').map(|(userinfo, _)| userinfo);
    userinfo
        .and_then(|it| it.split_once(':'))
        .is_some_and(|(_, password)| !password.is_empty())
}

fn contains(name: &str, part: &str) -> bool {
    name.as_bytes()
        .windows(part.len())
        .any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}

fn ends_with(name: &str, end: &str) -> bool {
    name.len()
        .checked_sub(end.len())
        .and_then(|at| name.get(at..))
        .is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn y15_secrets_are_told_by_name_or_by_form() {
        for (name, value) in [
            ("DB_PASSWORD", "hunter2"),
            ("apiToken", "abc"),
            ("STRIPE_API_KEY", "abc"),
            ("DSN", "postgres://app:hunter2@db:5432/app"),
            ("KEY", "-----BEGIN RSA PRIVATE KEY-----\nabc"),
            ("STORAGE", "DefaultEndpointsProtocol=https;AccountKey=abc"),
            ("X", "AKIAIOSFODNN7EXAMPLE"),
            ("X", "ghp_0123456789abcdefghij"),
        ] {
            assert!(looks_secret(name, value), "{name}");
        }
    }

    #[test]
    fn y15_references_and_plain_values_are_none() {
        for (name, value) in [
            ("DB_SECRET_NAME", "db"),
            ("TOKEN_FILE", "/var/run/token"),
            ("TOKEN_URL", "https://login.example.com/token"),
            ("DB_PASSWORD", ""),
            ("IMAGE", "registry.example.com/app:v1"),
            ("URL", "https://user@example.com/"),
            ("MAIL", "a:b@example.com"),
        ] {
            assert!(!looks_secret(name, value), "{name}");
        }
    }
}
