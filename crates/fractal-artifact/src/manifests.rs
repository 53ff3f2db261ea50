//! Manifest bundles: a workload's own Kubernetes manifests, made into the objects that are to exist in one environment.
//!
//! [`render`] takes the bundle's texts and what the SDK set: `$NAME` is substituted from the environment's parameters, the YAML is
//! read as the API server's decoder reads it, and the SDK's fields are laid over the one workload named like the component.
//! Everything is a function of its arguments. Nothing is fetched, unpacked or applied here, and no default is added:
//! what the SDK did not set stays as the bundle has it.

mod error;
mod lint;
mod made;
mod object;
mod order;
mod overlay;
mod parameters;
mod pods;
mod policy;
mod quantity;
mod render;
mod secrets;
mod substitute;
mod warning;
mod workload;
mod yaml;

pub use error::{EnvironmentProblem, ManifestError, Problem, TargetProblem};
pub use lint::{Finding, Level, lint, unused_parameters};
pub use object::{ANNOTATIONS_MAX, Identity, OBJECT_MAX, Object};
pub use order::apply_order;
pub use overlay::{Overlay, Provenance};
pub use parameters::{PARAMETERS_BYTES_MAX, PARAMETERS_MAX, environments};
pub use policy::{CleartextSecrets, Policy};
pub use render::{Rendered, Request, Sources, render};
pub use secrets::looks_secret;
pub use substitute::Unresolved;
pub use warning::Warning;
pub use workload::Match;
pub use yaml::{ALIAS_BYTES_MAX, BYTES_MAX, DEPTH_MAX, DOCUMENTS_MAX, NODES_MAX};
