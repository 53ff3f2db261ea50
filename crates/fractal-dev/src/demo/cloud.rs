//! A person at the cloud's console: what they change, and what the ledger says of everyone.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use fractal_simcloud::Entry;
use serde_json::{Value, json};

use crate::error::Error;
use crate::world::{REGION, World};

/// Accepted writes to the simulated AWS after entry `since`. Registries keep ledgers of their own.
pub(super) fn writes(world: &World, since: u64) -> Vec<Entry> {
    world
        .sim
        .ledger()
        .since(since)
        .into_iter()
        .filter(|entry| entry.service != "registry" && entry.is_accepted_write())
        .collect()
}

/// Blobs read from the registry that plays ECR after entry `since`.
pub(super) fn pulls(world: &World, since: u64) -> usize {
    let entries = world.sim.ledger().since(since);
    entries
        .iter()
        .filter(|entry| entry.service == "registry" && entry.operation == "GetBlob")
        .count()
}

/// A write, for people.
pub(super) fn describe(entry: &Entry) -> String {
    format!("{}:{} {}", entry.service, entry.operation, entry.resource)
}

/// Sets a function's memory, as someone at the console would: through the API, without asking us.
pub(super) async fn set_memory(world: &World, function: &str, megabytes: u32) -> Result<(), Error> {
    let path = format!("/2015-03-31/functions/{function}/configuration");
    send(world, "PUT", path, json!({ "MemorySize": megabytes })).await
}

async fn send(world: &World, method: &'static str, path: String, body: Value) -> Result<(), Error> {
    let address = world
        .sim
        .endpoint()
        .trim_start_matches("http://")
        .to_owned();
    let sent =
        tokio::task::spawn_blocking(move || exchange(&address, method, &path, &body.to_string()));
    let status = sent
        .await
        .map_err(|error| Error::Unexpected(error.to_string()))?
        .map_err(Error::io("calling the simulated AWS"))?;
    if status.starts_with("HTTP/1.1 2") {
        Ok(())
    } else {
        Err(Error::Unexpected(format!(
            "the simulated AWS answered {status}"
        )))
    }
}

/// One request by hand. The simulated AWS takes account, region and service from the credential's scope.
fn exchange(address: &str, method: &str, path: &str, body: &str) -> std::io::Result<String> {
    let credential = format!("console/20260101/{REGION}/lambda/aws4_request");
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host;x-amz-date, Signature={}",
        "0".repeat(64)
    );
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: {authorization}\r\nx-amz-date: 20260101T000000Z\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}
