//! Each registry error as a fault: its class, its stable reason, and what a person does next.

use fractal_core::fault::chain;
use fractal_core::{Class, Fault, Reason};

use super::{Action, Missing, RegistryError, Said};
use crate::egress::address::{self, class};
use crate::egress::policy::{NOT_NAMED, UNLISTED};
use crate::endpoint::Origin;

/// Reasons as they appear in status, logs and metrics: part of the public contract.
const ALGORITHM: Reason = Reason::new("DigestAlgorithm");
const AUTH: Reason = Reason::new("RegistryAuth");
const BLOB_TRUNCATED: Reason = Reason::new("BlobTruncated");
pub(super) const DIGEST_MISMATCH: Reason = Reason::new("DigestMismatch");
const EGRESS: Reason = Reason::new("EgressDenied");
const FORBIDDEN: Reason = Reason::new("RegistryForbidden");
pub(super) const LAYOUT: Reason = Reason::new("LayoutInvalid");
const LINK: Reason = Reason::new("RegistryLink");
const LOCAL: Reason = Reason::new("ResourceLocal");
const MANIFEST_INVALID: Reason = Reason::new("ManifestInvalid");
const MANIFEST_LIMIT: Reason = Reason::new("ManifestLimit");
const MANIFEST_TOO_LARGE: Reason = Reason::new("ManifestTooLarge");
pub(super) const NOT_FOUND: Reason = Reason::new("RegistryNotFound");
const PROTOCOL: Reason = Reason::new("RegistryProtocol");
const PROXY_FAILED: Reason = Reason::new("ProxyUnavailable");
const PROXY_REFUSED: Reason = Reason::new("ProxyRefused");
const REALM: Reason = Reason::new("RegistryRealm");
const REDIRECT: Reason = Reason::new("RegistryRedirect");
const REFUSED: Reason = Reason::new("RegistryRefused");
const SETTING: Reason = Reason::new("ConfigInvalid");
pub(super) const SIZE_MISMATCH: Reason = Reason::new("SizeMismatch");
const SLOW: Reason = Reason::new("RegistrySlow");
const THROTTLED: Reason = Reason::new("RegistryThrottled");
const TLS: Reason = Reason::new("RegistryTls");
const UNAVAILABLE: Reason = Reason::new("RegistryUnavailable");

impl From<RegistryError> for Fault {
    fn from(error: RegistryError) -> Self {
        if let RegistryError::Credential(fault) = &error {
            return fault.as_ref().clone();
        }
        let (class, reason) = class_of(&error);
        let (what, next) = advice(&error);
        let next = match allowing(&error) {
            Some(flag) => format!("{next}; where it is to be reached, the operator adds {flag}"),
            None => next.to_owned(),
        };
        let fault = Self::new(class, reason, what).at(place(&error)).next(next);
        match why(&error) {
            Some(why) => fault.because(why),
            None => fault,
        }
    }
}

impl RegistryError {
    /// The stable word for this kind of error.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Credential(fault) => fault.reason.clone(),
            other => class_of(other).1,
        }
    }
}

