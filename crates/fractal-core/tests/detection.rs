//! One table of what every kind of artifact is taken for, by `packageType`: the contract of detection, recorded in `detection.txt`.
//!
//! Where the manifest says too little, the layer's first bytes are asked for, and the row shows what they lead to.

use fractal_core::artifact::detect::DetectError;
use fractal_core::artifact::kind::media_type as mt;
use fractal_core::artifact::{
    Descriptor, Detection, Digest, ImageManifest, Manifest, PackageType, detect,
};

const ZIP: &[u8] = b"PK\x03\x04";
/// A tar's first bytes are its first file's name.
const TAR: &[u8] = b"app/";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
const UNKNOWN_ARTIFACT: &str = "application/vnd.unknown.artifact.v1";
const UNKNOWN_CONFIG: &str = "application/vnd.unknown.config.v1+json";

struct Artifact {
    name: &'static str,
    artifact_type: Option<&'static str>,
    config: &'static str,
    layers: Vec<(&'static str, Option<&'static str>)>,
    magic: &'static [u8],
}

impl Artifact {
    fn manifest(&self) -> ImageManifest {
        let layer = |(media_type, title): &(&str, Option<&str>)| {
            let mut layer = Descriptor::new(media_type, Digest::sha256("layer"), 100);
            layer
                .annotations
                .extend(title.map(|title| (mt::TITLE.to_owned(), title.to_owned())));
            layer
        };
        let config = Descriptor::new(self.config, Digest::sha256("{}"), 2);
        ImageManifest::new(
            self.artifact_type,
            config,
            self.layers.iter().map(layer).collect(),
        )
    }

    fn row(&self, wanted: Option<PackageType>) -> String {
        let manifest = self.manifest();
        let (asked, detection) = match detect(&manifest, None, wanted) {
            Ok(Detection::NeedsMagic(_)) => {
                ("magic, ", detect(&manifest, Some(self.magic), wanted))
            }
            known => ("", known),
        };
        let answer = match detection {
            Ok(Detection::Known(kind, _)) => kind.to_string(),
            Ok(Detection::NeedsMagic(_)) => "asked twice".into(),
            Err(DetectError::Unknown { .. }) => "Unknown".into(),
            Err(DetectError::Ambiguous { .. }) => "Ambiguous".into(),
            Err(DetectError::Conflict { found, .. }) => format!("Conflict({found})"),
            Err(other) => other.to_string(),
        };
        format!("{asked}{answer}")
    }
}

fn image(
    name: &'static str,
    config: &'static str,
    layers: &[(&'static str, Option<&'static str>)],
    magic: &'static [u8],
) -> Artifact {
    Artifact {
        name,
        artifact_type: None,
        config,
        layers: layers.into(),
        magic,
    }
}

fn artifact(
    name: &'static str,
    artifact_type: &'static str,
    layers: &[(&'static str, Option<&'static str>)],
    magic: &'static [u8],
) -> Artifact {
    Artifact {
        name,
        artifact_type: Some(artifact_type),
        config: mt::OCI_EMPTY,
        layers: layers.into(),
        magic,
    }
}

fn images() -> Vec<Artifact> {
    vec![
        image(
            "docker image, two layers",
            mt::DOCKER_CONFIG,
            &[(DOCKER_LAYER, None), (DOCKER_LAYER, None)],
            TAR,
        ),
        image(
            "docker image, one layer",
            mt::DOCKER_CONFIG,
            &[(DOCKER_LAYER, None)],
            TAR,
        ),
        image(
            "OCI image, two layers (child of an index too)",
            mt::OCI_CONFIG,
            &[(mt::OCI_LAYER_GZIP, None), (mt::OCI_LAYER, None)],
            TAR,
        ),
        image(
            "OCI image, one gzip layer",
            mt::OCI_CONFIG,
            &[(mt::OCI_LAYER_GZIP, None)],
            TAR,
        ),
        image(
            "OCI image, one zstd layer",
            mt::OCI_CONFIG,
            &[("application/vnd.oci.image.layer.v1.tar+zstd", None)],
            TAR,
        ),
        image(
            "OCI image, one plain tar layer",
            mt::OCI_CONFIG,
            &[(mt::OCI_LAYER, None)],
            TAR,
        ),
        image(
            "OCI image, one layer shorter than a magic",
            mt::OCI_CONFIG,
            &[(mt::OCI_LAYER, None)],
            b"",
        ),
    ]
}

