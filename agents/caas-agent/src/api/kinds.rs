//! Kinds and the resources they are served as, found by discovery and remembered.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Api;
use crate::error::Error;

/// How long a discovered API group is believed. A kind that is not found is looked for each time: its CRD may come any moment.
const BELIEVED: Duration = Duration::from_secs(300);

/// A kind as the API server serves it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Resource {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
    pub(crate) plural: String,
    pub(crate) namespaced: bool,
}

impl Resource {
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Plural and subresource, apart.
    pub(crate) fn split(&self) -> (&str, &str) {
        self.plural.split_once('/').unwrap_or((&self.plural, ""))
    }

    /// From RBAC's `plural.group` or `plural/subresource`, for questions about permissions only.
    pub(crate) fn named(text: &str) -> Self {
        let (plural, group) = text.split_once('.').unwrap_or((text, ""));
        Self {
            group: group.to_owned(),
            version: String::new(),
            kind: String::new(),
            plural: plural.to_owned(),
            namespaced: true,
        }
    }

    fn core(kind: &str, plural: &str) -> Self {
        Self {
            group: String::new(),
            version: "v1".to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            namespaced: true,
        }
    }

    pub(crate) fn pods() -> Self {
        Self::core("Pod", "pods")
    }

    pub(crate) fn config_maps() -> Self {
        Self::core("ConfigMap", "configmaps")
    }

    pub(crate) fn autoscalers() -> Self {
        Self {
            group: "autoscaling".to_owned(),
            version: "v2".to_owned(),
            kind: "HorizontalPodAutoscaler".to_owned(),
            plural: "horizontalpodautoscalers".to_owned(),
            namespaced: true,
        }
    }

    pub(super) fn access_reviews() -> Self {
        Self {
            group: "authorization.k8s.io".to_owned(),
            version: "v1".to_owned(),
            kind: "SelfSubjectAccessReview".to_owned(),
            plural: "selfsubjectaccessreviews".to_owned(),
            namespaced: false,
        }
    }
}

/// What was discovered, by API version.
#[derive(Default)]
pub(crate) struct Kinds {
    known: Mutex<HashMap<String, (Instant, Vec<Resource>)>>,
}

impl Kinds {
    /// The resource of a kind, or nothing where the cluster does not serve it.
    pub(crate) async fn resource(
        &self,
        api: &Api,
        api_version: &str,
        kind: &str,
    ) -> Result<Option<Resource>, Error> {
        if let Some(known) = self.known(api_version, kind) {
            return Ok(Some(known));
        }
        let path = if api_version.contains('/') {
            format!("/apis/{api_version}")
        } else {
            format!("/api/{api_version}")
        };
        let found = api.document(&path).await?;
        // Only what serves the list of all groups can say that one of them is not there.
        if found.is_none() && api.document("/apis").await?.is_none() {
            return Err(Error::NoApiServer);
        }
        let resources = found.map(|list| resources(api_version, &list));
        let resources = resources.unwrap_or_default();
        let resource = resources.iter().find(|it| it.kind == kind).cloned();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(api_version.to_owned(), (Instant::now(), resources));
        Ok(resource)
    }

    /// The resource of a kind in whatever version the cluster still serves: objects outlive versions.
    pub(crate) async fn in_any_version(
        &self,
        api: &Api,
        group: &str,
        kind: &str,
    ) -> Result<Option<Resource>, Error> {
        if group.is_empty() {
            return Ok(None);
        }
        let found = api.document(&format!("/apis/{group}")).await?;
        let versions = found.as_ref().and_then(|it| it.get("versions")?.as_array());
        for version in versions.into_iter().flatten() {
            let version = version.get("groupVersion").and_then(Value::as_str);
            if let Some(version) = version
                && let Some(resource) = self.resource(api, version, kind).await?
            {
                return Ok(Some(resource));
            }
        }
        Ok(None)
    }

    /// Asks anew for the kinds of an API version: a path that one of them gave is not served any more.
    pub(crate) fn forget(&self, api_version: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(api_version);
    }

    fn known(&self, api_version: &str, kind: &str) -> Option<Resource> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, resources) = known.get(api_version)?;
        let resource = resources.iter().find(|it| it.kind == kind)?;
        (at.elapsed() < BELIEVED).then(|| resource.clone())
    }
}

/// From an `APIResourceList`; subresources are left out.
fn resources(api_version: &str, list: &Value) -> Vec<Resource> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let items = list.get("resources").and_then(Value::as_array);
    let one = |item: &Value| {
        let text = |key| item.get(key).and_then(Value::as_str);
        let plural = text("name").filter(|name| !name.contains('/'))?;
        Some(Resource {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: text("kind")?.to_owned(),
            plural: plural.to_owned(),
            namespaced: item.get("namespaced").and_then(Value::as_bool)?,
        })
    };
    items.into_iter().flatten().filter_map(one).collect()
}
