//! Which addresses may be connected to: decided on the address itself, so that no name can hide one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Azure's platform address: answers metadata requests although it looks public.
const AZURE_PLATFORM: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
/// The metadata address AWS, Azure and Google share.
const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// Alibaba Cloud's metadata address, within the shared range of RFC 6598.
const ALIBABA_METADATA: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);
/// Oracle Cloud's older metadata address.
const ORACLE_METADATA: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 192);
/// Metadata addresses in IPv6, within the private range: AWS's for machines and for pods, Google's, Scaleway's.
const METADATA_V6: [Ipv6Addr; 4] = [
    Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254),
    Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0023),
    Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254),
    Ipv6Addr::new(0xfd00, 0x0042, 0, 0, 0, 0, 0, 0x0042),
];

/// What kind of place an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    Public,
    Private,
    Loopback,
    /// Link-local, metadata, multicast, unspecified: never connected to.
    Never,
}

/// Which classes one request may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Reach {
    /// A host the operator names: everything but [`Class::Never`].
    Operator,
    /// A host that only a reference names: public.
    Named,
    /// A host that a registry names: public, or where the registry itself is.
    Like(Class),
    /// The metadata server of the machine we run on: what is named, and the address clouds have it at.
    Metadata,
}

impl Reach {
    pub(crate) fn allows(self, address: IpAddr) -> bool {
        match (self, class(address)) {
            (Self::Metadata, Class::Never) => address == IpAddr::V4(METADATA),
            (_, Class::Never) => false,
            (Self::Operator | Self::Metadata, _) | (_, Class::Public) => true,
            (Self::Named, _) => false,
            (Self::Like(registry), found) => registry == found,
        }
    }
}

/// The address that a host is written as, in every way in which the system's resolver reads one: decimal, octal and hexadecimal
/// numbers, and fewer than four of them (inet_aton).
pub(crate) fn literal(host: &str) -> Option<IpAddr> {
    let host = host.trim_end_matches('.');
    let v6 = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    if let Some(v6) = v6 {
        // A zone says which network card, not which address.
        return v6.split('%').next()?.parse().ok();
    }
    let numbers = host.split('.').map(number).collect::<Option<Vec<_>>>()?;
    let (last, leading) = numbers.split_last()?;
    let room = 8 * u32::try_from(4_usize.checked_sub(leading.len())?).ok()?;
    if leading.iter().any(|number| *number > 255) || u64::from(*last) >= 1 << room {
        return None;
    }
    let high = leading
        .iter()
        .fold(0_u64, |high, number| (high << 8) | u64::from(*number));
    let all = (high << room) | u64::from(*last);
    Some(Ipv4Addr::from(u32::try_from(all).ok()?).into())
}

fn number(text: &str) -> Option<u32> {
    let lower = text.to_ascii_lowercase();
    let (digits, radix) = match lower.strip_prefix("0x") {
        Some("") => return Some(0),
        Some(digits) => (digits, 16),
        None if lower.len() > 1 && lower.starts_with('0') => (lower.as_str(), 8),
        None => (lower.as_str(), 10),
    };
    let plain = !digits.starts_with('+');
    u32::from_str_radix(digits, radix).ok().filter(|_| plain)
}

pub(crate) fn class(address: IpAddr) -> Class {
    match address {
        IpAddr::V4(v4) => class_v4(v4),
        IpAddr::V6(v6) => embedded_v4(v6).map_or_else(|| class_v6(v6), class_v4),
    }
}

fn class_v4(v4: Ipv4Addr) -> Class {
    let [a, b, c, _] = v4.octets();
    if a == 0
        || v4.is_link_local()
        || v4.is_multicast()
        || a >= 240
        || v4 == AZURE_PLATFORM
        || v4 == ALIBABA_METADATA
        || v4 == ORACLE_METADATA
    {
        Class::Never
    } else if v4.is_loopback() {
        Class::Loopback
    } else if v4.is_private()
        || (a == 100 && (64..128).contains(&b))
        || (a == 198 && (18..20).contains(&b))
        || (a == 192 && b == 0 && c == 0)
    {
        Class::Private
    } else {
        Class::Public
    }
}

fn class_v6(v6: Ipv6Addr) -> Class {
    let is_site_local = v6.segments()[0] & 0xffc0 == 0xfec0;
    if v6.is_unspecified()
        || v6.is_multicast()
        || v6.is_unicast_link_local()
        || METADATA_V6.contains(&v6)
    {
        Class::Never
    } else if v6.is_loopback() {
        Class::Loopback
    } else if v6.is_unique_local() || is_site_local {
        Class::Private
    } else {
        Class::Public
    }
}

