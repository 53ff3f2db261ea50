//! The agent's own binary as a child process, with secrets in every place it reads them from.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Secrets that the agent is given. None of them may come out anywhere.
pub(crate) const CANARIES: [&str; 3] = [
    "canary-of-the-cloud",
    "canary-of-the-registry",
    // The same as Docker writes it.
    "cm9ib3Q6Y2FuYXJ5LW9mLXRoZS1yZWdpc3RyeQ==",
];

/// The running agent. Dropped, it is killed; and it is killed where this process ends without dropping anything.
pub(crate) struct Agent {
    child: Child,
    /// Waits for the end of its input.
    warden: Child,
    folder: PathBuf,
}

impl Agent {
    pub(crate) fn start(folder: &Path, aws: &str, flags: &[String]) -> Self {
        let config = folder.join("registries.json");
        let known = format!(
            r#"{{"auths":{{"lying.example":{{"auth":"{}"}}}}}}"#,
            CANARIES[2]
        );
        std::fs::write(&config, known).unwrap();
        let file = |name: &str| File::create(folder.join(name)).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_lambda-agent"))
            .arg("run")
            .args(["--log-format", "json", "--interval", "20", "--log", "debug"])
            .arg("--queue")
            .arg(format!("sqlite:{}", folder.join("queue.db").display()))
            .arg("--registry-config")
            .arg(config)
            .args(flags)
            .env_clear()
            .env("HOME", folder)
            .env("AWS_ENDPOINT_URL", aws)
            .env("AWS_REGION", "eu-central-1")
            .env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", CANARIES[0])
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdin(Stdio::null())
            .stdout(file("agent.out"))
            .stderr(file("agent.err"))
            .spawn()
            .unwrap();
        let warden = Command::new("/bin/sh")
            .args(["-c", "read -r _; kill -KILL \"$0\""])
            .arg(child.id().to_string())
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            child,
            warden,
            folder: folder.to_owned(),
        }
    }

    /// What it has said so far.
    pub(crate) fn said(&self) -> String {
        ["agent.out", "agent.err"]
            .map(|name| std::fs::read_to_string(self.folder.join(name)).unwrap())
            .concat()
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The most memory it ever had resident, in KiB.
    pub(crate) fn peak(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let kib = line.unwrap().split_whitespace().nth(1).unwrap();
        kib.parse().unwrap()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // The warden first: after the child is reaped its number may be another's.
        drop(self.warden.kill());
        drop(self.warden.wait());
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
