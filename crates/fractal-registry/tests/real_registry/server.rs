//! The reference registry as a process: its settings, its address, and its end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use fractal_core::artifact::Reference;
use fractal_registry::{Credential, Options, Registry, StaticCredentials};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::part::part;
use crate::tokens::TokenService;

pub(crate) const USER: &str = "publisher";
pub(crate) const PASSWORD: &str = "canary-password";
/// bcrypt of [`PASSWORD`], as `htpasswd -B` makes it.
const BCRYPT: &str = "$2b$05$kR7hPzW2mVq9sXb4nTy0eOoTAmgq9NRPBd2QcvcYWkkn4nvAuHIHy";
/// Longest wait for a start.
const START: Duration = Duration::from_secs(30);

/// How the registry is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setup {
    Plain,
    Basic,
    Bearer,
    Tls,
}

/// A running registry. It is killed, and its folder removed, when this is dropped.
pub(crate) struct Server {
    pub(crate) setup: Setup,
    pub(crate) host: String,
    /// The certificate authority to trust, where there is one.
    pub(crate) authority: Option<PathBuf>,
    pub(crate) tokens: Option<TokenService>,
    _process: Child,
    _folder: TempDir,
}

impl Server {
    pub(crate) async fn start(setup: Setup) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tokens = match setup {
            Setup::Bearer => Some(TokenService::start(folder.path()).await),
            _ => None,
        };
        let (http, authority) = http(setup, folder.path());
        let config = json!({
            "version": "0.1",
            "log": { "level": "info", "formatter": "json" },
            "storage": { "filesystem": { "rootdirectory": folder.path().join("storage") } },
            "http": http,
            "auth": auth(setup, folder.path(), tokens.as_ref()),
        });
        // JSON is YAML.
        let path = folder.path().join("config.yml");
        std::fs::write(&path, config.to_string()).unwrap();
        let (process, host) = spawn(&path).await;
        Self {
            setup,
            host,
            authority,
            tokens,
            _process: process,
            _folder: folder,
        }
    }

    pub(crate) fn reference(&self, rest: &str) -> Reference {
        format!("{}/{rest}", self.host).parse().unwrap()
    }

    /// Our client, as someone who may do everything.
    pub(crate) fn client(&self) -> Registry {
        self.client_as(match self.setup {
            Setup::Plain | Setup::Tls => Credential::Anonymous,
            Setup::Basic | Setup::Bearer => Credential::basic(USER, PASSWORD),
        })
    }

    pub(crate) fn client_as(&self, credential: Credential) -> Registry {
        let host = || self.host.parse().unwrap();
        // A loopback host speaks plain HTTP unless an endpoint says otherwise.
        let endpoints = match self.setup {
            Setup::Tls => BTreeMap::from([(host(), format!("https://{}", self.host))]),
            _ => BTreeMap::new(),
        };
        let credentials = StaticCredentials::new(BTreeMap::from([(host(), credential)]));
        Registry::new(Options {
            endpoints,
            credentials: Arc::new(credentials),
            ca_bundle: self.authority.clone(),
            ..Options::default()
        })
        .unwrap()
    }
}

fn http(setup: Setup, folder: &Path) -> (Value, Option<PathBuf>) {
    let mut http = json!({ "addr": "127.0.0.1:0", "secret": "one process needs none of its own" });
    if setup != Setup::Tls {
        return (http, None);
    }
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])
        .unwrap()
        .signed_by(&key, &authority)
        .unwrap();
    let written = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    http["tls"] = json!({
        "certificate": written("server.pem", certificate.pem()),
        "key": written("server.key", key.serialize_pem()),
    });
    (http, Some(written("authority.pem", authority.pem())))
}

fn auth(setup: Setup, folder: &Path, tokens: Option<&TokenService>) -> Value {
    if setup == Setup::Basic {
        let path = folder.join("htpasswd");
        std::fs::write(&path, format!("{USER}:{BCRYPT}\n")).unwrap();
        return json!({ "htpasswd": { "realm": "registry", "path": path } });
    }
    tokens.map_or_else(|| json!({}), |tokens| json!({ "token": tokens.settings() }))
}

/// Starts the program and reads from its log where it listens.
async fn spawn(config: &Path) -> (Child, String) {
    let mut process = Command::new(part("bin/registry"))
        .arg("serve")
        .arg(config)
        .env_clear()
        .env("OTEL_TRACES_EXPORTER", "none")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
    let mut said = Vec::new();
    let listening = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some(host) = listens(&line) {
                return Some(host);
            }
            said.push(line);
        }
        None
    };
    let host = tokio::time::timeout(START, listening).await.ok().flatten();
    let host = host.unwrap_or_else(|| panic!("the registry did not start: {said:#?}"));
    // A full pipe would stop it.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (process, host)
}

fn listens(line: &str) -> Option<String> {
    let entry: Value = serde_json::from_str(line).ok()?;
    let address = entry["msg"].as_str()?.strip_prefix("listening on ")?;
    Some(address.split(',').next()?.to_owned())
}