/// The IPv4 address inside a mapped (`::ffff:0:0/96`), translated (`::ffff:0:0:0/96`), compatible (`::/96`), NAT64
/// (`64:ff9b::/96`, `64:ff9b:1::/48`) or 6to4 (`2002::/16`) one.
fn embedded_v4(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match (a, b) {
        (0x64, 0xff9b) if [c, d, e, f] == [0; 4] => Some(join(g, h)),
        (0x64, 0xff9b) if c == 1 => Some(join(g, h)),
        (0x2002, _) => Some(join(b, c)),
        (0, 0) if [c, d, e, f] == [0, 0, 0xffff, 0] => Some(join(g, h)),
        // `::` and `::1` are addresses of their own.
        (0, 0) if [c, d, e, f] == [0; 4] && (g, h) > (0, 1) => Some(join(g, h)),
        _ => v6.to_ipv4_mapped(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r08_addresses_are_told_apart_in_every_disguise() {
        let check = |text: &str, expected: Class| {
            assert_eq!(class(text.parse().unwrap()), expected, "{text}")
        };
        check("169.254.169.254", Class::Never);
        check("::ffff:169.254.169.254", Class::Never);
        check("64:ff9b::a9fe:a9fe", Class::Never);
        check("2002:a9fe:a9fe::1", Class::Never);
        check("168.63.129.16", Class::Never);
        check("fd00:ec2::254", Class::Never);
        check("fd00:ec2::23", Class::Never);
        check("fd20:ce::254", Class::Never);
        check("192.0.0.192", Class::Never);
        check("::a9fe:a9fe", Class::Never);
        check("::ffff:0:169.254.169.254", Class::Never);
        check("64:ff9b:1::a9fe:a9fe", Class::Never);
        check("100.100.100.200", Class::Never);
        check("0.0.0.0", Class::Never);
        check("fe80::1", Class::Never);
        check("::", Class::Never);
        check("127.0.0.1", Class::Loopback);
        check("::1", Class::Loopback);
        check("::ffff:127.0.0.1", Class::Loopback);
        check("::7f00:1", Class::Loopback);
        check("192.0.0.1", Class::Private);
        check("fec0::1", Class::Private);
        check("10.1.2.3", Class::Private);
        check("100.64.0.1", Class::Private);
        check("fd12::1", Class::Private);
        check("8.8.8.8", Class::Public);
        check("2606:4700::1111", Class::Public);
    }

    #[test]
    fn r08_a_host_written_as_a_number_is_its_address() {
        let check = |host: &str, expected: Option<&str>| {
            let expected = expected.map(|text| text.parse().unwrap());
            assert_eq!(literal(host), expected, "{host}");
        };
        for host in [
            "127.0.0.1",
            "2130706433",
            "0x7f000001",
            "0X7F.1",
            "0177.0.0.1",
            "127.1",
            "127.0.1",
            "127.0.0.1.",
        ] {
            check(host, Some("127.0.0.1"));
        }
        check("[::1]", Some("::1"));
        check("[fe80::1%25eth0]", Some("fe80::1"));
        check("8.8.8.8", Some("8.8.8.8"));
        for host in [
            "r.example",
            "127.0.0.256",
            "4294967296",
            "1.2.3.4.5",
            "256.1",
            "08.1.1.1",
            "0xg",
            "",
            "+1",
            "-1",
            "a.1",
        ] {
            check(host, None);
        }
    }

    #[test]
    fn a_registry_may_name_its_own_kind_of_place_only() {
        let private = "10.0.0.1".parse().unwrap();
        let loopback = "127.0.0.1".parse().unwrap();
        let public = "8.8.8.8".parse().unwrap();
        assert!(Reach::Operator.allows(private) && Reach::Operator.allows(loopback));
        assert!(Reach::Named.allows(public));
        assert!(!Reach::Named.allows(private) && !Reach::Named.allows(loopback));
        assert!(Reach::Like(Class::Public).allows(public));
        assert!(!Reach::Like(Class::Public).allows(private));
        assert!(!Reach::Like(Class::Private).allows(loopback));
        assert!(Reach::Like(Class::Loopback).allows(loopback));
        assert!(!Reach::Operator.allows("169.254.169.254".parse().unwrap()));
        assert!(Reach::Metadata.allows("169.254.169.254".parse().unwrap()));
        assert!(Reach::Metadata.allows(loopback));
        for other in [
            "169.254.169.253",
            "::ffff:169.254.169.254",
            "168.63.129.16",
            "0.0.0.0",
        ] {
            assert!(!Reach::Metadata.allows(other.parse().unwrap()), "{other}");
        }
    }
}
