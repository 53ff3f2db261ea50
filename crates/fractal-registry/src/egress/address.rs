//! Which addresses may be connected to: decided on the address itself, so that no name can hide one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Azure's platform address: answers metadata requests although it looks public.
const AZURE_PLATFORM: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
/// The metadata address AWS, Azure and Google share.
const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// Alibaba Cloud's metadata address, within the shared range of RFC 6598.
const ALIBABA_METADATA: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);
/// AWS's metadata address in IPv6, within the private range.
const AWS_METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254);

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
    /// A host the operator or a reference names: everything but [`Class::Never`].
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
            (Self::Named | Self::Metadata, _) | (Self::Like(_), Class::Public) => true,
            (Self::Like(registry), found) => registry == found,
        }
    }
}

pub(crate) fn class(address: IpAddr) -> Class {
    match address {
        IpAddr::V4(v4) => class_v4(v4),
        IpAddr::V6(v6) => embedded_v4(v6).map_or_else(|| class_v6(v6), class_v4),
    }
}

fn class_v4(v4: Ipv4Addr) -> Class {
    let [a, b, ..] = v4.octets();
    if a == 0
        || v4.is_link_local()
        || v4.is_multicast()
        || a >= 240
        || v4 == AZURE_PLATFORM
        || v4 == ALIBABA_METADATA
    {
        Class::Never
    } else if v4.is_loopback() {
        Class::Loopback
    } else if v4.is_private()
        || (a == 100 && (64..128).contains(&b))
        || (a == 198 && (18..20).contains(&b))
    {
        Class::Private
    } else {
        Class::Public
    }
}

fn class_v6(v6: Ipv6Addr) -> Class {
    if v6.is_unspecified() || v6.is_multicast() || v6.is_unicast_link_local() || v6 == AWS_METADATA
    {
        Class::Never
    } else if v6.is_loopback() {
        Class::Loopback
    } else if v6.is_unique_local() {
        Class::Private
    } else {
        Class::Public
    }
}

/// The IPv4 address inside a mapped (`::ffff:0:0/96`), NAT64 (`64:ff9b::/96`) or 6to4 (`2002::/16`) one.
fn embedded_v4(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match (a, b) {
        (0x64, 0xff9b) if [c, d, e, f] == [0; 4] => Some(join(g, h)),
        (0x2002, _) => Some(join(b, c)),
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
        check("100.100.100.200", Class::Never);
        check("0.0.0.0", Class::Never);
        check("fe80::1", Class::Never);
        check("::", Class::Never);
        check("127.0.0.1", Class::Loopback);
        check("::1", Class::Loopback);
        check("::ffff:127.0.0.1", Class::Loopback);
        check("10.1.2.3", Class::Private);
        check("100.64.0.1", Class::Private);
        check("fd12::1", Class::Private);
        check("8.8.8.8", Class::Public);
        check("2606:4700::1111", Class::Public);
    }

    #[test]
    fn a_registry_may_name_its_own_kind_of_place_only() {
        let private = "10.0.0.1".parse().unwrap();
        let loopback = "127.0.0.1".parse().unwrap();
        let public = "8.8.8.8".parse().unwrap();
        assert!(Reach::Named.allows(private) && Reach::Named.allows(loopback));
        assert!(Reach::Like(Class::Public).allows(public));
        assert!(!Reach::Like(Class::Public).allows(private));
        assert!(!Reach::Like(Class::Private).allows(loopback));
        assert!(Reach::Like(Class::Loopback).allows(loopback));
        assert!(!Reach::Named.allows("169.254.169.254".parse().unwrap()));
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
