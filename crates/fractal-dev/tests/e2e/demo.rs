//! The demo: passes among hostile settings, fails at every step by that step's name, and leaves nothing behind however it ends.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::support::process::{Process, program};
use crate::support::until;

/// Longest run: every wait of the demo ends by itself before.
const BOUND: Duration = Duration::from_secs(240);

/// One run of the demo, in a process group and a temporary folder of its own.
struct Demo {
    process: Process,
    folder: TempDir,
}

impl Demo {
    fn start(arguments: &[&str], environment: &[(&str, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("tmp")).unwrap();
        let mut command = Command::new(program("fractal-dev"));
        command
            .arg("demo")
            .args(arguments)
            .env_clear()
            .env("TMPDIR", folder.path().join("tmp"))
            .envs(environment.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::null())
            .process_group(0);
        Self {
            process: Process::start(command, folder.path(), "demo"),
            folder,
        }
    }

    async fn end(&mut self) -> ExitStatus {
        self.process.end(BOUND).await
    }

    /// No file, no process of its group, and no lock is left.
    fn leaves_nothing(&self) {
        let left: Vec<_> = std::fs::read_dir(self.folder.path().join("tmp"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(left.is_empty(), "left behind: {left:?}");
        let id = self.process.id();
        assert!(!Path::new(&format!("/proc/{id}")).exists());
        let group = Command::new("/bin/sh")
            .args(["-c", "kill -0 -- \"-$0\"", &id.to_string()])
            .stderr(Stdio::null())
            .status();
        assert!(
            !group.unwrap().success(),
            "a process of the demo's group is left"
        );
        let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
        let ours = |line: &&str| line.split_whitespace().nth(4) == Some(&id.to_string());
        assert_eq!(locks.lines().find(ours), None);
    }

    /// How many steps have begun.
    fn begun(&self) -> usize {
        let out = self.process.stdout();
        out.lines().filter(|line| line.starts_with('[')).count()
    }
}

/// The steps, as the program itself lists them to whoever names one that does not exist.
fn steps() -> Vec<String> {
    let refused = Command::new(program("fractal-dev"))
        .args(["demo", "--break", "no-such-step"])
        .env_clear()
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let text = String::from_utf8(refused.stderr).unwrap();
    let list = text.split_once("[possible values: ").unwrap().1;
    let list = list.split_once(']').unwrap().0;
    list.split(',')
        .map(|step| step.split_whitespace().collect())
        .collect()
}

/// Settings that name a file.
const FILES: [&str; 16] = [
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CA_BUNDLE",
    "AZURE_CONFIG_DIR",
    "AZURE_FEDERATED_TOKEN_FILE",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "CLOUDSDK_CONFIG",
    "KUBECONFIG",
    "DOCKER_CONFIG",
    "REGISTRY_AUTH_FILE",
    "SSL_CERT_FILE",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "FRACTAL_REGISTRY_CONFIG",
    "FRACTAL_SECRETS_DIR",
];
/// Settings that name an address.
const ADDRESSES: [&str; 11] = [
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_LAMBDA",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "IDENTITY_ENDPOINT",
    "DOCKER_HOST",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
];
/// Settings that name something else.
const WORDS: [&str; 6] = [
    "AWS_PROFILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_REGION",
    "AZURE_CLIENT_SECRET",
    "FRACTAL_QUEUE",
];

/// Settings that would show if anything read them.
fn poison(home: &Path) -> Vec<(&'static str, String)> {
    let garbage = home.join("garbage");
    std::fs::write(&garbage, "\0 this is no setting of anything {{").unwrap();
    let garbage = garbage.display().to_string();
    let file = |name| (name, garbage.clone());
    let address = |name| (name, "http://127.0.0.1:1".to_owned());
    let word = |name| (name, "poison".to_owned());
    let all = FILES.map(file).into_iter();
    let all = all.chain(ADDRESSES.map(address)).chain(WORDS.map(word));
    all.chain([("HOME", home.display().to_string())]).collect()
}

#[tokio::test]
async fn it_passes_and_reads_nobodys_settings() {
    let home = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(&[], &poison(home.path()));
    let ended = demo.end().await;
    assert_eq!(
        ended.code(),
        Some(0),
        "{}{}",
        demo.process.stdout(),
        demo.process.stderr()
    );
    assert_eq!(demo.process.stderr(), "");
    assert_eq!(demo.begun(), steps().len());
    assert!(!demo.process.stdout().contains("poison"));
    demo.leaves_nothing();
    let kept: Vec<_> = std::fs::read_dir(home.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(kept, ["garbage"], "something was written to HOME");
}

#[tokio::test]
async fn every_step_can_break_and_says_its_name() {
    let steps = steps();
    assert!(steps.len() >= 8, "{steps:?}");
    for (number, step) in steps.iter().enumerate() {
        let mut demo = Demo::start(&["--break", step], &[]);
        let ended = demo.end().await;
        let (out, err) = (demo.process.stdout(), demo.process.stderr());
        println!("--break {step}: {}", err.trim());
        assert_eq!(ended.code(), Some(1), "{step}\n{out}{err}");
        assert!(
            err.contains(&format!("error: step `{step}` failed: ")),
            "{step}: {err}"
        );
        assert_eq!(
            demo.begun(),
            number + 1,
            "no step begins after the broken one\n{out}"
        );
        demo.leaves_nothing();
    }
}

#[tokio::test]
async fn interrupted_in_any_step_it_leaves_nothing() {
    let steps = steps();
    for number in 1..=steps.len() {
        for signal in ["INT", "TERM"] {
            let mut demo = Demo::start(&[], &[]);
            until(&format!("step {number}"), BOUND, async || {
                demo.begun() >= number
            })
            .await;
            // Somewhere within the step, or just after it.
            tokio::time::sleep(Duration::from_millis(fastrand::u64(0..150))).await;
            demo.process.signal(signal);
            let ended = demo.end().await;
            let context = format!(
                "SIG{signal} in step {number}: {ended}\n{}",
                demo.process.stderr()
            );
            let over = number == steps.len() && ended.code() == Some(0);
            assert!(ended.code() == Some(130) || over, "{context}");
            demo.leaves_nothing();
        }
    }
}
