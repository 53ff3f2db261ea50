//! Which operation a method and path are.

use http::Method;

use crate::encoding::percent_decode;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    CreateFunction,
    GetFunction,
    GetFunctionConfiguration,
    ListFunctions,
    UpdateFunctionCode,
    UpdateFunctionConfiguration,
    DeleteFunction,
    TagResource,
    UntagResource,
    ListTags,
    PublishVersion,
    ListVersionsByFunction,
    CreateAlias,
    GetAlias,
    UpdateAlias,
    DeleteAlias,
    ListAliases,
}

impl Operation {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::CreateFunction => "CreateFunction",
            Self::GetFunction => "GetFunction",
            Self::GetFunctionConfiguration => "GetFunctionConfiguration",
            Self::ListFunctions => "ListFunctions",
            Self::UpdateFunctionCode => "UpdateFunctionCode",
            Self::UpdateFunctionConfiguration => "UpdateFunctionConfiguration",
            Self::DeleteFunction => "DeleteFunction",
            Self::TagResource => "TagResource",
            Self::UntagResource => "UntagResource",
            Self::ListTags => "ListTags",
            Self::PublishVersion => "PublishVersion",
            Self::ListVersionsByFunction => "ListVersionsByFunction",
            Self::CreateAlias => "CreateAlias",
            Self::GetAlias => "GetAlias",
            Self::UpdateAlias => "UpdateAlias",
            Self::DeleteAlias => "DeleteAlias",
            Self::ListAliases => "ListAliases",
        }
    }

    pub(super) fn is_mutating(self) -> bool {
        !matches!(
            self,
            Self::GetFunction
                | Self::GetFunctionConfiguration
                | Self::ListFunctions
                | Self::ListTags
                | Self::ListVersionsByFunction
                | Self::GetAlias
                | Self::ListAliases
        )
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) operation: Operation,
    /// Function name or ARN from the path, or the tagged ARN; empty where the path has none.
    pub(super) function: String,
    pub(super) alias: String,
}

pub(super) fn route(method: &Method, path: &str) -> Option<Route> {
    let segments: Vec<String> = path
        .trim_matches('/')
        .split('/')
        .map(percent_decode)
        .collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (operation, function, alias) = match (method.as_str(), segments.as_slice()) {
        ("POST", ["2015-03-31", "functions"]) => (Operation::CreateFunction, "", ""),
        ("GET", ["2015-03-31", "functions"]) => (Operation::ListFunctions, "", ""),
        ("GET", ["2015-03-31", "functions", name]) => (Operation::GetFunction, *name, ""),
        ("DELETE", ["2015-03-31", "functions", name]) => (Operation::DeleteFunction, *name, ""),
        ("GET", ["2015-03-31", "functions", name, "configuration"]) => {
            (Operation::GetFunctionConfiguration, *name, "")
        }
        ("PUT", ["2015-03-31", "functions", name, "configuration"]) => {
            (Operation::UpdateFunctionConfiguration, *name, "")
        }
        ("PUT", ["2015-03-31", "functions", name, "code"]) => {
            (Operation::UpdateFunctionCode, *name, "")
        }
        ("POST", ["2015-03-31", "functions", name, "versions"]) => {
            (Operation::PublishVersion, *name, "")
        }
        ("GET", ["2015-03-31", "functions", name, "versions"]) => {
            (Operation::ListVersionsByFunction, *name, "")
        }
        ("POST", ["2015-03-31", "functions", name, "aliases"]) => {
            (Operation::CreateAlias, *name, "")
        }
        ("GET", ["2015-03-31", "functions", name, "aliases"]) => {
            (Operation::ListAliases, *name, "")
        }
        ("GET", ["2015-03-31", "functions", name, "aliases", alias]) => {
            (Operation::GetAlias, *name, *alias)
        }
        ("PUT", ["2015-03-31", "functions", name, "aliases", alias]) => {
            (Operation::UpdateAlias, *name, *alias)
        }
        ("DELETE", ["2015-03-31", "functions", name, "aliases", alias]) => {
            (Operation::DeleteAlias, *name, *alias)
        }
        ("POST", ["2017-03-31", "tags", arn]) => (Operation::TagResource, *arn, ""),
        ("DELETE", ["2017-03-31", "tags", arn]) => (Operation::UntagResource, *arn, ""),
        ("GET", ["2017-03-31", "tags", arn]) => (Operation::ListTags, *arn, ""),
        _ => return None,
    };
    Some(Route {
        operation,
        function: function.to_owned(),
        alias: alias.to_owned(),
    })
}
