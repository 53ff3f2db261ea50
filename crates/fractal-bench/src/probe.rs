//! What `/proc` says of a process: resident memory now and at its peak, and CPU time.
//!
//! `VmHWM` belongs to the program image and begins anew with exec; `ru_maxrss`, which `wait4` gives, is inherited from whoever
//! forked and so gives a small program its large parent's peak.

use std::time::Duration;

/// Memory of a process, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) now: u64,
    pub(crate) peak: u64,
}

/// The process's memory; `None` once it has ended.
pub(crate) fn memory(pid: u32) -> Option<Memory> {
    parse_memory(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

/// The process's CPU time so far, user and system. A process that has ended still has it until it is waited for.
pub(crate) fn cpu(pid: u32) -> Option<Duration> {
    parse_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?).map(|(_, cpu)| cpu)
}

/// Whether the process has ended and was not waited for yet.
pub(crate) fn has_ended(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.ok()
        .and_then(|stat| parse_stat(&stat))
        .is_none_or(|(state, _)| matches!(state, 'Z' | 'X'))
}

fn parse_memory(status: &str) -> Option<Memory> {
    let kib = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Some(Memory {
        now: kib("VmRSS:")? * 1024,
        peak: kib("VmHWM:")? * 1024,
    })
}

/// State and CPU time. The kernel counts in hundredths of a second for user space on every architecture (`USER_HZ`).
fn parse_stat(stat: &str) -> Option<(char, Duration)> {
    // The name in parentheses may hold anything, blanks and parentheses included.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
    let state = fields.first()?.chars().next()?;
    Some((state, Duration::from_millis((ticks(11)? + ticks(12)?) * 10)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_stat_are_read_as_the_kernel_writes_them() {
        let status = "Name:\tx\nVmHWM:\t    5120 kB\nVmRSS:\t    4096 kB\n";
        let expected = Memory {
            now: 4 << 20,
            peak: 5 << 20,
        };
        assert_eq!(parse_memory(status), Some(expected));
        // An ended process has no memory.
        assert_eq!(parse_memory("Name:\tx\nState:\tZ (zombie)\n"), None);
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194304 100 0 0 0 150 25 0 0 20 0 1 0 100 0 0";
        assert_eq!(parse_stat(stat), Some(('S', Duration::from_millis(1750))));
    }

    #[test]
    fn this_process_has_memory_and_has_not_ended() {
        let pid = std::process::id();
        let found = memory(pid).unwrap();
        assert!(found.now > 0 && found.peak >= found.now);
        assert!(cpu(pid).is_some() && !has_ended(pid));
    }
}
