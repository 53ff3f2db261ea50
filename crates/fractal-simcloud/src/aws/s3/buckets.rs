//! Buckets, and the list of what is in one.

use super::objects::{iso_time, quoted};
use super::{ApiError, Bucket, Invocation, Object, bucket_key};
use crate::encoding::{percent_encode, xml_elements, xml_escape};
use crate::exchange::Reply;

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
const PAGE: usize = 1000;

impl Invocation<'_, '_> {
    pub(super) fn create_bucket(&mut self, body: &str) -> Result<Reply, ApiError> {
        let name = self.route.bucket.clone();
        if !is_bucket(&name) {
            return Err(ApiError::new(
                400,
                "InvalidBucketName",
                "The specified bucket is not valid.",
            )
            .member("BucketName", name));
        }
        let place = xml_elements(body, "LocationConstraint")
            .first()
            .map(|text| (*text).to_owned());
        self.check_location(place.as_deref())?;
        let key = bucket_key(&name);
        match self.transaction.get::<Bucket>(&key) {
            Some(bucket) if bucket.account != self.scope.account => {
                let message = "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.";
                return Err(
                    ApiError::new(409, "BucketAlreadyExists", message).member("BucketName", name)
                );
            }
            // In this one region creating one's own bucket again succeeds.
            Some(bucket) if bucket.region == "us-east-1" && self.scope.region == "us-east-1" => {}
            Some(_) => {
                let message = "Your previous request to create the named bucket succeeded and you already own it.";
                return Err(ApiError::new(409, "BucketAlreadyOwnedByYou", message)
                    .member("BucketName", name));
            }
            None => {
                let bucket = Bucket {
                    name: name.clone(),
                    account: self.scope.account.clone(),
                    region: self.scope.region.clone(),
                    created_ms: self.now_ms,
                };
                self.transaction.put(key, &bucket);
            }
        }
        Ok(Reply::new(200).header("location", format!("/{name}")))
    }

    fn check_location(&self, constraint: Option<&str>) -> Result<(), ApiError> {
        let region = self.scope.region.as_str();
        match constraint {
            None if region == "us-east-1" => Ok(()),
            Some(constraint) if constraint == region && region != "us-east-1" => Ok(()),
            Some("us-east-1") => Err(ApiError::new(
                400,
                "InvalidLocationConstraint",
                "The specified location-constraint is not valid",
            )),
            other => {
                let constraint = other.unwrap_or("unspecified");
                let message = format!(
                    "The {constraint} location constraint is incompatible for the region specific endpoint this request was sent to."
                );
                Err(ApiError::new(
                    400,
                    "IllegalLocationConstraintException",
                    message,
                ))
            }
        }
    }

    pub(super) fn head_bucket(&self) -> Result<Reply, ApiError> {
        Ok(Reply::new(200).header("x-amz-bucket-region", self.bucket()?.region))
    }

    pub(super) fn bucket_location(&self) -> Result<Reply, ApiError> {
        let region = Some(self.bucket()?.region)
            .filter(|region| region != "us-east-1")
            .unwrap_or_default();
        Ok(xml(&format!(
            "<LocationConstraint xmlns=\"{NAMESPACE}\">{region}</LocationConstraint>"
        )))
    }

    pub(super) fn delete_bucket(&mut self) -> Result<Reply, ApiError> {
        let prefix = format!("s3/object/{}/", self.route.bucket);
        if self.transaction.keys(&prefix, "").next().is_some() {
            return Err(ApiError::new(
                409,
                "BucketNotEmpty",
                "The bucket you tried to delete is not empty",
            ));
        }
        self.transaction.delete(bucket_key(&self.route.bucket));
        Ok(Reply::new(204))
    }

    pub(super) fn list_buckets(&self) -> Reply {
        let mine = |bucket: &Bucket| bucket.account == self.scope.account;
        let buckets = self
            .transaction
            .keys("s3/bucket/", "")
            .filter_map(|key| self.transaction.get::<Bucket>(key))
            .filter(mine);
        let shown: String = buckets
            .map(|bucket| {
                let created = iso_time(bucket.created_ms);
                format!("<Bucket><Name>{}</Name><CreationDate>{created}</CreationDate><BucketRegion>{}</BucketRegion></Bucket>", bucket.name, bucket.region)
            })
            .collect();
        xml(&format!(
            "<ListAllMyBucketsResult xmlns=\"{NAMESPACE}\"><Owner><ID>{}</ID></Owner><Buckets>{shown}</Buckets></ListAllMyBucketsResult>",
            self.scope.account
        ))
    }

