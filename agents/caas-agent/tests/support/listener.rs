//! What the API server calls: a node's logs and an admission webhook, over TLS with the cluster's own certificate.

use std::sync::Arc;
use std::sync::mpsc::channel;

use fractal_testkit::cluster::Cluster;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OnceCell;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Lines that every container has written.
pub(crate) const LINES: usize = 50;

static PORT: OnceCell<u16> = OnceCell::const_new();

/// The port of this process's listener; it answers for both nodes of the shared cluster.
pub(crate) async fn port(cluster: &'static Cluster) -> u16 {
    *PORT.get_or_init(|| started(cluster)).await
}

async fn started(cluster: &'static Cluster) -> u16 {
    let port = listen(cluster);
    let status = json!({ "status": {
        "addresses": [{ "type": "InternalIP", "address": "127.0.0.1" }],
        "daemonEndpoints": { "kubeletEndpoint": { "Port": port } },
    } });
    for node in ["node-1", "node-2"] {
        let path = format!("/api/v1/nodes/{node}/status");
        let (code, answer) = cluster.api("PATCH", &path, Some(&status)).await;
        assert_eq!(code, 200, "{answer}");
    }
    port
}

/// On a thread of its own: the runtime of the test that happens to come first ends with that test.
fn listen(cluster: &'static Cluster) -> u16 {
    let folder = cluster.folder();
    let certificate = CertificateDer::from_pem_file(folder.join("apiserver.crt")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("apiserver.key")).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap().port()).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // A caller that goes away is its own business.
                tokio::spawn(answer(acceptor.clone(), stream));
            }
        });
    });
    told.recv().unwrap()
}

async fn answer(acceptor: TlsAcceptor, stream: TcpStream) -> std::io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let mut bytes = Vec::new();
    let (head, body) = loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && body.len() >= length(head)
        {
            break (head.to_owned(), body.to_owned());
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    };
    let path = head.split(' ').nth(1).unwrap_or_default();
    let (kind, text) = if path.starts_with("/containerLogs/") {
        ("text/plain", log(path))
    } else {
        ("application/json", denial(&body))
    };
    let length = text.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

fn length(head: &str) -> usize {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let mut lengths = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    lengths
        .next()
        .map_or(0, |(_, length)| length.trim().parse().unwrap())
}

/// As a kubelet does it: the last lines, and those of the run before where it is asked for that.
fn log(path: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let asked = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.to_owned())
    };
    let container = path.rsplit('/').next().unwrap_or_default();
    let run = if asked("previous").as_deref() == Some("true") {
        "the last run"
    } else {
        "this run"
    };
    let tail: usize = asked("tailLines").map_or(LINES, |it| it.parse().unwrap());
    let lines = (1..=LINES).map(|line| format!("{container} of {run}, line {line}\n"));
    lines.skip(LINES.saturating_sub(tail)).collect()
}

/// An admission webhook that refuses whatever it is asked.
fn denial(body: &str) -> String {
    let review: Value = serde_json::from_str(body).unwrap();
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "response": {
            "uid": review["request"]["uid"], "allowed": false,
            "status": { "message": "no orders on Sundays" },
        },
    })
    .to_string()
}
