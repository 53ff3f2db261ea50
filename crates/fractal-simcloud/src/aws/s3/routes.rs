//! Which operation a request is, and on what bucket and key.

use http::request::Parts;

use super::header;
use crate::encoding::{find, percent_decode, query_pairs};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    ListBuckets,
    CreateBucket,
    HeadBucket,
    GetBucketLocation,
    DeleteBucket,
    ListObjectsV2,
    PutObject,
    GetObject,
    HeadObject,
    DeleteObject,
    CreateMultipartUpload,
    UploadPart,
    CompleteMultipartUpload,
    AbortMultipartUpload,
    NotImplemented,
}

impl Operation {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ListBuckets => "ListBuckets",
            Self::CreateBucket => "CreateBucket",
            Self::HeadBucket => "HeadBucket",
            Self::GetBucketLocation => "GetBucketLocation",
            Self::DeleteBucket => "DeleteBucket",
            Self::ListObjectsV2 => "ListObjectsV2",
            Self::PutObject => "PutObject",
            Self::GetObject => "GetObject",
            Self::HeadObject => "HeadObject",
            Self::DeleteObject => "DeleteObject",
            Self::CreateMultipartUpload => "CreateMultipartUpload",
            Self::UploadPart => "UploadPart",
            Self::CompleteMultipartUpload => "CompleteMultipartUpload",
            Self::AbortMultipartUpload => "AbortMultipartUpload",
            Self::NotImplemented => "NotImplemented",
        }
    }

    pub(super) fn is_mutating(self) -> bool {
        !matches!(
            self,
            Self::ListBuckets
                | Self::HeadBucket
                | Self::GetBucketLocation
                | Self::ListObjectsV2
                | Self::GetObject
                | Self::HeadObject
        )
    }
}

pub(super) struct Route {
    pub(super) operation: Operation,
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) query: Vec<(String, String)>,
}

impl Route {
    /// `bucket` or `bucket/key`.
    pub(super) fn resource(&self) -> String {
        if self.key.is_empty() {
            self.bucket.clone()
        } else {
            format!("{}/{}", self.bucket, self.key)
        }
    }
}

pub(super) fn route(parts: &Parts) -> Route {
    let path = parts.uri.path().trim_start_matches('/');
    let (bucket, key) = match virtual_host(header(&parts.headers, "host").unwrap_or_default()) {
        Some(bucket) => (bucket, path),
        None => path.split_once('/').unwrap_or((path, "")),
    };
    let (bucket, key) = (percent_decode(bucket), percent_decode(key));
    let query = query_pairs(parts.uri.query().unwrap_or_default(), false);
    let copy = parts.headers.contains_key("x-amz-copy-source");
    let operation = if copy {
        Operation::NotImplemented
    } else {
        operation(parts.method.as_str(), &bucket, &key, &query)
    };
    Route {
        operation,
        bucket,
        key,
        query,
    }
}

fn operation(method: &str, bucket: &str, key: &str, query: &[(String, String)]) -> Operation {
    let has = |name: &str| find(query, name).is_some();
    // Parameters that do not select another resource.
    let plain = query.iter().all(|(name, _)| {
        name == "x-id" || name.starts_with("X-Amz-") || name.starts_with("response-")
    });
    match (method, bucket.is_empty(), key.is_empty()) {
        ("GET", true, _) => Operation::ListBuckets,
        ("PUT", false, true) if plain => Operation::CreateBucket,
        ("HEAD", false, true) => Operation::HeadBucket,
        ("DELETE", false, true) if plain => Operation::DeleteBucket,
        ("GET", false, true) if has("location") => Operation::GetBucketLocation,
        ("GET", false, true) if find(query, "list-type") == Some("2") => Operation::ListObjectsV2,
        ("PUT", false, false) if has("partNumber") && has("uploadId") => Operation::UploadPart,
        ("PUT", false, false) if plain => Operation::PutObject,
        ("GET", false, false) if plain => Operation::GetObject,
        ("HEAD", false, false) if plain => Operation::HeadObject,
        ("DELETE", false, false) if has("uploadId") => Operation::AbortMultipartUpload,
        ("DELETE", false, false) if plain => Operation::DeleteObject,
        ("POST", false, false) if has("uploads") => Operation::CreateMultipartUpload,
        ("POST", false, false) if has("uploadId") => Operation::CompleteMultipartUpload,
        _ => Operation::NotImplemented,
    }
}

/// The bucket of `bucket.s3.region.amazonaws.com` or `bucket.localhost:port`.
fn virtual_host(host: &str) -> Option<&str> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name.strip_suffix(".localhost").or_else(|| {
        name.strip_suffix(".amazonaws.com")
            .and_then(|name| name.split_once(".s3").map(|(bucket, _)| bucket))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_styles_name_the_bucket() {
        let parts = |uri: &str, host: &str| {
            http::Request::get(uri)
                .header("host", host)
                .body(())
                .unwrap()
                .into_parts()
                .0
        };
        for (uri, host) in [
            ("/b/k/x%20y", "127.0.0.1:1"),
            ("/k/x%20y", "b.localhost:1"),
            ("/k/x%20y", "b.s3.eu-west-1.amazonaws.com"),
        ] {
            let route = route(&parts(uri, host));
            assert_eq!(
                (route.bucket.as_str(), route.key.as_str(), route.operation),
                ("b", "k/x y", Operation::GetObject)
            );
        }
        assert_eq!(
            route(&parts("/b?acl", "127.0.0.1")).operation,
            Operation::NotImplemented
        );
    }
}