    pub(super) fn list_objects(&self) -> Result<Reply, ApiError> {
        let prefix = self.parameter("prefix").unwrap_or_default();
        let delimiter = self
            .parameter("delimiter")
            .filter(|delimiter| !delimiter.is_empty());
        let limit = match self.parameter("max-keys").map(str::parse::<usize>) {
            None => PAGE,
            Some(Ok(limit)) => limit.min(PAGE),
            Some(Err(_)) => {
                return Err(ApiError::new(
                    400,
                    "InvalidArgument",
                    "Provided max-keys not an integer or within integer range",
                ));
            }
        };
        let after = self
            .parameter("continuation-token")
            .or_else(|| self.parameter("start-after"))
            .unwrap_or_default();
        let base = format!("s3/object/{}/", self.route.bucket);
        let (mut rows, mut last, mut more) = (Vec::<Row>::new(), String::new(), false);
        for key in self.transaction.keys(&format!("{base}{prefix}"), "") {
            let name = key.strip_prefix(&base).unwrap_or_default();
            let common = delimiter.and_then(|delimiter| {
                let rest = name.strip_prefix(prefix)?;
                rest.find(delimiter)
                    .map(|at| format!("{prefix}{}{delimiter}", rest.get(..at).unwrap_or_default()))
            });
            let row = common.map_or_else(|| Row::Key(name.to_owned()), Row::Common);
            if name <= after || row.is_common_before(after) || rows.last() == Some(&row) {
                continue;
            }
            if rows.len() == limit {
                more = true;
                break;
            }
            row.text().clone_into(&mut last);
            rows.push(row);
        }
        Ok(xml(&self.page(&rows, more.then_some(last.as_str()), limit)))
    }

    fn page(&self, rows: &[Row], next: Option<&str>, limit: usize) -> String {
        let encode = |text: &str| {
            if self.parameter("encoding-type") == Some("url") {
                percent_encode(text, true)
            } else {
                xml_escape(text)
            }
        };
        let shown: String = rows
            .iter()
            .map(|row| match row {
                Row::Common(prefix) => format!(
                    "<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>",
                    encode(prefix)
                ),
                Row::Key(key) => self
                    .transaction
                    .get::<Object>(&super::object_key(&self.route.bucket, key))
                    .map(|object| contents(&encode(key), &object))
                    .unwrap_or_default(),
            })
            .collect();
        let optional = |tag: &str, value: Option<&str>, encoded: bool| {
            value
                .map(|value| {
                    format!(
                        "<{tag}>{}</{tag}>",
                        if encoded {
                            encode(value)
                        } else {
                            xml_escape(value)
                        }
                    )
                })
                .unwrap_or_default()
        };
        format!(
            "<ListBucketResult xmlns=\"{NAMESPACE}\"><Name>{}</Name><Prefix>{}</Prefix>{}{}{}{}{}<KeyCount>{}</KeyCount><MaxKeys>{limit}</MaxKeys><IsTruncated>{}</IsTruncated>{shown}</ListBucketResult>",
            self.route.bucket,
            encode(self.parameter("prefix").unwrap_or_default()),
            optional("Delimiter", self.parameter("delimiter"), true),
            optional("StartAfter", self.parameter("start-after"), true),
            optional(
                "ContinuationToken",
                self.parameter("continuation-token"),
                false
            ),
            optional("NextContinuationToken", next, false),
            optional("EncodingType", self.parameter("encoding-type"), false),
            rows.len(),
            next.is_some(),
        )
    }
}

#[derive(PartialEq)]
enum Row {
    Key(String),
    Common(String),
}

impl Row {
    fn text(&self) -> &str {
        match self {
            Self::Key(text) | Self::Common(text) => text,
        }
    }

    fn is_common_before(&self, after: &str) -> bool {
        matches!(self, Self::Common(prefix) if prefix.as_str() <= after)
    }
}

fn contents(key: &str, object: &Object) -> String {
    format!(
        "<Contents><Key>{key}</Key><LastModified>{}</LastModified><ETag>{}</ETag><Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>",
        iso_time(object.modified_ms),
        xml_escape(&quoted(&object.etag)),
        object.size,
    )
}

pub(super) fn xml(body: &str) -> Reply {
    Reply::new(200).bytes(
        "application/xml",
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}"),
    )
}

fn is_bucket(name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = [name.bytes().next(), name.bytes().last()]
        .into_iter()
        .all(|byte| byte.is_some_and(word));
    let address = name.parse::<std::net::Ipv4Addr>().is_ok();
    (3..=63).contains(&name.len())
        && ends
        && !address
        && !name.contains("..")
        && name
            .bytes()
            .all(|byte| word(byte) || byte == b'.' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_names() {
        assert!(is_bucket("abc") && is_bucket("a.b-c.9"));
        for bad in ["ab", "Abc", "-abc", "abc-", "a..b", "127.0.0.1", "a_b"] {
            assert!(!is_bucket(bad), "{bad}");
        }
    }
}
