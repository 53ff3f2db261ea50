//! The API server's audit log: who asked for what, and what came of it.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use serde::Deserialize;

use super::error::ClusterError;

/// A call that the API server has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditEvent {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` or `deletecollection`.
    pub verb: String,
    /// User name; of a service account `system:serviceaccount:NAMESPACE:NAME`.
    pub user: String,
    /// The program's own name for itself.
    pub user_agent: String,
    /// API group, empty for the core one.
    pub group: String,
    /// Plural name; empty where the call was for no resource.
    pub resource: String,
    /// `status`, `scale`, `token` and the like.
    pub subresource: Option<String>,
    /// Namespace, for objects that have one.
    pub namespace: Option<String>,
    /// Name of one object; nothing for lists, and for creations that leave it to the server.
    pub name: Option<String>,
    /// Whether the call was to change nothing (`dryRun=All`).
    pub dry_run: bool,
    /// HTTP status.
    pub code: u16,
    /// Stage of the event: `ResponseComplete`, or `Panic`.
    pub stage: String,
    /// Path and query.
    pub request_uri: String,
}

impl AuditEvent {
    /// Whether the call asked for a change of something that is stored: no read, dry run, review or token request.
    #[must_use]
    pub fn is_write(&self) -> bool {
        let reads = ["get", "list", "watch"].contains(&self.verb.as_str());
        let asks =
            self.resource.ends_with("reviews") || self.subresource.as_deref() == Some("token");
        !(reads || asks || self.dry_run || self.resource.is_empty())
    }

    /// Whether the call changed something.
    #[must_use]
    pub fn is_accepted_write(&self) -> bool {
        self.is_write() && (200..300).contains(&self.code)
    }
}

/// The whole events of the log at `path` from the byte `from` on; one that is still being written is left out. No log is no events.
pub(crate) fn read(path: &Path, from: u64) -> Result<Vec<AuditEvent>, ClusterError> {
    match text(path, from) {
        Ok(text) => parse(&text),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(ClusterError::file(path)(source)),
    }
}

/// Where the log's last whole event ends, in bytes.
pub(crate) fn end(path: &Path) -> Result<u64, ClusterError> {
    match text(path, 0) {
        Ok(text) => Ok(text.rfind('\n').map_or(0, |end| end as u64 + 1)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(source) => Err(ClusterError::file(path)(source)),
    }
}

fn text(path: &Path, from: u64) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    // An event that is being written may end within a character.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn parse(text: &str) -> Result<Vec<AuditEvent>, ClusterError> {
    let whole = text.rfind('\n').and_then(|end| text.get(..end));
    let lines = whole.unwrap_or_default().lines().enumerate();
    lines
        .map(|(index, line)| {
            let event = serde_json::from_str::<Written>(line);
            event.map(AuditEvent::from).map_err(|source| {
                let line = index + 1;
                ClusterError::Audit { line, source }
            })
        })
        .collect()
}

/// `audit.k8s.io/v1` Event, as far as it is used.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    stage: String,
    #[serde(rename = "requestURI")]
    request_uri: String,
    verb: String,
    user: User,
    #[serde(default)]
    user_agent: String,
    #[serde(default)]
    object_ref: ObjectRef,
    #[serde(default)]
    response_status: Status,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ObjectRef {
    resource: String,
    namespace: Option<String>,
    name: Option<String>,
    api_group: String,
    subresource: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    code: u16,
}

impl From<Written> for AuditEvent {
    fn from(event: Written) -> Self {
        let object = event.object_ref;
        Self {
            verb: event.verb,
            user: event.user.username,
            user_agent: event.user_agent,
            group: object.api_group,
            resource: object.resource,
            subresource: object.subresource,
            namespace: object.namespace,
            name: object.name,
            dry_run: dry_run(&event.request_uri),
            code: event.response_status.code,
            stage: event.stage,
            request_uri: event.request_uri,
        }
    }
}

/// Whether path and query ask for a dry run.
pub(crate) fn dry_run(uri: &str) -> bool {
    let query = uri.split_once('?').map_or("", |(_, query)| query);
    query.split('&').any(|pair| pair == "dryRun=All")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"1","stage":"ResponseComplete","requestURI":"/apis/apps/v1/namespaces/a/deployments/b/scale?fieldManager=x&dryRun=All","verb":"patch","user":{"username":"system:serviceaccount:a:agent","groups":[]},"sourceIPs":["127.0.0.1"],"userAgent":"agent/1","objectRef":{"resource":"deployments","namespace":"a","name":"b","apiGroup":"apps","apiVersion":"v1","subresource":"scale"},"responseStatus":{"metadata":{},"code":200}}"#;

    #[test]
    fn an_event_says_who_did_what_to_what() {
        let events = parse(&format!("{LINE}\n{{\"half")).unwrap();
        let [event] = events.as_slice() else {
            panic!("{events:?}")
        };
        assert_eq!(event.user, "system:serviceaccount:a:agent");
        assert_eq!(
            (event.verb.as_str(), event.group.as_str()),
            ("patch", "apps")
        );
        assert_eq!(event.subresource.as_deref(), Some("scale"));
        assert_eq!((event.code, event.dry_run), (200, true));
        assert!(!event.is_write());
    }

    #[test]
    fn a_write_is_a_change_of_what_is_stored() {
        let real = LINE.replace("&dryRun=All", "");
        let lines = [
            real.clone(),
            real.replace("\"code\":200", "\"code\":409"),
            real.replace("\"patch\"", "\"list\""),
            real.replace("\"deployments\"", "\"selfsubjectaccessreviews\""),
            real.replace("\"scale\"", "\"token\""),
        ];
        let events = parse(&format!("{}\n", lines.join("\n"))).unwrap();
        let writes: Vec<_> = events.iter().map(AuditEvent::is_write).collect();
        assert_eq!(writes, [true, true, false, false, false]);
        let accepted: Vec<_> = events.iter().map(AuditEvent::is_accepted_write).collect();
        assert_eq!(accepted, [true, false, false, false, false]);
    }

    #[test]
    fn a_line_that_is_no_event_is_named() {
        let error = parse(&format!("{LINE}\nnonsense\n")).unwrap_err();
        assert_eq!(error.to_string(), "line 2 of the audit log is no event");
    }
}
