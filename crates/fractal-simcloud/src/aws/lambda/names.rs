//! Function names: bare, `account:function:name`, or an ARN, each with or without a qualifier.

use super::{ApiError, Scope, invalid};

/// A function as a call names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) qualifier: Option<String>,
}

impl Named {
    /// Refuses names of another region or account.
    pub(super) fn parse(text: &str, scope: &Scope) -> Result<Self, ApiError> {
        let fields: Vec<&str> = text.split(':').collect();
        let (place, rest) = split(&fields);
        let (name, qualifier) = match rest {
            [name] => (*name, None),
            [name, qualifier] => (*name, Some((*qualifier).to_owned())),
            _ => return Err(invalid(format!("Invalid function name: {text}"))),
        };
        if let Some(region) = place.0.filter(|region| *region != scope.region) {
            let message = format!(
                "Functions from '{region}' are not reachable in this region ('{}')",
                scope.region
            );
            return Err(ApiError::new(404, "ResourceNotFoundException", message));
        }
        if place.1.is_some_and(|account| account != scope.account) {
            let message = format!(
                "User: {} is not authorized to perform this action on resource: {text}",
                scope.user_arn()
            );
            return Err(ApiError::new(403, "AccessDeniedException", message));
        }
        if name.len() > 64 {
            return Err(too_long(name));
        }
        Ok(Self {
            name: name.to_owned(),
            qualifier,
        })
    }
}

fn too_long(name: &str) -> ApiError {
    let message = format!(
        "1 validation error detected: Value '{name}' at 'functionName' failed to satisfy constraint: Member must have length less than or equal to 64"
    );
    ApiError::new(400, "ValidationException", message)
}

/// Region and account where they are named, and the fields from the function's name on.
fn split<'f, 't>(fields: &'f [&'t str]) -> ((Option<&'t str>, Option<&'t str>), &'f [&'t str]) {
    match fields {
        ["arn", _, "lambda", region, account, "function", rest @ ..] => {
            ((Some(region), Some(account)), rest)
        }
        [account, "function", rest @ ..] => ((None, Some(account)), rest),
        ["function", rest @ ..] => ((None, None), rest),
        rest => ((None, None), rest),
    }
}

/// The bare name in any of the forms.
pub(super) fn bare(text: &str) -> &str {
    let fields: Vec<&str> = text.split(':').collect();
    split(&fields).1.first().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_names_the_same_function() {
        let scope = Scope {
            account: "123456789012".into(),
            region: "eu-west-1".into(),
            access_key_id: "k".into(),
        };
        for text in [
            "f",
            "function:f",
            "123456789012:function:f",
            "arn:aws:lambda:eu-west-1:123456789012:function:f",
        ] {
            assert_eq!(
                Named::parse(text, &scope).unwrap(),
                Named {
                    name: "f".into(),
                    qualifier: None
                }
            );
        }
        assert_eq!(
            Named::parse("f:live", &scope).unwrap().qualifier.as_deref(),
            Some("live")
        );
        assert_eq!(
            Named::parse("arn:aws:lambda:us-east-1:123456789012:function:f", &scope)
                .unwrap_err()
                .status,
            404
        );
        assert_eq!(
            Named::parse("999999999999:function:f", &scope)
                .unwrap_err()
                .status,
            403
        );
        assert_eq!(
            Named::parse(&"f".repeat(65), &scope).unwrap_err().code,
            "ValidationException"
        );
    }
}
