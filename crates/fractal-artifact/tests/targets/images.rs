//! Container images and indexes.

use fractal_artifact::targets::{
    AzurePlan, ImageSettings, ImageSubject, PlatformImage, Settings, Severity, Subject, Target,
    judge,
};
use fractal_core::artifact::kind::media_type as mt;
use fractal_core::artifact::{Descriptor, Digest, ImageIndex, OciPlatform};

use crate::support::{of, rules};

const NONE: [&str; 0] = [];

fn image(os: &str, architecture: &str) -> PlatformImage {
    PlatformImage {
        digest: Digest::sha256(format!("{os}/{architecture}")),
        os: os.into(),
        architecture: architecture.into(),
        variant: None,
        layers: vec![layer(mt::OCI_LAYER_GZIP, 1000)],
        settings: Some(ImageSettings {
            has_command: true,
            user: "1000".into(),
            ports: vec!["8080/tcp".into()],
            ..ImageSettings::default()
        }),
    }
}

fn layer(media_type: &str, size: u64) -> Descriptor {
    Descriptor::new(media_type, Digest::sha256(media_type), size)
}

pub(crate) fn single(os: &str, architecture: &str) -> ImageSubject {
    ImageSubject {
        index: None,
        images: vec![image(os, architecture)],
    }
}

fn index(platforms: &[(&str, &str)]) -> ImageSubject {
    let entry = |(os, architecture): &(&str, &str)| {
        let image = image(os, architecture);
        let mut entry = Descriptor::new(mt::OCI_MANIFEST, image.digest, 100);
        entry.platform = Some(OciPlatform {
            architecture: (*architecture).into(),
            os: (*os).into(),
            variant: None,
        });
        entry
    };
    let runnable = platforms.iter().filter(|(os, _)| *os != "unknown");
    ImageSubject {
        index: Some(ImageIndex::new(platforms.iter().map(entry).collect())),
        images: runnable
            .map(|(os, architecture)| image(os, architecture))
            .collect(),
    }
}

fn judged(image: ImageSubject, target: Target) -> fractal_artifact::targets::Verdict {
    judge(&[Subject::Image(image)], target, &Settings::default())
}

fn runs_on(image: &ImageSubject) -> Vec<&'static str> {
    let runs = |target: &Target| judged(image.clone(), *target).runs;
    let targets = Target::ALL.into_iter().filter(runs);
    targets.map(Target::as_str).collect()
}

