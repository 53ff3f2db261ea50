//! Which token services may be asked: the registry names them, so they are not trusted with everything the registry is.

use http::Uri;

use crate::egress::address::{Class, Reach};
use crate::egress::policy::{Hosts, Refused, is_loopback};
use crate::endpoint::Origin;

/// How the service at `realm` may be reached, named by a registry at `origin` that answered from a place of kind `seen_at`.
pub(super) fn reach(
    hosts: &Hosts,
    origin: &Origin,
    seen_at: Class,
    realm: &Uri,
) -> Result<Reach, &'static str> {
    let service = Origin::of(realm).ok_or("is no https URL, or carries user information")?;
    if service == *origin {
        return Ok(Reach::Named);
    }
    let registry_is_plain_loopback = !origin.https && seen_at == Class::Loopback;
    let plain_is_fine = registry_is_plain_loopback && is_loopback(&service);
    if !service.https && !plain_is_fine {
        return Err("is not https");
    }
    let reach = Reach::Like(seen_at);
    hosts.check(reach, &service).map_err(Refused::problem)?;
    Ok(reach)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;

    fn origin(url: &str) -> Origin {
        Origin::of(&url.parse().unwrap()).unwrap()
    }

    #[test]
    fn g02_a_realm_is_public_and_https_or_where_the_registry_is() {
        let public = origin("https://r.example");
        let hosts = Hosts::new(&Options::default()).unwrap();
        let check = |from: &Origin, seen_at, realm: &str, allowed: bool| {
            assert_eq!(
                reach(&hosts, from, seen_at, &realm.parse().unwrap()).is_ok(),
                allowed,
                "{realm}"
            );
        };
        check(&public, Class::Public, "https://auth.example/token", true);
        check(&public, Class::Public, "https://r.example/token", true);
        check(&public, Class::Public, "http://auth.example/token", false);
        check(&public, Class::Public, "http://r.example/token", false);
        check(&public, Class::Public, "https://127.0.0.1/token", false);
        check(
            &public,
            Class::Public,
            "https://169.254.169.254/latest",
            false,
        );
        check(&public, Class::Public, "https://10.0.0.1/token", false);
        check(
            &public,
            Class::Public,
            "https://u:p@auth.example/token",
            false,
        );
        check(&public, Class::Public, "ftp://auth.example/token", false);
        check(
            &origin("https://r.lan"),
            Class::Private,
            "https://10.0.0.9/token",
            true,
        );
        check(
            &origin("http://r.lan"),
            Class::Private,
            "http://10.0.0.9/token",
            false,
        );
        let local = origin("http://127.0.0.1:5000");
        check(&local, Class::Loopback, "http://127.0.0.1:6000/token", true);
        check(
            &local,
            Class::Loopback,
            "http://169.254.169.254/token",
            false,
        );
        check(&local, Class::Loopback, "http://auth.example/token", false);
    }
}
