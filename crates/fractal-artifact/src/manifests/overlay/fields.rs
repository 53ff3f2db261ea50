//! The fixed set of fields that an overlay writes, and the record of each.

use serde_json::{Map, Value};

use super::super::error::Problem;
use super::super::object::{Identity, Object};
use super::super::workload;
use super::{Amount, Overlay, Provenance};

use std::collections::BTreeMap;

/// Where the first container stands.
const CONTAINER: &str = "spec.template.spec.containers[0]";

impl Overlay {
    /// Lays the overlay over a workload that has a first container. With an autoscaler the replicas are left to it.
    pub(in super::super) fn apply(
        &self,
        object: &mut Object,
        autoscaled: bool,
    ) -> Result<Vec<Provenance>, Problem> {
        let mut record = Record {
            object: object.identity(),
            written: Vec::new(),
        };
        let replicas = self
            .replicas
            .filter(|_| !autoscaled && !workload::is_daemon_set(object));
        let spec = object
            .value_mut()
            .get_mut("spec")
            .and_then(Value::as_object_mut)
            .ok_or(Problem::Form("spec"))?;
        if let Some(replicas) = replicas {
            record.write(spec, "spec", "replicas", replicas.into(), "replicas");
        }
        let container = container(spec).ok_or(Problem::Form(CONTAINER))?;
        if let Some(image) = &self.image {
            let image = Value::String(image.clone());
            record.write(container, CONTAINER, "image", image, "artifactUri");
        }
        if let Some(port) = self.port {
            record.port(container, port)?;
        }
        record.resources(container, &self.requests, &REQUESTS)?;
        record.resources(container, &self.limits, &LIMITS)?;
        Ok(record.written)
    }
}

fn container(spec: &mut Map<String, Value>) -> Option<&mut Map<String, Value>> {
    let pod = spec.get_mut("template")?.get_mut("spec")?;
    let containers = pod.get_mut("containers")?.as_array_mut()?;
    containers.first_mut()?.as_object_mut()
}

/// One of the two maps of resources.
struct Place {
    field: &'static str,
    path: &'static str,
}

const REQUESTS: Place = Place {
    field: "requests",
    path: "spec.template.spec.containers[0].resources.requests",
};
const LIMITS: Place = Place {
    field: "limits",
    path: "spec.template.spec.containers[0].resources.limits",
};

struct Record {
    object: Identity,
    written: Vec<Provenance>,
}

impl Record {
    fn write(
        &mut self,
        map: &mut Map<String, Value>,
        place: &str,
        field: &str,
        value: Value,
        parameter: &'static str,
    ) {
        let replaced = map.insert(field.to_owned(), value);
        self.written.push(Provenance {
            object: self.object.clone(),
            path: format!("{place}.{field}"),
            parameter,
            replaced,
        });
    }

    /// The first port's number only: its name and protocol are what Services and probes refer to.
    fn port(&mut self, container: &mut Map<String, Value>, port: i64) -> Result<(), Problem> {
        const PORT: &str = "spec.template.spec.containers[0].ports[0]";
        let ports = container.entry("ports").or_insert(Value::Null);
        if ports.is_null() {
            *ports = Value::Array(Vec::new());
        }
        let ports = ports.as_array_mut().ok_or(Problem::Form("ports"))?;
        if ports.is_empty() {
            ports.push(Value::Object(Map::new()));
        }
        let first = ports
            .first_mut()
            .and_then(Value::as_object_mut)
            .ok_or(Problem::Form("ports"))?;
        self.write(first, PORT, "containerPort", port.into(), "port");
        Ok(())
    }

    fn resources(
        &mut self,
        container: &mut Map<String, Value>,
        amounts: &BTreeMap<String, Amount>,
        place: &Place,
    ) -> Result<(), Problem> {
        if amounts.is_empty() {
            return Ok(());
        }
        let resources = mapping(container, "resources")?;
        let quantities = mapping(resources, place.field)?;
        for (resource, amount) in amounts {
            let quantity = Value::String(amount.quantity.clone());
            self.write(quantities, place.path, resource, quantity, amount.parameter);
        }
        Ok(())
    }
}

/// The mapping under `field`, made where there is none.
fn mapping<'a>(
    map: &'a mut Map<String, Value>,
    field: &'static str,
) -> Result<&'a mut Map<String, Value>, Problem> {
    let value = map.entry(field).or_insert(Value::Null);
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().ok_or(Problem::Form(field))
}
