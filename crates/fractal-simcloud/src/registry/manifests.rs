//! Manifests, tags, referrers and the catalogue, with the checks a registry makes before it stores a manifest.

use http::Method;
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::routes::{is_tag, sha256_digest};
use super::{Asked, Core, Stored, reply};
use crate::encoding::{percent_encode, sha256_hex};
use crate::exchange::{BodyError, Content, Reply, read_body};

/// The distribution specification's advice, and what the common registries enforce.
const MANIFEST_LIMIT: usize = 4 << 20;
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

impl Core {
    pub(super) async fn manifest(
        &self,
        asked: &Asked,
        reference: &str,
        body: &mut Incoming,
    ) -> Reply {
        if sha256_digest(reference).is_none() && !is_tag(reference) {
            let code = if reference.contains(':') {
                "DIGEST_INVALID"
            } else {
                "MANIFEST_INVALID"
            };
            return reply::error(400, code, "neither a tag nor a SHA-256 digest");
        }
        if asked.parts.method == Method::PUT {
            return match read_body(body, MANIFEST_LIMIT).await {
                Ok(bytes) => self
                    .put_manifest(asked, reference, &bytes)
                    .unwrap_or_else(|refused| refused),
                Err(BodyError::TooLarge) => {
                    reply::error(413, "SIZE_INVALID", "manifest larger than 4 MiB")
                }
                Err(BodyError::Broken) => {
                    reply::error(400, "MANIFEST_INVALID", "manifest cut short")
                }
            };
        }
        let Some(stored) = self.shelf.find(&asked.repository, reference) else {
            return self.unknown_manifest(asked);
        };
        match asked.parts.method {
            Method::GET | Method::HEAD => read(stored),
            Method::DELETE => self.delete_manifest(asked, reference),
            _ => reply::not_allowed(),
        }
    }

    fn unknown_manifest(&self, asked: &Asked) -> Reply {
        if self.shelf.exists(&asked.repository) {
            reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        } else {
            reply::error(404, "NAME_UNKNOWN", "repository name not known to registry")
        }
    }

    fn delete_manifest(&self, asked: &Asked, reference: &str) -> Reply {
        let deleted = match sha256_digest(reference) {
            Some(hex) => self.shelf.delete_manifest(&asked.repository, hex),
            None => self.shelf.delete_tag(&asked.repository, reference),
        };
        deleted.map_or_else(|error| reply::broken(&error), |()| Reply::new(202))
    }

    fn put_manifest(&self, asked: &Asked, reference: &str, bytes: &[u8]) -> Result<Reply, Reply> {
        let hex = sha256_hex(bytes);
        if sha256_digest(reference).is_some_and(|named| named != hex) {
            return Err(reply::error(
                400,
                "DIGEST_INVALID",
                "provided digest did not match uploaded content",
            ));
        }
        let manifest: Value = serde_json::from_slice(bytes).map_err(|error| {
            reply::error(400, "MANIFEST_INVALID", &format!("not JSON: {error}"))
        })?;
        let media_type = media_type(asked, &manifest)?;
        self.check_references(asked, &media_type, &manifest)?;
        let stored = self
            .shelf
            .put_manifest(&asked.repository, &media_type, bytes);
        let tagged = stored.and_then(|hex| {
            if is_tag(reference) {
                self.shelf.put_tag(&asked.repository, reference, &hex)
            } else {
                Ok(())
            }
        });
        tagged.map_err(|error| reply::broken(&error))?;
        let reply = Reply::new(201)
            .header(
                "location",
                format!("/v2/{}/manifests/sha256:{hex}", asked.repository),
            )
            .header("docker-content-digest", format!("sha256:{hex}"));
        Ok(
            match manifest.pointer("/subject/digest").and_then(Value::as_str) {
                Some(subject) => reply.header("oci-subject", subject),
                None => reply,
            },
        )
    }

    /// Everything a manifest names must be in its repository already, with the size it says.
    fn check_references(
        &self,
        asked: &Asked,
        media_type: &str,
        manifest: &Value,
    ) -> Result<(), Reply> {
        let invalid = |what: &str| reply::error(400, "MANIFEST_INVALID", what);
        if manifest.get("schemaVersion") != Some(&json!(2)) {
            return Err(invalid("schemaVersion is not 2"));
        }
        if is_index(media_type) {
            let children = manifest
                .get("manifests")
                .and_then(Value::as_array)
                .ok_or_else(|| invalid("an index without manifests"))?;
            return children
                .iter()
                .try_for_each(|child| self.check_child(asked, child));
        }
        let config = manifest
            .get("config")
            .ok_or_else(|| invalid("a manifest without config"))?;
        let layers = manifest
            .get("layers")
            .and_then(Value::as_array)
            .ok_or_else(|| invalid("a manifest without layers"))?;
        std::iter::once(config)
            .chain(layers)
            .try_for_each(|blob| self.check_blob(asked, blob))
    }

    fn check_child(&self, asked: &Asked, descriptor: &Value) -> Result<(), Reply> {
        let hex = descriptor_hex(descriptor)?;
        if self.shelf.has_manifest(&asked.repository, hex) {
            return Ok(());
        }
        Err(reply::error(
            400,
            "MANIFEST_BLOB_UNKNOWN",
            &format!("manifest sha256:{hex} unknown to this repository"),
        ))
    }

