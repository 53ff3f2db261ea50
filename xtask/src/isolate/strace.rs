//! The second way to watch: strace records every connect and every addressed datagram; whatever is not loopback or a local socket is an attempt.

use std::path::Path;
use std::process::Command;

pub(crate) fn command(report: &Path) -> Command {
    let mut command = Command::new("strace");
    command
        .args([
            "-f",
            "-qq",
            "-e",
            "trace=connect,sendto,sendmsg,sendmmsg",
            "-e",
            "signal=none",
            "-o",
        ])
        .arg(report);
    command
}

/// Addresses outside 127.0.0.0/8 and ::1 that any process named in a call, once each.
pub(crate) fn attempts(log: &str) -> Vec<String> {
    let mut found: Vec<String> = log
        .lines()
        .filter_map(address)
        .filter(|address| !is_loopback(address))
        .collect();
    found.sort();
    found.dedup();
    found
}

fn address(line: &str) -> Option<String> {
    let after = ["inet_addr(\"", "inet_pton(AF_INET6, \""]
        .iter()
        .find_map(|mark| line.split_once(mark))?
        .1;
    Some(after.split('"').next()?.to_owned())
}

fn is_loopback(address: &str) -> bool {
    let address = address.strip_prefix("::ffff:").unwrap_or(address);
    address
        .parse()
        .is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_off_loopback_are_attempts() {
        let log = r#"
10 connect(3, {sa_family=AF_UNIX, sun_path="/run/x"}, 110) = -1 ENOENT
11 connect(4, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("127.0.0.1")}, 16) = 0
11 connect(4, {sa_family=AF_INET6, sin6_port=htons(443), inet_pton(AF_INET6, "::1", &sin6_addr)}, 28) = 0
12 connect(5, {sa_family=AF_INET6, sin6_port=htons(443), inet_pton(AF_INET6, "::ffff:127.0.0.1", &sin6_addr)}, 28) = 0
12 connect(5, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("169.254.169.254")}, 16) = -1 EINPROGRESS
12 sendto(5, "x", 1, 0, {sa_family=AF_INET6, inet_pton(AF_INET6, "2001:db8::1", &sin6_addr)}, 28) = 1
12 sendto(5, "x", 1, 0, NULL, 0) = 1
"#;
        assert_eq!(attempts(log), ["169.254.169.254", "2001:db8::1"]);
    }
}
