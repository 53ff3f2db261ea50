//! The bundle of two workloads, pushed as it is documented and read back through a real registry.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use caas_agent::Kubernetes;
use fractal_core::artifact::Facts;
use fractal_core::contract::EnvironmentId;
use fractal_core::reconcile::{Platform as _, Release, Rollout};
use fractal_registry::{Options, Registry};
use fractal_runtime::Artifacts;
use serde_json::json;

use crate::published::Published;
use crate::rig::{Component, Rig, id};

const MANIFESTS: &str = "application/vnd.fractal.workload-manifests.v1+tar";
const KINDS: &str = "statefulsets,deployments,services,configmaps,serviceaccounts,networkpolicies,ingresses,cronjobs";

/// How developers pack the folder, as shell words. Each makes `manifests.tar` of `.fractal`.
const TARS: [(&str, &str); 8] = [
    ("documented", "tar -cf manifests.tar .fractal"),
    ("dot", "tar -cf manifests.tar ./.fractal"),
    (
        "everything",
        "tar -cf manifests.tar --exclude=manifests.tar .",
    ),
    ("pax", "tar --format=posix -cf manifests.tar .fractal"),
    ("ustar", "tar --format=ustar -cf manifests.tar .fractal"),
    (
        "owners",
        "tar --owner=somebody:4242 --mtime=@0 --sort=name -cf manifests.tar .fractal",
    ),
    (
        "python-pax",
        "python3 -c \"import tarfile; t=tarfile.open('manifests.tar','w',format=tarfile.PAX_FORMAT,pax_headers={'comment':'by bsdtar'}); t.add('.fractal'); t.close()\"",
    ),
    // No entry for the folder, times of a fraction of a second: as bsdtar and archivers of other languages write it.
    (
        "python-files",
        "python3 -c \"import tarfile,os; t=tarfile.open('manifests.tar','w',format=tarfile.PAX_FORMAT); [t.add('.fractal/'+n, './.fractal/'+n) for n in sorted(os.listdir('.fractal'))]; t.close()\"",
    ),
];

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/bundles/cloud-conf-demo")
}

async fn shell(words: &str, folder: &Path) {
    let output = tokio::process::Command::new("/bin/sh")
        .args(["-ec", words])
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", folder)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    assert!(
        output.status.success(),
        "{words}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Packs and pushes the folder: the documented words, but for the registry's name.
async fn push(registry: &Published, pack: &str, tag: &str, change: Option<(&str, &str)>) -> String {
    let work = tempfile::tempdir().unwrap();
    let folder = work.path().join(".fractal");
    std::fs::create_dir(&folder).unwrap();
    for entry in std::fs::read_dir(fixture().join(".fractal")).unwrap() {
        let entry = entry.unwrap();
        let mut text = std::fs::read_to_string(entry.path()).unwrap();
        if let Some((from, to)) = change {
            text = text.replace(from, to);
        }
        std::fs::write(folder.join(entry.file_name()), text).unwrap();
    }
    shell(pack, work.path()).await;
    let parts = std::env::var("FRACTAL_PARTS").unwrap();
    let reference = format!("{}/cloud-conf-demo-manifests:{tag}", registry.host());
    let oras = format!(
        "{parts}/bin/oras push --plain-http {reference} --artifact-type {MANIFESTS} manifests.tar:{MANIFESTS}"
    );
    shell(&oras, work.path()).await;
    reference
}

/// What the runtime's own reader makes of a component's bundle.
async fn read(component: &Component) -> Release {
    let needs = Kubernetes::needs(&component.config, &component.inputs).unwrap();
    let artifacts = Artifacts::new(
        Registry::new(Options::on_loopback()).unwrap(),
        Duration::ZERO,
    );
    let environment = &component.inputs.environment;
    let artifact = artifacts
        .resolve(&needs, "Kubernetes", environment, None, true)
        .await
        .unwrap();
    let facts = artifacts.facts(&artifact, &needs).await.unwrap();
    Release {
        parameter: "manifestUri",
        artifact,
        facts,
    }
}

fn files(release: &Release) -> Vec<(String, Arc<str>)> {
    let Facts::Bundle(bundle) = &*release.facts else {
        panic!("no bundle: {:?}", release.facts)
    };
    bundle
        .files
        .iter()
        .map(|(name, text)| (name.to_string(), Arc::clone(text)))
        .collect()
}

async fn demo(rig: &Rig, environment: &str, id: &str, reference: &str) -> Component {
    let mut component = rig.bundle(id, json!({ "manifestUri": reference }), &[]);
    let environment = EnvironmentId::new("Personal", "suite", environment).unwrap();
    component.inputs.environment.id = environment.clone();
    component.owner.component.environment = environment;
    component.rollout = Rollout {
        target: read(&component).await,
        beside: Vec::new(),
    };
    component
}

/// Eight ways to pack it, two shapes of the reference, with `oci://` and without: the same files.
#[tokio::test]
async fn a_bundle_is_read_however_it_was_packed() {
    let rig = Rig::start("packed").await;
    let registry = Published::start().await;
    let mut all = Vec::new();
    for (tag, pack) in TARS {
        let reference = push(&registry, pack, tag, None).await;
        let tagged = demo(&rig, "dev", "producer", &format!("oci://{reference}")).await;
        let digest = tagged.rollout.target.artifact.digest.clone();
        let bare = reference.rsplit_once(':').unwrap().0;
        let pinned = demo(&rig, "dev", "producer", &format!("{bare}@{digest}")).await;
        assert_eq!(
            files(&pinned.rollout.target),
            files(&tagged.rollout.target),
            "{tag}"
        );
        all.push((tag, files(&tagged.rollout.target)));
    }
    for (tag, read) in &all {
        assert_eq!(read, &all[0].1, "{tag}");
    }
    let names: Vec<_> = all[0]
        .1
        .iter()
        .map(|(name, _)| name.rsplit('/').next().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "dashboard-fdeploy.yaml",
            "fractal-parameters.yml",
            "producer-fdeploy.yaml"
        ]
    );
}