fn class_of(error: &RegistryError) -> (Class, Reason) {
    use RegistryError as E;
    const PASSING: Class = Class::Transient { retry_after: None };
    match error {
        // A credential's own fault is passed on before this table is asked.
        E::Unauthenticated { .. } | E::Credential(_) => (Class::Blocked, AUTH),
        E::NotFound { .. } => (Class::Blocked, NOT_FOUND),
        E::Forbidden { .. } => (Class::Blocked, FORBIDDEN),
        E::Realm { .. } => (Class::Blocked, REALM),
        E::Redirect { .. } => (Class::Blocked, REDIRECT),
        E::Link { .. } => (Class::Blocked, LINK),
        E::Egress { .. } | E::Host { .. } => (Class::Blocked, EGRESS),
        E::ProxyRefused { .. } => (Class::Blocked, PROXY_REFUSED),
        E::ProxyFailed { .. } => (PASSING, PROXY_FAILED),
        E::Throttled { retry_after, .. } => (
            Class::Transient {
                retry_after: *retry_after,
            },
            THROTTLED,
        ),
        E::Unavailable { retry_after, .. } => (
            Class::Transient {
                retry_after: *retry_after,
            },
            UNAVAILABLE,
        ),
        E::Unreachable { .. } => (PASSING, UNAVAILABLE),
        E::Tls { .. } => (Class::Blocked, TLS),
        E::Slow { .. } => (PASSING, SLOW),
        E::Refused { .. } => (Class::Blocked, REFUSED),
        E::Protocol { .. } | E::Range { .. } => (PASSING, PROTOCOL),
        E::ManifestTooLarge { .. } => (Class::Terminal, MANIFEST_TOO_LARGE),
        E::ManifestInvalid { .. } => (Class::Terminal, MANIFEST_INVALID),
        E::DigestMismatch { .. } | E::Rewritten { .. } | E::Vanished { .. } => {
            (Class::Terminal, DIGEST_MISMATCH)
        }
        E::SizeMismatch { .. } => (Class::Terminal, SIZE_MISMATCH),
        E::Truncated { .. } => (PASSING, BLOB_TRUNCATED),
        E::Damaged { flaw, .. } => (Class::Blocked, flaw.reason()),
        E::Limit { .. } => (Class::Terminal, MANIFEST_LIMIT),
        E::Algorithm { .. } => (Class::Terminal, ALGORITHM),
        E::Layout { .. } => (Class::Blocked, LAYOUT),
        E::File { .. } => (Class::Blocked, LOCAL),
        E::Setting { .. } => (Class::Blocked, SETTING),
    }
}

fn place(error: &RegistryError) -> &str {
    use RegistryError as E;
    match error {
        E::NotFound { at, .. }
        | E::Forbidden { at, .. }
        | E::Unauthenticated { at, .. }
        | E::Realm { at, .. }
        | E::Redirect { at, .. }
        | E::Link { at, .. }
        | E::Egress { at, .. }
        | E::Host { at, .. }
        | E::ProxyRefused { at, .. }
        | E::ProxyFailed { at, .. }
        | E::Throttled { at, .. }
        | E::Unavailable { at, .. }
        | E::Unreachable { at, .. }
        | E::Tls { at, .. }
        | E::Slow { at, .. }
        | E::Refused { at, .. }
        | E::Protocol { at, .. }
        | E::ManifestTooLarge { at, .. }
        | E::ManifestInvalid { at, .. }
        | E::DigestMismatch { at, .. }
        | E::Rewritten { at, .. }
        | E::Vanished { at, .. }
        | E::SizeMismatch { at, .. }
        | E::Truncated { at, .. }
        | E::Range { at, .. }
        | E::Damaged { at, .. }
        | E::Limit { at, .. }
        | E::Algorithm { at, .. }
        | E::Layout { at, .. }
        | E::File { at, .. } => at,
        E::Credential(fault) => fault.place.as_deref().unwrap_or_default(),
        E::Setting { setting, .. } => setting,
    }
}

/// The flag with which the operator lets the host be reached, where there is one: metadata and link-local addresses have none.
fn allowing(error: &RegistryError) -> Option<String> {
    use RegistryError as E;
    let never = |found| class(found) == address::Class::Never;
    let (host, problem) = match error {
        E::Host { host, problem, .. } => (host.clone(), *problem),
        E::Egress { address, .. } if never(*address) => return None,
        E::Egress { host, .. } => (host.clone(), NOT_NAMED),
        E::Realm {
            realm: url,
            problem,
            ..
        }
        | E::Redirect {
            target: url,
            problem,
            ..
        } => {
            let origin = Origin::of(&url.parse().ok()?)?;
            if origin.address().is_some_and(never) {
                return None;
            }
            (origin.name(), *problem)
        }
        _ => return None,
    };
    match problem {
        UNLISTED => Some(format!("--allow-host {host}")),
        NOT_NAMED => Some(format!("--allow-private {host}")),
        _ => None,
    }
}

