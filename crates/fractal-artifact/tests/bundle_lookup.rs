//! The files that the contract names: found by the component's exact id, or missed with what is there instead (Z17).

#[path = "support/blocks.rs"]
#[expect(dead_code, reason = "this file needs part of the builder only")]
mod blocks;

use blocks::{file, folder, tar};
use fractal_artifact::bundle::{components, deployment, parameters, unread};
use fractal_artifact::{BundleError, BundleFiles, BundleScanner};
use fractal_core::{Class, Fault};

fn scan(tar: &[u8]) -> Result<BundleFiles, BundleError> {
    let mut scanner = BundleScanner::new();
    scanner.push(tar);
    scanner.finish(tar.len() as u64)
}

#[track_caller]
fn says(error: BundleError, reason: &str, what: &str) {
    let text = error.to_string();
    assert!(text.contains(what), "{text}");
    let fault = Fault::from(error);
    assert_eq!(fault.class, Class::Terminal);
    assert_eq!(fault.reason.as_str(), reason, "{text}");
    assert!(fault.why.is_some() && fault.next.is_some() && fault.place.is_some());
}

#[test]
fn z17_a_bundle_packed_from_the_wrong_folder_says_so() {
    for (path, what) in [
        ("producer-fdeploy.yaml", "packed from inside `.fractal`"),
        ("./producer-fdeploy.yml", "packed from inside `.fractal`"),
        ("fractal-parameters.yml", "packed from inside `.fractal`"),
        (
            "repo/.fractal/a.yaml",
            "packed from above the repository's root",
        ),
        (".Fractal/a.yaml", "other letters than `.fractal`"),
        ("manifests/a.yaml", "it has `manifests/a.yaml`"),
        (".fractal/a.json", "it has `.fractal/a.json`"),
    ] {
        let error = scan(&tar(&[file(path, b"a: 1")])).unwrap_err();
        says(error.clone(), "BundleMissing", what);
        let next = Fault::from(error).next.unwrap();
        assert!(next.contains("from the repository's root"), "{next}");
    }
    let error = scan(&tar(&[folder(".fractal/web-fdeploy.yaml/")])).unwrap_err();
    says(
        error,
        "BundleMissing",
        "`.fractal/web-fdeploy.yaml` is a folder",
    );
}

fn bundle(names: &[&str]) -> BundleFiles {
    names
        .iter()
        .map(|name| ((*name).into(), "".into()))
        .collect()
}

#[test]
fn z17_the_components_file_is_found_by_its_exact_id() {
    let files = bundle(&[
        "web-fdeploy.yaml",
        "api-fdeploy.yml",
        "web-api-fdeploy.yaml",
    ]);
    for (id, name) in [
        ("web", "web-fdeploy.yaml"),
        ("api", "api-fdeploy.yml"),
        ("web-api", "web-api-fdeploy.yaml"),
    ] {
        assert_eq!(deployment(&files, id).unwrap().0, name);
    }
    for (names, what) in [
        (
            &["Web-fdeploy.yaml"][..],
            "`Web-fdeploy.yaml` differs in upper and lower case",
        ),
        (
            &["web-api-fdeploy.yaml"],
            "`web-api-fdeploy.yaml` belongs to another component whose id only begins alike",
        ),
        (&["we-fdeploy.yaml"], "it has `we-fdeploy.yaml`"),
        (&["web.yaml"], "`web.yaml` lacks `-fdeploy` in its name"),
        (
            &["k8s/web-fdeploy.yaml"],
            "`k8s/web-fdeploy.yaml` is in a folder",
        ),
        (
            &["dashboard-fdeploy.yaml", "fractal-parameters.yml"],
            "it has `dashboard-fdeploy.yaml`, `fractal-parameters.yml`",
        ),
    ] {
        let error = deployment(&bundle(names), "web").unwrap_err();
        says(error, "BundleMissing", what);
    }
    let many: Vec<String> = (0..500).map(|n| format!("{n:03}.yaml")).collect();
    let many: Vec<&str> = many.iter().map(|name| &**name).collect();
    let error = deployment(&bundle(&many), "web").unwrap_err();
    assert!(
        error.to_string().ends_with("`007.yaml` and 492 more"),
        "{error}"
    );
}

#[test]
fn z17_two_spellings_of_one_file_are_refused() {
    let both = bundle(&["web-fdeploy.yaml", "web-fdeploy.yml"]);
    let error = deployment(&both, "web").unwrap_err();
    says(
        error,
        "BundleAmbiguous",
        "both `.fractal/web-fdeploy.yaml` and `.fractal/web-fdeploy.yml`",
    );
    let both = bundle(&["fractal-parameters.yaml", "fractal-parameters.yml"]);
    says(
        parameters(&both).unwrap_err(),
        "BundleAmbiguous",
        "both `.fractal/fractal-parameters.yaml`",
    );
    for name in ["fractal-parameters.yaml", "fractal-parameters.yml"] {
        assert_eq!(parameters(&bundle(&[name])).unwrap().unwrap().0, name);
    }
    assert_eq!(parameters(&bundle(&["web-fdeploy.yaml"])), Ok(None));
}

#[test]
fn components_are_told_by_whole_names_at_the_top() {
    let files = bundle(&[
        "api-fdeploy.yaml",
        "api-worker-fdeploy.yml",
        "api-worker-fdeploy.yaml",
        "-fdeploy.yaml",
        "deep/mail-fdeploy.yaml",
        "deep/fractal-parameters.yml",
        "web.yaml",
        "fractal-parameters.yml",
        "fractal-parameters.yaml",
    ]);
    let found: Vec<&str> = components(&files).collect();
    assert_eq!(found, ["api", "api-worker"]);
    let rest: Vec<&str> = unread(&files).collect();
    assert_eq!(
        rest,
        [
            "-fdeploy.yaml",
            "deep/fractal-parameters.yml",
            "deep/mail-fdeploy.yaml",
            "web.yaml"
        ]
    );
    assert_eq!(components(&bundle(&[])).count(), 0);
}