    fn check_blob(&self, asked: &Asked, descriptor: &Value) -> Result<(), Reply> {
        let hex = descriptor_hex(descriptor)?;
        let kind = descriptor
            .get("mediaType")
            .and_then(Value::as_str)
            .unwrap_or_default();
        // Such layers are fetched from elsewhere and never pushed.
        if kind.contains("nondistributable") || kind.contains("foreign") {
            return Ok(());
        }
        match self.shelf.blob_size(&asked.repository, hex) {
            None => Err(reply::error(
                400,
                "MANIFEST_BLOB_UNKNOWN",
                &format!("blob sha256:{hex} unknown to this repository"),
            )),
            Some(size) if descriptor.get("size").and_then(Value::as_u64) != Some(size) => {
                Err(reply::error(
                    400,
                    "SIZE_INVALID",
                    &format!("blob sha256:{hex} has {size} bytes"),
                ))
            }
            Some(_) => Ok(()),
        }
    }

    pub(super) fn tags(&self, asked: &Asked) -> Reply {
        if !self.shelf.exists(&asked.repository) {
            return reply::error(404, "NAME_UNKNOWN", "repository name not known to registry");
        }
        let (page, next) = page(asked, self.shelf.tags(&asked.repository));
        let reply = Reply::json(200, &json!({ "name": asked.repository, "tags": page }));
        linked(
            reply,
            next.map(|last| (format!("/v2/{}/tags/list", asked.repository), last)),
            asked,
        )
    }

    pub(super) fn catalog(&self, asked: &Asked) -> Reply {
        let (page, next) = page(asked, self.shelf.repositories());
        linked(
            Reply::json(200, &json!({ "repositories": page })),
            next.map(|last| ("/v2/_catalog".to_owned(), last)),
            asked,
        )
    }

    pub(super) fn referrers(&self, asked: &Asked, digest: &str) -> Reply {
        if sha256_digest(digest).is_none() {
            return reply::error(400, "DIGEST_INVALID", "not a SHA-256 digest");
        }
        let wanted = asked.parameter("artifactType");
        let all = self.shelf.manifests(&asked.repository).into_iter();
        let found: Vec<Value> = all
            .filter_map(|hex| self.shelf.find(&asked.repository, &format!("sha256:{hex}")))
            .filter_map(|stored| referrer(&stored, digest))
            .filter(|descriptor| {
                wanted.is_none_or(|wanted| {
                    descriptor.get("artifactType").and_then(Value::as_str) == Some(wanted)
                })
            })
            .collect();
        let body = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": found });
        let reply = Reply::new(200).bytes(INDEX, body.to_string());
        if wanted.is_some() {
            reply.header("oci-filters-applied", "artifactType")
        } else {
            reply
        }
    }
}

pub(crate) fn is_index(media_type: &str) -> bool {
    media_type == INDEX || media_type == DOCKER_LIST
}

fn read(stored: Stored) -> Reply {
    Reply::new(200)
        .header("docker-content-digest", stored.digest.clone())
        .header("etag", format!("\"{}\"", stored.digest))
        .header("content-type", stored.media_type)
        .content(Content::Bytes(stored.bytes.into()))
}

fn media_type(asked: &Asked, manifest: &Value) -> Result<String, Reply> {
    let sent = asked
        .header("content-type")
        .map(|kind| kind.split(';').next().unwrap_or(kind).trim());
    let own = manifest.get("mediaType").and_then(Value::as_str);
    match (sent, own) {
        (Some(sent), Some(own)) if sent != own => Err(reply::error(
            400,
            "MANIFEST_INVALID",
            &format!("mediaType is {own}, Content-Type is {sent}"),
        )),
        (Some(sent), _) => Ok(sent.to_owned()),
        (None, _) => Err(reply::error(400, "MANIFEST_INVALID", "no Content-Type")),
    }
}

fn descriptor_hex(descriptor: &Value) -> Result<&str, Reply> {
    let digest = descriptor
        .get("digest")
        .and_then(Value::as_str)
        .unwrap_or_default();
    sha256_digest(digest).ok_or_else(|| {
        reply::error(
            400,
            "DIGEST_INVALID",
            &format!("'{digest}' is not a SHA-256 digest"),
        )
    })
}

fn referrer(stored: &Stored, subject: &str) -> Option<Value> {
    let manifest: Value = serde_json::from_slice(&stored.bytes).ok()?;
    (manifest.pointer("/subject/digest")?.as_str()? == subject).then_some(())?;
    let artifact_type = manifest
        .get("artifactType")
        .or_else(|| manifest.pointer("/config/mediaType"))
        .cloned()
        .unwrap_or_default();
    let mut descriptor = json!({ "mediaType": stored.media_type, "digest": stored.digest, "size": stored.bytes.len(), "artifactType": artifact_type });
    if let (Some(annotations), Some(fields)) =
        (manifest.get("annotations"), descriptor.as_object_mut())
    {
        fields.insert("annotations".to_owned(), annotations.clone());
    }
    Some(descriptor)
}

/// The names after `last`, `n` at most, and the last of them when more follow.
fn page(asked: &Asked, names: Vec<String>) -> (Vec<String>, Option<String>) {
    let after = asked.parameter("last").unwrap_or_default();
    let limit: usize = asked
        .parameter("n")
        .and_then(|n| n.parse().ok())
        .unwrap_or(1000);
    let mut rest: Vec<String> = names
        .into_iter()
        .filter(|name| name.as_str() > after)
        .collect();
    let more = rest.len() > limit;
    rest.truncate(limit);
    let next = if more { rest.last().cloned() } else { None };
    (rest, next)
}

fn linked(reply: Reply, next: Option<(String, String)>, asked: &Asked) -> Reply {
    let Some((path, last)) = next else {
        return reply;
    };
    let n = asked.parameter("n").unwrap_or("1000");
    reply.header(
        "link",
        format!(
            "<{path}?n={n}&last={}>; rel=\"next\"",
            percent_encode(&last, false)
        ),
    )
}