/// What happened, in one clause, and what to do about it.
fn advice(error: &RegistryError) -> (String, &'static str) {
    use RegistryError as E;
    match error {
        E::NotFound { missing, .. } => not_found(*missing),
        E::Forbidden {
            action, identity, ..
        } => (
            format!("the registry forbids {identity} to {action}"),
            match action {
                Action::Pull => {
                    "give this identity the registry's pull permission on the repository (AcrPull, ecr:BatchGetImage and ecr:GetDownloadUrlForLayer, artifactregistry.reader)"
                }
                Action::Push => {
                    "give this identity the registry's push permission on the repository (AcrPush, ecr:PutImage with the layer upload actions, artifactregistry.writer)"
                }
            },
        ),
        E::Unauthenticated { identity, .. } => (
            format!("the registry does not accept {identity}"),
            "check the credential configured for this registry's host",
        ),
        E::Credential(fault) => (
            fault.what.clone(),
            "check the credential configured for this registry's host",
        ),
        E::Realm { realm, .. } => (
            format!("the registry names the token service {realm}, which is not used"),
            "check who runs this registry; nothing was sent to that service",
        ),
        E::Redirect { target, .. } => (
            format!("the registry redirects to {target}, which is not followed"),
            "check who runs this registry; nothing was sent to that address",
        ),
        E::Link { target, .. } => (
            format!("the registry continues its list at {target}, which is not read"),
            "check who runs this registry; nothing of the list was used",
        ),
        E::Egress { .. } => (
            "the registry's address is refused for safety, and was not connected to".into(),
            "name a registry with a public address",
        ),
        E::Host { .. } => (
            "the registry's host is refused for safety, and nothing was sent to it".into(),
            "check the host in the reference for typing errors",
        ),
        E::ProxyRefused { proxy, status, .. } => (
            format!("the proxy {proxy} refuses the way to the registry"),
            match status {
                407 => "give the proxy's user and password in its URL, percent-encoded",
                _ => "let the proxy connect to the registry, or name the host in NO_PROXY",
            },
        ),
        E::ProxyFailed { proxy, .. } => (
            format!("the proxy {proxy} does not open the way to the registry"),
            "nothing to do if this passes; otherwise check the proxy's address and that it is one",
        ),
        E::Throttled { .. } => (
            "the registry asks to slow down".into(),
            "nothing to do: it is asked again after the time it named",
        ),
        E::Unavailable { .. } | E::Unreachable { .. } => (
            "the registry is not available".into(),
            "nothing to do if this passes; otherwise check the registry and the network between",
        ),
        E::Tls { .. } => (
            "the registry's TLS certificate or handshake is not accepted".into(),
            "check the certificate's name and dates; for a private authority set the extra CA bundle; for a registry without TLS say so explicitly",
        ),
        E::Slow { .. } => (
            "the registry is too slow".into(),
            "nothing to do if this passes; otherwise check the network between",
        ),
        E::Refused { status, .. } => (
            format!("the registry refused the request with status {status}"),
            "see the registry's own words for what it does not accept",
        ),
        E::Protocol { .. } | E::Range { .. } => (
            "the registry answered outside the distribution protocol".into(),
            "check that the host is a registry and no proxy answers in its place",
        ),
        E::ManifestTooLarge { max, .. } => (
            format!("the manifest is larger than {max} bytes"),
            "publish the artifact with a manifest of at most this size",
        ),
        E::ManifestInvalid { .. } => (
            "the manifest cannot be deployed".into(),
            "publish the artifact again with a current client",
        ),
        E::DigestMismatch { .. } => (
            "the registry served other bytes than the digest names".into(),
            "treat the registry as compromised or damaged until it is explained, then publish again",
        ),
        E::Rewritten { .. } | E::Vanished { .. } => (
            "the registry does not have what was pushed".into(),
            "look who else pushes to this tag, or what rewrites manifests there; then publish again",
        ),
        E::SizeMismatch { .. } => (
            "the registry served more or fewer bytes than the manifest declares".into(),
            "treat the registry as compromised or damaged until it is explained, then publish again",
        ),
        E::Truncated { .. } => (
            "the transfer broke off".into(),
            "nothing to do if this passes; otherwise check the registry and the network between",
        ),
        E::Damaged { flaw, .. } => flaw.advice(),
        E::Limit { .. } => (
            "the manifest goes beyond what is taken".into(),
            "build the image with fewer layers (a multi-stage build merges them), or the index with fewer entries and levels; what refers to an artifact stays where it is with --no-referrers",
        ),
        E::Algorithm { digest, .. } => (
            format!(
                "the registry keeps nothing under a {} digest",
                digest.algorithm().as_str()
            ),
            "build the artifact with SHA-256 digests, or name a registry that keeps other ones",
        ),
        E::Layout { .. } => (
            "the OCI layout cannot be used".into(),
            "name a folder that holds an OCI image layout, with tag or digest where it has several",
        ),
        E::File { .. } => (
            "a local file cannot be read or written".into(),
            "check that the path exists, its permissions, and free space",
        ),
        E::Setting { setting, .. } => (
            format!("the registry setting `{setting}` cannot be used"),
            "correct the setting and start again",
        ),
    }
}

