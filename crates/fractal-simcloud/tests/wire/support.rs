//! A plain HTTP client, requests as SDKs sign them, and artifacts made on the spot.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fractal_simcloud::{Config, Quotas, SimCloud};
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpStream;

pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/lambda-role";
pub(crate) const REGION: &str = "eu-west-1";
pub(crate) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// The connection could not be made, or ended without an answer.
pub(crate) type Unanswered = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The error code, wherever the protocol puts it.
    pub(crate) fn code(&self) -> String {
        let typed = self.header("x-amzn-errortype");
        if !typed.is_empty() {
            return typed.to_owned();
        }
        if let Ok(body) = serde_json::from_slice::<Value>(&self.body) {
            let code = body
                .pointer("/errors/0/code")
                .or_else(|| body.get("__type"));
            return code.and_then(Value::as_str).unwrap_or_default().to_owned();
        }
        let text = self.text();
        let code = text
            .split("<Code>")
            .nth(1)
            .and_then(|rest| rest.split("</Code>").next());
        code.unwrap_or_default().to_owned()
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!(
            (self.status, self.code().as_str()),
            (status, code),
            "{}",
            self.text()
        );
        self
    }
}

/// One request on a connection of its own; an error when the connection ends without an answer.
pub(crate) async fn send(
    endpoint: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Result<Reply, Unanswered> {
    let host = endpoint.trim_start_matches("http://");
    let stream = TcpStream::connect(host).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driving = tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", host);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = sender
        .send_request(request.body(Full::new(body.into())).unwrap())
        .await?;
    let (parts, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    driving.abort();
    Ok(Reply {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body,
    })
}

pub(crate) fn authorization(key: &str, region: &str, service: &str) -> String {
    let signature = "0".repeat(64);
    format!(
        "AWS4-HMAC-SHA256 Credential={key}/20260101/{region}/{service}/aws4_request, SignedHeaders=host;x-amz-date, Signature={signature}"
    )
}

/// A caller of one region.
pub(crate) struct Caller {
    pub(crate) endpoint: String,
    pub(crate) key: &'static str,
    pub(crate) region: &'static str,
}

impl Caller {
    pub(crate) fn of(cloud: &SimCloud) -> Self {
        Self {
            endpoint: cloud.endpoint().to_owned(),
            key: "AKID",
            region: REGION,
        }
    }

    pub(crate) fn at(endpoint: &str) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            key: "AKID",
            region: REGION,
        }
    }

    pub(crate) async fn try_lambda(
        &self,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Result<Reply, Unanswered> {
        let signed = authorization(self.key, self.region, "lambda");
        let bytes = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        send(
            &self.endpoint,
            method,
            path,
            &[("authorization", &signed)],
            bytes,
        )
        .await
    }

    pub(crate) async fn lambda(&self, method: &str, path: &str, body: Value) -> Reply {
        self.try_lambda(method, path, &body).await.unwrap()
    }

    pub(crate) async fn create(&self, name: &str, zip: &[u8]) -> Reply {
        self.lambda("POST", "/2015-03-31/functions", creation(name, zip))
            .await
    }

    pub(crate) async fn get(&self, name: &str) -> Reply {
        self.lambda("GET", &format!("/2015-03-31/functions/{name}"), Value::Null)
            .await
    }

    pub(crate) async fn code(&self, name: &str, body: Value) -> Reply {
        self.lambda("PUT", &format!("/2015-03-31/functions/{name}/code"), body)
            .await
    }

    pub(crate) async fn configure(&self, name: &str, body: Value) -> Reply {
        self.lambda(
            "PUT",
            &format!("/2015-03-31/functions/{name}/configuration"),
            body,
        )
        .await
    }

    pub(crate) async fn delete(&self, name: &str) -> Reply {
        self.lambda(
            "DELETE",
            &format!("/2015-03-31/functions/{name}"),
            Value::Null,
        )
        .await
    }

    /// Reads until nothing is in progress, and gives the configuration.
    pub(crate) async fn settled(&self, name: &str) -> Value {
        for _ in 0..10 {
            let configuration = self.get(name).await.expect(200).json()["Configuration"].clone();
            if configuration["State"] != "Pending"
                && configuration["LastUpdateStatus"] != "InProgress"
            {
                return configuration;
            }
        }
        panic!("{name} does not settle");
    }

    pub(crate) async fn s3(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Reply {
        let signed = authorization(self.key, self.region, "s3");
        let mut all = vec![("authorization", signed.as_str())];
        all.extend(headers);
        send(&self.endpoint, method, path, &all, body)
            .await
            .unwrap()
    }

    pub(crate) async fn bucket(&self, name: &str) {
        let body = format!(
            "<CreateBucketConfiguration><LocationConstraint>{}</LocationConstraint></CreateBucketConfiguration>",
            self.region
        );
        self.s3("PUT", &format!("/{name}"), &[], body)
            .await
            .expect(200);
    }
}

pub(crate) fn creation(name: &str, zip: &[u8]) -> Value {
    json!({
        "FunctionName": name,
        "Role": ROLE,
        "Runtime": "python3.13",
        "Handler": "index.main",
        "Code": { "ZipFile": STANDARD.encode(zip) },
    })
}

/// A cloud without quotas, so that tests may call as often as they like.
pub(crate) async fn cloud() -> SimCloud {
    SimCloud::start(Config {
        quotas: Quotas::unlimited(),
        ..Config::default()
    })
    .await
    .unwrap()
}

/// A zip with one stored entry, whose directory says it unpacks to `unpacked` bytes.
pub(crate) fn zip_claiming(content: &[u8], unpacked: u32) -> Vec<u8> {
    let size = u32::try_from(content.len()).unwrap();
    let name = b"index.py";
    let mut zip = b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0".to_vec();
    zip.extend([0; 4]);
    zip.extend(size.to_le_bytes());
    zip.extend(unpacked.to_le_bytes());
    zip.extend([8, 0, 0, 0]);
    zip.extend(name);
    zip.extend(content);
    let directory = u32::try_from(zip.len()).unwrap();
    zip.extend(b"PK\x01\x02\x14\0\x14\0\0\0\0\0\0\0\0\0");
    zip.extend([0; 4]);
    zip.extend(size.to_le_bytes());
    zip.extend(unpacked.to_le_bytes());
    zip.extend([8, 0]);
    zip.extend([0; 16]);
    zip.extend(name);
    let length = u32::try_from(zip.len()).unwrap() - directory;
    zip.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    zip.extend(length.to_le_bytes());
    zip.extend(directory.to_le_bytes());
    zip.extend([0, 0]);
    zip
}

pub(crate) fn zip(text: &str) -> Vec<u8> {
    zip_claiming(text.as_bytes(), u32::try_from(text.len()).unwrap())
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(crate) fn hash64(bytes: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(bytes))
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold("sha256:".to_owned(), |text, byte| {
            format!("{text}{byte:02x}")
        })
}

pub(crate) fn descriptor(kind: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": kind, "digest": digest(bytes), "size": bytes.len() })
}

/// Pushes a blob in one POST.
pub(crate) async fn push_blob(endpoint: &str, repository: &str, bytes: &[u8]) {
    let path = format!("/v2/{repository}/blobs/uploads/?digest={}", digest(bytes));
    send(endpoint, "POST", &path, &[], bytes.to_vec())
        .await
        .unwrap()
        .expect(201);
}

pub(crate) async fn push_manifest(
    endpoint: &str,
    repository: &str,
    reference: &str,
    kind: &str,
    manifest: &Value,
) -> Reply {
    let path = format!("/v2/{repository}/manifests/{reference}");
    send(
        endpoint,
        "PUT",
        &path,
        &[("content-type", kind)],
        manifest.to_string(),
    )
    .await
    .unwrap()
}

/// Pushes an image of one architecture and gives its manifest.
pub(crate) async fn push_image(
    endpoint: &str,
    repository: &str,
    tag: &str,
    architecture: &str,
) -> Value {
    let config = json!({ "os": "linux", "architecture": architecture, "rootfs": { "type": "layers", "diff_ids": [] } }).to_string();
    let layer = format!("layer of {tag}");
    push_blob(endpoint, repository, config.as_bytes()).await;
    push_blob(endpoint, repository, layer.as_bytes()).await;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": descriptor(CONFIG, config.as_bytes()),
        "layers": [descriptor(LAYER, layer.as_bytes())],
    });
    push_manifest(endpoint, repository, tag, IMAGE, &manifest)
        .await
        .expect(201);
    manifest
}
