//! The kernel's per-namespace counters of traffic that found no way out, from `/proc/net/snmp` and `/proc/net/snmp6`.

use crate::fault::Fault;
use std::path::Path;

/// Each counter with what one more of it means.
const WATCHED: [(&str, &str); 4] = [
    (
        "Ip OutNoRoutes",
        "IPv4 attempts to reach something else than loopback",
    ),
    (
        "Ip6OutNoRoutes",
        "IPv6 attempts to reach something else than loopback",
    ),
    (
        "Udp NoPorts",
        "datagrams to a closed port of loopback (a name server that is not there?)",
    ),
    (
        "Udp6NoPorts",
        "IPv6 datagrams to a closed port of loopback (a name server that is not there?)",
    ),
];

/// A reading of all watched counters; one the kernel does not have reads as zero, and the canary notices.
#[derive(Debug)]
pub(crate) struct Counters([u64; WATCHED.len()]);

impl Counters {
    pub(crate) fn read() -> Result<Self, Fault> {
        let path = Path::new("/proc/net/snmp");
        let four = std::fs::read_to_string(path).map_err(Fault::at("read", path))?;
        let six = std::fs::read_to_string("/proc/net/snmp6").unwrap_or_default();
        Ok(Self(
            WATCHED.map(|(name, _)| counter(&four, &six, name).unwrap_or(0)),
        ))
    }

    /// What happened between this reading and a later one.
    pub(crate) fn until(&self, later: &Self) -> Vec<String> {
        let pairs = self.0.iter().zip(later.0).zip(WATCHED);
        pairs
            .filter(|((before, after), _)| after > before)
            .map(|((before, after), (_, meaning))| format!("{} {meaning}", after - before))
            .collect()
    }
}

fn counter(four: &str, six: &str, name: &str) -> Option<u64> {
    let Some((group, field)) = name.split_once(' ') else {
        return six
            .lines()
            .find_map(|line| {
                line.split_once(char::is_whitespace)
                    .filter(|(found, _)| *found == name)
            })?
            .1
            .trim()
            .parse()
            .ok();
    };
    let mut lines = four
        .lines()
        .filter(|line| line.split(':').next() == Some(group));
    let place = lines
        .next()?
        .split_whitespace()
        .position(|found| found == field)?;
    lines.next()?.split_whitespace().nth(place)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUR: &str = "Ip: Forwarding OutNoRoutes ReasmTimeout\nIp: 1 17 0\nUdp: InDatagrams NoPorts\nUdp: 5 3\nUdpLite: InDatagrams NoPorts\nUdpLite: 9 9\n";
    const SIX: &str = "Ip6InReceives                   \t0\nIp6OutNoRoutes                  \t4\n";

    #[test]
    fn counters_are_found_by_name_in_both_formats() {
        assert_eq!(counter(FOUR, SIX, "Ip OutNoRoutes"), Some(17));
        assert_eq!(counter(FOUR, SIX, "Udp NoPorts"), Some(3));
        assert_eq!(counter(FOUR, SIX, "Ip6OutNoRoutes"), Some(4));
        assert_eq!(counter(FOUR, SIX, "Udp6NoPorts"), None);
    }

    #[test]
    fn only_what_grew_is_told() {
        let told = Counters([1, 0, 2, 0]).until(&Counters([1, 3, 2, 0]));
        assert_eq!(
            told,
            ["3 IPv6 attempts to reach something else than loopback"]
        );
    }
}
