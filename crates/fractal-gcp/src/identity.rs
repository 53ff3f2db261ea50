//! Which identity we are, from Google's own standard variables and files. The environment is read by whoever calls.

use std::fmt;
use std::path::{Path, PathBuf};

use fractal_registry::ServiceUrl;

use crate::error::GcpError;

/// Names of the variables an identity is read from: those that Google's own libraries read.
pub mod variable {
    /// A file of application default credentials.
    pub const FILE: &str = "GOOGLE_APPLICATION_CREDENTIALS";
    /// Another folder of gcloud's settings.
    pub const GCLOUD: &str = "CLOUDSDK_CONFIG";
    /// The home folder, where gcloud's settings are by default.
    pub const HOME: &str = "HOME";
    /// Another address of the metadata server, `host[:port]`.
    pub const METADATA: &str = "GCE_METADATA_HOST";
}

/// The metadata server of every Google machine and of GKE's workload identity.
const METADATA: &str = "169.254.169.254";
/// What gcloud calls the file it writes at `application-default login`.
const WELL_KNOWN: &str = "application_default_credentials.json";

/// Where access tokens come from.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum GcpIdentity {
    /// The metadata server: the machine's service account, or the one a pod's Kubernetes account is bound to.
    Metadata(ServiceUrl),
    /// A file of application default credentials; read again each time, since it may be replaced.
    File(PathBuf),
}

impl GcpIdentity {
    /// The identity of application default credentials: the file named, else gcloud's own, else the metadata server.
    ///
    /// # Errors
    /// Where the metadata server's address cannot be used.
    pub fn from_variables(read: impl Fn(&str) -> Option<String>) -> Result<Self, GcpError> {
        let read = |name: &'static str| read(name).filter(|value| !value.trim().is_empty());
        if let Some(file) = read(variable::FILE) {
            return Ok(Self::File(file.into()));
        }
        let folder = read(variable::GCLOUD).map(PathBuf::from).or_else(|| {
            let home = read(variable::HOME)?;
            Some(Path::new(&home).join(".config/gcloud"))
        });
        let known = folder.map(|folder| folder.join(WELL_KNOWN));
        if let Some(file) = known.filter(|file| file.is_file()) {
            return Ok(Self::File(file));
        }
        let host = read(variable::METADATA);
        let host = host.as_deref().unwrap_or(METADATA).trim();
        ServiceUrl::metadata(host)
            .map(Self::Metadata)
            .map_err(|problem| GcpError::Setting {
                name: variable::METADATA,
                problem,
            })
    }
}

/// Who this is, for people.
impl fmt::Display for GcpIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Metadata(_) => f.write_str("the service account of this machine or pod"),
            Self::File(path) => write!(f, "the identity of {}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<GcpIdentity, GcpError> {
        GcpIdentity::from_variables(|name| {
            let found = pairs.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_file_comes_before_gclouds_and_both_before_the_metadata_server() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_str().unwrap();
        let is_metadata = |pairs: &[(&str, &str)], url: &str| {
            let identity = read(pairs).unwrap();
            matches!(identity, GcpIdentity::Metadata(found) if found.as_str() == url)
        };
        assert!(is_metadata(&[("HOME", home)], "http://169.254.169.254"));
        let host = ("GCE_METADATA_HOST", "127.0.0.1:988");
        assert!(is_metadata(&[host], "http://127.0.0.1:988"));
        let gcloud = folder.path().join(".config/gcloud");
        std::fs::create_dir_all(&gcloud).unwrap();
        std::fs::write(gcloud.join(WELL_KNOWN), "{}").unwrap();
        let file = |pairs: &[(&str, &str)]| match read(pairs).unwrap() {
            GcpIdentity::File(path) => path,
            GcpIdentity::Metadata(_) => panic!("no file"),
        };
        assert_eq!(file(&[("HOME", home), host]), gcloud.join(WELL_KNOWN));
        let named = ("GOOGLE_APPLICATION_CREDENTIALS", "/key.json");
        assert_eq!(file(&[("HOME", home), named]), Path::new("/key.json"));
        let broken = read(&[("GCE_METADATA_HOST", "u:p@host")]).unwrap_err();
        assert!(broken.to_string().contains("GCE_METADATA_HOST"));
    }
}
