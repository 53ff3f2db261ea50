//! A caller of the API that trusts the cluster's authority and sees everything of an answer.

use std::sync::Arc;

use bytes::Bytes;
use fractal_testkit::cluster::Cluster;
use fractal_testkit::cluster::proxy::FaultProxy;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// An answer in full.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A service account that may do anything with config maps of its namespace, and its way through a proxy.
#[derive(Clone)]
pub(crate) struct Caller {
    address: String,
    token: String,
    pub(crate) user: String,
    tls: Arc<ClientConfig>,
}

impl Caller {
    pub(crate) async fn new(cluster: &Cluster, proxy: &FaultProxy, namespace: &str) -> Self {
        let account = format!("{namespace}:default");
        for args in [
            [
                "role",
                "writer",
                "--verb=*",
                "--resource=configmaps",
                "-n",
                namespace,
            ]
            .as_slice(),
            &[
                "rolebinding",
                "writer",
                "--role=writer",
                "--serviceaccount",
                &account,
                "-n",
                namespace,
            ],
        ] {
            let args = [&["create"], args].concat();
            assert!(cluster.kubectl(&args, None).await.status.success());
        }
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(cluster.ca_pem().as_bytes()).unwrap())
            .unwrap();
        let tls = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            address: proxy.url().trim_start_matches("https://").to_owned(),
            token: cluster.service_account_token(namespace, "default").await,
            user: format!("system:serviceaccount:{account}"),
            tls: Arc::new(tls),
        }
    }

    /// One call on a connection of its own.
    pub(crate) async fn call(
        &self,
        method: &str,
        uri: &str,
        body: &Value,
    ) -> Result<Answer, hyper::Error> {
        let (parts, body) = self.open(method, uri, body).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        })
    }

    /// The same, with a body that still comes.
    pub(crate) async fn open(
        &self,
        method: &str,
        uri: &str,
        body: &Value,
    ) -> Result<Response<Incoming>, hyper::Error> {
        let stream = TcpStream::connect(&self.address).await.unwrap();
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let stream = TokioIo::new(connector.connect(name, stream).await.unwrap());
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
        tokio::spawn(connection);
        let kind = match method {
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header("host", &self.address)
            .header("authorization", format!("Bearer {}", self.token))
            .header("user-agent", "caller/1")
            .header("content-type", kind)
            .body(Full::new(Bytes::from(body.to_string())))
            .unwrap();
        sender.send_request(request).await
    }

    pub(crate) async fn get(&self, uri: &str) -> Answer {
        self.call("GET", uri, &Value::Null).await.unwrap()
    }
}

pub(crate) fn config_map(name: &str, value: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": name }, "data": { "key": value },
    })
}
