//! Simulated clouds as processes of their own, so that their memory and CPU are not the measured program's.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use crate::error::Error;
use crate::programs;

pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const REGION: &str = "eu-central-1";
const NAME: &str = "fractal-simcloud";

/// A running `fractal-simcloud`, killed when dropped.
#[derive(Debug)]
pub(crate) struct Cloud {
    process: Child,
    /// The AWS endpoint's URL.
    pub(crate) aws: String,
    /// The registry's `host:port`.
    pub(crate) registry: String,
    _folder: TempDir,
}

#[derive(Deserialize)]
struct Announced {
    aws: String,
    registry: String,
}

#[derive(Deserialize)]
struct Calls {
    entries: Vec<Call>,
    last: u64,
}

#[derive(Deserialize)]
struct Call {
    operation: String,
}

/// What a cloud was asked since some moment.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) operations: Vec<String>,
    pub(crate) last: u64,
}

impl Cloud {
    /// Starts one with a folder of its own.
    pub(crate) fn start() -> Result<Self, Error> {
        let folder = tempfile::tempdir().map_err(Error::io("making a folder"))?;
        let mut process = Command::new(programs::own(NAME)?)
            .arg("--state-dir")
            .arg(folder.path())
            .arg("--no-quotas")
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(Error::io(format!("starting {NAME}")))?;
        let mut line = String::new();
        if let Some(out) = process.stdout.take() {
            BufReader::new(out)
                .read_line(&mut line)
                .map_err(Error::io(format!("reading what {NAME} announces")))?;
        }
        let announced: Announced =
            serde_json::from_str(&line).map_err(|_| Error::unexpected(NAME, &line))?;
        let registry = announced.registry.trim_start_matches("http://").to_owned();
        Ok(Self {
            process,
            aws: announced.aws,
            registry,
            _folder: folder,
        })
    }

    /// Every call after the ledger's entry `since`, the registry's included.
    pub(crate) fn asked(&self, since: u64) -> Result<Asked, Error> {
        let body = self.send("GET", &format!("/_sim/ledger?since={since}"), "")?;
        let calls: Calls =
            serde_json::from_str(&body).map_err(|_| Error::unexpected(NAME, &body))?;
        let operations = calls.entries.into_iter().map(|call| call.operation);
        Ok(Asked {
            operations: operations.collect(),
            last: calls.last,
        })
    }

    /// Makes a bucket.
    pub(crate) fn make_bucket(&self, name: &str) -> Result<(), Error> {
        let place = format!(
            "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>"
        );
        self.send("PUT", &format!("/{name}"), &place).map(drop)
    }

    /// Bytes of the object, where there is one.
    pub(crate) fn object_size(&self, key: &str) -> Result<Option<u64>, Error> {
        let body = self.send("GET", "/_sim/s3/objects", "")?;
        let all: Value = serde_json::from_str(&body).map_err(|_| Error::unexpected(NAME, &body))?;
        let objects = all.get("objects").unwrap_or(&all).as_array();
        let object = objects
            .into_iter()
            .flatten()
            .find(|object| object.get("key").and_then(Value::as_str) == Some(key));
        Ok(object.and_then(|object| object.get("size")?.as_u64()))
    }

    /// One request by hand: account, region and service are read from the credential's scope.
    fn send(&self, method: &str, path: &str, body: &str) -> Result<String, Error> {
        let address = self.aws.trim_start_matches("http://");
        let failed = || Error::io(format!("asking {NAME} for {path}"));
        let mut stream = TcpStream::connect(address).map_err(failed())?;
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .map_err(failed())?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\n\
             authorization: AWS4-HMAC-SHA256 Credential=bench/20260101/{REGION}/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature={}\r\n\
             x-amz-date: 20260101T000000Z\r\nx-amz-content-sha256: UNSIGNED-PAYLOAD\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            "0".repeat(64),
            body.len()
        )
        .map_err(failed())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(failed())?;
        match answer.split_once("\r\n\r\n") {
            Some((head, body)) if head.starts_with("HTTP/1.1 2") => Ok(body.to_owned()),
            _ => Err(Error::unexpected(NAME, answer)),
        }
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
