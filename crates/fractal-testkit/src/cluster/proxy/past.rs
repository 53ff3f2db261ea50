//! What was there before a write, for reads that are not to see it yet: objects as they were read just before, lists as the API server's own
//! history has them (`resourceVersionMatch=Exact`).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::super::client::Client;
use super::super::error::ClusterError;
use super::ledger::ProxiedCall;
use super::target::Target;

/// An object before a write.
#[derive(Debug, Clone)]
struct Before {
    target: Target,
    /// Reads that are still to see it.
    reads: u32,
    status: u16,
    body: Value,
    /// The last revision without the write.
    revision: u64,
}

/// What a read is to see instead of what is there.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stale {
    Object(u16, Value),
    /// The query that asks for the list as it was.
    List(String),
}

/// Objects that were written, by path.
#[derive(Debug, Default)]
pub(crate) struct Past {
    objects: Mutex<BTreeMap<String, Before>>,
}

impl Past {
    pub(crate) fn forget(&self) {
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        objects.clear();
    }

    /// Remembers what is there, right before a write.
    pub(crate) async fn remember(
        &self,
        client: &Client,
        token: &str,
        call: &ProxiedCall,
        body: &[u8],
        reads: u32,
    ) -> Result<(), ClusterError> {
        let mut target = call.target.clone();
        target.subresource = None;
        if target.name.is_none() {
            target.name = name_of(body);
        }
        let path = target.object_path();
        let collection = format!("{}?limit=1", target.collection_path());
        let (status, object) = client.json("GET", &path, token, None).await?;
        let (_, list) = client.json("GET", &collection, token, None).await?;
        let revision = list
            .pointer("/metadata/resourceVersion")
            .and_then(Value::as_str);
        let before = Before {
            target,
            reads,
            status,
            body: object,
            revision: revision.and_then(|text| text.parse().ok()).unwrap_or(0),
        };
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        objects.insert(path, before);
        Ok(())
    }

    /// What a read is to see, and one read less for whatever it is about.
    pub(crate) fn stale(&self, call: &ProxiedCall) -> Option<Stale> {
        if call.method != "GET" || call.is_watch() {
            return None;
        }
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        objects.retain(|_, before| before.reads > 0);
        if let Some(before) = objects.get_mut(&call.path) {
            before.reads -= 1;
            return Some(Stale::Object(before.status, before.body.clone()));
        }
        let query = call.query.clone().unwrap_or_default();
        // The next page of a list is of the list's own revision already.
        if query.contains("continue=") {
            return None;
        }
        let mut revision = None;
        for before in objects.values_mut() {
            let lists = [
                before.target.collection_path(),
                before.target.everywhere_path(),
            ];
            if lists.contains(&call.path) {
                before.reads -= 1;
                revision = Some(revision.unwrap_or(u64::MAX).min(before.revision));
            }
        }
        revision.map(|revision| Stale::List(exactly(&query, revision)))
    }
}

fn name_of(body: &[u8]) -> Option<String> {
    let object: Value = serde_json::from_slice(body).ok()?;
    let name = object.pointer("/metadata/name")?.as_str()?;
    Some(name.to_owned())
}

fn exactly(query: &str, revision: u64) -> String {
    let kept = query.split('&').filter(|pair| !pair.is_empty());
    let kept = kept.filter(|pair| !pair.starts_with("resourceVersion"));
    let mut pairs: Vec<String> = kept.map(str::to_owned).collect();
    pairs.push(format!("resourceVersion={revision}"));
    pairs.push("resourceVersionMatch=Exact".to_owned());
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_asked_for_as_it_was() {
        let asked = exactly(
            "labelSelector=a&resourceVersion=0&resourceVersionMatch=NotOlderThan",
            7,
        );
        assert_eq!(
            asked,
            "labelSelector=a&resourceVersion=7&resourceVersionMatch=Exact"
        );
        assert_eq!(
            exactly("", 7),
            "resourceVersion=7&resourceVersionMatch=Exact"
        );
    }
}
