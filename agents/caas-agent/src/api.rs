//! Exactly the calls of the Kubernetes API that are used. The only file, with those below it, that names the client.

use std::time::Duration;

use http::header::RETRY_AFTER;
use http::response::Parts;
use http::{Method, Request};
use kube::Client;
use kube::client::Body;
use kube::core::Status;
use kube::core::response::StatusDetails;
use serde_json::{Value, json};

use crate::error::{Call, Error, Failure};

mod kinds;
mod path;

pub(crate) use kinds::{Kinds, Resource};
use path::Path;
pub(crate) use path::Target;

/// The one field manager of this agent. Fields it ever applied are known to the API server by this name, so it never changes.
pub(crate) const MANAGER: &str = "fractal-caas-agent";
/// Holds `spec.replicas` while an autoscaler takes over, so that the count never falls to the default in between.
pub(crate) const HANDOVER: &str = "fractal-caas-agent-handover";
/// Objects per page of a list.
const PAGE: usize = 500;
/// Longest answer to any call, connecting included.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Lines read of a failing container's log, bytes read at most, and characters shown of their end.
const LOG: (u32, u32, usize) = (20, 256 * 1024, 1500);

/// The calls.
#[derive(Clone)]
pub(crate) struct Api {
    client: Client,
}

/// How an object is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Apply {
    /// Asks what would be, and changes nothing.
    Ask {
        /// Takes fields from other managers.
        force: bool,
    },
    /// Applies.
    Do {
        /// Takes fields from other managers.
        force: bool,
    },
}

impl Api {
    pub(crate) const fn new(client: Client) -> Self {
        Self { client }
    }

    /// An object, or nothing.
    pub(crate) async fn get(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Value>, Error> {
        let path = Path::of(resource, namespace).object(name);
        match self.call("get", &path, Method::GET, None).await {
            Err(Error::Call(failure)) if failure.is_not_found() => Ok(None),
            other => other.map(Some),
        }
    }

    /// All objects that a label selector finds.
    pub(crate) async fn list(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        selector: &str,
    ) -> Result<Vec<Value>, Error> {
        let mut all = Vec::new();
        let mut next = String::new();
        loop {
            let mut path = Path::of(resource, namespace)
                .with("labelSelector", selector)
                .with("limit", &PAGE.to_string());
            if !next.is_empty() {
                path = path.with("continue", &next);
            }
            let mut page = self.call("list", &path, Method::GET, None).await?;
            if let Some(Value::Array(items)) = page.get_mut("items").map(Value::take) {
                all.extend(items);
            }
            next = page
                .pointer("/metadata/continue")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned();
            if next.is_empty() {
                return Ok(all);
            }
        }
    }

    /// Server-side apply with strict validation; answers with the object as it is, or would be, afterwards.
    pub(crate) async fn apply(
        &self,
        resource: &Resource,
        object: &Value,
        how: Apply,
    ) -> Result<Value, Error> {
        let (asks, force) = match how {
            Apply::Ask { force } => (true, force),
            Apply::Do { force } => (false, force),
        };
        let mut path = patch(resource, object, MANAGER, force)?;
        if asks {
            path = path.with("dryRun", "All");
        }
        self.call("patch", &path, Method::PATCH, Some(object)).await
    }

    /// Keeps a workload's replica count while its autoscaler takes over.
    pub(crate) async fn hand_over(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
        replicas: i64,
    ) -> Result<(), Error> {
        let object = json!({
            "apiVersion": resource.api_version(), "kind": resource.kind,
            "metadata": { "name": name, "namespace": namespace },
            "spec": { "replicas": replicas },
        });
        let path = patch(resource, &object, HANDOVER, true)?;
        self.call("patch", &path, Method::PATCH, Some(&object))
            .await
            .map(drop)
    }

    /// Deletes exactly this object; one that is gone already is gone.
    pub(crate) async fn delete(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
        uid: &str,
    ) -> Result<(), Error> {
        let path = Path::of(resource, namespace).object(name);
        let options = json!({
            "apiVersion": "v1", "kind": "DeleteOptions",
            "propagationPolicy": "Background", "preconditions": { "uid": uid },
        });
        match self
            .call("delete", &path, Method::DELETE, Some(&options))
            .await
        {
            Err(Error::Call(failure)) if failure.is_not_found() => Ok(()),
            other => other.map(drop),
        }
    }

    /// The last lines a container wrote, of its previous run where it has been restarted.
    pub(crate) async fn log(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        previous: bool,
    ) -> Result<String, Error> {
        let (lines, bytes, shown) = LOG;
        let path = Path::of(&Resource::pods(), Some(namespace))
            .object(pod)
            .below("log")
            .with("container", container)
            .with("tailLines", &lines.to_string())
            .with("limitBytes", &bytes.to_string())
            .with("previous", if previous { "true" } else { "false" });
        let request = request(&path, Method::GET, None)?;
        let log = self.within("get", &path, self.answer(request)).await?;
        let log = String::from_utf8_lossy(&log);
        let from = log.chars().count().saturating_sub(shown);
        Ok(log.chars().skip(from).collect())
    }

    /// Whether the agent may do something, as the API server sees it.
    pub(crate) async fn may(
        &self,
        resource: &Resource,
        verb: &str,
        namespace: &str,
    ) -> Result<bool, Error> {
        let (plural, subresource) = resource.split();
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": { "resourceAttributes": {
                "namespace": namespace, "verb": verb, "group": resource.group,
                "resource": plural, "subresource": subresource,
            } },
        });
        let path = Path::of(&Resource::access_reviews(), None);
        let answer = self
            .call("create", &path, Method::POST, Some(&review))
            .await?;
        Ok(answer.pointer("/status/allowed").and_then(Value::as_bool) == Some(true))
    }

    /// A document that is no object: discovery, the version.
    pub(crate) async fn document(&self, path: &str) -> Result<Option<Value>, Error> {
        let path = Path::raw(path);
        match self.call("get", &path, Method::GET, None).await {
            Err(Error::Call(failure)) if failure.is_unserved() => Ok(None),
            other => other.map(Some),
        }
    }

    async fn call(
        &self,
        verb: &'static str,
        path: &Path,
        method: Method,
        body: Option<&Value>,
    ) -> Result<Value, Error> {
        let request = request(path, method, body)?;
        let answer = async {
            let body = self.answer(request).await?;
            serde_json::from_slice(&body).map_err(kube::Error::SerdeError)
        };
        self.within(verb, path, answer).await
    }

    /// What the client's own `request` does, but with the header `Retry-After`: overload protection asks with it, beside a plain text.
    async fn answer(&self, request: Request<Vec<u8>>) -> kube::Result<Vec<u8>> {
        let answer = self.client.send(request.map(Body::from)).await?;
        let (head, body) = answer.into_parts();
        let body = body.collect_bytes().await?.to_vec();
        if head.status.is_success() {
            return Ok(body);
        }
        Err(kube::Error::Api(refusal(&head, &body).boxed()))
    }

    async fn within<T>(
        &self,
        verb: &'static str,
        path: &Path,
        answer: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, Error> {
        let call = || Call {
            verb,
            target: path.target(),
        };
        match tokio::time::timeout(TIMEOUT, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(Error::Call(Box::new(Failure::of(call(), error)))),
            Err(_) => Err(Error::Call(Box::new(Failure::late(call(), TIMEOUT)))),
        }
    }
}

