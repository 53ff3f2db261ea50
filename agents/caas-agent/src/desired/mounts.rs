//! Secrets mounted as files.

use fractal_core::reconcile::Inputs;
use serde_json::{Value, json};

use super::fields::{self, Fields};
use crate::error::Error;

const MOUNTS: &str = "secretMounts";

/// The pod's volumes and the container's mounts of them, pairwise.
#[derive(Default)]
pub(super) struct Mounts {
    pub(super) volumes: Vec<Value>,
    pub(super) mounts: Vec<Value>,
}

impl Mounts {
    /// From `[{name, mountPath, items?: [{key, path}], readOnly? = true}]`; without items every key of the Secret is a file.
    pub(super) fn of(inputs: &Inputs) -> Result<Self, Error> {
        let mut all = Self::default();
        let given = fields::list(&inputs.parameters, MOUNTS)?;
        for (index, mount) in given.iter().enumerate() {
            let mount = Fields::of(&format!("{MOUNTS}[{index}]"), mount)?;
            let volume = format!("secret-{index}");
            let mut secret = json!({ "secretName": mount.text("name")? });
            let items = mount.list("items")?;
            if let (false, Some(secret)) = (items.is_empty(), secret.as_object_mut()) {
                secret.insert("items".to_owned(), keys(&mount, items)?);
            }
            all.volumes
                .push(json!({ "name": volume, "secret": secret }));
            all.mounts.push(json!({
                "name": volume,
                "mountPath": mount.text("mountPath")?,
                "readOnly": mount.flag("readOnly")?.unwrap_or(true),
            }));
        }
        Ok(all)
    }
}

fn keys(mount: &Fields<'_>, items: &[Value]) -> Result<Value, Error> {
    let one = |(index, item): (usize, &Value)| -> Result<Value, Error> {
        let item = Fields::of(&format!("{}.items[{index}]", mount.place()), item)?;
        Ok(json!({ "key": item.text("key")?, "path": item.text("path")? }))
    };
    items.iter().enumerate().map(one).collect()
}
