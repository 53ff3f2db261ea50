//! Multipart uploads: parts are files, completing concatenates them.

use std::collections::BTreeMap;
use std::fs::File;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};

use super::buckets::xml;
use super::checksum::Checksum;
use super::objects::quoted;
use super::spool::Spooled;
use super::{ApiError, Invocation, Object};
use crate::encoding::{hex, unhex, uuid, xml_elements, xml_escape, xml_unescape};
use crate::exchange::Reply;

/// Every part but the last has at least this many bytes.
const PART_MINIMUM: u64 = 5 << 20;
const PARTS: u32 = 10_000;

#[derive(Serialize, Deserialize)]
struct Upload {
    key: String,
    headers: BTreeMap<String, String>,
}

impl Invocation<'_, '_> {
    pub(super) fn create_upload(&mut self) -> Result<Reply, ApiError> {
        let id = uuid().replace('-', "");
        let upload = Upload {
            key: self.route.key.clone(),
            headers: self.kept_headers(),
        };
        self.transaction.put(self.upload_key(&id), &upload);
        let (bucket, key) = (&self.route.bucket, xml_escape(&self.route.key));
        let body = format!(
            "<InitiateMultipartUploadResult><Bucket>{bucket}</Bucket><Key>{key}</Key><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
        );
        let reply = xml(&body);
        Ok(match self.header("x-amz-checksum-algorithm") {
            Some(algorithm) => reply.header("x-amz-checksum-algorithm", algorithm),
            None => reply,
        })
    }

    pub(super) fn upload_part(&mut self, spooled: Spooled) -> Result<Reply, ApiError> {
        let (id, _) = self.upload()?;
        let number = self
            .parameter("partNumber")
            .and_then(|number| number.parse().ok())
            .filter(|number| (1..=PARTS).contains(number));
        let number: u32 = number.ok_or_else(|| {
            ApiError::new(
                400,
                "InvalidArgument",
                format!("Part number must be an integer between 1 and {PARTS}, inclusive"),
            )
        })?;
        let key = part_key(&id, number);
        self.dropped
            .extend(self.transaction.get::<Object>(&key).map(|part| part.file));
        let part = self.made(spooled.file, spooled.size, spooled.md5, spooled.checksums);
        let reply = Reply::new(200).header("etag", quoted(&part.etag));
        self.transaction.put(key, &part);
        Ok(part
            .checksums
            .into_iter()
            .fold(reply, |reply, (name, value)| reply.header(&name, value)))
    }

    pub(super) fn complete_upload(&mut self, body: &str) -> Result<Reply, ApiError> {
        let (id, upload) = self.upload()?;
        let listed = listed_parts(body)?;
        let parts = self.chosen(&id, &listed)?;
        let file = uuid();
        let joined = join(&parts, |name| self.s3.path(name), &self.s3.path(&file));
        joined.map_err(|error| ApiError::new(500, "InternalError", error.to_string()))?;
        let digest = parts
            .iter()
            .filter_map(|part| unhex(&part.etag))
            .fold(Md5::new(), |hash, bytes| hash.chain_update(bytes));
        let etag = format!("{}-{}", hex(&digest.finalize()), parts.len());
        let size = parts.iter().map(|part| part.size).sum();
        let object = Object {
            headers: upload.headers,
            ..self.made(file.clone(), size, etag.clone(), composite(&parts))
        };
        if let Err(error) = self.store(object) {
            let _ = std::fs::remove_file(self.s3.path(&file));
            return Err(error);
        }
        self.forget(&id);
        let (bucket, key) = (&self.route.bucket, xml_escape(&self.route.key));
        Ok(xml(&format!(
            "<CompleteMultipartUploadResult><Location>/{bucket}/{key}</Location><Bucket>{bucket}</Bucket><Key>{key}</Key><ETag>{}</ETag></CompleteMultipartUploadResult>",
            xml_escape(&quoted(&etag))
        )))
    }

    pub(super) fn abort_upload(&mut self) -> Result<Reply, ApiError> {
        let (id, _) = self.upload()?;
        self.forget(&id);
        Ok(Reply::new(204))
    }

