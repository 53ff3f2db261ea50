//! S3, REST-XML: buckets, objects and multipart uploads, in path or virtual-host style. Bodies go through files, never whole through memory.
//!
//! No versions, ACLs, copies or lifecycle; what is not there answers `NotImplemented`.

mod buckets;
mod checksum;
mod chunked;
mod multipart;
mod objects;
mod routes;
mod spool;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use http::request::Parts;
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::routes::{Operation, Route};
use self::spool::Spooled;
use super::wire::{ApiError, Dialect};
use super::{Aws, Scope, header};
use crate::encoding::find;
use crate::error::SimError;
use crate::exchange::{Answer, Reply, drain, read_body};
use crate::ledger::{Call, Ledger, Transaction};

const SMALL_BODY: usize = 4 << 20;

/// Where object bodies lie.
pub(crate) struct S3 {
    root: PathBuf,
}

/// A bucket; its name is unique in the partition, whoever owns it.
#[derive(Clone, Serialize, Deserialize)]
struct Bucket {
    name: String,
    account: String,
    region: String,
    created_ms: u64,
}

/// An object, or a part of one to be.
#[derive(Clone, Serialize, Deserialize)]
struct Object {
    file: String,
    size: u64,
    etag: String,
    modified_ms: u64,
    /// `content-type` and `x-amz-meta-*`, as sent.
    headers: BTreeMap<String, String>,
    /// `x-amz-checksum-*` header to base64.
    checksums: BTreeMap<String, String>,
}

/// An object, for tests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedObject {
    /// Account that owns the bucket.
    pub account: String,
    /// The bucket's region.
    pub region: String,
    /// Bucket.
    pub bucket: String,
    /// Key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Entity tag, without quotes.
    pub etag: String,
}

/// A request body, already taken.
enum Taken {
    Bytes(bytes::Bytes),
    File(Spooled),
}

struct Invocation<'a, 't> {
    s3: &'a S3,
    transaction: &'a mut Transaction<'t>,
    scope: &'a Scope,
    route: &'a Route,
    parts: &'a Parts,
    now_ms: u64,
    /// Files nothing names any more once this call is durable.
    dropped: Vec<String>,
}

impl S3 {
    pub(super) fn open(root: &Path) -> Result<Self, SimError> {
        std::fs::create_dir_all(root).map_err(SimError::state(root))?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// Every object in every bucket.
    pub(crate) fn staged(ledger: &Ledger) -> Vec<StagedObject> {
        ledger.read(|transaction| {
            let object = |key: &str| {
                let (bucket, name) = key.strip_prefix("s3/object/")?.split_once('/')?;
                let place: Bucket = transaction.get(&bucket_key(bucket))?;
                let object: Object = transaction.get(key)?;
                Some(StagedObject {
                    account: place.account,
                    region: place.region,
                    bucket: place.name,
                    key: name.to_owned(),
                    size: object.size,
                    etag: object.etag,
                })
            };
            transaction
                .keys("s3/object/", "")
                .filter_map(object)
                .collect()
        })
    }

    /// The file of an object that Lambda is to read for a caller.
    pub(super) fn source(
        &self,
        transaction: &Transaction<'_>,
        scope: &Scope,
        bucket: &str,
        key: &str,
    ) -> Result<PathBuf, ApiError> {
        let place = transaction
            .get::<Bucket>(&bucket_key(bucket))
            .ok_or_else(|| no_such_bucket(bucket))?;
        if place.account != scope.account {
            return Err(ApiError::new(403, "AccessDenied", "Access Denied"));
        }
        if place.region != scope.region {
            let message = format!(
                "The bucket is in this region: {}. Please use this region to retry the request",
                place.region
            );
            return Err(ApiError::new(301, "PermanentRedirect", message));
        }
        let object: Object = transaction
            .get(&object_key(bucket, key))
            .ok_or_else(|| no_such_key(key))?;
        Ok(self.path(&object.file))
    }

    fn path(&self, file: &str) -> PathBuf {
        self.root.join(file)
    }
}

impl Aws {
    pub(super) async fn serve_s3(&self, scope: Scope, parts: Parts, mut body: Incoming) -> Answer {
        let route = routes::route(&parts);
        let call = Call {
            service: "s3".into(),
            operation: route.operation.name().into(),
            resource: route.resource(),
            mutating: route.operation.is_mutating(),
            ..scope.call()
        };
        let mut request = facts(&route, &parts);
        let strikes = match self.gate(&call, Dialect::RestXml, &request).await {
            Ok(strikes) => strikes,
            Err(Answer::Reply(reply)) => {
                drain(&mut body).await;
                return Answer::Reply(reply);
            }
            Err(cut) => return cut,
        };
        let taken = match self.take(&route, &parts, &mut body).await {
            Ok(taken) => taken,
            Err(error) => {
                drain(&mut body).await;
                return self.refuse(&call, Dialect::RestXml, error, request);
            }
        };
        let spooled = if let Taken::File(spooled) = &taken {
            Some(spooled.file.clone())
        } else {
            None
        };
        if let (Taken::File(spooled), Some(request)) = (&taken, request.as_object_mut()) {
            request.insert("length".into(), spooled.size.into());
        }
        let mut dropped = Vec::new();
        let answer = self.finish(&call, &strikes, request, |transaction| {
            let now_ms = self.clock.now_ms();
            let mut invocation = Invocation {
                s3: &self.s3,
                transaction,
                scope: &scope,
                route: &route,
                parts: &parts,
                now_ms,
                dropped: Vec::new(),
            };
            let done = invocation.perform(taken);
            match &done {
                Ok(_) => dropped = invocation.dropped,
                Err(_) => dropped.extend(spooled),
            }
            done.unwrap_or_else(|error| Dialect::RestXml.error(&error, &call.resource))
        });
        for file in dropped {
            let _ = std::fs::remove_file(self.s3.path(&file));
        }
        answer
    }

