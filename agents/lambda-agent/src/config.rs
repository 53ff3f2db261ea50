//! The agent's static settings, as far as pure code may see them.

use serde::Serialize;

/// Largest zip sent inline, in bytes, where a staging bucket could take it: base64 in JSON costs memory on both sides.
pub const INLINE_MAX: u64 = 4 * 1024 * 1024;
/// Largest zip sent inline, in bytes, where there is no staging bucket. The API's own limit is 50 MiB.
pub const INLINE_MAX_WITHOUT_BUCKET: u64 = 40 * 1024 * 1024;
/// Lambda's limit for the unpacked code, in bytes.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub(crate) const UNPACKED_MAX: u64 = 262_144_000;

/// Static settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// The account the agent's credentials belong to.
    pub account: String,
    /// The region where neither component nor environment names one.
    pub region: String,
    /// The execution role where neither component nor environment names one.
    pub default_role: Option<String>,
    /// Patterns of role ARNs a component may name; `*` stands for any text. Empty allows every role of the account.
    pub allowed_roles: Vec<String>,
    /// Where zips too large for a request are put.
    pub staging_bucket: Option<String>,
}

impl Config {
    /// Whether a component may name this role.
    #[must_use]
    pub fn allows_role(&self, arn: &str) -> bool {
        self.is_own_role(arn)
            && (self.allowed_roles.is_empty()
                || self.allowed_roles.iter().any(|pattern| fits(pattern, arn)))
    }

    /// `arn:PARTITION:iam::ACCOUNT:role/PATH/NAME` of the agent's own account; a user or an assumed role is none.
    fn is_own_role(&self, arn: &str) -> bool {
        let parts: Vec<_> = arn.splitn(6, ':').collect();
        let [scheme, partition, service, region, account, resource] = parts.as_slice() else {
            return false;
        };
        let iam = *scheme == "arn" && partition.starts_with("aws") && *service == "iam";
        let named = resource
            .strip_prefix("role/")
            .is_some_and(|name| !name.is_empty());
        iam && region.is_empty() && *account == self.account && named
    }
}

/// Whether `text` fits `pattern`, in which `*` stands for any text.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, rest)) => text.strip_prefix(head).is_some_and(|tail| {
            let starts = tail.char_indices().map(|(at, _)| at).chain([tail.len()]);
            starts
                .into_iter()
                .any(|at| tail.get(at..).is_some_and(|tail| fits(rest, tail)))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(patterns: &[&str]) -> Config {
        let allowed_roles = patterns.iter().map(ToString::to_string).collect();
        Config {
            account: "123456789012".into(),
            region: "eu-central-1".into(),
            default_role: None,
            allowed_roles,
            staging_bucket: None,
        }
    }

    #[test]
    fn a_role_must_be_of_this_account_and_fit_a_pattern() {
        let check = |patterns: &[&str], arn: &str, expected| {
            assert_eq!(
                config(patterns).allows_role(arn),
                expected,
                "{patterns:?} {arn}"
            )
        };
        check(&[], "arn:aws:iam::123456789012:role/any", true);
        check(&[], "arn:aws:iam::999999999999:role/any", false);
        check(&[], "arn:aws-cn:iam::123456789012:role/path/any", true);
        check(&[], "arn:aws:iam::123456789012:user/any", false);
        check(&[], "arn:aws:iam::123456789012:role/", false);
        check(&[], "arn:aws:sts::123456789012:assumed-role/any/x", false);
        check(&[], "x:x:x:x:123456789012", false);
        check(
            &["arn:aws:iam::*:role/fn-*"],
            "arn:aws:iam::123456789012:role/fn-orders",
            true,
        );
        check(
            &["arn:aws:iam::*:role/fn-*"],
            "arn:aws:iam::123456789012:role/admin",
            false,
        );
        check(
            &["arn:aws:iam::*:role/fn-*"],
            "arn:aws:iam::999999999999:role/fn-orders",
            false,
        );
        check(
            &["*:role/a*b*c"],
            "arn:aws:iam::123456789012:role/aXbbYc",
            true,
        );
    }
}
