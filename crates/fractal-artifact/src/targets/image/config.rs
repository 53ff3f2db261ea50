//! What an image's config says of running it: command, user, ports; and what targets make of that.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{APP_RUNNER_PORT, CLOUD_RUN_CONTRACT, PORT};
use crate::image::{CONFIG_MAX, ImageError};
use crate::targets::Target;
use crate::targets::finding::{Finding, listed, shown};

/// The part of an image's config that rules look at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageSettings {
    /// Whether it has an `ENTRYPOINT` or a `CMD`.
    pub has_command: bool,
    /// The user it runs as; empty where it says none, which is root.
    pub user: String,
    /// Its exposed ports, as `8080/tcp`.
    pub ports: Vec<String>,
    /// Its labels that say where it is from: `org.opencontainers.image.*`.
    pub labels: BTreeMap<String, String>,
    /// When it was built, as it says.
    pub created: Option<String>,
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    config: Option<Config>,
    #[serde(default)]
    created: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Config {
    entrypoint: Option<Vec<IgnoredAny>>,
    cmd: Option<Vec<IgnoredAny>>,
    user: Option<String>,
    exposed_ports: Option<BTreeMap<String, IgnoredAny>>,
    labels: Option<BTreeMap<String, String>>,
}

impl ImageSettings {
    /// Reads an OCI or Docker image config.
    ///
    /// # Errors
    /// Where it is larger than [`CONFIG_MAX`], or no JSON of that form.
    pub fn parse(bytes: &[u8]) -> Result<Self, ImageError> {
        if bytes.len() > CONFIG_MAX {
            return Err(ImageError::ConfigTooLarge { found: bytes.len() });
        }
        let document: Document = serde_json::from_slice(bytes).map_err(ImageError::Config)?;
        let config = document.config.unwrap_or_default();
        let some =
            |words: &Option<Vec<IgnoredAny>>| words.as_ref().is_some_and(|it| !it.is_empty());
        let labels = config.labels.unwrap_or_default().into_iter();
        Ok(Self {
            has_command: some(&config.entrypoint) || some(&config.cmd),
            user: config.user.unwrap_or_default(),
            ports: config
                .exposed_ports
                .unwrap_or_default()
                .into_keys()
                .collect(),
            labels: labels
                .filter(|(key, _)| key.starts_with("org.opencontainers.image."))
                .collect(),
            created: document.created,
        })
    }

    fn is_root(&self) -> bool {
        let user = self.user.split(':').next().unwrap_or_default();
        matches!(user, "" | "root") || user.parse() == Ok(0_u32)
    }
}

pub(super) fn check(
    config: &ImageSettings,
    target: Target,
    platform: &str,
    findings: &mut Vec<Finding>,
) {
    if !config.has_command {
        let what = "the image has neither ENTRYPOINT nor CMD";
        findings.push(
            Finding::warning("image-command", what)
                .at(platform)
                .because("nothing is run unless the component says a command")
                .fix(
                    "add CMD or ENTRYPOINT to the Dockerfile, or set the command on the component",
                ),
        );
    }
    findings.extend(port(config, target, platform));
    findings.extend(user(config, target, platform));
}

/// The port that requests are sent to is said by the service, 8080 by default; an image says which it was built to listen on.
fn port(config: &ImageSettings, target: Target, platform: &str) -> Option<Finding> {
    let (source, contract) = match target {
        Target::GcpCloudRun => (
            CLOUD_RUN_CONTRACT,
            "Cloud Run sends requests to 8080 unless the service says another port, and says the port in PORT",
        ),
        Target::AwsAppRunner => (
            APP_RUNNER_PORT,
            "App Runner sends requests to 8080 unless the service says another port",
        ),
        _ => return None,
    };
    let number = |port: &String| port.split('/').next().and_then(|text| text.parse().ok());
    if config.ports.iter().any(|port| number(port) == Some(PORT)) {
        return None;
    }
    let finding = if config.ports.is_empty() {
        Finding::note(
            "image-port",
            "not checked: the port it listens on, since it exposes none",
        )
    } else {
        let ports = listed(config.ports.iter().map(String::as_str));
        Finding::note(
            "image-port",
            format!("the image exposes {ports}, and not {PORT}"),
        )
    };
    Some(
        finding.at(platform).because(contract).said_by(source).fix(
            "listen on 0.0.0.0 and on the port that PORT says, or set the port on the component",
        ),
    )
}

fn user(config: &ImageSettings, target: Target, platform: &str) -> Option<Finding> {
    let note = |what: String, why: &str, source| {
        Finding::note("image-user", what)
            .at(platform)
            .because(why)
            .said_by(source)
    };
    match target {
        Target::Kubernetes if config.is_root() => Some(
            note(
                "the image runs as root".into(),
                "namespaces under the restricted Pod Security Standard refuse it",
                "https://kubernetes.io/docs/concepts/security/pod-security-standards/",
            )
            .fix("set a numeric USER in the Dockerfile, or runAsUser in the manifest"),
        ),
        Target::AwsLambda if !config.is_root() => Some(note(
            format!("USER {} is not used", shown(&config.user)),
            "Lambda runs every image as a user of its own, which has to be able to read all files",
            super::LAMBDA_IMAGES,
        )),
        _ => None,
    }
}