/// The answer's `Status`, or one of its text where a proxy or overload protection answered in the API server's stead.
fn refusal(head: &Parts, body: &[u8]) -> Status {
    let text = String::from_utf8_lossy(body);
    let code = head.status.as_u16();
    let mut status = serde_json::from_slice(body)
        .unwrap_or_else(|_| Status::failure(text.trim(), "").with_code(code));
    let seconds = head.headers.get(RETRY_AFTER);
    let seconds = seconds.and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let known = status
        .details
        .as_ref()
        .map_or(0, |it| it.retry_after_seconds);
    if let (0, Some(retry_after_seconds)) = (known, seconds) {
        let causes = status.details.take().map(|details| details.causes);
        status.details = Some(StatusDetails {
            name: String::new(),
            group: String::new(),
            kind: String::new(),
            uid: String::new(),
            causes: causes.unwrap_or_default(),
            retry_after_seconds,
        });
    }
    status
}

fn patch(resource: &Resource, object: &Value, manager: &str, force: bool) -> Result<Path, Error> {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str);
    let name = text("/metadata/name").ok_or(Error::Unplanned)?;
    let namespace = text("/metadata/namespace").filter(|_| resource.namespaced);
    Ok(Path::of(resource, namespace)
        .object(name)
        .with("fieldManager", manager)
        .with("fieldValidation", "Strict")
        .with("force", if force { "true" } else { "false" }))
}

fn request(path: &Path, method: Method, body: Option<&Value>) -> Result<Request<Vec<u8>>, Error> {
    let content = if method == Method::PATCH {
        "application/apply-patch+yaml"
    } else {
        "application/json"
    };
    let body = body.map_or_else(|| Ok(Vec::new()), serde_json::to_vec);
    Request::builder()
        .method(method)
        .uri(path.as_str())
        .header("content-type", content)
        .header("accept", "application/json")
        .body(body.map_err(|_| Error::Unplanned)?)
        .map_err(|_| Error::Unplanned)
}
