//! What an honest registry holds in memory, and its answers, as far as the distribution specification's push and pull go.

use std::collections::{BTreeMap, BTreeSet};

use fractal_core::artifact::{Descriptor, Digest};

use super::ledger::Request;
use super::reply::Reply;

/// Blobs and manifests.
#[derive(Debug, Clone, Default)]
pub struct Shelf {
    /// Which blobs a repository has, by repository and digest.
    pub blobs: BTreeSet<(String, String)>,
    /// Bytes by digest, whichever repository has them.
    pub bytes: BTreeMap<String, Vec<u8>>,
    /// By repository and tag or digest: media type and bytes.
    pub manifests: BTreeMap<(String, String), (String, Vec<u8>)>,
    /// Whether a blob can be mounted from another repository.
    pub can_mount: bool,
}

impl Shelf {
    /// Puts a blob into a repository.
    pub fn put_blob(&mut self, repository: &str, media_type: &str, bytes: Vec<u8>) -> Descriptor {
        let descriptor = Descriptor::new(media_type, Digest::sha256(&bytes), bytes.len() as u64);
        let digest = descriptor.digest.to_string();
        self.blobs.insert((repository.to_owned(), digest.clone()));
        self.bytes.insert(digest, bytes);
        descriptor
    }

    /// Puts a manifest into a repository, under a tag and its digest.
    pub fn put_manifest(
        &mut self,
        (repository, tag): (&str, &str),
        media_type: &str,
        bytes: Vec<u8>,
    ) -> Descriptor {
        let descriptor = Descriptor::new(media_type, Digest::sha256(&bytes), bytes.len() as u64);
        for version in [tag, descriptor.digest.as_str()] {
            let key = (repository.to_owned(), version.to_owned());
            self.manifests
                .insert(key, (media_type.to_owned(), bytes.clone()));
        }
        descriptor
    }

    /// The registry's answer; scripts call it for what they do not lie about.
    pub fn answer(&mut self, request: &Request) -> Reply {
        let (path, query) = request
            .target
            .split_once('?')
            .unwrap_or((&request.target, ""));
        let Some(rest) = path.strip_prefix("/v2/") else {
            return Reply::new(404);
        };
        if let Some((repository, _)) = rest.split_once("/blobs/uploads/") {
            return self.upload(request, repository, query);
        }
        if let Some((repository, digest)) = rest.split_once("/blobs/") {
            return self.blob(request, repository, digest);
        }
        match rest.split_once("/manifests/") {
            Some((repository, version)) => self.manifest(request, repository, version),
            None => Reply::new(404),
        }
    }

    fn blob(&self, request: &Request, repository: &str, digest: &str) -> Reply {
        let known = self.blobs.contains(&(repository.into(), digest.into()));
        match self.bytes.get(digest).filter(|_| known) {
            Some(bytes) => Reply::ranged(request, bytes).header("Docker-Content-Digest", digest),
            None => Reply::missing("BLOB_UNKNOWN"),
        }
    }

    fn upload(&mut self, request: &Request, repository: &str, query: &str) -> Reply {
        let query: BTreeMap<&str, String> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name, value.replace("%3A", ":").replace("%2F", "/")))
            .collect();
        if request.method == "POST" {
            return self.begin_upload(repository, &query);
        }
        let digest = query.get("digest").cloned().unwrap_or_default();
        if request.cut || Digest::sha256(&request.body).as_str() != digest {
            return Reply::refusing(400, "DIGEST_INVALID", "other bytes");
        }
        self.blobs.insert((repository.into(), digest.clone()));
        self.bytes.insert(digest.clone(), request.body.clone());
        Reply::new(201).header("Docker-Content-Digest", digest)
    }

    fn begin_upload(&mut self, repository: &str, query: &BTreeMap<&str, String>) -> Reply {
        if let (Some(digest), Some(from), true) =
            (query.get("mount"), query.get("from"), self.can_mount)
            && self.blobs.contains(&(from.clone(), digest.clone()))
        {
            self.blobs.insert((repository.into(), digest.clone()));
            return Reply::new(201);
        }
        let location = format!("/v2/{repository}/blobs/uploads/1?_state=a%2Bb");
        Reply::new(202).header("Location", location)
    }

    fn manifest(&mut self, request: &Request, repository: &str, version: &str) -> Reply {
        if request.method == "PUT" {
            let media_type = request.header("content-type").unwrap_or_default();
            let stored = self.put_manifest((repository, version), media_type, request.body.clone());
            return Reply::new(201).header("Docker-Content-Digest", stored.digest);
        }
        match self.manifests.get(&(repository.into(), version.into())) {
            Some((media_type, bytes)) => Reply::new(200)
                .header("Content-Type", media_type)
                .header("Docker-Content-Digest", Digest::sha256(bytes))
                .body(bytes.as_slice()),
            None if self.has_repository(repository) => Reply::missing("MANIFEST_UNKNOWN"),
            None => Reply::missing("NAME_UNKNOWN"),
        }
    }

    fn has_repository(&self, repository: &str) -> bool {
        self.manifests.keys().any(|(name, _)| name == repository)
    }
}
