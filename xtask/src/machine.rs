//! What the build needs from this machine, checked in under a second and before anything long: Rust, a C compiler, room on the disk.
//! It installs nothing.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::console::Console;
use crate::fault::Fault;
use crate::workspace::{Workspace, version};

/// About what a job costs when nothing of it is built yet, on two cores with the pinned toolchain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) what: &'static str,
    /// Seconds of processor time, all cores together.
    pub(crate) cpu_seconds: u32,
    /// Room in the target folder, in megabytes.
    pub(crate) megabytes: u64,
    /// A folder below the target folder, and how the name of a file begins that is in it once the job was built.
    pub(crate) built: (&'static str, &'static str),
}

impl Cost {
    fn minutes(self, cores: u32) -> u32 {
        self.cpu_seconds.div_ceil(60 * cores.clamp(1, 4)).max(1)
    }
}

/// Prints what is there and what the build will take, or fails with everything that is missing at once.
pub(crate) fn check(console: Console, workspace: &Workspace, cost: Cost) -> Result<(), Fault> {
    console.step("this machine");
    let built = was_built(workspace.target(), cost);
    let mut missing = Vec::new();
    for finding in [
        rust(workspace),
        c_compiler(),
        disk(workspace.target(), if built { 0 } else { cost.megabytes }),
    ] {
        match finding {
            Ok(found) => console.good(found),
            Err(lack) => missing.push(lack),
        }
    }
    if !missing.is_empty() {
        return Err(Fault::Machine(missing));
    }
    console.note(forecast(cost, built));
    Ok(())
}

fn was_built(target: &Path, cost: Cost) -> bool {
    let (folder, prefix) = cost.built;
    let Ok(entries) = std::fs::read_dir(target.join(folder)) else {
        return false;
    };
    entries
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
}

fn forecast(cost: Cost, built: bool) -> String {
    if built {
        return format!(
            "{}: built here before, only what changed is built again",
            cost.what
        );
    }
    let cores = std::thread::available_parallelism()
        .map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX));
    let gigabytes = cost.megabytes.div_ceil(100);
    format!(
        "first build of {}: about {} min on {cores} cores and {}.{} GB in the target folder, besides downloading the crates",
        cost.what,
        cost.minutes(cores),
        gigabytes / 10,
        gigabytes % 10
    )
}

fn rust(workspace: &Workspace) -> Result<String, String> {
    let wanted = std::fs::read_to_string(workspace.root().join("rust-toolchain.toml"))
        .ok()
        .and_then(|text| channel(&text).map(str::to_owned))
        .ok_or("rust-toolchain.toml names no channel: restore the file from the repository")?;
    let advice = format!(
        "Rust {wanted} is needed: install rustup (https://rustup.rs), then: rustup toolchain install {wanted}"
    );
    let output = Command::new("rustc")
        .arg("--version")
        .current_dir(workspace.root())
        .output()
        .map_err(|_| advice.clone())?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let found = said.split_whitespace().nth(1).and_then(version);
    match (found, version(&wanted)) {
        (Some(found), Some(wanted)) if found >= wanted => Ok(said),
        _ if said.is_empty() => Err(format!(
            "{advice} (rustc says: {})",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        _ => Err(format!("{advice} (this is {said})")),
    }
}

fn channel(toolchain: &str) -> Option<&str> {
    let (_, rest) = toolchain.split_once("channel")?;
    rest.split('"').nth(1)
}

/// The compilers the `cc` crate would try; each has to turn a program into an executable, which needs headers and a linker too.
fn c_compiler() -> Result<String, String> {
    let named = std::env::var("CC").ok().filter(|name| !name.is_empty());
    let candidates: Vec<&str> = named
        .as_deref()
        .map_or_else(|| vec!["cc", "gcc", "clang"], |name| vec![name]);
    let folder = std::env::temp_dir().join(format!("fractal-cc-{}", std::process::id()));
    let found = candidates
        .iter()
        .find(|compiler| compiles(compiler, &folder).unwrap_or(false));
    let _gone = std::fs::remove_dir_all(&folder);
    found.map(|compiler| format!("C compiler: {compiler}")).ok_or_else(|| {
        format!(
            "a C compiler that works (tried {}; aws-lc and SQLite are compiled from C): Debian and Ubuntu: apt install build-essential; \
             Fedora: dnf install gcc; Alpine: apk add build-base; macOS: xcode-select --install",
            candidates.join(", ")
        )
    })
}

fn compiles(compiler: &str, folder: &Path) -> std::io::Result<bool> {
    std::fs::create_dir_all(folder)?;
    let source = folder.join("probe.c");
    std::fs::write(
        &source,
        "#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n",
    )?;
    let status = Command::new(compiler)
        .arg("-o")
        .arg(folder.join("probe"))
        .arg(&source)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    Ok(status.success())
}

/// Free room where `folder` is or will be. A machine that cannot tell (no POSIX `df`) is not refused.
fn disk(folder: &Path, needed_megabytes: u64) -> Result<String, String> {
    let existing = folder
        .ancestors()
        .find(|path| path.exists())
        .unwrap_or(folder);
    let Some(free) = free_megabytes(existing) else {
        return Ok("free disk space: this machine does not tell".to_owned());
    };
    if free < needed_megabytes {
        return Err(format!(
            "{needed_megabytes} MB of free disk for {} (there are {free} MB): free some, or set CARGO_TARGET_DIR to a larger disk",
            folder.display()
        ));
    }
    Ok(format!(
        "free disk: {}.{} GB",
        free / 1000,
        free % 1000 / 100
    ))
}

fn free_megabytes(folder: &Path) -> Option<u64> {
    let output = Command::new("df")
        .arg("-Pk")
        .arg(folder)
        .env("LC_ALL", "C")
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let kibibytes: u64 = text
        .lines()
        .nth(1)?
        .split_whitespace()
        .nth(3)?
        .parse()
        .ok()?;
    Some(kibibytes * 1024 / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COST: Cost = Cost {
        what: "it",
        cpu_seconds: 370,
        megabytes: 2_310,
        built: ("", "it"),
    };

    #[test]
    fn the_toolchain_file_names_the_channel() {
        assert_eq!(
            channel("[toolchain]\nchannel = \"1.95.0\"\ncomponents = [\"clippy\"]\n"),
            Some("1.95.0")
        );
        assert_eq!(channel("[toolchain]\n"), None);
    }

    #[test]
    fn a_compiler_that_does_not_exist_does_not_compile() {
        let folder = std::env::temp_dir().join(format!("fractal-cc-test-{}", std::process::id()));
        assert!(!compiles("no-such-compiler", &folder).unwrap_or(false));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_disk_too_small_is_named_with_both_sizes() {
        let lack = disk(&std::env::temp_dir(), u64::MAX).unwrap_err();
        assert!(
            lack.contains("CARGO_TARGET_DIR") && lack.contains(&u64::MAX.to_string()),
            "{lack}"
        );
    }

    #[test]
    fn the_forecast_is_rounded_up() {
        assert_eq!(
            (COST.minutes(1), COST.minutes(2), COST.minutes(64)),
            (7, 4, 2)
        );
        assert!(forecast(COST, false).contains("2.4 GB"));
        assert!(forecast(COST, true).contains("before"));
    }
}
