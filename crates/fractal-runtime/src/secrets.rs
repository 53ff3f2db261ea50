//! Secrets that parameters refer to, from files that a secret store mounts: `DIR/<environment short name>/<secret short name>`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use fractal_core::contract::EnvironmentId;
use fractal_core::reconcile::Value;
use fractal_core::{Fault, Reason};

/// Largest secret, in bytes: what Kubernetes and the clouds' own stores take fits well below.
const SECRET_MAX: u64 = 64 * 1024;

/// Where secrets come from.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    directory: Option<PathBuf>,
}

impl Secrets {
    /// Secrets from a folder.
    #[must_use]
    pub const fn from_directory(directory: PathBuf) -> Self {
        Self {
            directory: Some(directory),
        }
    }

    /// The secrets that `parameters` refer to and that are there; a missing one is for the platform to say.
    ///
    /// # Errors
    /// Where a secret is there and cannot be read.
    pub(crate) fn referred(
        &self,
        environment: &EnvironmentId,
        parameters: &serde_json::Value,
    ) -> Result<BTreeMap<String, Value>, Fault> {
        let mut names = BTreeSet::new();
        collect(parameters, &mut names);
        let Some(directory) = &self.directory else {
            return Ok(BTreeMap::new());
        };
        let folder = directory.join(environment.short_name());
        let read = |name: &&str| read(&folder, name).transpose();
        names
            .iter()
            .filter(|name| is_name(name))
            .filter_map(read)
            .collect()
    }
}

fn collect<'a>(value: &'a serde_json::Value, names: &mut BTreeSet<&'a str>) {
    match value {
        serde_json::Value::Object(map) => {
            if let (1, Some(name)) = (
                map.len(),
                map.get("$envSecret").and_then(|name| name.as_str()),
            ) {
                names.insert(name);
            }
            map.values().for_each(|value| collect(value, names));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|value| collect(value, names)),
        _ => {}
    }
}

/// Secret names become file names.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 128
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// The version is when the file was written: a rotated secret is a new file.
fn read(folder: &Path, name: &str) -> Result<Option<(String, Value)>, Fault> {
    let path = folder.join(name);
    let unreadable = |error: std::io::Error| {
        Fault::blocked(
            Reason::new("SecretUnreadable"),
            format!("secret `{name}` cannot be read"),
        )
        .because(error)
        .next("let the agent read the file")
    };
    let metadata = match std::fs::metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(unreadable)?,
    };
    if metadata.len() > SECRET_MAX {
        let fault = Fault::blocked(
            Reason::new("SecretUnreadable"),
            format!("secret `{name}` has more than {SECRET_MAX} bytes"),
        );
        return Err(fault.next("store a smaller secret"));
    }
    let version = metadata
        .modified()
        .ok()
        .and_then(|at| at.duration_since(UNIX_EPOCH).ok())
        .unwrap_or_default()
        .as_nanos()
        .to_string();
    let value = std::fs::read_to_string(&path).map_err(unreadable)?;
    let value = value.trim_end_matches(['\r', '\n']).to_owned();
    Ok(Some((
        name.to_owned(),
        Value::Sealed {
            name: name.to_owned(),
            version,
            value,
        },
    )))
}