fn not_found(missing: Missing) -> (String, &'static str) {
    match missing {
        Missing::Repository => (
            "the repository does not exist in the registry".into(),
            "publish the artifact, or correct the repository in the reference",
        ),
        Missing::Manifest => (
            "the repository has no such tag or digest".into(),
            "publish the artifact under this version, or correct the version in the reference",
        ),
        Missing::Blob => (
            "the registry has the manifest, but not a blob it names".into(),
            "publish the artifact again: the registry lost the blob, or collected it as garbage",
        ),
    }
}

fn why(error: &RegistryError) -> Option<String> {
    use RegistryError as E;
    let said = |said: &Said| (!said.is_empty()).then(|| said.to_string());
    match error {
        E::NotFound { said: words, .. }
        | E::Forbidden { said: words, .. }
        | E::Throttled { said: words, .. }
        | E::Algorithm { said: words, .. }
        | E::Vanished { said: words, .. }
        | E::Refused { said: words, .. } => said(words),
        E::Unavailable {
            status,
            said: words,
            ..
        } => Some(said(words).map_or_else(
            || format!("status {status}"),
            |words| format!("status {status}, {words}"),
        )),
        E::Unauthenticated {
            problem,
            said: words,
            ..
        } => Some(said(words).map_or_else(
            || problem.to_string(),
            |words| format!("{problem}; {words}"),
        )),
        E::Realm { problem, .. } | E::Redirect { problem, .. } | E::Link { problem, .. } => {
            Some(format!("it {problem}"))
        }
        E::Egress { host, address, .. } => Some(format!("{host} is at {address}")),
        E::Host { host, problem, .. } => Some(format!("{host} {problem}")),
        E::ProxyRefused { status, .. } => Some(format!("it answered {status}")),
        E::ProxyFailed { problem, .. } => Some(problem.to_string()),
        E::Unreachable { source, .. } | E::Tls { source, .. } => Some(chain(source.as_ref())),
        E::File { source, .. } => Some(source.to_string()),
        E::ManifestInvalid { source, .. } => Some(chain(source.as_ref())),
        E::Slow { problem, .. }
        | E::Protocol { problem, .. }
        | E::Layout { problem, .. }
        | E::Damaged { problem, .. }
        | E::Limit { problem, .. }
        | E::Setting { problem, .. } => Some(problem.to_string()),
        E::Range {
            offset, problem, ..
        } => Some(format!("asked for byte {offset} on, {problem}")),
        E::Rewritten {
            expected, found, ..
        } => Some(format!("it has {found}, not {expected}")),
        E::DigestMismatch {
            expected, found, ..
        } => Some(format!("expected {expected}, found {found}")),
        E::SizeMismatch {
            expected, found, ..
        } => Some(format!("declared {expected} bytes, {found}")),
        E::Truncated {
            received, expected, ..
        } => Some(format!("{received} of {expected} bytes came")),
        E::ManifestTooLarge { .. } | E::Credential(_) => None,
    }
}
