//! Releases as the runtime would have read them, without a registry.

use std::sync::Arc;

use fractal_core::artifact::{BundleFacts, Descriptor, Digest, Facts, ImageFacts, Reference};
use fractal_core::reconcile::{Artifact, Release};
use serde_json::json;

pub(crate) fn image(reference: &str) -> Release {
    let digest = Digest::sha256(reference);
    let facts = ImageFacts {
        manifest: digest.clone(),
        architecture: "amd64".into(),
        size: 1,
    };
    Release {
        parameter: "artifactUri",
        artifact: artifact(reference, digest),
        facts: Arc::new(Facts::Image(facts)),
    }
}

pub(crate) fn bundle(files: &[(&str, &str)]) -> Release {
    let all: String = files
        .iter()
        .map(|(name, text)| format!("{name}\n{text}\n"))
        .collect();
    let digest = Digest::sha256(&all);
    let layer: Descriptor = serde_json::from_value(json!({
        "mediaType": "application/vnd.fractal.workload-manifests.v1+tar", "digest": digest.to_string(), "size": all.len(),
    }))
    .unwrap();
    let files = files
        .iter()
        .map(|(name, text)| ((*name).into(), Arc::from(*text)))
        .collect();
    Release {
        parameter: "manifestUri",
        artifact: artifact("registry.test/manifests:1", digest),
        facts: Arc::new(Facts::Bundle(BundleFacts { layer, files })),
    }
}

fn artifact(reference: &str, digest: Digest) -> Artifact {
    let reference: Reference = reference.parse().unwrap();
    Artifact { reference, digest }
}