fn contract_types() -> Vec<Artifact> {
    let zip = Some("fn.zip");
    vec![
        artifact(
            "Fractal function zip",
            mt::FUNCTION_ZIP,
            &[(mt::FUNCTION_ZIP, zip)],
            ZIP,
        ),
        artifact(
            "Fractal function zip, artifact type only",
            mt::FUNCTION_ZIP,
            &[(mt::OCI_LAYER, zip)],
            ZIP,
        ),
        image(
            "Fractal function zip, layer type only",
            mt::OCI_EMPTY,
            &[(mt::FUNCTION_ZIP, None)],
            ZIP,
        ),
        image(
            "Fractal function zip, config type (OCI 1.0)",
            mt::FUNCTION_ZIP,
            &[(mt::FUNCTION_ZIP, None)],
            ZIP,
        ),
        artifact(
            "Fractal wheel",
            mt::WHEEL,
            &[(mt::WHEEL, Some("etl-1-py3-none-any.whl"))],
            ZIP,
        ),
        artifact(
            "Fractal bundle",
            mt::MANIFESTS,
            &[(mt::MANIFESTS, None)],
            TAR,
        ),
        artifact(
            "Fractal function zip, gzip layer",
            mt::FUNCTION_ZIP,
            &[(mt::OCI_LAYER_GZIP, None)],
            ZIP,
        ),
        artifact(
            "Fractal function zip with a wheel layer",
            mt::FUNCTION_ZIP,
            &[(mt::WHEEL, None)],
            ZIP,
        ),
        artifact(
            "Fractal bundle with a zip layer",
            mt::MANIFESTS,
            &[("application/zip", None)],
            ZIP,
        ),
        artifact(
            "Fractal function zip, two layers",
            mt::FUNCTION_ZIP,
            &[(mt::FUNCTION_ZIP, None), (mt::FUNCTION_ZIP, None)],
            ZIP,
        ),
        artifact("Fractal function zip, no layer", mt::FUNCTION_ZIP, &[], ZIP),
    ]
}

fn pushed_by_oras() -> Vec<Artifact> {
    let zip = Some("fn.zip");
    let wheel = Some("etl-1-py3-none-any.whl");
    vec![
        artifact(
            "oras push fn.zip",
            UNKNOWN_ARTIFACT,
            &[(mt::OCI_LAYER, zip)],
            ZIP,
        ),
        artifact(
            "oras push fn.zip:application/zip",
            UNKNOWN_ARTIFACT,
            &[("application/zip", zip)],
            ZIP,
        ),
        image(
            "oras push fn.zip, before 1.1",
            UNKNOWN_CONFIG,
            &[(mt::OCI_LAYER, zip)],
            ZIP,
        ),
        artifact(
            "oras push etl.whl",
            UNKNOWN_ARTIFACT,
            &[(mt::OCI_LAYER, wheel)],
            ZIP,
        ),
        artifact(
            "oras push etl.whl:application/zip",
            UNKNOWN_ARTIFACT,
            &[("application/zip", wheel)],
            ZIP,
        ),
        image(
            "oras push etl.whl, before 1.1",
            UNKNOWN_CONFIG,
            &[(mt::OCI_LAYER, wheel)],
            ZIP,
        ),
        artifact(
            "oras push notes.txt",
            UNKNOWN_ARTIFACT,
            &[(mt::OCI_LAYER, Some("notes.txt"))],
            b"Dear",
        ),
        artifact(
            "oras push folder/",
            UNKNOWN_ARTIFACT,
            &[(mt::OCI_LAYER_GZIP, Some("folder"))],
            b"\x1f\x8b\x08\x00",
        ),
        artifact(
            "fn.zip called a gzip layer",
            UNKNOWN_ARTIFACT,
            &[(mt::OCI_LAYER_GZIP, zip)],
            ZIP,
        ),
        artifact(
            "folder fn.zip/ in a gzip layer",
            UNKNOWN_ARTIFACT,
            &[(mt::OCI_LAYER_GZIP, zip)],
            b"\x1f\x8b\x08\x00",
        ),
        artifact(
            "oras push a.zip b.zip",
            UNKNOWN_ARTIFACT,
            &[(mt::OCI_LAYER, zip), (mt::OCI_LAYER, zip)],
            ZIP,
        ),
        artifact(
            "no title, zip magic",
            UNKNOWN_ARTIFACT,
            &[(mt::OCI_LAYER, None)],
            ZIP,
        ),
        artifact(
            "no title, octet-stream, zip magic",
            UNKNOWN_ARTIFACT,
            &[("application/octet-stream", None)],
            ZIP,
        ),
        artifact(
            "no title, no magic",
            UNKNOWN_ARTIFACT,
            &[(mt::OCI_LAYER, None)],
            TAR,
        ),
        artifact(
            "oras push --artifact-type application/zip fn",
            "application/zip",
            &[(mt::OCI_LAYER, Some("fn"))],
            ZIP,
        ),
    ]
}