#[test]
fn an_image_needs_a_processor_that_the_target_has() {
    assert_eq!(
        runs_on(&single("linux", "amd64")),
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
    let arm = ["kubernetes", "aws-lambda", "aws-ecs", "local"];
    assert_eq!(runs_on(&single("linux", "arm64")), arm);
    assert_eq!(runs_on(&single("linux", "s390x")), ["kubernetes", "local"]);
    assert_eq!(runs_on(&single("windows", "amd64")), Vec::<&str>::new());
    let verdict = judged(single("linux", "arm64"), Target::GcpCloudRun);
    let finding = of(&verdict.findings, "architecture");
    assert_eq!(finding.what, "the image is for linux/arm64");
    assert_eq!(finding.fix, "build it for linux/amd64 too and push again");
}

#[test]
fn g16_of_an_index_the_image_for_the_target_counts() {
    let both = index(&[
        ("unknown", "unknown"),
        ("linux", "amd64"),
        ("linux", "arm64"),
    ]);
    assert_eq!(runs_on(&both).len(), 8);
    let arm = index(&[("linux", "arm64"), ("windows", "amd64")]);
    assert_eq!(
        runs_on(&arm),
        ["kubernetes", "aws-lambda", "aws-ecs", "local"]
    );
    let twice = ImageSubject {
        index: both.index.clone().map(|mut index| {
            let mut again = index.manifests[1].clone();
            again.digest = Digest::sha256("another");
            index.manifests.push(again);
            index
        }),
        ..both.clone()
    };
    let verdict = judged(twice, Target::GcpCloudRun);
    assert_eq!(rules(&verdict.findings), ["error index"]);
    let empty = index(&[("unknown", "unknown")]);
    assert_eq!(
        rules(&judged(empty, Target::Kubernetes).findings),
        ["error index"]
    );
    let windows = index(&[("windows", "amd64")]);
    let verdict = judged(windows, Target::AwsEcs);
    assert_eq!(rules(&verdict.findings), ["error architecture"]);
}

#[test]
fn lambda_is_given_the_child_and_the_finding_names_it() {
    let both = index(&[("linux", "arm64"), ("linux", "amd64")]);
    let verdict = judged(both, Target::AwsLambda);
    let child = image("linux", "amd64").digest;
    assert_eq!(
        of(&verdict.findings, "index-child").place,
        Some(format!("linux/amd64 {child}"))
    );
    let alone = judged(single("linux", "amd64"), Target::AwsLambda);
    assert_eq!(rules(&alone.findings), ["note image-user"]);
}

#[test]
fn azure_functions_run_images_on_two_plans() {
    let of_plan = |plan| {
        let settings = Settings {
            plan,
            ..Settings::default()
        };
        let subject = Subject::Image(single("linux", "amd64"));
        rules(&judge(&[subject], Target::AzureFunctions, &settings).findings)
    };
    assert_eq!(of_plan(None), ["note azure-plan"]);
    assert_eq!(of_plan(Some(AzurePlan::Premium)), NONE);
    assert_eq!(of_plan(Some(AzurePlan::Dedicated)), NONE);
    assert_eq!(of_plan(Some(AzurePlan::Flex)), ["error azure-plan"]);
    assert_eq!(of_plan(Some(AzurePlan::Consumption)), ["error azure-plan"]);
}

fn with_layers(layers: Vec<Descriptor>, target: Target) -> Vec<String> {
    let mut subject = single("linux", "amd64");
    subject.images[0].layers = layers;
    let findings = judged(subject, target).findings;
    let all = rules(&findings);
    all.into_iter()
        .filter(|rule| rule.contains("layer") || rule.contains("size"))
        .collect()
}

#[test]
fn sizes_are_held_against_each_targets_limit() {
    let gzip = |size| {
        vec![
            layer(mt::OCI_LAYER_GZIP, size / 2),
            layer(mt::OCI_LAYER_GZIP, size - size / 2),
        ]
    };
    for (target, max, rule) in [
        (Target::AwsLambda, 10_u64 << 30, "error image-size"),
        (Target::AwsEcs, 20 << 30, "warning image-size"),
    ] {
        assert_eq!(with_layers(gzip(max - 1), target), NONE, "{target}");
        assert_eq!(with_layers(gzip(max), target), NONE, "{target}");
        assert_eq!(with_layers(gzip(max + 1), target), [rule], "{target}");
    }
    let one = |size| with_layers(vec![layer(mt::OCI_LAYER_GZIP, size)], Target::GcpCloudRun);
    assert_eq!(one(9_900_000_000), NONE);
    assert_eq!(one(9_900_000_001), ["warning image-layer-size"]);
    assert_eq!(with_layers(gzip(u64::MAX - 2), Target::Kubernetes), NONE);
    let hostile = vec![
        layer(mt::OCI_LAYER_GZIP, u64::MAX),
        layer(mt::OCI_LAYER, u64::MAX),
    ];
    assert_eq!(
        with_layers(hostile, Target::AwsLambda),
        ["error image-size"]
    );
}

#[test]
fn layer_types_are_warned_of_where_a_target_does_not_say_that_it_takes_them() {
    let zstd = vec![layer("application/vnd.oci.image.layer.v1.tar+zstd", 10)];
    for target in [Target::AwsLambda, Target::AwsAppRunner, Target::AwsEcs] {
        assert_eq!(
            with_layers(zstd.clone(), target),
            ["warning image-zstd-layer"],
            "{target}"
        );
    }
    for target in [Target::GcpCloudRun, Target::Kubernetes] {
        assert_eq!(with_layers(zstd.clone(), target), NONE, "{target}");
    }
    for foreign in [
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    ] {
        let rules = with_layers(vec![layer(foreign, 10)], Target::Kubernetes);
        assert_eq!(rules, ["warning image-foreign-layer"], "{foreign}");
    }
}

#[test]
fn the_config_says_command_user_and_ports() {
    let with = |config: &str, target| {
        let mut subject = single("linux", "amd64");
        subject.images[0].settings = Some(ImageSettings::parse(config.as_bytes()).unwrap());
        rules(&judged(subject, target).findings)
    };
    let whole = r#"{"config": {"Cmd": ["x"], "User": "app", "ExposedPorts": {"8080/tcp": {}}}}"#;
    assert_eq!(with(whole, Target::GcpCloudRun), NONE);
    assert_eq!(with(whole, Target::Kubernetes), NONE);
    let other = r#"{"config": {"Entrypoint": ["x"], "ExposedPorts": {"80/tcp": {}}}}"#;
    assert_eq!(with(other, Target::GcpCloudRun), ["note image-port"]);
    assert_eq!(
        with(other, Target::AwsAppRunner),
        ["note legacy-service", "note image-port"]
    );
    assert_eq!(with(other, Target::Kubernetes), ["note image-user"]);
    for user in ["0", "root", "0:0", "root:root", ""] {
        let config = format!(r#"{{"config": {{"Cmd": ["x"], "User": "{user}"}}}}"#);
        assert_eq!(
            with(&config, Target::Kubernetes),
            ["note image-user"],
            "{user}"
        );
    }
    for nothing in [
        "{}",
        r#"{"config": null}"#,
        r#"{"config": {"Cmd": [], "Entrypoint": null}}"#,
    ] {
        let all = with(nothing, Target::AzureContainerApps);
        assert_eq!(all, ["warning image-command"], "{nothing}");
    }
}

#[test]
fn a_config_that_was_not_read_is_said() {
    let mut subject = single("linux", "amd64");
    subject.images[0].settings = None;
    let verdict = judged(subject, Target::AwsEcs);
    assert!(verdict.runs);
    let finding = of(&verdict.findings, "not-checked");
    assert_eq!(finding.place.as_deref(), Some("linux/amd64"));
}

#[test]
fn a_hostile_config_is_refused_and_a_hostile_platform_is_escaped() {
    for text in ["", "[]x", r#"{"config": {"Cmd": "x"}}"#] {
        assert!(ImageSettings::parse(text.as_bytes()).is_err(), "{text}");
    }
    let verdict = judged(single("linux\u{1b}[2J", "amd64"), Target::Kubernetes);
    let finding = of(&verdict.findings, "architecture");
    assert_eq!(finding.severity, Severity::Error);
    assert!(!finding.what.contains('\u{1b}'), "{}", finding.what);
}
