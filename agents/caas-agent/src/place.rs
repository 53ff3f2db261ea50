//! Where a component lives, and what is remembered of it.

use std::collections::BTreeMap;
use std::fmt;

use fractal_core::Fault;
use fractal_core::Fingerprint;
use fractal_core::reconcile::{Inputs, Owner};
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::error::Error;

/// Longest name of an object that becomes a label, in characters (RFC 1123).
const NAME_MAX: usize = 63;

/// Namespace and component: the inventory there tells every object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The namespace of the inventory, and of every object that names none itself.
    pub namespace: String,
    /// The component's id.
    pub component: String,
    /// The hash of its key: two live systems may have components of one id in one namespace.
    pub key: String,
}

impl Place {
    /// The name of the objects made for it: the component's id itself.
    pub(crate) fn object_name(&self) -> Result<&str, Error> {
        if is_name(&self.component) {
            return Ok(&self.component);
        }
        Err(Error::Name {
            what: "name of a Deployment and Service",
            place: "the component's id",
            name: self.component.escape_debug().to_string(),
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kubernetes {}/{}", self.namespace, self.component)
    }
}

/// What no read of the cluster can tell.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Memo {
    /// Work that runs once, by object: what was started there. Its disappearance is no reason to run it again.
    pub runs: BTreeMap<String, Run>,
    /// Looks left in which what was last begun to be made may still be missing: a call without an answer may be carried out late.
    pub unseen: u8,
}

/// Work that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// The hash of what it was to run.
    pub hash: Fingerprint,
    /// Whether the API server took it: before, it may not exist at all.
    pub made: bool,
    /// How it failed, where it did: its object may be gone by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Box<Fault>>,
}

/// The place a component's parameters name.
pub(crate) fn place(config: &Config, inputs: &Inputs, owner: &Owner) -> Result<Place, Error> {
    let namespace = inputs
        .parameters
        .text("namespace")?
        .unwrap_or(&config.namespace);
    if !is_name(namespace) {
        return Err(Error::Name {
            what: "namespace",
            place: "parameters.namespace",
            name: namespace.escape_debug().to_string(),
        });
    }
    Ok(Place {
        namespace: namespace.to_owned(),
        component: inputs.component.to_string(),
        key: owner.component.hash(),
    })
}

/// An RFC 1123 label.
fn is_name(text: &str) -> bool {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.len() <= NAME_MAX
        && text.starts_with(edge)
        && text.ends_with(edge)
        && text.chars().all(|c| edge(c) || c == '-')
}
