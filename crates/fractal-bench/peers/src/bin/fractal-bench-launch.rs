//! Runs programs side by side and says what the kernel counted for them. It judges nothing.
//!
//! `fractal-bench-launch REPORT OUTPUT PROGRAM [ARGUMENT...] [+ PROGRAM [ARGUMENT...]]...`
//!
//! The peak that `wait4` and `getrusage` give is never below that of whoever forked: hence this program, which holds next to
//! nothing. Standard output of every program goes to the file `OUTPUT`, which exists and is written over; what was counted goes to the
//! file `REPORT`, as JSON.

use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

fn main() -> Result<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let (Some(report), Some(output)) = (arguments.next(), arguments.next()) else {
        return Err(Error::new(ErrorKind::InvalidInput, "no report, no output"));
    };
    let commands: Vec<String> = arguments.collect();
    let output = File::options().write(true).open(output)?;
    let began = Instant::now();
    let children = commands
        .split(|argument| argument == "+")
        .map(|command| start(command, &output))
        .collect::<Result<Vec<_>>>()?;
    let mut fine = true;
    for mut child in children {
        fine &= child.wait()?.success();
    }
    std::fs::write(report, counted(began.elapsed())?)?;
    Ok(if fine {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn start(command: &[String], output: &File) -> Result<Child> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Error::new(ErrorKind::InvalidInput, "no program"));
    };
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .spawn()
}

/// CPU of all children, user and system, and the peak of the largest, which the kernel gives in KiB.
fn counted(wall: Duration) -> Result<String> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let cpu = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(format!(
        "{{\"cpu_us\":{cpu},\"wall_us\":{},\"peak\":{}}}\n",
        wall.as_micros(),
        usage.max_rss() * 1024
    ))
}
