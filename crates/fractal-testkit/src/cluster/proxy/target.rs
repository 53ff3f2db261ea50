//! What a path of the Kubernetes API names.

/// A resource path, taken apart. Paths of no resource (`/version`, `/openapi/...`) have an empty `resource`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Target {
    /// API group, empty for the core one.
    pub group: String,
    /// API version.
    pub version: String,
    /// Namespace, for objects that have one.
    pub namespace: Option<String>,
    /// Plural name.
    pub resource: String,
    /// Name of one object.
    pub name: Option<String>,
    /// `status`, `scale`, `token` and the like.
    pub subresource: Option<String>,
}

impl Target {
    /// Takes a path without its query apart.
    #[must_use]
    pub fn parse(path: &str) -> Self {
        let segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        match segments.as_slice() {
            ["api", version, rest @ ..] => Self::within("", version, rest),
            ["apis", group, version, rest @ ..] => Self::within(group, version, rest),
            _ => Self::default(),
        }
    }

    fn within(group: &str, version: &str, rest: &[&str]) -> Self {
        let (namespace, rest) = match rest {
            // A namespace is an object too: it has these sub-resources, and everything else below it is another object.
            ["namespaces", _] | ["namespaces", _, "status" | "finalize"] => (None, rest),
            ["namespaces", namespace, inside @ ..] => (Some((*namespace).to_owned()), inside),
            _ => (None, rest),
        };
        let part = |index: usize| rest.get(index).map(|part| (*part).to_owned());
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            namespace,
            resource: part(0).unwrap_or_default(),
            name: part(1),
            subresource: part(2),
        }
    }

    /// Whether a call that posts here asks a question and stores nothing.
    pub(crate) fn is_question(&self) -> bool {
        self.resource.ends_with("reviews") || self.subresource.as_deref() == Some("token")
    }

    /// The path of the object itself, or of the collection where no object is named.
    pub(crate) fn object_path(&self) -> String {
        let mut path = self.collection_path();
        if let Some(name) = &self.name {
            path.push('/');
            path.push_str(name);
        }
        path
    }

    /// The path of the collection the object is in.
    pub(crate) fn collection_path(&self) -> String {
        let root = self.root();
        match &self.namespace {
            Some(namespace) => format!("{root}/namespaces/{namespace}/{}", self.resource),
            None => format!("{root}/{}", self.resource),
        }
    }

    /// The path of the collection over all namespaces.
    pub(crate) fn everywhere_path(&self) -> String {
        format!("{}/{}", self.root(), self.resource)
    }

    fn root(&self) -> String {
        if self.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.group, self.version)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(path: &str) -> (Option<String>, String, Option<String>, Option<String>) {
        let target = Target::parse(path);
        (
            target.namespace,
            target.resource,
            target.name,
            target.subresource,
        )
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn paths_are_taken_apart() {
        let path = "/apis/apps/v1/namespaces/a/deployments/b/scale";
        assert_eq!(
            parts(path),
            (some("a"), "deployments".into(), some("b"), some("scale"))
        );
        assert_eq!(parts("/api/v1/pods"), (None, "pods".into(), None, None));
        assert_eq!(
            parts("/api/v1/namespaces"),
            (None, "namespaces".into(), None, None)
        );
        assert_eq!(
            parts("/api/v1/namespaces/a"),
            (None, "namespaces".into(), some("a"), None)
        );
        assert_eq!(
            parts("/api/v1/namespaces/a/status"),
            (None, "namespaces".into(), some("a"), some("status"))
        );
        assert_eq!(parts("/version"), (None, String::new(), None, None));
        assert_eq!(parts("/apis/apps/v1"), (None, String::new(), None, None));
    }

    #[test]
    fn an_object_knows_the_collections_it_is_in() {
        let target = Target::parse("/apis/apps/v1/namespaces/a/deployments/b/status");
        assert_eq!(
            target.object_path(),
            "/apis/apps/v1/namespaces/a/deployments/b"
        );
        assert_eq!(
            target.collection_path(),
            "/apis/apps/v1/namespaces/a/deployments"
        );
        assert_eq!(target.everywhere_path(), "/apis/apps/v1/deployments");
        let target = Target::parse("/api/v1/nodes/a");
        assert_eq!(target.object_path(), "/api/v1/nodes/a");
        assert_eq!(target.collection_path(), "/api/v1/nodes");
    }
}
