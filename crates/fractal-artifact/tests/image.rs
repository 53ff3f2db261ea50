//! The image of an index that a target runs, and every index that has none (G16).

use fractal_artifact::{CONFIG_MAX, ImageError, image_config, select_image};
use fractal_core::artifact::kind::media_type;
use fractal_core::artifact::{Descriptor, Digest, ImageIndex, OciPlatform};
use fractal_core::{Class, Fault};

fn entry(name: &str, os: &str, architecture: &str, variant: Option<&str>) -> Descriptor {
    let mut entry = bare(name, media_type::OCI_MANIFEST);
    entry.platform = Some(OciPlatform {
        architecture: architecture.into(),
        os: os.into(),
        variant: variant.map(Into::into),
    });
    entry
}

fn bare(name: &str, media_type: &str) -> Descriptor {
    Descriptor::new(media_type, Digest::sha256(name), 500)
}

/// What `docker buildx build --platform linux/amd64,linux/arm64` pushes.
fn buildx() -> Vec<Descriptor> {
    let mut attestation = entry("attestation", "unknown", "unknown", None);
    attestation.annotations.insert(
        "vnd.docker.reference.type".into(),
        "attestation-manifest".into(),
    );
    vec![
        entry("amd", "linux", "amd64", None),
        entry("arm", "linux", "arm64", Some("v8")),
        attestation,
    ]
}

#[track_caller]
#[expect(clippy::expect_used, reason = "a check that is used by tests only")]
fn refused(entries: Vec<Descriptor>, architectures: &[&str], reason: &str, why: &str) {
    let fault = select_image(&ImageIndex::new(entries), architectures)
        .map_err(Fault::from)
        .expect_err("an index without a match");
    assert_eq!(
        (fault.class, fault.reason.as_str(), fault.why.as_deref()),
        (Class::Terminal, reason, Some(why))
    );
    assert!(fault.next.is_some() && fault.place.is_some());
}

#[test]
fn the_first_wanted_architecture_that_is_offered_is_taken() {
    let index = ImageIndex::new(buildx());
    for (wanted, expected) in [
        (&["arm64", "amd64"][..], "arm"),
        (&["amd64"], "amd"),
        (&["s390x", "amd64"], "amd"),
    ] {
        let selected = select_image(&index, wanted).unwrap();
        assert_eq!(selected.descriptor.digest, Digest::sha256(expected));
        assert_eq!(
            Some(&selected.platform),
            selected.descriptor.platform.as_ref()
        );
    }
}

#[test]
fn an_image_listed_twice_is_one_image() {
    let entries = [buildx(), buildx()].concat();
    assert_eq!(
        select_image(&ImageIndex::new(entries), &["amd64"])
            .unwrap()
            .descriptor
            .digest,
        Digest::sha256("amd")
    );
}

#[test]
fn g16_no_match_lists_what_is_offered() {
    let mut entries = buildx();
    entries.push(entry("win", "windows", "s390x", None));
    entries.push(bare("nameless", media_type::OCI_MANIFEST));
    let why = "the image index has no image for linux/s390x, linux/ppc64le, \
               it offers linux/amd64, linux/arm64/v8, windows/s390x, an image of no stated platform";
    refused(entries, &["s390x", "ppc64le"], "IndexNoMatch", why);
}

#[test]
fn g16_a_long_offer_is_cut() {
    let entries = (0..20)
        .map(|i| entry(&i.to_string(), "linux", &format!("a{i}"), None))
        .collect();
    let fault = Fault::from(select_image(&ImageIndex::new(entries), &["amd64"]).unwrap_err());
    assert!(fault.why.unwrap().ends_with("linux/a15 and 4 more"));
}

#[test]
fn g16_several_matches_are_refused_instead_of_taking_the_first() {
    let entries = vec![
        entry("v2", "linux", "amd64", Some("v2")),
        entry("plain", "linux", "amd64", None),
    ];
    let [first, second] = [&entries[1], &entries[0]].map(|entry| entry.digest.to_string());
    let fault = Fault::from(select_image(&ImageIndex::new(entries), &["amd64"]).unwrap_err());
    assert_eq!(fault.reason.as_str(), "IndexAmbiguous");
    let why = fault.why.unwrap();
    assert!(
        why.contains(&format!("{first} (linux/amd64)"))
            && why.contains(&format!("{second} (linux/amd64/v2)")),
        "{why}"
    );
}

#[test]
fn g16_nested_empty_and_attestation_only_indexes_are_refused() {
    for nested in [media_type::OCI_INDEX, media_type::DOCKER_INDEX] {
        let mut entries = buildx();
        entries.push(bare("inner", nested));
        let why = format!(
            "the image index has another index in it, {}",
            Digest::sha256("inner")
        );
        refused(entries, &["amd64"], "IndexNested", &why);
    }
    refused(
        vec![],
        &["amd64"],
        "IndexEmpty",
        "the image index has no image in it",
    );
    refused(
        buildx().split_off(2),
        &["amd64"],
        "IndexEmpty",
        "the image index has no image in it",
    );
}

#[test]
fn a_config_says_its_platform() {
    let config = image_config(
        br#"{"architecture":"arm64","os":"linux","variant":"v8","rootfs":{"type":"layers"}}"#,
    )
    .unwrap();
    assert_eq!(
        (
            config.architecture.as_str(),
            config.os.as_str(),
            config.variant.as_deref()
        ),
        ("arm64", "linux", Some("v8"))
    );
}

#[test]
fn a_config_that_is_malformed_or_too_large_is_refused() {
    let twice = br#"{"architecture":"arm64","architecture":"amd64","os":"linux"}"#;
    for bytes in [
        &twice[..],
        b"",
        b"{}",
        br#"{"architecture":1,"os":"linux"}"#,
        b"[]",
    ] {
        let error = image_config(bytes).unwrap_err();
        assert!(matches!(error, ImageError::Config(_)));
        assert_eq!(Fault::from(error).reason.as_str(), "ImageConfigInvalid");
    }
    let padded = |length: usize| {
        let mut bytes = br#"{"architecture":"arm64","os":"linux"}"#.to_vec();
        bytes.resize(length, b' ');
        bytes
    };
    assert!(image_config(&padded(CONFIG_MAX)).is_ok());
    assert!(
        matches!(image_config(&padded(CONFIG_MAX + 1)), Err(ImageError::ConfigTooLarge { found }) if found == CONFIG_MAX + 1)
    );
}