    /// The parts the request lists, in its order, each as it was uploaded.
    fn chosen(&self, id: &str, listed: &[(u32, String)]) -> Result<Vec<Object>, ApiError> {
        if listed
            .windows(2)
            .any(|pair| matches!(pair, [(one, _), (other, _)] if one >= other))
        {
            return Err(ApiError::new(
                400,
                "InvalidPartOrder",
                "The list of parts was not in ascending order. Parts must be ordered by part number.",
            ));
        }
        let missing = "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.";
        let found = listed.iter().map(|(number, etag)| {
            self.transaction
                .get::<Object>(&part_key(id, *number))
                .filter(|part| part.etag == *etag)
        });
        let parts: Vec<Object> = found
            .collect::<Option<_>>()
            .ok_or_else(|| ApiError::new(400, "InvalidPart", missing))?;
        let all_but_last = parts.len().saturating_sub(1);
        if parts
            .iter()
            .take(all_but_last)
            .any(|part| part.size < PART_MINIMUM)
        {
            return Err(ApiError::new(
                400,
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
            ));
        }
        Ok(parts)
    }

    fn forget(&mut self, id: &str) {
        let keys: Vec<String> = self
            .transaction
            .keys(&format!("s3/part/{id}/"), "")
            .map(str::to_owned)
            .collect();
        for key in keys {
            self.dropped
                .extend(self.transaction.get::<Object>(&key).map(|part| part.file));
            self.transaction.delete(key);
        }
        self.transaction.delete(self.upload_key(id));
    }

    fn upload(&self) -> Result<(String, Upload), ApiError> {
        let id = self.parameter("uploadId").unwrap_or_default().to_owned();
        let upload = self
            .transaction
            .get::<Upload>(&self.upload_key(&id))
            .filter(|upload| upload.key == self.route.key);
        let absent = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.";
        upload
            .map(|upload| (id, upload))
            .ok_or_else(|| ApiError::new(404, "NoSuchUpload", absent))
    }

    fn upload_key(&self, id: &str) -> String {
        format!("s3/upload/{}/{id}", self.route.bucket)
    }
}

fn part_key(id: &str, number: u32) -> String {
    format!("s3/part/{id}/{number:05}")
}

fn listed_parts(body: &str) -> Result<Vec<(u32, String)>, ApiError> {
    let text = |part: &str, tag: &str| {
        xml_elements(part, tag)
            .first()
            .map(|text| xml_unescape(text))
    };
    let part = |part: &&str| {
        Some((
            text(part, "PartNumber")?.trim().parse().ok()?,
            text(part, "ETag")?.trim_matches('"').to_owned(),
        ))
    };
    let parts: Option<Vec<_>> = xml_elements(body, "Part").iter().map(part).collect();
    let malformed =
        "The XML you provided was not well-formed or did not validate against our published schema";
    parts
        .filter(|parts| !parts.is_empty())
        .ok_or_else(|| ApiError::new(400, "MalformedXML", malformed))
}

fn join(
    parts: &[Object],
    path: impl Fn(&str) -> std::path::PathBuf,
    target: &std::path::Path,
) -> std::io::Result<()> {
    let mut joined = File::create(target)?;
    for part in parts {
        std::io::copy(&mut File::open(path(&part.file))?, &mut joined)?;
    }
    Ok(())
}

/// The checksum of the parts' checksums, where every part has one of the same kind.
fn composite(parts: &[Object]) -> BTreeMap<String, String> {
    let Some((name, _)) = parts
        .first()
        .and_then(|part| part.checksums.first_key_value())
    else {
        return BTreeMap::new();
    };
    let values: Option<Vec<Vec<u8>>> = parts
        .iter()
        .map(|part| STANDARD.decode(part.checksums.get(name)?).ok())
        .collect();
    let (Some(values), Some(mut checksum)) = (values, Checksum::of(name)) else {
        return BTreeMap::new();
    };
    values.iter().for_each(|value| checksum.update(value));
    BTreeMap::from([(
        name.clone(),
        format!("{}-{}", checksum.base64(), parts.len()),
    )])
}
