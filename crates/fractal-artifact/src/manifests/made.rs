//! Objects that are made rather than read from a bundle: checked and laid over just as a bundle's are.

use serde_json::Value;

use super::error::ManifestError;
use super::object::Object;
use super::overlay::Overlay;
use super::yaml::Document;

/// Stands where a bundle's objects have their file.
const GENERATED: &str = "the generated workload";

impl Object {
    /// An object that was made.
    ///
    /// # Errors
    /// Where it cannot be applied by name.
    pub fn made(value: Value) -> Result<Self, ManifestError> {
        Self::new(GENERATED, Document { value, line: 1 })
    }
}

impl Overlay {
    /// Lays what the SDK set over a workload that was made. With an autoscaler the replicas are left to it.
    ///
    /// # Errors
    /// Where the workload has no first container.
    pub fn lay_over(&self, object: &mut Object, autoscaled: bool) -> Result<(), ManifestError> {
        let identity = object.identity();
        let laid = self.apply(object, autoscaled);
        laid.map(drop).map_err(|problem| ManifestError::Object {
            file: GENERATED.to_owned(),
            line: 1,
            object: identity.to_string(),
            problem,
        })
    }
}
