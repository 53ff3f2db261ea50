//! Every call that reached the proxy, with what the API server did and what the caller was told.

use std::sync::{Arc, Mutex, PoisonError};

use hyper::Method;
use hyper::header::USER_AGENT;
use hyper::http::request::Parts;
use serde_json::Value;

use super::super::audit::dry_run;
use super::target::Target;

/// A call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxiedCall {
    /// Its number, from 1, in the order of arrival.
    pub number: u64,
    /// HTTP method.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// The query, as it came.
    pub query: Option<String>,
    /// What the path names.
    pub target: Target,
    /// The caller's name for itself.
    pub user_agent: String,
    /// What it sent, where that is JSON.
    pub sent: Option<Arc<Value>>,
    /// The status the API server answered; nothing if it was not asked, or has not answered yet.
    pub served: Option<u16>,
    /// The status the caller was told; nothing if it was told none.
    pub told: Option<u16>,
    /// Whether an armed fault struck it. Stale reads are no strike.
    pub struck: bool,
    /// Whether it was answered with what was there before a write.
    pub stale: bool,
}

impl ProxiedCall {
    fn new(number: u64, request: &Parts) -> Self {
        let agent = request.headers.get(USER_AGENT);
        let agent = agent.and_then(|agent| agent.to_str().ok());
        Self {
            number,
            method: request.method.to_string(),
            path: request.uri.path().to_owned(),
            query: request.uri.query().map(str::to_owned),
            target: Target::parse(request.uri.path()),
            user_agent: agent.unwrap_or_default().to_owned(),
            sent: None,
            served: None,
            told: None,
            struck: false,
            stale: false,
        }
    }

    /// Whether it is to change something that is stored: no read, dry run, review or token request.
    #[must_use]
    pub fn is_write(&self) -> bool {
        self.wants_to_write() && !self.is_dry_run()
    }

    /// Whether it is a write that is only tried out.
    #[must_use]
    pub fn is_dry_run(&self) -> bool {
        let query = self.query.as_deref().unwrap_or_default();
        self.wants_to_write() && dry_run(&format!("?{query}"))
    }

    /// Whether it needs a permission to write. Dry runs do.
    pub(crate) fn wants_to_write(&self) -> bool {
        let reads = [Method::GET, Method::HEAD, Method::OPTIONS];
        !(reads.iter().any(|read| self.method == read.as_str()) || self.target.is_question())
    }

    /// Whether the answer has no end of its own.
    pub(crate) fn is_watch(&self) -> bool {
        let query = self.query.as_deref().unwrap_or_default();
        query
            .split('&')
            .any(|pair| pair == "watch=true" || pair == "watch=1")
    }
}

/// The calls of one proxy.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    calls: Mutex<Vec<ProxiedCall>>,
}

impl Ledger {
    pub(crate) fn arrived(&self, request: &Parts) -> ProxiedCall {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let call = ProxiedCall::new(calls.len() as u64 + 1, request);
        calls.push(call.clone());
        call
    }

    /// Notes what has become of a call.
    pub(crate) fn note(&self, number: u64, change: impl FnOnce(&mut ProxiedCall)) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(call) = calls.iter_mut().find(|call| call.number == number) {
            change(call);
        }
    }

    pub(crate) fn mark(&self) -> u64 {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.len() as u64
    }

    pub(crate) fn since(&self, mark: u64) -> Vec<ProxiedCall> {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls
            .iter()
            .filter(|call| call.number > mark)
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &str, uri: &str) -> ProxiedCall {
        let request = hyper::Request::builder()
            .method(method)
            .uri(uri)
            .body(())
            .unwrap();
        Ledger::default().arrived(&request.into_parts().0)
    }

    #[test]
    fn a_dry_run_and_a_review_are_no_writes() {
        let write = call(
            "PATCH",
            "/apis/apps/v1/namespaces/a/deployments/b?fieldManager=x",
        );
        assert!(write.is_write() && !write.is_dry_run());
        let tried = call(
            "PATCH",
            "/apis/apps/v1/namespaces/a/deployments/b?dryRun=All",
        );
        assert!(!tried.is_write() && tried.is_dry_run() && tried.wants_to_write());
        let asked = call(
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        );
        assert!(!asked.is_write() && !asked.is_dry_run());
        let read = call("GET", "/api/v1/pods?watch=true");
        assert!(!read.is_write() && read.is_watch());
    }
}
