//! ministack, an emulator of AWS that runs Lambda functions, as a process group of its own with a folder of its own.
//!
//! Functions inherit its environment, so it is given none of the developer's.

use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws_sdk_lambda::error::ProvideErrorMetadata as _;
use fractal_aws::Session;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const REGION: &str = "eu-central-1";
/// Longest wait for its start: it imports a lot of Python.
const START: Duration = Duration::from_secs(90);

/// The running emulator. It and every function it started end when this is dropped.
pub(crate) struct Ministack {
    process: Child,
    endpoint: String,
    lambda: aws_sdk_lambda::Client,
    s3: aws_sdk_s3::Client,
    _folder: TempDir,
}

impl Ministack {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // It takes no port 0: the port is free now, and stays so unless someone takes it in this very moment.
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let log = folder.path().join("ministack.log");
        let process = spawn(folder.path(), port, &log);
        let endpoint = format!("http://127.0.0.1:{port}");
        let config = Session::simulated(&endpoint, REGION, ACCOUNT).config(REGION);
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true);
        let mut emulator = Self {
            process,
            endpoint,
            lambda: aws_sdk_lambda::Client::new(&config),
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            _folder: folder,
        };
        emulator.ready(&log).await;
        emulator
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    async fn ready(&mut self, log: &Path) {
        let began = Instant::now();
        while self.lambda.list_functions().send().await.is_err() {
            let ended = self.process.try_wait().unwrap();
            assert!(
                ended.is_none() && began.elapsed() < START,
                "ministack does not serve ({ended:?}): {}",
                std::fs::read_to_string(log).unwrap()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub(crate) async fn make_bucket(&self, name: &str) {
        let place = aws_sdk_s3::types::CreateBucketConfiguration::builder()
            .location_constraint(REGION.into())
            .build();
        let made = self.s3.create_bucket().bucket(name);
        made.create_bucket_configuration(place)
            .send()
            .await
            .unwrap();
    }

    /// What the function answers; where it cannot be called, the error's code as text.
    ///
    /// While the emulator changes a function's process, a call fails with a fault of the emulator's own: that is no answer either.
    pub(crate) async fn invoke(&self, function: &str, event: &Value) -> Value {
        let event = aws_sdk_lambda::primitives::Blob::new(event.to_string());
        let call = self.lambda.invoke().function_name(function).payload(event);
        match call.send().await {
            Ok(answer) => {
                let payload = answer.payload().unwrap().as_ref();
                match answer.function_error() {
                    None => serde_json::from_slice(payload).unwrap(),
                    Some(error) => format!("{error}: {}", String::from_utf8_lossy(payload)).into(),
                }
            }
            Err(error) => error.code().unwrap_or("no code").into(),
        }
    }

    /// Moves with every write to the function.
    pub(crate) async fn revision(&self, function: &str) -> String {
        let read = self.lambda.get_function_configuration();
        let read = read.function_name(function).send().await.unwrap();
        read.revision_id().unwrap().to_owned()
    }

    pub(crate) async fn functions(&self) -> Vec<String> {
        let page = self.lambda.list_functions().send().await.unwrap();
        page.functions()
            .iter()
            .map(|function| function.function_name().unwrap().to_owned())
            .collect()
    }

    pub(crate) async fn objects(&self, bucket: &str) -> Vec<String> {
        let page = self.s3.list_objects_v2().bucket(bucket).send().await;
        page.unwrap()
            .contents()
            .iter()
            .map(|object| object.key().unwrap().to_owned())
            .collect()
    }
}

impl Drop for Ministack {
    fn drop(&mut self) {
        // The group's id is its first process's. Its functions are in it too.
        let group = format!("kill -KILL -{}", self.process.id());
        let _ = Command::new("/bin/sh").args(["-c", &group]).status();
        let _ = self.process.wait();
    }
}

fn spawn(folder: &Path, port: u16, log: &Path) -> Child {
    let log = std::fs::File::create(log).unwrap();
    Command::new(part("ministack/bin/ministack"))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", folder)
        .env("TMPDIR", folder)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("BIND_HOST", "127.0.0.1")
        .env("MINISTACK_HOST", "127.0.0.1")
        .env("GATEWAY_PORT", port.to_string())
        .env("MINISTACK_ACCOUNT_ID", ACCOUNT)
        .env("MINISTACK_REGION", REGION)
        .env("SERVICES", "lambda,s3,ecr,iam,sts")
        .env("LAMBDA_EXECUTOR", "local")
        .env("IOT_MTLS_ENABLED", "0")
        .env("SFTP_ENABLED", "0")
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .process_group(0)
        .spawn()
        .unwrap()
}

/// A program that `cargo xtask parts` installs. A missing one fails the test; nothing is skipped.
fn part(path: &str) -> PathBuf {
    let advice =
        "install the parts with `cargo xtask parts` and start the tests with `cargo xtask test`";
    let Some(parts) = std::env::var_os("FRACTAL_PARTS") else {
        panic!("FRACTAL_PARTS is not set: {advice}")
    };
    let program = Path::new(&parts).join(path);
    assert!(
        program.is_file(),
        "{} is missing: {advice}",
        program.display()
    );
    program
}
