//! Somebody else's program, run to its end: its time, its CPU and its peak memory.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::probe;

/// How often a running program's peak is read. It only ever grows, so what is missed is its very last piece.
const LOOK: Duration = Duration::from_millis(2);
/// Longest run of one program.
const PATIENCE: Duration = Duration::from_secs(300);

/// What a run took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
    pub(crate) peak: u64,
}

impl Taken {
    /// The best time and the worst memory of two runs.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            cpu: self.cpu.min(other.cpu),
            wall: self.wall.min(other.wall),
            peak: self.peak.max(other.peak),
        }
    }
}

/// Runs a program with a home of its own and nothing of this environment; its output is thrown away.
pub(crate) fn run(program: &Path, arguments: &[&str], home: &Path) -> Result<Taken, Error> {
    let name = program.display().to_string();
    let said = home.join("stderr");
    let file = std::fs::File::create(&said).map_err(Error::io("making a log"))?;
    let began = Instant::now();
    let mut process = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("HOME", home)
        .env("DOCKER_CONFIG", home)
        .current_dir(home)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(file)
        .spawn()
        .map_err(Error::io(format!("starting {name}")))?;
    let pid = process.id();
    let mut peak = 0;
    while !probe::has_ended(pid) {
        peak = probe::memory(pid).map_or(peak, |memory| memory.peak);
        if began.elapsed() > PATIENCE {
            let _ = process.kill();
        }
        std::thread::sleep(LOOK);
    }
    let wall = began.elapsed();
    let cpu = probe::cpu(pid).unwrap_or_default();
    let status = process
        .wait()
        .map_err(Error::io(format!("waiting for {name}")))?;
    if !status.success() {
        return Err(Error::Ended {
            program: name,
            status: status.to_string(),
            said: std::fs::read_to_string(said).unwrap_or_default(),
        });
    }
    Ok(Taken { cpu, wall, peak })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_programs_memory_is_its_own_and_not_its_parents() {
        let folder = tempfile::tempdir().unwrap();
        // Touched, so that this process is far larger than the child.
        let large = vec![1_u8; 128 << 20];
        let taken = run(Path::new("/bin/sleep"), &["0.2"], folder.path()).unwrap();
        assert!(large.iter().all(|byte| *byte == 1));
        assert!((1..32 << 20).contains(&taken.peak), "{}", taken.peak);
        assert!(taken.wall >= Duration::from_millis(200));
    }

    #[test]
    fn a_program_that_fails_is_no_measurement() {
        let folder = tempfile::tempdir().unwrap();
        let error = run(
            Path::new("/bin/sh"),
            &["-c", "echo why >&2; exit 3"],
            folder.path(),
        );
        let text = error.unwrap_err().to_string();
        assert!(
            text.contains("exit status: 3") && text.contains("why"),
            "{text}"
        );
    }
}
