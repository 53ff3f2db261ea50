//! Starting a registry: its settings, and where it says it listens.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};

use super::error::ServerError;
use super::tokens::{LOCALHOST, TokenService};
use super::{Server, Setup, USER};
use crate::cluster::error::ClusterError;
use crate::cluster::process::Processes;

/// bcrypt of the password, as `htpasswd -B` makes it.
const BCRYPT: &str = "$2b$05$kR7hPzW2mVq9sXb4nTy0eOoTAmgq9NRPBd2QcvcYWkkn4nvAuHIHy";
/// Longest wait for a start.
const START: Duration = Duration::from_secs(30);
const INTERVAL: Duration = Duration::from_millis(10);
const LISTENING: &str = "listening on ";

pub(super) async fn start(setup: Setup) -> Result<Server, ServerError> {
    let folder = tempfile::tempdir().map_err(ServerError::file(Path::new("a temporary folder")))?;
    let mut processes = Processes::new(folder.path());
    let tokens = match setup {
        Setup::Bearer => Some(TokenService::start(folder.path()).await?),
        _ => None,
    };
    let authority = match setup {
        Setup::Tls => Some(certify(folder.path())?),
        _ => None,
    };
    let host = if setup == Setup::Referrers {
        run(&mut processes, folder.path(), "referrers", &[]).await?
    } else {
        let path = configure(setup, folder.path(), tokens.as_ref())?;
        let arguments = ["serve".to_owned(), path.display().to_string()];
        run(&mut processes, folder.path(), "registry", &arguments).await?
    };
    Ok(Server {
        setup,
        host: named(setup, host),
        authority,
        tokens,
        _processes: processes,
        folder,
    })
}

/// By name where the token service is another port of this machine: crane follows a realm to no address of a loopback, oras-go to such a
/// name only where the registry has it too.
fn named(setup: Setup, address: SocketAddr) -> String {
    match setup {
        Setup::Bearer => format!("{LOCALHOST}:{}", address.port()),
        _ => address.to_string(),
    }
}

/// Starts the program and reads from its log where it listens.
async fn run(
    processes: &mut Processes,
    folder: &Path,
    program: &'static str,
    arguments: &[String],
) -> Result<SocketAddr, ServerError> {
    // Nobody collects traces here; unasked, the reference registry looks for somebody.
    processes.start_with(program, arguments, &[("OTEL_TRACES_EXPORTER", "none")])?;
    let log = folder.join(format!("{program}.log"));
    let began = Instant::now();
    while began.elapsed() < START {
        processes.all_run()?;
        let said = std::fs::read_to_string(&log).map_err(ServerError::file(&log))?;
        if let Some(host) = said.lines().find_map(listens) {
            return Ok(host);
        }
        tokio::time::sleep(INTERVAL).await;
    }
    let what = "the registry to say where it listens";
    Err(ClusterError::Unready { what }.into())
}

/// From a line of either program: one writes JSON, the other plain text. The line may not be whole yet.
fn listens(line: &str) -> Option<SocketAddr> {
    let address = match serde_json::from_str::<Value>(line) {
        Ok(entry) => entry
            .get("msg")?
            .as_str()?
            .strip_prefix(LISTENING)?
            .to_owned(),
        Err(_) => line.strip_prefix(LISTENING)?.to_owned(),
    };
    let address = address.split(',').next()?.trim();
    address.parse().ok()
}

/// Writes the reference registry's settings.
fn configure(
    setup: Setup,
    folder: &Path,
    tokens: Option<&TokenService>,
) -> Result<PathBuf, ServerError> {
    let mut http = json!({ "addr": "127.0.0.1:0", "secret": "one process needs none of its own" });
    if let (Setup::Tls, Some(http)) = (setup, http.as_object_mut()) {
        let (certificate, key) = (folder.join(CERTIFICATE), folder.join(KEY));
        http.insert(
            "tls".to_owned(),
            json!({ "certificate": certificate, "key": key }),
        );
    }
    let config = json!({
        "version": "0.1",
        "log": { "level": "info", "formatter": "json" },
        "storage": { "filesystem": { "rootdirectory": folder.join("storage") } },
        "http": http,
        "auth": auth(setup, folder, tokens)?,
    });
    // JSON is YAML.
    written(folder, "config.yml", &config.to_string())
}

fn auth(setup: Setup, folder: &Path, tokens: Option<&TokenService>) -> Result<Value, ServerError> {
    if setup == Setup::Basic {
        let path = written(folder, "htpasswd", &format!("{USER}:{BCRYPT}\n"))?;
        return Ok(json!({ "htpasswd": { "realm": "registry", "path": path } }));
    }
    Ok(tokens.map_or_else(|| json!({}), |tokens| json!({ "token": tokens.settings() })))
}

const CERTIFICATE: &str = "server.pem";
const KEY: &str = "server.key";

/// A certificate for 127.0.0.1, and the authority that signed it.
fn certify(folder: &Path) -> Result<PathBuf, ServerError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()])?;
    let certificate = params.signed_by(&key, &authority)?;
    written(folder, CERTIFICATE, &certificate.pem())?;
    written(folder, KEY, &key.serialize_pem())?;
    written(folder, "authority.pem", &authority.pem())
}

fn written(folder: &Path, name: &str, text: &str) -> Result<PathBuf, ServerError> {
    let path = folder.join(name);
    std::fs::write(&path, text).map_err(ServerError::file(&path))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_programs_say_where_they_listen() {
        let json = r#"{"level":"info","msg":"listening on 127.0.0.1:5000, tls","version":"v3"}"#;
        let expected = Some(SocketAddr::from(([127, 0, 0, 1], 5000)));
        assert_eq!(listens(json), expected);
        assert_eq!(listens("listening on 127.0.0.1:5000"), expected);
        for other in [r#"{"msg":"listening on 127.0.0.1:50"#, "listening on", "{}"] {
            assert_eq!(listens(other), None, "{other}");
        }
    }
}
