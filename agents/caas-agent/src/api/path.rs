//! Paths of the Kubernetes API.

use std::fmt::Write as _;

use super::kinds::Resource;

/// A path with its query, and what it is about.
#[derive(Debug, Clone)]
pub(super) struct Path {
    text: String,
    query: String,
    target: Target,
}

/// What a call is about, in RBAC's words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Target {
    /// The API group; empty for the core group.
    pub(crate) group: String,
    /// The plural, with `/subresource` where there is one.
    pub(crate) resource: String,
    /// The namespace, where it is namespaced.
    pub(crate) namespace: Option<String>,
    /// The object's name, where it is about one.
    pub(crate) name: Option<String>,
}

impl Path {
    /// The collection of a kind.
    pub(super) fn of(resource: &Resource, namespace: Option<&str>) -> Self {
        let mut text = if resource.group.is_empty() {
            format!("/api/{}", resource.version)
        } else {
            format!("/apis/{}/{}", resource.group, resource.version)
        };
        let namespace = namespace.filter(|_| resource.namespaced);
        if let Some(namespace) = namespace {
            let _ = write!(text, "/namespaces/{}", escaped(namespace));
        }
        let _ = write!(text, "/{}", resource.plural);
        Self {
            text,
            query: String::new(),
            target: Target {
                group: resource.group.clone(),
                resource: resource.plural.clone(),
                namespace: namespace.map(str::to_owned),
                name: None,
            },
        }
    }

    pub(super) fn raw(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            query: String::new(),
            target: Target {
                resource: text.to_owned(),
                ..Target::default()
            },
        }
    }

    pub(super) fn object(mut self, name: &str) -> Self {
        let _ = write!(self.text, "/{}", escaped(name));
        self.target.name = Some(name.to_owned());
        self
    }

    pub(super) fn below(mut self, subresource: &str) -> Self {
        let _ = write!(self.text, "/{subresource}");
        let _ = write!(self.target.resource, "/{subresource}");
        self
    }

    pub(super) fn with(mut self, key: &str, value: &str) -> Self {
        let separator = if self.query.is_empty() { '?' } else { '&' };
        let _ = write!(self.query, "{separator}{key}={}", escaped(value));
        self
    }

    pub(super) fn as_str(&self) -> String {
        format!("{}{}", self.text, self.query)
    }

    pub(super) fn target(&self) -> Target {
        self.target.clone()
    }
}

/// Percent-encodes everything that is not unreserved: names of RBAC objects may hold `:`, and a name must not become a path.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_becomes_a_path_or_a_query() {
        let path = Path::of(&Resource::pods(), Some("a/b"))
            .object("../x?y")
            .with("k", "a&b=c");
        assert_eq!(
            path.as_str(),
            "/api/v1/namespaces/a%2Fb/pods/..%2Fx%3Fy?k=a%26b%3Dc"
        );
    }
}
