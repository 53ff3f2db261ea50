//! Runs a command where only 127.0.0.1 can be reached, and tells whether it tried anything else.
//!
//! In a network namespace that has only the loopback interface, a connection or datagram to anywhere else fails at once and the kernel counts it
//! (`OutNoRoutes`). A canary proves the counting before the command starts. Processes still in the namespace at the end were left behind.
//! Where namespaces are not allowed, strace records the calls instead. Where neither works, there is no proof, and that is a failure.

mod counters;
mod strace;

use std::ffi::{OsStr, OsString};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::fault::Fault;

use counters::Counters;

/// How long processes that were told to end may take before they count as left behind.
const GRACE: Duration = Duration::from_secs(5);

/// Addresses reserved for documentation: nothing answers there, and without a route nothing is sent.
const CANARIES: [&str; 2] = ["192.0.2.1:9", "[2001:db8::1]:9"];

/// Brings up the loopback interface of a fresh namespace where `ip` is not installed.
const LOOPBACK_UP: &str = "import fcntl,socket,struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh14x', b'lo', 0x41))";

/// A way to watch a command that works on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Isolation {
    Namespace { arguments: &'static [&'static str] },
    Strace,
}

/// What was seen; both lists are empty when all is well.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) attempts: Vec<String>,
    pub(crate) left: Vec<String>,
}

impl Isolation {
    pub(crate) fn find() -> Result<Self, Fault> {
        let namespaces: [&'static [&'static str]; 2] =
            [&["--user", "--map-root-user", "--net"], &["--net"]];
        if let Some(arguments) = namespaces
            .into_iter()
            .find(|arguments| succeeds("unshare", arguments))
        {
            return Ok(Self::Namespace { arguments });
        }
        if succeeds("strace", &["-f", "-qq", "-e", "trace=connect"]) {
            return Ok(Self::Strace);
        }
        Err(Fault::Machine(vec![
            "a way to prove that only 127.0.0.1 is used: neither `unshare --user --map-root-user --net` nor strace works here. \
             Allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, or kernel.apparmor_restrict_unprivileged_userns=0), \
             or install strace"
                .to_owned(),
        ]))
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Namespace { .. } => "a network namespace with only loopback",
            Self::Strace => "strace",
        }
    }

    /// The command to start; its report goes to the file `report`. Its environment is the caller's to set.
    pub(crate) fn wrap(self, report: &Path, inner: &Command) -> Result<Command, Fault> {
        let mut outer = match self {
            Self::Namespace { arguments } => {
                let own = std::env::current_exe().map_err(Fault::start("xtask"))?;
                let mut outer = Command::new("unshare");
                outer
                    .args(arguments)
                    .arg("--")
                    .arg(own)
                    .arg("isolated")
                    .arg(report);
                outer
            }
            Self::Strace => strace::command(report),
        };
        outer.arg(inner.get_program()).args(inner.get_args());
        if let Some(folder) = inner.get_current_dir() {
            outer.current_dir(folder);
        }
        Ok(outer)
    }

    pub(crate) fn verdict(self, report: &Path) -> Result<Verdict, Fault> {
        let text = std::fs::read_to_string(report)
            .map_err(Fault::at("read the isolation report", report))?;
        Ok(match self {
            Self::Namespace { .. } => Verdict::parse(&text),
            Self::Strace => Verdict {
                attempts: strace::attempts(&text)
                    .into_iter()
                    .map(|address| format!("an attempt to reach {address}"))
                    .collect(),
                left: Vec::new(),
            },
        })
    }
}

impl Verdict {
    pub(crate) fn holds(&self) -> bool {
        self.attempts.is_empty() && self.left.is_empty()
    }

    fn parse(text: &str) -> Self {
        let with = |prefix: &str| {
            text.lines()
                .filter_map(|line| line.strip_prefix(prefix))
                .map(str::to_owned)
                .collect()
        };
        Self {
            attempts: with("attempt "),
            left: with("left "),
        }
    }

    fn render(&self) -> String {
        let attempts = self.attempts.iter().map(|line| format!("attempt {line}\n"));
        attempts
            .chain(self.left.iter().map(|line| format!("left {line}\n")))
            .collect()
    }
}

/// Runs inside the namespace: loopback up, canary, the command, the counting. Ends with the command's exit code.
pub(crate) fn inside(report: &Path, command: &[OsString]) -> Result<(), Fault> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Fault::Usage("isolated needs a program".to_owned()));
    };
    loopback_up()?;
    canary()?;
    let before = Counters::read()?;
    let status = Command::new(program)
        .args(arguments)
        .status()
        .map_err(Fault::start(&program.to_string_lossy()))?;
    let verdict = Verdict {
        attempts: before.until(&Counters::read()?),
        left: left_behind(),
    };
    std::fs::write(report, verdict.render()).map_err(Fault::at("write", report))?;
    match status.code() {
        Some(0) => Ok(()),
        code => Err(Fault::Child(
            code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1),
        )),
    }
}

fn loopback_up() -> Result<(), Fault> {
    let ways: [(&str, &[&str]); 2] = [
        ("ip", &["link", "set", "lo", "up"]),
        ("python3", &["-c", LOOPBACK_UP]),
    ];
    if ways
        .into_iter()
        .any(|(program, arguments)| quiet(Command::new(program).args(arguments)))
        && loopback_works()
    {
        return Ok(());
    }
    Err(Fault::Machine(vec![
        "the loopback interface of a network namespace does not come up (tried ip and python3)"
            .to_owned(),
    ]))
}

fn loopback_works() -> bool {
    let reached = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| TcpStream::connect(listener.local_addr()?));
    reached.is_ok()
}

/// An attempt to leave has to fail and has to be counted, or the zero at the end would say nothing.
fn canary() -> Result<(), Fault> {
    for address in CANARIES {
        let before = Counters::read()?;
        let Ok(address) = address.parse::<SocketAddr>() else {
            continue;
        };
        let outcome = TcpStream::connect_timeout(&address, Duration::from_secs(1));
        let counted = !before.until(&Counters::read()?).is_empty();
        let no_such_family = address.is_ipv6() && !Path::new("/proc/net/if_inet6").exists();
        if outcome.is_ok() || !(counted || no_such_family) {
            return Err(Fault::Failed(format!(
                "the network namespace does not count an attempt to reach {address}: no proof is possible"
            )));
        }
    }
    Ok(())
}

fn left_behind() -> Vec<String> {
    let deadline = Instant::now() + GRACE;
    loop {
        let left = namesakes();
        if left.is_empty() || Instant::now() >= deadline {
            return left;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Every other process in this network namespace, as `pid command line`.
fn namesakes() -> Vec<String> {
    let namespace = |process: &str| {
        std::fs::read_link(PathBuf::from("/proc").join(process).join("ns/net")).ok()
    };
    let own = namespace("self");
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let names = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    names
        .filter(|name| name.parse().is_ok_and(|id: u32| id != std::process::id()))
        .filter(|name| own.is_some() && namespace(name) == own)
        .map(|name| format!("{name} {}", command_line(&name)))
        .collect()
}

fn command_line(process: &str) -> String {
    let bytes = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes)
        .replace('\0', " ")
        .trim_end()
        .to_owned()
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    quiet(
        Command::new(program)
            .args(arguments)
            .arg(OsStr::new("true")),
    )
}

fn quiet(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
