//! What a failed connection means: a refused address, a proxy, TLS, our own body, or a network that may heal.

use std::error::Error;
use std::sync::Arc;

use hyper_util::client::legacy;

use super::dial::{Cause, NoWay};
use super::resolver::Denied;
use crate::endpoint::Origin;
use crate::error::RegistryError;

pub(super) fn named(at: &Arc<str>, origin: &Origin, error: legacy::Error) -> RegistryError {
    if let Some(no_way) = find::<NoWay>(&error) {
        return proxy(at, no_way);
    }
    if let Some(Denied(address)) = find::<Denied>(&error) {
        return RegistryError::Egress {
            at: at.clone(),
            host: origin.name(),
            address: *address,
        };
    }
    // A body of ours that fails carries its own account.
    if let Some(own) = find::<RegistryError>(&error) {
        return own.clone();
    }
    let at = at.clone();
    match find::<rustls::Error>(&error) {
        Some(tls) => RegistryError::Tls {
            at,
            source: Arc::new(tls.clone()),
        },
        None => RegistryError::Unreachable {
            at,
            source: Arc::new(error),
        },
    }
}

/// A refusal is somebody's to mend; a proxy that cannot reach the other side, or is busy, is not.
fn proxy(at: &Arc<str>, NoWay { proxy, cause }: &NoWay) -> RegistryError {
    let (at, proxy) = (at.clone(), proxy.clone());
    match cause {
        Cause::Status(status @ (300..=407 | 409..=424 | 426..=428 | 430..=499)) => {
            RegistryError::ProxyRefused {
                at,
                proxy,
                status: *status,
            }
        }
        Cause::Status(status) => RegistryError::ProxyFailed {
            at,
            proxy,
            problem: format!("it answered CONNECT with {status}").into(),
        },
        Cause::Failed(problem) => RegistryError::ProxyFailed {
            at,
            proxy,
            problem: problem.clone(),
        },
    }
}

/// The first `T` among an error and its sources. An `io::Error` hides what it wraps from `source`, so it is opened.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref() {
            return Some(found);
        }
        let wrapped = current
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        next = match wrapped {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => current.source(),
        };
    }
    None
}
