//! Which target runs which kind, and what can be read two ways.

use fractal_artifact::targets::{
    AzurePlan, Settings, Subject, Target, UnknownTarget, ZipSubject, judge, rule_limits,
};
use fractal_core::artifact::ArtifactKind;
use fractal_core::{Fault, Reason};

use crate::images;
use crate::support::{line, of};

fn taking(kind: ArtifactKind) -> Vec<&'static str> {
    let targets = Target::ALL.into_iter().filter(|target| target.takes(kind));
    targets.map(Target::as_str).collect()
}

#[test]
fn every_kind_runs_where_the_contract_says() {
    assert_eq!(
        taking(ArtifactKind::FunctionZip),
        ["aws-lambda", "azure-functions", "gcp-functions", "local"]
    );
    assert_eq!(
        taking(ArtifactKind::PythonWheel),
        ["databricks", "spark", "local"]
    );
    assert_eq!(taking(ArtifactKind::Manifests), ["kubernetes"]);
    assert_eq!(
        taking(ArtifactKind::Container),
        [
            "kubernetes",
            "aws-lambda",
            "aws-ecs",
            "aws-app-runner",
            "azure-functions",
            "azure-container-apps",
            "gcp-cloud-run",
            "local"
        ]
    );
}

#[test]
fn names_are_read_and_others_are_refused_with_the_list() {
    for target in Target::ALL {
        assert_eq!(target.as_str().parse(), Ok(target));
    }
    assert_eq!("lambda".parse::<Target>(), Err(UnknownTarget));
    assert!(UnknownTarget.to_string().contains("aws-lambda, aws-ecs"));
    for plan in AzurePlan::ALL {
        assert_eq!(plan.as_str().parse(), Ok(plan));
    }
    assert!("basic".parse::<AzurePlan>().is_err());
}

#[test]
fn r14_an_image_for_google_functions_is_told_the_two_ways_out() {
    let image = images::single("linux", "amd64");
    let verdict = judge(
        &[Subject::Image(image)],
        Target::GcpFunctions,
        &Settings::default(),
    );
    assert!(!verdict.runs);
    let finding = of(&verdict.findings, "kind");
    assert_eq!(
        finding.what,
        "Google Cloud Functions does not run a container image"
    );
    assert_eq!(
        finding.fix,
        "publish a function zip, or select Google Cloud Run"
    );
}

#[test]
fn what_is_no_artifact_runs_nowhere() {
    for target in Target::ALL {
        let verdict = judge(&[], target, &Settings::default());
        assert_eq!(
            verdict.findings.iter().map(line).collect::<Vec<_>>(),
            ["error kind"]
        );
    }
}

#[test]
fn r13_of_two_readings_the_one_that_runs_counts_and_says_how_to_choose_it() {
    let either = |os: &str| {
        vec![
            Subject::Image(images::single(os, "amd64")),
            Subject::Zip(ZipSubject {
                size: 1,
                contents: None,
            }),
        ]
    };
    let fix = |os: &str, target| {
        let verdict = judge(&either(os), target, &Settings::default());
        assert!(verdict.runs, "{verdict:?}");
        of(&verdict.findings, "package-type").fix.clone()
    };
    assert_eq!(fix("linux", Target::AwsLambda), "set packageType to image");
    assert_eq!(fix("windows", Target::AwsLambda), "set packageType to zip");
    assert_eq!(fix("linux", Target::GcpFunctions), "set packageType to zip");
    assert_eq!(fix("linux", Target::Kubernetes), "set packageType to image");
}

#[test]
fn what_cannot_be_read_is_an_error_of_its_kind_everywhere_it_would_run() {
    let fault = Fault::terminal(Reason::new("ZipAmbiguous"), "the zip is refused")
        .because("two files overlap")
        .next("zip it again");
    let subject = Subject::Refused(ArtifactKind::FunctionZip, fault);
    let verdict = judge(&[subject], Target::AwsLambda, &Settings::default());
    let finding = of(&verdict.findings, "zip-invalid");
    assert_eq!(finding.what, "the zip is refused [ZipAmbiguous]");
    assert_eq!(
        (finding.why.as_deref(), finding.fix.as_str()),
        (Some("two files overlap"), "zip it again")
    );
}

#[test]
fn every_limit_names_a_page() {
    let limits = rule_limits();
    assert_eq!(limits.len(), 8);
    for (rule, max, page) in limits {
        assert!(max > 0 && page.starts_with("https://"), "{rule}");
    }
}

#[test]
fn the_documentation_has_every_limit_with_its_page() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/checking.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    for (rule, max, page) in rule_limits() {
        let has = |row: &&&str| {
            row.starts_with(&format!("| `{rule}` |"))
                && row.contains(&format!("| {max} |"))
                && row.contains(page)
        };
        assert_eq!(rows.iter().filter(has).count(), 1, "{rule} {max} {page}");
    }
    for target in Target::ALL {
        assert!(text.contains(&format!("| `{target}` |")), "{target}");
    }
}
