//! The suite's way into and around the cloud in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use fractal_core::Class;
use fractal_core::artifact::{Descriptor, Digest, Facts, Reference as ArtifactReference, ZipFacts};
use fractal_core::contract::{Environment, EnvironmentId, Params};
use fractal_core::reconcile::{
    Artifact, Content, Grant, Inputs, NoContent, Platform as _, Release, Rollout,
};
use serde_json::{Value, json};

use super::agent::{Config, Place, Reference};
use super::api::LATE;
use super::cloud::{Armed, Cloud, Operation, Seen, Stored, Version};
use crate::conformance::{
    Call, DROPPED_KEY, Expected, FOREIGN_KEY, Harness, KEPT_KEY, LateFailure, Object, Outside,
    Spec, Trouble, owner,
};

/// Permissions by call.
pub(super) const GRANTS: &[Grant] = &[
    grant("CreateObject", "objects.create"),
    grant("UpdateCode", "objects.deploy"),
    grant("UpdateSettings", "objects.configure"),
    grant("MarkObject", "objects.tag"),
    grant("DeleteObject", "objects.delete"),
    grant("PutBlob", "blobs.write"),
    grant("DeleteBlob", "blobs.delete"),
];

const fn grant(call: &'static str, permission: &'static str) -> Grant {
    Grant {
        call,
        permission,
        purpose: "changes the cloud",
    }
}

/// A fresh cloud in memory, with the correct agent.
#[derive(Debug, Clone, Default)]
pub struct ReferenceCloud {
    /// The cloud.
    pub cloud: Cloud,
}

impl ReferenceCloud {
    fn zone(spec: Spec) -> &'static str {
        if spec == Spec::OtherPlace {
            "north"
        } else {
            "south"
        }
    }

    fn place(spec: Spec) -> String {
        let zone = Self::zone(spec).to_owned();
        Place {
            zone,
            name: "worker".to_owned(),
        }
        .to_string()
    }

    fn settings(spec: Spec) -> BTreeMap<String, String> {
        let kept = if matches!(spec, Spec::NewSettings | Spec::Both) {
            "two"
        } else {
            "one"
        };
        let dropped = (spec != Spec::DroppedKey).then_some((DROPPED_KEY, "here"));
        let impossible = (spec == Spec::Impossible).then_some(("", "nameless"));
        [Some((KEPT_KEY, kept)), dropped, impossible]
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    fn digest(spec: Spec) -> Digest {
        Digest::sha256(if matches!(spec, Spec::NewArtifact | Spec::Both) {
            "second"
        } else {
            "first"
        })
    }
}

impl Harness for ReferenceCloud {
    type Platform = Reference;

    fn agent(&self) -> Reference {
        Reference(self.cloud.clone())
    }

    fn config(&self) -> Config {
        Config {
            zone: "south".to_owned(),
        }
    }

    fn content(&self) -> &dyn Content {
        &NoContent
    }

    #[expect(clippy::expect_used, reason = "constants that a test parses")]
    fn deployment(&self, spec: Spec) -> (Inputs, Rollout) {
        let digest = Self::digest(spec);
        let reference: ArtifactReference = "registry.test/worker:1".parse().expect("a reference");
        let parameters = json!({ "zone": Self::zone(spec), "settings": Self::settings(spec) });
        let inputs = Inputs {
            component: "worker".parse().expect("a component"),
            offer: "Conformance.Suite.Worker".parse().expect("an offer"),
            environment: Environment {
                id: EnvironmentId::new("Personal", "suite", "test").expect("an environment"),
                parameters: Params::default(),
            },
            parameters: match parameters {
                Value::Object(map) => Params::new(map),
                _ => Params::default(),
            },
            dependencies: BTreeMap::new(),
            links: Vec::new(),
            secrets: BTreeMap::new(),
        };
        let layer = Descriptor::new("application/zip", digest.clone(), 1);
        let facts = Arc::new(Facts::Zip(ZipFacts {
            layer,
            unpacked: 1,
            names: Vec::new(),
        }));
        let artifact = Artifact { reference, digest };
        (
            inputs,
            Rollout {
                target: Release {
                    parameter: "sourceArtifact",
                    artifact,
                    facts,
                },
                beside: Vec::new(),
            },
        )
    }

    fn expected(&self, spec: Spec) -> Expected {
        let digest = Self::digest(spec);
        Expected {
            place: Self::place(spec),
            serves: digest.hex().to_owned(),
            settings: Self::settings(spec),
            digest: digest.to_string(),
        }
    }

    fn mark(&self) -> u64 {
        self.cloud.state().calls.len() as u64
    }

    fn calls(&self, since: u64) -> Vec<Call> {
        let since = usize::try_from(since).unwrap_or(usize::MAX);
        self.cloud
            .state()
            .calls
            .iter()
            .skip(since)
            .cloned()
            .collect()
    }

    fn objects(&self) -> Vec<Object> {
        self.cloud.state().objects()
    }

    fn leftovers(&self) -> Vec<String> {
        self.cloud.state().blobs.keys().cloned().collect()
    }

    fn arm(&self, trouble: Trouble) {
        self.cloud.state().armed.push(Armed { trouble, seen: 0 });
    }

    fn heal(&self) {
        let mut state = self.cloud.state();
        state.armed.clear();
        state.hung = false;
    }

    async fn advance(&self) {
        self.cloud.state().settle();
    }

    async fn hung(&self) {
        std::future::poll_fn(|context| {
            context.waker().wake_by_ref();
            if self.cloud.state().hung {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
    }

    async fn outside(&self, act: Outside) -> bool {
        let mut state = self.cloud.state();
        let place = Self::place(Spec::First);
        if matches!(act, Outside::TakesPlace | Outside::TakesPlaceUnmarked) {
            let marker = format!("other/{}", owner().component.hash());
            let stored = another((act == Outside::TakesPlace).then_some(marker));
            state.objects.insert(place, stored);
            return true;
        }
        let Some(stored) = state.objects.get_mut(&place) else {
            return false;
        };
        let mut set = |name: &str, value: &str| {
            let settings = &mut stored.seen.latest.settings;
            settings.insert(name.to_owned(), value.to_owned());
        };
        match act {
            Outside::AddsKey => set(FOREIGN_KEY.0, FOREIGN_KEY.1),
            Outside::ChangesSettings => set(KEPT_KEY, "tampered"),
            Outside::ChangesCode => stored.seen.latest.code = "tampered".to_owned(),
            Outside::DropsDigestMarker => stored.seen.digest = None,
            Outside::DropsOwnerMarker => stored.seen.owner = None,
            Outside::TakesPlace | Outside::TakesPlaceUnmarked => {}
        }
        stored.serving = Some(stored.seen.latest.clone());
        true
    }

    fn permission(&self, operation: &str) -> String {
        let grants = Reference::GRANTS.iter();
        grants
            .filter(|grant| grant.call == operation)
            .map(|grant| grant.permission)
            .collect()
    }

    fn late_failure(&self) -> LateFailure {
        LateFailure {
            class: Class::Blocked,
            says: LATE.to_owned(),
        }
    }
}

fn another(owner: Option<String>) -> Stored {
    let latest = Version {
        code: "theirs".to_owned(),
        settings: BTreeMap::new(),
    };
    Stored {
        serving: Some(latest.clone()),
        seen: Seen {
            owner,
            digest: None,
            latest,
            operation: Operation::Done,
        },
        fails_late: None,
    }
}
