//! The distribution API's error body.

use serde_json::json;

use crate::exchange::Reply;

pub(super) fn error(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(
        status,
        &json!({ "errors": [{ "code": code, "message": message, "detail": null }] }),
    )
    .coded(code)
}

pub(super) fn not_allowed() -> Reply {
    error(405, "UNSUPPORTED", "The operation is unsupported.")
}

pub(super) fn broken(what: &std::io::Error) -> Reply {
    error(500, "UNKNOWN", &what.to_string())
}
