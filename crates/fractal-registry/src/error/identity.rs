//! What it means for a credential that an identity service cannot be used: the same errors as a registry's, told of another party.

use fractal_core::fault::chain;
use fractal_core::{Class, Fault, Reason};

use super::RegistryError;

const TLS: Reason = Reason::new("IdentityTls");
const UNAVAILABLE: Reason = Reason::new("IdentityUnavailable");
const UNUSABLE: Reason = Reason::new("IdentityUnusable");

impl RegistryError {
    /// The fault it is where the other side was not a registry but `service`, which credentials for one come from.
    #[must_use]
    pub fn of_identity(self, service: &str) -> Fault {
        let said = said(&self);
        let tls = matches!(self, Self::Tls { .. });
        let fault = Fault::from(self);
        let (reason, what, next) = match fault.class {
            Class::Transient { .. } => (
                UNAVAILABLE,
                "is not available",
                "nothing to do if this passes; otherwise check the service and the network between",
            ),
            _ if tls => (
                TLS,
                "has no TLS certificate that is accepted",
                "check the certificate's name and dates; for a private authority set the extra CA bundle",
            ),
            _ => (
                UNUSABLE,
                "cannot be used",
                "check the address set for the service, and that no proxy answers in its place",
            ),
        };
        Fault {
            reason,
            what: format!("{service} {what}"),
            next: Some(next.to_owned()),
            why: Some(said),
            ..fault
        }
    }
}

fn said(error: &RegistryError) -> String {
    let words = match error {
        RegistryError::Throttled { said, .. } | RegistryError::Unavailable { said, .. } => {
            said.to_string()
        }
        _ => String::new(),
    };
    let text = chain(error);
    if words.is_empty() {
        text
    } else {
        format!("{text}: {words}")
    }
}
