//! A function as stored, and as the API shows it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::clock::at;
use crate::encoding::{unhex, uuid};

/// The bytes a function runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Code {
    Zip {
        sha256: String,
        size: u64,
    },
    Image {
        uri: String,
        resolved: String,
        digest: String,
        architecture: String,
    },
}

impl Code {
    pub(super) fn package_type(&self) -> &'static str {
        match self {
            Self::Zip { .. } => "Zip",
            Self::Image { .. } => "Image",
        }
    }

    /// Base64 of a zip's hash; the hex of an image's digest.
    pub(super) fn sha256(&self) -> String {
        match self {
            Self::Zip { sha256, .. } => STANDARD.encode(unhex(sha256).unwrap_or_default()),
            Self::Image { digest, .. } => digest.trim_start_matches("sha256:").to_owned(),
        }
    }

    fn size(&self) -> u64 {
        match self {
            Self::Zip { size, .. } => *size,
            Self::Image { .. } => 0,
        }
    }
}

/// Settings and code together: what one moment of `$LATEST`, or a version, is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Snapshot {
    /// Members of `FunctionConfiguration` that the caller decides, as answered.
    pub(super) settings: Map<String, Value>,
    pub(super) code: Code,
    pub(super) modified_ms: u64,
}

/// Why a write failed when it settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failure {
    pub(super) code: String,
    pub(super) reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Phase {
    Pending,
    Active,
    Updating,
    /// The creation failed; the function never served.
    Failed(Failure),
    /// The last update failed; what was there before still serves.
    UpdateFailed(Failure),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) latest: Snapshot,
    /// What invocations run; nothing until the creation has settled.
    pub(super) serving: Option<Snapshot>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) phase: Phase,
    pub(super) written_ms: u64,
    /// The failure the write in progress will settle with.
    pub(super) fails_late: Option<Failure>,
    pub(super) revision: String,
    pub(super) last_version: u32,
}

impl Function {
    pub(super) fn in_progress(&self) -> bool {
        matches!(self.phase, Phase::Pending | Phase::Updating)
    }

    /// Ends the write in progress.
    pub(super) fn settle(&mut self) {
        let failure = self.fails_late.take();
        self.phase = match (&self.phase, failure) {
            (Phase::Pending, Some(failure)) => Phase::Failed(failure),
            (_, Some(failure)) => Phase::UpdateFailed(failure),
            (_, None) => {
                self.serving = Some(self.latest.clone());
                Phase::Active
            }
        };
        self.revision = uuid();
    }

    /// `FunctionConfiguration` of `$LATEST`.
    pub(super) fn configuration(&self) -> Value {
        let mut shown = self.listed();
        let state = match &self.phase {
            Phase::Pending => {
                json!({ "State": "Pending", "StateReason": "The function is being created.", "StateReasonCode": "Creating" })
            }
            Phase::Active => json!({ "State": "Active", "LastUpdateStatus": "Successful" }),
            Phase::Updating => json!({
                "State": "Active",
                "LastUpdateStatus": "InProgress",
                "LastUpdateStatusReason": "The function is being created.",
                "LastUpdateStatusReasonCode": "Creating",
            }),
            Phase::Failed(Failure { code, reason }) => json!({
                "State": "Failed",
                "StateReason": reason,
                "StateReasonCode": code,
                "LastUpdateStatus": "Failed",
                "LastUpdateStatusReason": reason,
                "LastUpdateStatusReasonCode": code,
            }),
            Phase::UpdateFailed(Failure { code, reason }) => json!({
                "State": "Active",
                "LastUpdateStatus": "Failed",
                "LastUpdateStatusReason": reason,
                "LastUpdateStatusReasonCode": code,
            }),
        };
        merge(&mut shown, state);
        Value::Object(shown)
    }

    /// The subset of `FunctionConfiguration` that `ListFunctions` gives: no states.
    pub(super) fn listed(&self) -> Map<String, Value> {
        shown(
            &self.latest,
            &self.name,
            &self.arn,
            "$LATEST",
            &self.revision,
        )
    }
}

/// A published version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Version {
    pub(super) number: u32,
    pub(super) snapshot: Snapshot,
    pub(super) revision: String,
}

impl Version {
    pub(super) fn configuration(&self, function: &Function) -> Value {
        let number = self.number.to_string();
        let mut shown = shown(
            &self.snapshot,
            &function.name,
            &format!("{}:{number}", function.arn),
            &number,
            &self.revision,
        );
        merge(
            &mut shown,
            json!({ "State": "Active", "LastUpdateStatus": "Successful" }),
        );
        Value::Object(shown)
    }
}

fn merge(into: &mut Map<String, Value>, from: Value) {
    if let Value::Object(from) = from {
        into.extend(from);
    }
}

fn shown(
    snapshot: &Snapshot,
    name: &str,
    arn: &str,
    version: &str,
    revision: &str,
) -> Map<String, Value> {
    let format = time::macros::format_description!(
        "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]+0000"
    );
    let mut shown = snapshot.settings.clone();
    let config = serde_json::to_vec(&snapshot.settings).unwrap_or_default();
    merge(
        &mut shown,
        json!({
            "FunctionName": name,
            "FunctionArn": arn,
            "Version": version,
            "RevisionId": revision,
            "PackageType": snapshot.code.package_type(),
            "CodeSha256": snapshot.code.sha256(),
            "CodeSize": snapshot.code.size(),
            "ConfigSha256": STANDARD.encode(Sha256::digest(&config)),
            "LastModified": at(snapshot.modified_ms).format(format).unwrap_or_default(),
        }),
    );
    shown
}

/// What one function runs now, for tests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Served {
    /// Twelve digits.
    pub account: String,
    /// Region.
    pub region: String,
    /// Name.
    pub function: String,
    /// `Zip` or `Image`; `None` when it serves nothing yet.
    pub package_type: Option<String>,
    /// `sha256:` and the hex hash of the zip, or the image's digest.
    pub digest: Option<String>,
    /// The image's URI as the caller gave it.
    pub image_uri: Option<String>,
    /// Environment variables in force.
    pub environment: BTreeMap<String, String>,
    /// All settings in force, as `FunctionConfiguration` names them.
    pub settings: Value,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Whether a write is still in progress.
    pub in_progress: bool,
}

impl Served {
    pub(super) fn of(key: &str, function: &Function) -> Self {
        let mut place = key.split('/').skip(1).map(str::to_owned);
        let (account, region) = (
            place.next().unwrap_or_default(),
            place.next().unwrap_or_default(),
        );
        let serving = function.serving.as_ref();
        let digest = serving.map(|snapshot| match &snapshot.code {
            Code::Zip { sha256, .. } => format!("sha256:{sha256}"),
            Code::Image { digest, .. } => digest.clone(),
        });
        let environment = serving.and_then(|snapshot| {
            snapshot
                .settings
                .get("Environment")?
                .get("Variables")
                .cloned()
        });
        Self {
            account,
            region,
            function: function.name.clone(),
            package_type: serving.map(|snapshot| snapshot.code.package_type().to_owned()),
            digest,
            image_uri: serving.and_then(|snapshot| {
                if let Code::Image { uri, .. } = &snapshot.code {
                    Some(uri.clone())
                } else {
                    None
                }
            }),
            environment: environment
                .and_then(|variables| serde_json::from_value(variables).ok())
                .unwrap_or_default(),
            settings: serving
                .map(|snapshot| Value::Object(snapshot.settings.clone()))
                .unwrap_or_default(),
            tags: function.tags.clone(),
            in_progress: function.in_progress(),
        }
    }
}
