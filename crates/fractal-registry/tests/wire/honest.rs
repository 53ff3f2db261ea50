//! An honest registry in memory, as far as the distribution specification's push and pull go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use fractal_core::artifact::Digest;

use crate::server::{Reply, Request, Server};

#[derive(Default)]
pub(crate) struct State {
    /// By repository and digest.
    pub(crate) blobs: BTreeSet<(String, String)>,
    pub(crate) bytes: BTreeMap<String, Vec<u8>>,
    /// By repository and tag or digest: media type and bytes.
    pub(crate) manifests: BTreeMap<(String, String), (String, Vec<u8>)>,
    pub(crate) can_mount: bool,
}

pub(crate) type Shared = Arc<Mutex<State>>;

pub(crate) async fn start() -> (Server, Shared) {
    let state = Shared::default();
    state.lock().unwrap().can_mount = true;
    let inner = state.clone();
    (
        Server::start(move |request, _| answer(&mut inner.lock().unwrap(), request)).await,
        state,
    )
}

/// The registry's answer; other scripts call it for what they do not lie about.
pub(crate) fn answer(state: &mut State, request: &Request) -> Reply {
    let (path, query) = request
        .target
        .split_once('?')
        .unwrap_or((&request.target, ""));
    let rest = path.strip_prefix("/v2/").unwrap();
    if let Some((repository, _)) = rest.split_once("/blobs/uploads/") {
        return upload(state, request, repository, query);
    }
    if let Some((repository, digest)) = rest.split_once("/blobs/") {
        let known = state.blobs.contains(&(repository.into(), digest.into()));
        return match state.bytes.get(digest).filter(|_| known) {
            Some(bytes) => Reply::ranged(request, bytes).header("Docker-Content-Digest", digest),
            None => Reply::missing("BLOB_UNKNOWN"),
        };
    }
    let (repository, version) = rest.split_once("/manifests/").unwrap();
    manifest(state, request, repository, version)
}

fn upload(state: &mut State, request: &Request, repository: &str, query: &str) -> Reply {
    let query: BTreeMap<&str, String> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name, value.replace("%3A", ":").replace("%2F", "/")))
        .collect();
    if request.method == "POST" {
        if let (Some(digest), Some(from), true) =
            (query.get("mount"), query.get("from"), state.can_mount)
            && state.blobs.contains(&(from.clone(), digest.clone()))
        {
            state.blobs.insert((repository.into(), digest.clone()));
            return Reply::new(201);
        }
        return Reply::new(202).header(
            "Location",
            format!("/v2/{repository}/blobs/uploads/1?_state=a%2Bb"),
        );
    }
    let digest = query["digest"].clone();
    if request.cut || Digest::sha256(&request.body).as_str() != digest {
        return Reply::new(400)
            .body(r#"{"errors":[{"code":"DIGEST_INVALID","message":"other bytes"}]}"#);
    }
    state.blobs.insert((repository.into(), digest.clone()));
    state.bytes.insert(digest.clone(), request.body.clone());
    Reply::new(201).header("Docker-Content-Digest", digest)
}

fn manifest(state: &mut State, request: &Request, repository: &str, version: &str) -> Reply {
    let key = |version: &str| (repository.to_owned(), version.to_owned());
    if request.method == "PUT" {
        let digest = Digest::sha256(&request.body);
        let stored = (
            request.header("content-type").unwrap().to_owned(),
            request.body.clone(),
        );
        state.manifests.insert(key(version), stored.clone());
        state.manifests.insert(key(digest.as_str()), stored);
        return Reply::new(201).header("Docker-Content-Digest", digest);
    }
    match state.manifests.get(&key(version)) {
        Some((media_type, bytes)) => Reply::new(200)
            .header("Content-Type", media_type)
            .header("Docker-Content-Digest", Digest::sha256(bytes))
            .body(bytes.as_slice()),
        None => {
            let known = state.manifests.keys().any(|(name, _)| name == repository);
            Reply::missing(if known {
                "MANIFEST_UNKNOWN"
            } else {
                "NAME_UNKNOWN"
            })
        }
    }
}