fn zips_under_image_configs() -> Vec<Artifact> {
    let zip = Some("fn.zip");
    vec![
        image(
            "image config, layer titled fn.zip",
            mt::OCI_CONFIG,
            &[(mt::OCI_LAYER, zip)],
            ZIP,
        ),
        image(
            "image config, layer of zip type",
            mt::OCI_CONFIG,
            &[("application/zip", None)],
            ZIP,
        ),
        image(
            "image config, plain tar layer with zip magic",
            mt::OCI_CONFIG,
            &[(mt::OCI_LAYER, None)],
            ZIP,
        ),
        image(
            "docker config, layer titled fn.zip",
            mt::DOCKER_CONFIG,
            &[(mt::OCI_LAYER, zip)],
            ZIP,
        ),
        image(
            "image config, layer titled etl.whl",
            mt::OCI_CONFIG,
            &[(mt::OCI_LAYER, Some("etl.whl"))],
            ZIP,
        ),
        image(
            "image config, Fractal zip layer",
            mt::OCI_CONFIG,
            &[(mt::FUNCTION_ZIP, None)],
            ZIP,
        ),
        image(
            "image config, gzip layer titled fn.zip",
            mt::OCI_CONFIG,
            &[(mt::OCI_LAYER_GZIP, zip)],
            b"\x1f\x8b\x08\x00",
        ),
    ]
}

fn neither() -> Vec<Artifact> {
    let helm = "application/vnd.cncf.helm.config.v1+json";
    let chart = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
    let signature = "application/vnd.dev.cosign.simplesigning.v1+json";
    vec![
        image("image config, no layer", mt::OCI_CONFIG, &[], b""),
        artifact("no layer", UNKNOWN_ARTIFACT, &[], b""),
        image("Helm chart", helm, &[(chart, None)], TAR),
        image(
            "cosign signature (image config)",
            mt::OCI_CONFIG,
            &[(signature, None)],
            b"{\"cr",
        ),
        image(
            "image config, image layer and another",
            mt::OCI_CONFIG,
            &[(mt::OCI_LAYER_GZIP, None), (signature, None)],
            TAR,
        ),
        artifact(
            "foreign artifact type, zip",
            "application/vnd.acme.thing.v1",
            &[("application/zip", Some("fn.zip"))],
            ZIP,
        ),
        image(
            "foreign config type, zip",
            "application/vnd.acme.config.v1+json",
            &[("application/zip", Some("fn.zip"))],
            ZIP,
        ),
    ]
}

#[test]
fn every_artifact_by_package_type() {
    let groups = [
        images(),
        contract_types(),
        pushed_by_oras(),
        zips_under_image_configs(),
        neither(),
    ];
    let mut table = vec![row(
        "artifact",
        ["packageType absent", "image", "zip"].map(String::from),
    )];
    for artifact in groups.iter().flatten() {
        let packages = [None, Some(PackageType::Image), Some(PackageType::Zip)];
        table.push(row(
            artifact.name,
            packages.map(|wanted| artifact.row(wanted)),
        ));
    }
    let recorded: Vec<&str> = include_str!("detection.txt").lines().collect();
    assert_eq!(
        table,
        recorded,
        "tests/detection.txt says otherwise:\n{}",
        table.join("\n")
    );
}

fn row(name: &str, [absent, image, zip]: [String; 3]) -> String {
    format!("{name:<48}{absent:<31}{image:<31}{zip}")
}

/// What `oras push REGISTRY/fn:1 fn.zip` writes since 1.1.
const ORAS_PUSH: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/vnd.unknown.artifact.v1","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2,"data":"e30="},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":440,"annotations":{"org.opencontainers.image.title":"fn.zip"}}],"annotations":{"org.opencontainers.image.created":"2026-01-12T10:00:00Z"}}"#;

#[test]
fn a_plain_oras_push_is_read_from_its_bytes() {
    let Ok(Manifest::Image(manifest)) =
        Manifest::parse(ORAS_PUSH.as_bytes(), Some(mt::OCI_MANIFEST))
    else {
        panic!("it is an image manifest");
    };
    let detection = detect(&manifest, None, None).unwrap();
    let Detection::Known(kind, evidence) = detection else {
        panic!("its title tells")
    };
    assert_eq!(
        (kind.as_str(), evidence.to_string().as_str()),
        ("function_zip", "its only layer is titled `fn.zip`")
    );
}

#[test]
fn r13_a_conflict_says_what_was_wanted_and_what_was_found() {
    let error = detect(&images()[0].manifest(), None, Some(PackageType::Zip)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "packageType is `zip`, and the artifact is a container: it has an image config and several layers"
    );
    let error = detect(&zips_under_image_configs()[0].manifest(), None, None).unwrap_err();
    let both = "the artifact can be read as an image and as a zip: it has an image config, and its only layer is titled `fn.zip`";
    assert_eq!(error.to_string(), both);
}

#[test]
fn g17_an_unknown_artifact_lists_what_was_found() {
    let error = detect(&pushed_by_oras()[10].manifest(), None, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the artifact is none of container image, function zip, Python wheel or manifest bundle: \
         artifact type `application/vnd.unknown.artifact.v1`, config `application/vnd.oci.empty.v1+json`, layers (2): \
         `application/vnd.oci.image.layer.v1.tar` titled `fn.zip`, `application/vnd.oci.image.layer.v1.tar` titled `fn.zip`"
    );
    let error = detect(&neither()[1].manifest(), None, None).unwrap_err();
    assert!(error.to_string().ends_with("layers (0): none"), "{error}");
}
