//! Small bodies: read whole within a cap and a time, never decoded.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

use crate::error::RegistryError;

/// Most of an error body looked at, in bytes.
const ERROR_MAX: usize = 64 * 1024;

/// A whole body; `None` where it is longer than `max`, of which no more is read.
pub(crate) async fn capped(
    body: Incoming,
    max: usize,
    limit: Duration,
    at: &Arc<str>,
) -> Result<Option<Bytes>, RegistryError> {
    if body.size_hint().lower() > max as u64 {
        return Ok(None);
    }
    let slow = |_| RegistryError::Slow {
        at: at.clone(),
        problem: format!("its answer did not end within {limit:?}").into(),
    };
    tokio::time::timeout(limit, collect(body, max, at))
        .await
        .map_err(slow)?
}

async fn collect(
    mut body: Incoming,
    max: usize,
    at: &Arc<str>,
) -> Result<Option<Bytes>, RegistryError> {
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| RegistryError::Unreachable {
            at: at.clone(),
            source: Arc::new(error),
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if all.len() + data.len() > max {
            return Ok(None);
        }
        all.extend_from_slice(&data);
    }
    Ok(Some(all.freeze()))
}

/// The first 64 KiB of an error body: whatever comes, and nothing where it does not come in time.
pub(crate) async fn start(mut body: Incoming, limit: Duration) -> Bytes {
    let mut all = BytesMut::new();
    let reading = async {
        while let Some(Ok(frame)) = body.frame().await {
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let room = ERROR_MAX - all.len();
            all.extend_from_slice(data.get(..room.min(data.len())).unwrap_or_default());
            if all.len() == ERROR_MAX {
                break;
            }
        }
    };
    // What came until then is worth showing.
    let _ = tokio::time::timeout(limit, reading).await;
    all.freeze()
}
