//! What holds for every manifest: nothing panics, what is rendered can be read again as the same, and an overlay changes its own
//! fields only.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "functions for tests only"
)]

#[path = "support/bundle.rs"]
mod bundle;

use bundle::{Bundle, overlay, parameters};
use fractal_artifact::manifests::{Object, Policy, apply_order, lint};
use proptest::prelude::*;
use serde_json::json;

const SEEDS: [&str; 3] = [
    include_str!("../../../fixtures/bundles/cloud-conf-demo/.fractal/dashboard-fdeploy.yaml"),
    include_str!("../../../fixtures/bundles/cloud-conf-demo/.fractal/producer-fdeploy.yaml"),
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      containers:\n      - &c {name: a, image: x}\n      - <<: *c\n        name: b\n",
];

/// The seeds with something put in, taken out or moved, at places that are characters' beginnings.
fn mutated() -> impl Strategy<Value = String> {
    let edit = (
        any::<prop::sample::Index>(),
        0..12_usize,
        "[ \n\t:#,{}\\[\\]'\"|>&*!%@`?<=.~$a0-]{0,4}",
    );
    (0..SEEDS.len(), prop::collection::vec(edit, 0..6)).prop_map(|(seed, edits)| {
        let mut text: Vec<char> = SEEDS[seed].chars().collect();
        for (at, length, insertion) in edits {
            let at = at.index(text.len().max(1));
            let end = (at + length).min(text.len());
            text.splice(at.min(end)..end, insertion.chars());
        }
        text.into_iter().collect()
    })
}

/// Objects as a manifest of JSON documents.
fn as_manifest(objects: &[Object]) -> String {
    let documents: Vec<String> = objects.iter().map(|it| it.value().to_string()).collect();
    documents.join("\n---\n")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_and_what_is_rendered_reads_as_itself(manifest in mutated(), value in ".{0,12}") {
        let parameters = parameters(&[("IMAGE", &value), ("NAMESPACE", "team")]);
        let bundle = Bundle::with(&manifest, &parameters);
        let laid = overlay(json!({"replicas": 2, "artifactUri": "a:1", "port": 80, "cpu": "1"}));
        let _ = lint(&bundle.sources(), &bundle.request(&laid));
        if let Ok(rendered) = bundle.laid_over(&laid) {
            let again = Bundle::of(&as_manifest(&rendered.objects)).render().unwrap();
            let values = |objects: &[Object]| -> Vec<_> { objects.iter().map(|it| it.value().clone()).collect() };
            prop_assert_eq!(values(&again.objects), values(&rendered.objects));
            let mut order = apply_order(&rendered.objects).concat();
            order.sort_unstable();
            prop_assert_eq!(order, (0..rendered.objects.len()).collect::<Vec<_>>());
            let policy = Policy::parse("kinds: []\nnamespaces: []\nserviceAccounts: []").unwrap();
            let checked = policy.check(&rendered.objects, "default", &rendered.warnings);
            prop_assert_eq!(checked.is_err(), !rendered.objects.is_empty());
        }
    }

    #[test]
    fn any_text_is_read_or_refused(manifest in "\\PC{0,200}", parameters in "\\PC{0,100}", policy in "\\PC{0,50}") {
        let _ = Bundle::with(&manifest, &parameters).render();
        let _ = Policy::parse(&policy);
    }
}
