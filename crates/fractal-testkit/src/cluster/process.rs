//! Programs as one process group that ends with its owner, or with this process if that is killed before it can drop anything.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::error::ClusterError;
use super::part;

/// Waits for the end of its input, which comes when this process is gone, kills the group and removes its folder.
const WARDEN: &str = "read -r _; kill -KILL -\"$0\"; \
     for _ in 1 2 3 4 5 6 7 8 9 10; do rm -rf \"$1\" && exit; sleep 0.1; done";

/// Last bytes of a log that a failure shows.
const SHOWN: usize = 2_000;

/// Running programs. Dropped, they are killed.
#[derive(Debug)]
pub(crate) struct Processes {
    folder: PathBuf,
    children: Vec<(&'static str, Child)>,
    warden: Option<Child>,
}

impl Processes {
    /// None yet; their logs and whatever else they make goes to `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            children: Vec::new(),
            warden: None,
        }
    }

    /// Starts a program of the parts, with an environment that holds nothing of this process's.
    pub(crate) fn start(
        &mut self,
        program: &'static str,
        arguments: &[String],
    ) -> Result<(), ClusterError> {
        self.start_with(program, arguments, &[])
    }

    /// [`Processes::start`] with variables.
    pub(crate) fn start_with(
        &mut self,
        program: &'static str,
        arguments: &[String],
        variables: &[(&str, &str)],
    ) -> Result<(), ClusterError> {
        let started = |source| ClusterError::Start { program, source };
        let path = self.log(program);
        let log = File::create(&path).map_err(ClusterError::file(&path))?;
        let twin = log.try_clone().map_err(ClusterError::file(&path))?;
        let group = self.children.first().map_or(0, |(_, first)| first.id());
        let child = Command::new(part::program(program)?)
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", &self.folder)
            .env("TMPDIR", &self.folder)
            .envs(variables.iter().copied())
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(twin)
            .process_group(i32::try_from(group).unwrap_or(0))
            .spawn()
            .map_err(started)?;
        if self.warden.is_none() {
            self.warden = Some(warden(child.id(), &self.folder).map_err(started)?);
        }
        self.children.push((program, child));
        Ok(())
    }

    /// An error as soon as one of them has ended.
    pub(crate) fn all_run(&mut self) -> Result<(), ClusterError> {
        let mut ended = None;
        for (program, child) in &mut self.children {
            if let Ok(Some(status)) = child.try_wait() {
                ended = Some((*program, status.to_string()));
                break;
            }
        }
        let Some((program, status)) = ended else {
            return Ok(());
        };
        let log = tail(&self.log(program)).unwrap_or_default();
        Err(ClusterError::Ended {
            program,
            status,
            log,
        })
    }

    fn log(&self, program: &str) -> PathBuf {
        self.folder.join(format!("{program}.log"))
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        // The warden first: once the group's processes are reaped, its number may be another's.
        if let Some(mut warden) = self.warden.take() {
            drop(warden.kill());
            drop(warden.wait());
        }
        for (_, child) in &mut self.children {
            drop(child.kill());
        }
        for (_, child) in &mut self.children {
            drop(child.wait());
        }
    }
}

/// A group of its own lets it outlive the interrupt that ends the test process on a terminal.
fn warden(group: u32, folder: &Path) -> std::io::Result<Child> {
    Command::new("/bin/sh")
        .args(["-c", WARDEN, &group.to_string()])
        .arg(folder)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}

fn tail(path: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    let from = bytes.len().saturating_sub(SHOWN);
    let shown = bytes.get(from..).unwrap_or_default();
    Ok(String::from_utf8_lossy(shown).into_owned())
}
