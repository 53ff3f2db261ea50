//! Objects: put with preconditions, get with ranges and conditions, delete.

use std::collections::BTreeMap;

use super::spool::Spooled;
use super::{ApiError, Invocation, Object, no_such_key, object_key, precondition_failed};
use crate::clock::at;
use crate::exchange::{Content, Reply, byte_range};

impl Invocation<'_, '_> {
    pub(super) fn put_object(&mut self, spooled: Spooled) -> Result<Reply, ApiError> {
        let object = self.made(spooled.file, spooled.size, spooled.md5, spooled.checksums);
        let etag = quoted(&object.etag);
        let checksums = object.checksums.clone();
        self.store(object)?;
        Ok(checksums.into_iter().fold(
            Reply::new(200).header("etag", etag),
            |reply, (name, value)| reply.header(&name, value),
        ))
    }

    pub(super) fn made(
        &self,
        file: String,
        size: u64,
        etag: String,
        checksums: BTreeMap<String, String>,
    ) -> Object {
        Object {
            file,
            size,
            etag,
            modified_ms: self.now_ms,
            headers: self.kept_headers(),
            checksums,
        }
    }

    /// `content-type` and user metadata of this request.
    pub(super) fn kept_headers(&self) -> BTreeMap<String, String> {
        let kept = |name: &str| name == "content-type" || name.starts_with("x-amz-meta-");
        let names = self
            .parts
            .headers
            .keys()
            .map(http::HeaderName::as_str)
            .filter(|name| kept(name));
        names
            .filter_map(|name| Some((name.to_owned(), self.header(name)?.to_owned())))
            .collect()
    }

    /// Makes an object what its key names, when the request's conditions hold.
    pub(super) fn store(&mut self, object: Object) -> Result<(), ApiError> {
        let present = self.object();
        match (
            self.header("if-none-match"),
            self.header("if-match"),
            &present,
        ) {
            (Some("*"), _, Some(_)) => return Err(precondition_failed("If-None-Match")),
            (Some(other), _, _) if other != "*" => {
                return Err(ApiError::new(
                    501,
                    "NotImplemented",
                    "A header you provided implies functionality that is not implemented",
                ));
            }
            (_, Some(_), None) => return Err(no_such_key(&self.route.key)),
            (_, Some(tag), Some(present)) if tag.trim_matches('"') != present.etag => {
                return Err(precondition_failed("If-Match"));
            }
            _ => {}
        }
        if self.route.key.len() > 1024 {
            return Err(ApiError::new(
                400,
                "KeyTooLongError",
                "Your key is too long",
            ));
        }
        self.dropped.extend(present.map(|present| present.file));
        self.transaction
            .put(object_key(&self.route.bucket, &self.route.key), &object);
        Ok(())
    }

    pub(super) fn get_object(&self) -> Result<Reply, ApiError> {
        let object = self.object().ok_or_else(|| no_such_key(&self.route.key))?;
        let same = |tag: &str| tag == "*" || tag.trim_matches('"') == object.etag;
        if self.header("if-match").is_some_and(|tag| !same(tag)) {
            return Err(precondition_failed("If-Match"));
        }
        if self.header("if-none-match").is_some_and(same) {
            return Ok(Reply::new(304).header("etag", quoted(&object.etag)));
        }
        let range = byte_range(self.header("range"), object.size).map_err(|()| {
            ApiError::new(
                416,
                "InvalidRange",
                "The requested range is not satisfiable",
            )
            .header("content-range", format!("bytes */{}", object.size))
        })?;
        let path = self.s3.path(&object.file);
        let reply = self.described(&object, range.is_none());
        Ok(match range {
            None => reply.content(Content::File {
                path,
                start: 0,
                length: object.size,
            }),
            Some((start, length)) => {
                let last = start.saturating_add(length).saturating_sub(1);
                let reply = Reply {
                    status: 206,
                    ..reply
                }
                .header(
                    "content-range",
                    format!("bytes {start}-{last}/{}", object.size),
                );
                reply.content(Content::File {
                    path,
                    start,
                    length,
                })
            }
        })
    }

    fn described(&self, object: &Object, whole: bool) -> Reply {
        let mut reply = Reply::new(200)
            .header("etag", quoted(&object.etag))
            .header("last-modified", http_time(object.modified_ms))
            .header("accept-ranges", "bytes");
        if !object.headers.contains_key("content-type") {
            reply = reply.header("content-type", "binary/octet-stream");
        }
        let checksums = object
            .checksums
            .iter()
            .filter(|_| whole && self.header("x-amz-checksum-mode") == Some("ENABLED"));
        object
            .headers
            .iter()
            .chain(checksums)
            .fold(reply, |reply, (name, value)| reply.header(name, value))
    }

    pub(super) fn delete_object(&mut self) -> Result<Reply, ApiError> {
        let present = self.object();
        if present.is_some() {
            self.transaction
                .delete(object_key(&self.route.bucket, &self.route.key));
        }
        self.dropped.extend(present.map(|present| present.file));
        Ok(Reply::new(204))
    }
}

pub(super) fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

pub(super) fn iso_time(milliseconds: u64) -> String {
    let format = time::macros::format_description!(
        "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
    );
    at(milliseconds).format(format).unwrap_or_default()
}

fn http_time(milliseconds: u64) -> String {
    let format = time::macros::format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    at(milliseconds).format(format).unwrap_or_default()
}
