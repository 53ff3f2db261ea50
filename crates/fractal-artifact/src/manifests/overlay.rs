//! What the SDK set, to be laid over the bundle's workload: parameters in, fields out.

mod fields;

use std::collections::BTreeMap;

use fractal_core::contract::{ParamError, Params};
use serde::Serialize;
use serde_json::Value;

use super::object::Identity;
use super::quantity::is_quantity;

/// What a parameter for one resource must be.
const QUANTITY: &str = "a Kubernetes quantity such as 250m or 512Mi";
/// Longest name of a resource, in bytes: `prefix/name` of Kubernetes' qualified names.
const RESOURCE_NAME_MAX: usize = 317;

/// A field that was laid over.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Provenance {
    /// The object.
    pub object: Identity,
    /// The field, as `spec.template.spec.containers[0].image`.
    pub path: String,
    /// The parameter its value comes from, by its canonical name, as `resourceRequests.cpu`.
    pub parameter: &'static str,
    /// What the bundle had there.
    pub replaced: Option<Value>,
}

/// What the SDK set, and nothing else: no field here has a default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overlay {
    replicas: Option<i64>,
    image: Option<String>,
    port: Option<i64>,
    requests: BTreeMap<String, Amount>,
    limits: BTreeMap<String, Amount>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Amount {
    quantity: String,
    parameter: &'static str,
}

impl Overlay {
    /// What a component's parameters set, by their canonical names.
    ///
    /// `cpu` and `memory` set requests and limits, `cpuRequest` and `memoryRequest` set requests only, and the entries of
    /// `resourceRequests` and `resourceLimits` win over both, key by key. A quantity may be a JSON number.
    ///
    /// # Errors
    /// Where a parameter has the wrong type, is out of range, or is no quantity. A text of it is never repeated.
    pub fn from_params(params: &Params) -> Result<Self, ParamError> {
        let mut overlay = Self {
            replicas: params.integer("replicas", 0..=i64::from(i32::MAX))?,
            image: params.text("artifactUri")?.map(without_scheme),
            port: params.integer("port", 1..=65535)?,
            ..Self::default()
        };
        for (resource, name) in [("cpu", "cpu"), ("memory", "memory")] {
            if let Some(amount) = amount(params, name)? {
                overlay.requests.insert(resource.into(), amount.clone());
                overlay.limits.insert(resource.into(), amount);
            }
        }
        for (resource, name) in [("cpu", "cpuRequest"), ("memory", "memoryRequest")] {
            if let Some(amount) = amount(params, name)? {
                overlay.requests.insert(resource.into(), amount);
            }
        }
        overlay.requests.extend(amounts(params, &REQUESTS)?);
        overlay.limits.extend(amounts(params, &LIMITS)?);
        Ok(overlay)
    }

    /// The same with another image: the reference that the cluster is to pull, resolved and pinned.
    #[must_use]
    pub fn with_image(mut self, image: String) -> Self {
        self.image = Some(image);
        self
    }

    /// Whether nothing was set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// How many pods there are to be.
    #[must_use]
    pub const fn replicas(&self) -> Option<i64> {
        self.replicas
    }

    /// The image, without `oci://`.
    #[must_use]
    pub fn image(&self) -> Option<&str> {
        self.image.as_deref()
    }

    /// The container's port.
    #[must_use]
    pub const fn port(&self) -> Option<i64> {
        self.port
    }

    /// Requested quantities by resource.
    pub fn requests(&self) -> impl Iterator<Item = (&str, &str)> {
        pairs(&self.requests)
    }

    /// Limits by resource.
    pub fn limits(&self) -> impl Iterator<Item = (&str, &str)> {
        pairs(&self.limits)
    }
}

fn pairs(amounts: &BTreeMap<String, Amount>) -> impl Iterator<Item = (&str, &str)> {
    amounts
        .iter()
        .map(|(resource, amount)| (resource.as_str(), amount.quantity.as_str()))
}

/// A kubelet takes no scheme.
fn without_scheme(image: &str) -> String {
    image.strip_prefix("oci://").unwrap_or(image).to_owned()
}

fn amount(params: &Params, name: &'static str) -> Result<Option<Amount>, ParamError> {
    let Some(value) = params.get(name) else {
        return Ok(None);
    };
    let quantity = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) if text.trim().is_empty() => return Ok(None),
        Value::String(text) => text.trim().to_owned(),
        _ => return Err(ParamError::new(name, QUANTITY, value)),
    };
    if !is_quantity(&quantity) {
        return Err(ParamError::new(name, QUANTITY, value));
    }
    Ok(Some(Amount {
        quantity,
        parameter: name,
    }))
}

/// A parameter with a quantity for each resource, and how its entries are called.
struct Resources {
    name: &'static str,
    cpu: &'static str,
    memory: &'static str,
}

const REQUESTS: Resources = Resources {
    name: "resourceRequests",
    cpu: "resourceRequests.cpu",
    memory: "resourceRequests.memory",
};
const LIMITS: Resources = Resources {
    name: "resourceLimits",
    cpu: "resourceLimits.cpu",
    memory: "resourceLimits.memory",
};

fn amounts(params: &Params, of: &Resources) -> Result<BTreeMap<String, Amount>, ParamError> {
    let mut amounts = BTreeMap::new();
    for (resource, text) in params.text_map(of.name)? {
        let quantity = text.trim().to_owned();
        if quantity.is_empty() {
            continue;
        }
        if !is_resource(&resource) {
            let expected = "an object whose keys are names of resources";
            return Err(ParamError::new(of.name, expected, &Value::String(resource)));
        }
        if !is_quantity(&quantity) {
            let name = format!("{}.{resource}", of.name);
            return Err(ParamError::new(&name, QUANTITY, &Value::String(quantity)));
        }
        let parameter = match resource.as_str() {
            "cpu" => of.cpu,
            "memory" => of.memory,
            _ => of.name,
        };
        amounts.insert(
            resource,
            Amount {
                quantity,
                parameter,
            },
        );
    }
    Ok(amounts)
}

fn is_resource(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    name.len() <= RESOURCE_NAME_MAX
        && name.matches('/').count() <= 1
        && name
            .split('/')
            .all(|part| !part.is_empty() && part.bytes().all(plain))
}
