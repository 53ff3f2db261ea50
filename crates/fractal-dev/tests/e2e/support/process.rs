//! A program as a child process: a clean environment, output into files, and death with the test however that one ends.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A program beside this test's own binary.
pub(crate) fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let path = own.ancestors().nth(2).unwrap().join(name);
    assert!(
        path.is_file(),
        "{} is missing: run `cargo build --workspace` first",
        path.display()
    );
    path
}

/// A command that knows nothing of this process's environment.
pub(crate) fn command(name: &str) -> Command {
    let mut command = Command::new(program(name));
    command.env_clear().stdin(Stdio::null());
    command
}

/// A running child. Dropped, it is killed.
pub(crate) struct Process {
    child: Child,
    /// Kills the child when this process is gone without having dropped anything: it waits for the end of its input.
    warden: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Process {
    /// Starts `command`, with its output in `folder/NAME.out` and `folder/NAME.err`.
    pub(crate) fn start(mut command: Command, folder: &Path, name: &str) -> Self {
        let out = folder.join(format!("{name}.out"));
        let err = folder.join(format!("{name}.err"));
        let child = command
            .stdout(File::create(&out).unwrap())
            .stderr(File::create(&err).unwrap())
            .spawn()
            .unwrap();
        let warden = Command::new("/bin/sh")
            .args([
                "-c",
                "read -r _; kill -KILL \"$0\"",
                &child.id().to_string(),
            ])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            child,
            warden,
            out,
            err,
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn stdout(&self) -> String {
        std::fs::read_to_string(&self.out).unwrap()
    }

    pub(crate) fn stderr(&self) -> String {
        std::fs::read_to_string(&self.err).unwrap()
    }

    /// Sends a signal by name, as `kill` knows it.
    pub(crate) fn signal(&self, signal: &str) {
        send(signal, self.child.id());
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Whether it has ended, and how.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end.
    pub(crate) async fn end(&mut self, bound: Duration) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(
                began.elapsed() < bound,
                "process {} did not end within {bound:?}\n{}",
                self.child.id(),
                self.stderr()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The warden first: after the child is reaped its number may be another's.
        drop(self.warden.kill());
        drop(self.warden.wait());
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Sends a signal to one process.
pub(crate) fn send(signal: &str, id: u32) {
    let sent = Command::new("/bin/sh")
        .args(["-c", "kill -\"$0\" \"$1\"", signal, &id.to_string()])
        .env_clear()
        .status()
        .unwrap();
    assert!(sent.success(), "kill -{signal} {id}");
}
