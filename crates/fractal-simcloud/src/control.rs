//! The control interface below `/_sim/` on the AWS endpoint, for tests in other processes: ledger, faults, state and clock. Its calls are not in the ledger.

use http::{Method, Request};
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::aws::Aws;
use crate::aws::lambda::Lambda;
use crate::aws::s3::S3;
use crate::encoding::{find, query_pairs};
use crate::exchange::{Content, Reply, read_body};
use crate::faults::Rule;

pub(crate) const PREFIX: &str = "/_sim/";
const BODY_LIMIT: usize = 1 << 20;

pub(crate) async fn answer(aws: &Aws, request: Request<Incoming>) -> Reply {
    let (parts, mut body) = request.into_parts();
    let query = query_pairs(parts.uri.query().unwrap_or_default(), false);
    let Ok(body) = read_body(&mut body, BODY_LIMIT).await else {
        return refused("the body is too large");
    };
    let path = parts.uri.path().trim_start_matches(PREFIX);
    let segments: Vec<&str> = path.split('/').collect();
    match (parts.method, segments.as_slice()) {
        (Method::GET, ["health"]) => ok(json!({ "status": "ok" })),
        (Method::GET, ["ledger"]) => ledger(aws, find(&query, "since")),
        (Method::GET, ["faults"]) => ok(json!({ "faults": aws.faults.armed() })),
        (Method::POST, ["faults"]) => match serde_json::from_slice::<Rule>(&body) {
            Ok(rule) => ok(json!({ "id": aws.faults.arm(rule) })),
            Err(error) => refused(&error.to_string()),
        },
        (Method::DELETE, ["faults"]) => {
            aws.faults.clear();
            Reply::new(204)
        }
        (Method::DELETE, ["faults", id]) => match id.parse().is_ok_and(|id| aws.faults.lift(id)) {
            true => Reply::new(204),
            false => Reply::json(404, &json!({ "error": "no such fault" })),
        },
        (Method::POST, ["counters", "reset"]) => {
            aws.faults.reset_counters();
            aws.lambda.reset_quotas();
            Reply::new(204)
        }
        (Method::POST, ["clock", "advance"]) => advance(aws, &body),
        (Method::GET, ["lambda", "functions"]) => {
            ok(json!({ "functions": Lambda::served(&aws.ledger) }))
        }
        (Method::GET, ["lambda", "code", sha256]) => package(aws, sha256),
        (Method::GET, ["s3", "objects"]) => ok(json!({ "objects": S3::staged(&aws.ledger) })),
        _ => Reply::json(404, &json!({ "error": "no such control" })),
    }
}

fn ledger(aws: &Aws, since: Option<&str>) -> Reply {
    match since.unwrap_or("0").parse() {
        Ok(since) => ok(json!({ "entries": aws.ledger.since(since), "last": aws.ledger.last() })),
        Err(_) => refused("since is not a sequence number"),
    }
}

fn advance(aws: &Aws, body: &[u8]) -> Reply {
    let asked = serde_json::from_slice::<Value>(body)
        .ok()
        .and_then(|body| body.get("milliseconds")?.as_u64());
    match asked {
        Some(milliseconds) => {
            aws.clock.advance(milliseconds);
            ok(json!({ "now_ms": aws.clock.now_ms() }))
        }
        None => refused("milliseconds is missing"),
    }
}

fn package(aws: &Aws, sha256: &str) -> Reply {
    let found = aws
        .lambda
        .package(sha256)
        .and_then(|path| Some((std::fs::metadata(&path).ok()?.len(), path)));
    match found {
        Some((length, path)) => Reply::new(200)
            .header("content-type", "application/zip")
            .content(Content::File {
                path,
                start: 0,
                length,
            }),
        None => Reply::json(404, &json!({ "error": "no such package" })),
    }
}

fn ok(body: Value) -> Reply {
    Reply::json(200, &body)
}

fn refused(why: &str) -> Reply {
    Reply::json(400, &json!({ "error": why }))
}