async fn versions(rig: &Rig, of: &str) -> std::collections::BTreeMap<String, String> {
    let mut versions = rig.settled(KINDS).await;
    versions.retain(|id, _| id.rsplit('/').next().unwrap().starts_with(of));
    versions
}

/// The values of the fixture, but for the namespace.
async fn published(
    rig: &Rig,
    registry: &Published,
    tag: &str,
    more: Option<(&str, &str)>,
) -> String {
    let namespace = format!("NAMESPACE: {}", rig.namespace);
    let work = ("NAMESPACE: cloud-conf-demo", namespace.as_str());
    let (_, pack) = TARS[0];
    match more {
        None => push(registry, pack, tag, Some(work)).await,
        // One replacement at a time: the other is part of the text already.
        Some((from, to)) => {
            let both = format!(
                "{pack}; sed -i 's|{from}|{to}|; s|{}|{}|' .fractal/*; {pack}",
                work.0, work.1
            );
            push(registry, &both, tag, None).await
        }
    }
}

#[tokio::test]
async fn one_workload_of_a_bundle_changes_and_goes_without_the_other() {
    for environment in ["dev", "prod"] {
        let rig = Rig::for_bundles(environment, &json!([])).await;
        let registry = Published::start().await;
        let reference = published(&rig, &registry, "live", None).await;
        let mut producer = demo(&rig, environment, "producer", &reference).await;
        let mut dashboard = demo(&rig, environment, "dashboard", &reference).await;
        producer.ready(&rig.agent).await;
        dashboard.ready(&rig.agent).await;
        let image = if environment == "dev" { "v1" } else { "v1.0" };
        let live = rig.object("deployment", "dashboard").await;
        assert_eq!(
            live["spec"]["template"]["spec"]["containers"][0]["image"],
            format!("registry.example.com/cloud-conf-demo/dashboard:{image}")
        );
        let before = versions(&rig, "dashboard").await;
        assert!(before.len() > 4, "{before:?}");

        // The producer's manifest changes; both are of the new digest from now on.
        let change = (
            "terminationGracePeriodSeconds: 60",
            "terminationGracePeriodSeconds: 61",
        );
        let reference = published(&rig, &registry, "live", Some(change)).await;
        let digest = producer.rollout.target.artifact.digest.clone();
        for component in [&mut producer, &mut dashboard] {
            component.inputs.parameters =
                serde_json::from_value(json!({ "manifestUri": reference })).unwrap();
            component.rollout.target = read(component).await;
            assert_ne!(component.rollout.target.artifact.digest, digest);
            component.ready(&rig.agent).await;
        }
        let set = rig.object("statefulset", "producer").await;
        assert_eq!(
            set["spec"]["template"]["spec"]["terminationGracePeriodSeconds"],
            61
        );
        assert_eq!(versions(&rig, "dashboard").await, before);

        producer.gone(&rig.agent).await;
        assert_eq!(versions(&rig, "dashboard").await, before);
        rig.stays(&mut dashboard, KINDS).await;
        let left: Vec<_> = rig
            .objects("statefulsets,cronjobs")
            .await
            .iter()
            .map(id)
            .collect();
        assert_eq!(left, Vec::<String>::new());
    }
}