    async fn take(
        &self,
        route: &Route,
        parts: &Parts,
        body: &mut Incoming,
    ) -> Result<Taken, ApiError> {
        match route.operation {
            Operation::PutObject | Operation::UploadPart => {
                spool::spool(&self.s3.root, parts, body)
                    .await
                    .map(Taken::File)
            }
            _ => {
                let taken = read_body(body, SMALL_BODY).await;
                taken.map(Taken::Bytes).map_err(|_| {
                    ApiError::new(400, "MaxMessageLengthExceeded", "Your request was too big.")
                })
            }
        }
    }
}

impl Invocation<'_, '_> {
    fn perform(&mut self, taken: Taken) -> Result<Reply, ApiError> {
        if !matches!(
            self.route.operation,
            Operation::CreateBucket | Operation::ListBuckets | Operation::NotImplemented
        ) {
            self.bucket()?;
        }
        match (self.route.operation, taken) {
            (Operation::ListBuckets, _) => Ok(self.list_buckets()),
            (Operation::CreateBucket, Taken::Bytes(body)) => {
                self.create_bucket(&String::from_utf8_lossy(&body))
            }
            (Operation::HeadBucket, _) => self.head_bucket(),
            (Operation::GetBucketLocation, _) => self.bucket_location(),
            (Operation::DeleteBucket, _) => self.delete_bucket(),
            (Operation::ListObjectsV2, _) => self.list_objects(),
            (Operation::PutObject, Taken::File(spooled)) => self.put_object(spooled),
            (Operation::GetObject | Operation::HeadObject, _) => self.get_object(),
            (Operation::DeleteObject, _) => self.delete_object(),
            (Operation::CreateMultipartUpload, _) => self.create_upload(),
            (Operation::UploadPart, Taken::File(spooled)) => self.upload_part(spooled),
            (Operation::CompleteMultipartUpload, Taken::Bytes(body)) => {
                self.complete_upload(&String::from_utf8_lossy(&body))
            }
            (Operation::AbortMultipartUpload, _) => self.abort_upload(),
            _ => Err(ApiError::new(
                501,
                "NotImplemented",
                "A header or query you provided implies functionality that is not implemented.",
            )),
        }
    }

    /// The bucket, when the caller owns it and signs for its region.
    fn bucket(&self) -> Result<Bucket, ApiError> {
        let name = &self.route.bucket;
        let bucket: Bucket = self
            .transaction
            .get(&bucket_key(name))
            .ok_or_else(|| no_such_bucket(name))?;
        if bucket.region != self.scope.region {
            let message = "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.";
            return Err(ApiError::new(301, "PermanentRedirect", message)
                .member(
                    "Endpoint",
                    format!("{name}.s3.{}.amazonaws.com", bucket.region),
                )
                .member("Bucket", name.clone())
                .header("x-amz-bucket-region", bucket.region));
        }
        if bucket.account != self.scope.account {
            return Err(ApiError::new(403, "AccessDenied", "Access Denied"));
        }
        Ok(bucket)
    }

    fn header(&self, name: &str) -> Option<&str> {
        header(&self.parts.headers, name)
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        find(&self.route.query, name)
    }

    fn object(&self) -> Option<Object> {
        self.transaction
            .get(&object_key(&self.route.bucket, &self.route.key))
    }
}

fn bucket_key(bucket: &str) -> String {
    format!("s3/bucket/{bucket}")
}

fn object_key(bucket: &str, key: &str) -> String {
    format!("s3/object/{bucket}/{key}")
}

fn no_such_bucket(bucket: &str) -> ApiError {
    ApiError::new(404, "NoSuchBucket", "The specified bucket does not exist")
        .member("BucketName", bucket)
}

fn no_such_key(key: &str) -> ApiError {
    ApiError::new(404, "NoSuchKey", "The specified key does not exist.").member("Key", key)
}

fn precondition_failed(condition: &str) -> ApiError {
    ApiError::new(
        412,
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
    )
    .member("Condition", condition)
}

/// The request as the ledger keeps it: target, and the headers that decide something.
fn facts(route: &Route, parts: &Parts) -> Value {
    let kept = |name: &str| {
        name.starts_with("x-amz-checksum")
            || [
                "if-none-match",
                "if-match",
                "content-md5",
                "range",
                "content-type",
            ]
            .contains(&name)
    };
    let headers: BTreeMap<&str, &str> = parts
        .headers
        .keys()
        .map(http::HeaderName::as_str)
        .filter(|name| kept(name))
        .filter_map(|name| Some((name, header(&parts.headers, name)?)))
        .collect();
    json!({ "bucket": route.bucket, "key": route.key, "query": parts.uri.query(), "headers": headers })
}
