//! Document keys: ids percent-encoded, so that a key is a path of its parts and one prefix is one live system.

use fractal_core::artifact::Digest;
use fractal_core::contract::{ComponentId, ComponentKey, EnvironmentId, LiveSystemId, Offer};

pub(crate) const COMPONENTS: &str = "component/";
pub(crate) const LIVE_SYSTEMS: &str = "live-system/";
pub(crate) const AGENTS: &str = "agent/";
pub(crate) const ASKS: &str = "ask/";
pub(crate) const BODIES: &str = "body/";
pub(crate) const INSTALLATION: &str = "installation";

pub(crate) fn live_system(id: &LiveSystemId) -> String {
    format!("{LIVE_SYSTEMS}{}", encode(id.as_str()))
}

/// All components of one live system, under every offer and environment they ever had.
pub(crate) fn components_of(id: &LiveSystemId) -> String {
    format!("{COMPONENTS}{}/", encode(id.as_str()))
}

/// One component of a live system, under every offer and environment it ever had.
pub(crate) fn component_of(id: &LiveSystemId, component: &ComponentId) -> String {
    format!("{}{}/", components_of(id), encode(component.as_str()))
}

pub(crate) fn component(key: &ComponentKey) -> String {
    let prefix = components_of(&key.live_system);
    format!(
        "{prefix}{}/{}/{}",
        encode(key.component.as_str()),
        encode(key.offer.as_str()),
        encode(&key.environment.path())
    )
}

pub(crate) fn body(digest: &Digest) -> String {
    format!("{BODIES}{digest}")
}

pub(crate) fn agent(id: &str) -> String {
    format!("{AGENTS}{}", encode(id))
}

pub(crate) fn ask(id: &str) -> String {
    format!("{ASKS}{}", encode(id))
}

/// Whether a component's document key is of this offer and environment, without reading the document.
pub(crate) fn is_of(document_key: &str, offer: Option<&str>, environment: Option<&str>) -> bool {
    let mut parts = document_key.rsplit('/');
    let (last, before) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    environment.is_none_or(|environment| last == environment)
        && offer.is_none_or(|offer| before == offer)
}

pub(crate) fn encoded_offer(offer: &Offer) -> String {
    encode(offer.as_str())
}

pub(crate) fn encoded_environment(environment: &EnvironmentId) -> String {
    encode(&environment.path())
}

/// RFC 3986's unreserved characters stay; `/` does not, so that parts cannot run into each other.
fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(live_system: &str, component: &str) -> ComponentKey {
        ComponentKey {
            live_system: live_system.parse().unwrap(),
            component: component.parse().unwrap(),
            offer: "CustomWorkloads.FaaS.AwsLambda".parse().unwrap(),
            environment: EnvironmentId::new("Personal", "", "dev").unwrap(),
        }
    }

    #[test]
    fn parts_cannot_run_into_each_other() {
        let plain = component(&key("Personal/o/bc/shop", "api"));
        assert_eq!(
            plain,
            "component/Personal%2Fo%2Fbc%2Fshop/api/CustomWorkloads.FaaS.AwsLambda/Personal%2F%2Fdev"
        );
        assert!(
            !component(&key("Personal/o/bc/shop2", "api")).starts_with(&components_of(
                &key("Personal/o/bc/shop", "api").live_system
            ))
        );
        assert_ne!(
            component(&key("a%2Fb", "api")),
            component(&key("a/b", "api"))
        );
        assert!(component(&key("Personal/o/bc/Läden", "api")).is_ascii());
    }

    #[test]
    fn a_key_tells_offer_and_environment() {
        let plain = component(&key("a", "api"));
        let dev = encoded_environment(&EnvironmentId::new("Personal", "", "dev").unwrap());
        assert!(is_of(
            &plain,
            Some("CustomWorkloads.FaaS.AwsLambda"),
            Some(&dev)
        ));
        assert!(!is_of(
            &plain,
            Some("CustomWorkloads.FaaS.GcpFunction"),
            None
        ));
        assert!(!is_of(&plain, None, Some("Personal%2F%2Fprod")));
    }
}
