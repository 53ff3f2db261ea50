//! The reference registry as a process: where it listens, what it was asked, and its storage emptied between runs.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use crate::error::Error;
use crate::programs;

mod authority;

pub(crate) use authority::Authority;

const NAME: &str = "registry";
/// Longest wait for a start.
const START: Duration = Duration::from_secs(30);
/// How long its log has to be silent before a run is over for it: the log's line follows the answer's last byte.
const SILENCE: Duration = Duration::from_millis(50);

/// A request it answered.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Exchange {
    #[serde(rename = "http.request.method")]
    pub(crate) method: String,
    #[serde(rename = "http.request.uri")]
    pub(crate) uri: String,
    /// Bytes of the answer's body.
    #[serde(rename = "http.response.written", default)]
    pub(crate) written: u64,
}

/// A running registry, killed when dropped.
#[derive(Debug)]
pub(crate) struct Distribution {
    process: Child,
    /// Its `host:port`.
    pub(crate) host: String,
    storage: PathBuf,
    log: Arc<Mutex<Vec<Exchange>>>,
}

impl Distribution {
    /// Starts one that keeps everything in `folder`, which it may make; over TLS where there is an authority for it.
    pub(crate) fn start(folder: &Path, authority: Option<&Authority>) -> Result<Self, Error> {
        std::fs::create_dir_all(folder).map_err(Error::io("making a registry's folder"))?;
        let storage = folder.join("storage");
        let config = folder.join("config.yml");
        // JSON is YAML.
        std::fs::write(&config, settings(&storage, authority).to_string())
            .map_err(Error::io("writing a registry's settings"))?;
        let mut process = Command::new(programs::registry()?)
            .arg("serve")
            .arg(config)
            .env_clear()
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(Error::io("starting the registry"))?;
        let log = Arc::default();
        let host = match process.stderr.take() {
            Some(said) => listening(said, Arc::clone(&log)),
            None => Err(Error::unexpected(NAME, "nothing")),
        };
        let mut started = Self {
            process,
            host: String::new(),
            storage,
            log,
        };
        started.host = host?;
        Ok(started)
    }

    /// Everything it was asked since this was asked last.
    pub(crate) fn asked(&self) -> Vec<Exchange> {
        let mut seen = 0;
        loop {
            std::thread::sleep(SILENCE);
            let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
            if log.len() == seen {
                return std::mem::take(&mut *log);
            }
            seen = log.len();
        }
    }

    /// Forgets all it holds, so that the next copy is the first again. It keeps nothing of it in memory.
    pub(crate) fn empty(&self) -> Result<(), Error> {
        match std::fs::remove_dir_all(&self.storage) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io("emptying a registry")(error))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Distribution {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn settings(storage: &Path, authority: Option<&Authority>) -> serde_json::Value {
    let mut http = json!({ "addr": "127.0.0.1:0", "secret": "one process needs none of its own" });
    if let (Some(authority), Some(http)) = (authority, http.as_object_mut()) {
        http.insert("tls".to_owned(), authority.settings());
    }
    json!({
        "version": "0.1",
        "log": { "level": "info", "formatter": "json", "accesslog": { "disabled": true } },
        "storage": { "filesystem": { "rootdirectory": storage } },
        "http": http,
    })
}

/// Reads its log to the end, in a thread, and gives back where it listens.
fn listening(said: ChildStderr, log: Arc<Mutex<Vec<Exchange>>>) -> Result<String, Error> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(said).lines().map_while(Result::ok) {
            match read(&line) {
                Some(Said::Listening(host)) => drop(sender.send(host)),
                Some(Said::Answered(exchange)) => log
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(exchange),
                None => {}
            }
        }
    });
    receiver
        .recv_timeout(START)
        .map_err(|_| Error::Late("the registry's start".to_owned()))
}

enum Said {
    Listening(String),
    Answered(Exchange),
}

fn read(line: &str) -> Option<Said> {
    #[derive(Deserialize)]
    struct Line {
        msg: String,
        #[serde(flatten)]
        exchange: Option<Exchange>,
    }
    let line: Line = serde_json::from_str(line).ok()?;
    if let Some(address) = line.msg.strip_prefix("listening on ") {
        return Some(Said::Listening(address.split(',').next()?.to_owned()));
    }
    let answered = line.msg.starts_with("response completed");
    line.exchange.filter(|_| answered).map(Said::Answered)
}

/// A file of `size` bytes, all in the page cache. What is measured writes over it, so that no run pays for new memory, which
/// in a virtual machine costs many times what the writing does.
pub(crate) fn sink(path: &Path, size: u64) -> Result<(), Error> {
    let failed = || Error::io("making the file that is written over");
    let mut file = File::create(path).map_err(failed())?;
    let mut zeros = std::io::Read::take(std::io::repeat(0), size);
    std::io::copy(&mut zeros, &mut file)
        .map(drop)
        .map_err(failed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registrys_log_is_read_as_it_writes_it() {
        let start = r#"{"level":"info","msg":"listening on 127.0.0.1:42289","version":"v3.1.2"}"#;
        assert!(matches!(read(start), Some(Said::Listening(host)) if host == "127.0.0.1:42289"));
        let tls = r#"{"msg":"listening on 127.0.0.1:1, tls"}"#;
        assert!(matches!(read(tls), Some(Said::Listening(host)) if host == "127.0.0.1:1"));
        let missing = r#"{"http.request.method":"HEAD","http.request.uri":"/v2/a/blobs/x","http.response.written":157,"msg":"response completed with error"}"#;
        let Some(Said::Answered(exchange)) = read(missing) else {
            panic!("an answer that says what is missing is an answer");
        };
        assert_eq!((exchange.method.as_str(), exchange.written), ("HEAD", 157));
        let other = r#"{"http.request.method":"HEAD","http.request.uri":"/","msg":"authorized"}"#;
        assert!(read(other).is_none() && read("no JSON").is_none());
    }
}
