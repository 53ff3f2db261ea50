//! From an SDK error to a fault: one table of codes for what every AWS service has in common.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use fractal_core::reconcile::Grant;
use fractal_core::{Class, Fault, Reason};

/// Longest message of a service that is shown, in characters.
const SHOWN: usize = 400;

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The operation, as the API names it.
    pub operation: &'static str,
    /// The service's error code; none where no answer was understood.
    pub code: Option<String>,
    /// The HTTP status; none where there was no answer.
    pub status: Option<u16>,
    message: String,
    retry_after: Option<Duration>,
}

/// What a service's error code means.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The code.
    pub code: &'static str,
    /// A text the message must hold for the rule to fit; empty fits all.
    pub says: &'static str,
    /// What the loop does.
    pub class: Class,
    /// The reason shown.
    pub reason: Reason,
    /// What a person does next.
    pub next: &'static str,
}

const TRANSIENT: Class = Class::Transient { retry_after: None };

/// Codes that mean the same in every service. <https://docs.aws.amazon.com/general/latest/gr/api-retries.html>
const COMMON: &[(&[&str], Class, Reason)] = &[
    (
        &[
            "ThrottlingException",
            "Throttling",
            "TooManyRequestsException",
            "RequestLimitExceeded",
            "SlowDown",
        ],
        TRANSIENT,
        Reason::new("Throttled"),
    ),
    (
        &[
            "ServiceException",
            "InternalFailure",
            "InternalError",
            "ServiceUnavailable",
            "RequestTimeout",
        ],
        TRANSIENT,
        Reason::new("CloudUnavailable"),
    ),
    (
        &[
            "AccessDeniedException",
            "AccessDenied",
            "UnauthorizedOperation",
            "AllAccessDisabled",
        ],
        Class::Blocked,
        Reason::new("PermissionDenied"),
    ),
    (
        &[
            "ExpiredToken",
            "ExpiredTokenException",
            "UnrecognizedClientException",
            "InvalidClientTokenId",
            "InvalidSignatureException",
            "SignatureDoesNotMatch",
            "MissingAuthenticationToken",
            "InvalidAccessKeyId",
            "IncompleteSignature",
        ],
        Class::Blocked,
        Reason::new("CredentialsRefused"),
    ),
    (
        &["RequestTimeTooSkewed", "RequestExpired"],
        Class::Blocked,
        Reason::new("ClockSkew"),
    ),
];

impl Failure {
    /// Reads an SDK error.
    #[must_use]
    pub fn new<E>(operation: &'static str, error: SdkError<E, Response>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let status = error
            .raw_response()
            .map(|response| response.status().as_u16());
        let retry_after = error.raw_response().and_then(retry_after);
        let code = error.code().map(str::to_owned);
        let message = match error.message() {
            Some(message) => cut(message),
            None => cut(&fractal_core::fault::chain(&error)),
        };
        Self {
            operation,
            code,
            status,
            message,
            retry_after,
        }
    }

    /// Whether the service gave this code.
    #[must_use]
    pub fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// What the loop does, where that follows from what all services have in common.
    #[must_use]
    pub fn class(&self) -> Option<Class> {
        self.common().map(|(class, _)| class)
    }

    fn common(&self) -> Option<(Class, Reason)> {
        let code = self.code.as_deref();
        let known = COMMON
            .iter()
            .find(|(codes, ..)| code.is_some_and(|code| codes.contains(&code)));
        let (class, reason) = match (known, self.status) {
            (Some((_, class, reason)), _) => (*class, reason.clone()),
            (None, None) => (TRANSIENT, Reason::new("CloudUnreachable")),
            (None, Some(429)) => (TRANSIENT, Reason::new("Throttled")),
            (None, Some(500..)) => (TRANSIENT, Reason::new("CloudUnavailable")),
            (None, Some(_)) => return None,
        };
        let class = if class == TRANSIENT {
            Class::Transient {
                retry_after: self.retry_after,
            }
        } else {
            class
        };
        Some((class, reason))
    }

    /// The fault, by the service's own table first.
    ///
    /// A code that neither table knows is transient with reason `CloudUnknown`: a service may grow new ones.
    #[must_use]
    pub fn into_fault(self, rules: &[Rule], grants: &[Grant]) -> Fault {
        let own = rules
            .iter()
            .find(|rule| self.is(rule.code) && self.message.contains(rule.says));
        let what = format!("{} failed", self.operation);
        if let Some(rule) = own {
            let class = if rule.class == TRANSIENT {
                Class::Transient {
                    retry_after: self.retry_after,
                }
            } else {
                rule.class
            };
            return Fault::new(class, rule.reason.clone(), what)
                .because(&self)
                .next(rule.next);
        }
        let (class, reason) = self
            .common()
            .unwrap_or((TRANSIENT, Reason::new("CloudUnknown")));
        let next = match reason.as_str() {
            "PermissionDenied" => denied(self.operation, grants),
            "CredentialsRefused" => "renew the credentials the agent runs with".to_owned(),
            "ClockSkew" => "set the clock of the agent's host".to_owned(),
            _ => "nothing to do: it is tried again".to_owned(),
        };
        Fault::new(class, reason, what).because(self).next(next)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.code, self.status) {
            (Some(code), _) => write!(f, "{code}: {}", self.message),
            (None, Some(status)) => write!(f, "HTTP {status}: {}", self.message),
            (None, None) => f.write_str(&self.message),
        }
    }
}

impl Error for Failure {}

/// What to grant when `operation` was denied.
#[must_use]
pub fn denied(operation: &str, grants: &[Grant]) -> String {
    grants
        .iter()
        .find(|grant| grant.call == operation)
        .map_or_else(
            || format!("allow the agent's identity to call {operation}"),
            |grant| {
                format!(
                    "allow the agent's identity `{}`: {}",
                    grant.permission, grant.purpose
                )
            },
        )
}

fn retry_after(response: &Response) -> Option<Duration> {
    response
        .headers()
        .get("retry-after")?
        .trim()
        .parse()
        .ok()
        .map(Duration::from_secs)
}

/// A service's text, without control characters and bounded: it ends up in logs and statuses.
fn cut(text: &str) -> String {
    let text = without_values(text);
    let mut shown: String = text
        .chars()
        .take(SHOWN)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// Lambda repeats all environment variables when they are too large together: others' values and ours, secrets among them.
fn without_values(text: &str) -> &str {
    text.split_once("String measured")
        .map_or(text, |(before, _)| before.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_that_lambda_repeats_are_not_shown() {
        let said = "Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. String measured: {\"TOKEN\":\"hunter2\"}";
        assert!(cut(said).ends_with("exceeded the 4KB limit."));
    }

    #[test]
    fn a_long_text_is_cut_and_control_characters_go() {
        assert_eq!(cut("a\nb"), "a b");
        assert_eq!(cut(&"x".repeat(5000)).chars().count(), SHOWN + 1);
    }
}
