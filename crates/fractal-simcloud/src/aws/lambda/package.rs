//! The code a request brings: fetched, checked and stored by hash before the state is looked at.

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::function::Code;
use super::routes::Operation;
use super::{ApiError, Aws, Scope, image, invalid, zip};
use crate::encoding::uuid;
use crate::registry::file_sha256;

/// A zip sent in the request, before base64.
const INLINE_LIMIT: usize = 52_428_800;
const UNPACKED_LIMIT: u64 = 262_144_000;

/// The code of a create or code update; `None` for every other operation.
pub(super) async fn prepare(
    aws: &Aws,
    scope: &Scope,
    operation: Operation,
    body: &Value,
) -> Option<Result<Code, ApiError>> {
    let (source, architecture) = match operation {
        Operation::CreateFunction => (body.get("Code")?, architecture(body)),
        Operation::UpdateFunctionCode => (body, architecture(body)),
        _ => return None,
    };
    Some(fetch(aws, scope, source, architecture).await)
}

pub(super) fn architecture(body: &Value) -> Option<&str> {
    body.pointer("/Architectures/0").and_then(Value::as_str)
}

pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

async fn fetch(
    aws: &Aws,
    scope: &Scope,
    source: &Value,
    architecture: Option<&str>,
) -> Result<Code, ApiError> {
    let text = |member: &str| source.get(member).and_then(Value::as_str);
    let staged = match (
        text("ZipFile"),
        text("S3Bucket"),
        text("S3Key"),
        text("ImageUri"),
    ) {
        (Some(zip), None, None, None) => stage_inline(aws, zip)?,
        (None, Some(bucket), Some(key), None) => stage_object(aws, scope, bucket, key)?,
        (None, None, None, Some(uri)) => {
            return image::resolve(&aws.lambda, scope, uri, architecture);
        }
        _ => return Err(invalid("Please provide a source for function code.")),
    };
    let folder = aws.lambda.code.clone();
    let shelved = tokio::task::spawn_blocking(move || shelve(&folder, &staged)).await;
    shelved.unwrap_or_else(|error| Err(broken(io::Error::other(error))))
}

fn stage_inline(aws: &Aws, text: &str) -> Result<PathBuf, ApiError> {
    let bytes = decode(text).ok_or_else(|| {
        ApiError::new(400, "SerializationException", "ZipFile is not valid base64")
    })?;
    if bytes.len() > INLINE_LIMIT {
        let message = format!("Zipped size must be smaller than {INLINE_LIMIT} bytes");
        return Err(ApiError::new(
            413,
            "RequestEntityTooLargeException",
            message,
        ));
    }
    let path = aws.lambda.code.join(format!("{}.part", uuid()));
    std::fs::write(&path, bytes).map_err(broken)?;
    Ok(path)
}

/// A copy of the object, so that it may be deleted later.
fn stage_object(aws: &Aws, scope: &Scope, bucket: &str, key: &str) -> Result<PathBuf, ApiError> {
    let object = aws
        .ledger
        .read(|transaction| aws.s3.source(transaction, scope, bucket, key));
    let object = object.map_err(|error| {
        invalid(format!(
            "Error occurred while GetObject. S3 Error Code: {}. S3 Error Message: {}",
            error.code, error.message
        ))
    })?;
    let path = aws.lambda.code.join(format!("{}.part", uuid()));
    std::fs::hard_link(&object, &path).map_err(broken)?;
    Ok(path)
}

fn shelve(folder: &Path, staged: &Path) -> Result<Code, ApiError> {
    let checked = checked(staged);
    let code = match &checked {
        Ok(Code::Zip { sha256, .. }) => std::fs::rename(staged, folder.join(sha256))
            .map_err(broken)
            .and(checked),
        _ => checked,
    };
    // A rename onto another link of the same file leaves both names.
    let _ = std::fs::remove_file(staged);
    code
}

fn checked(staged: &Path) -> Result<Code, ApiError> {
    let directory = zip::directory(staged).map_err(broken)?;
    let directory = directory.ok_or_else(|| {
        invalid("Could not unzip uploaded file. Please check your file, then try to upload again.")
    })?;
    if directory.entries == 0 {
        return Err(invalid("Uploaded file must be a non-empty zip"));
    }
    if directory.unpacked > UNPACKED_LIMIT {
        return Err(invalid(format!(
            "Unzipped size must be smaller than {UNPACKED_LIMIT} bytes"
        )));
    }
    let size = std::fs::metadata(staged).map_err(broken)?.len();
    Ok(Code::Zip {
        sha256: file_sha256(staged).map_err(broken)?,
        size,
    })
}

fn broken(error: io::Error) -> ApiError {
    ApiError::new(500, "ServiceException", error.to_string())
}
