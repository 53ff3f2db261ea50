//! Rules for Cargo manifests that cargo-deny cannot express: it does not tell a dependency from a dev-dependency.

use crate::tree::{File, files, none};

/// Crates for tests alone, and who may build on them outside tests.
const FOR_TESTS: &[(&str, &[&str])] = &[
    ("fractal-testkit", &["fractal-bench"]),
    (
        "fractal-simcloud",
        &["fractal-bench", "fractal-dev", "fractal-testkit"],
    ),
    ("insta", &[]),
    ("proptest", &["fractal-testkit"]),
    (
        "tempfile",
        &[
            "fractal-bench",
            "fractal-dev",
            "fractal-simcloud",
            "fractal-testkit",
        ],
    ),
];

/// How the names of the clouds' SDK crates begin.
const CLOUD_SDKS: &[&str] = &["aws-", "azure_", "google-cloud-", "kube", "k8s-openapi"];

struct Dependency {
    package: String,
    name: String,
    section: String,
    line: String,
}

impl Dependency {
    fn ships(&self) -> bool {
        !self.section.contains("dev-dependencies")
    }
}

#[test]
fn what_is_for_tests_does_not_ship() {
    let shipped = |dependency: &Dependency| {
        let rule = FOR_TESTS.iter().find(|(name, _)| *name == dependency.name);
        dependency.ships()
            && rule.is_some_and(|(_, allowed)| !allowed.contains(&dependency.package.as_str()))
    };
    let complaints = dependencies().into_iter().filter(shipped);
    none(
        complaints
            .map(|dependency| format!("{} ships {}", dependency.package, dependency.name))
            .collect(),
    );
}

#[test]
fn cloud_sdks_stay_in_vendor_crates_and_agents() {
    let vendor = |package: &str| {
        package.ends_with("-agent")
            || ["fractal-aws", "fractal-azure", "fractal-gcp"].contains(&package)
    };
    let stray = |dependency: &Dependency| {
        dependency.ships()
            && !vendor(&dependency.package)
            // The crypto provider bears a vendor's name and is no SDK.
            && dependency.name != "aws-lc-rs"
            && CLOUD_SDKS
                .iter()
                .any(|sdk| dependency.name.starts_with(sdk))
    };
    let complaints = dependencies().into_iter().filter(stray);
    none(
        complaints
            .map(|dependency| format!("{} depends on {}", dependency.package, dependency.name))
            .collect(),
    );
}

#[test]
fn core_depends_on_none_of_ours_and_on_no_runtime() {
    let banned = [
        "fractal-", "tokio", "hyper", "http", "axum", "reqwest", "rusqlite",
    ];
    let core = dependencies()
        .into_iter()
        .filter(|dependency| dependency.package == "fractal-core" && dependency.ships());
    let complaints =
        core.filter(|dependency| banned.iter().any(|name| dependency.name.starts_with(name)));
    none(
        complaints
            .map(|dependency| format!("fractal-core depends on {}", dependency.name))
            .collect(),
    );
}

#[test]
fn every_version_is_in_the_workspaces_one_table() {
    let apart = dependencies()
        .into_iter()
        .filter(|dependency| !dependency.line.contains("workspace = true"));
    none(
        apart
            .map(|dependency| format!("{}: {}", dependency.package, dependency.line))
            .collect(),
    );
}

#[test]
fn every_member_takes_the_workspaces_lints_and_xtask_depends_on_nothing() {
    let mut complaints: Vec<_> = members()
        .filter(|file| !file.text.contains("[lints]\nworkspace = true"))
        .map(|file| format!("{} has lints of its own", file.path))
        .collect();
    complaints.extend(
        dependencies()
            .into_iter()
            .filter(|found| found.package == "xtask")
            .map(|found| format!("xtask depends on {}", found.name)),
    );
    none(complaints);
}

/// The workspace's own packages. One folder is a workspace of its own: what we are measured against is built as its users build it.
fn members() -> impl Iterator<Item = File> {
    files("/Cargo.toml").into_iter().filter(|file| {
        let folders = ["agents/", "crates/", "xtask/"];
        let is_ours = folders.iter().any(|folder| file.path.starts_with(folder));
        is_ours && file.path != "crates/fractal-bench/peers/Cargo.toml"
    })
}

fn dependencies() -> Vec<Dependency> {
    let found: Vec<_> = members().flat_map(|file| of_manifest(&file)).collect();
    assert!(
        found
            .iter()
            .any(|dependency| dependency.name == "fractal-core"),
        "no member depends on fractal-core: the manifests were not understood"
    );
    found
}

fn of_manifest(file: &File) -> Vec<Dependency> {
    let package = file.path.rsplit('/').nth(1).unwrap().to_owned();
    let (mut found, mut section) = (Vec::new(), String::new());
    for line in file.text.lines() {
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_end_matches(']').to_owned();
        } else if section.ends_with("dependencies")
            && let Some((name, _)) = line
                .split_once(['.', ' ', '='])
                .filter(|_| !line.starts_with('#'))
        {
            found.push(Dependency {
                package: package.clone(),
                name: name.to_owned(),
                section: section.clone(),
                line: line.to_owned(),
            });
        }
    }
    found
}
