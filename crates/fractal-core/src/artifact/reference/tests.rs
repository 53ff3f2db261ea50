//! References: what is taken, what is refused, and where the refusal points.

use super::*;

fn parse(text: &str) -> Result<ArtifactUri, ReferenceError> {
    text.parse()
}

#[test]
fn both_uri_shapes_and_the_bare_one_mean_the_same() {
    let digest = Digest::sha256(b"x");
    for text in [
        format!("oci://r.example.com/a/b:1@{digest}"),
        format!("r.example.com/a/b:1@{digest}"),
    ] {
        let reference: Reference = text.parse().unwrap();
        assert_eq!(reference.host().as_str(), "r.example.com");
        assert_eq!(reference.repository().as_str(), "a/b");
        assert_eq!(reference.tag().unwrap().as_str(), "1");
        assert_eq!(reference.version(), digest.as_str(), "the digest wins");
        assert_eq!(
            reference.pinned(&digest).to_string(),
            format!("r.example.com/a/b@{digest}")
        );
    }
}

#[test]
fn the_first_segment_decides_whether_there_is_a_registry() {
    for text in [
        "r.io/x",
        "localhost/x",
        "r:5000/x",
        "127.0.0.1:5000/x:latest",
    ] {
        assert!(
            matches!(parse(text), Ok(ArtifactUri::Registry(_))),
            "{text}"
        );
    }
    for text in ["orders-fn:1.4.0", "team/orders-fn:1.4.0", "orders"] {
        let uri = parse(text).unwrap();
        assert!(matches!(uri, ArtifactUri::Abstract(_)), "{text}");
        assert_eq!(uri.to_string(), text);
    }
}

#[test]
fn a_coordinate_takes_its_place_under_a_prefix() {
    let Ok(ArtifactUri::Abstract(coordinate)) = parse("orders-fn:1.4.0") else {
        panic!("abstract")
    };
    let prefix = "team/functions".parse().unwrap();
    let reference = coordinate
        .at("r.example.com".parse().unwrap(), Some(&prefix))
        .unwrap();
    assert_eq!(
        reference.to_string(),
        "r.example.com/team/functions/orders-fn:1.4.0"
    );
}

#[test]
fn a_layout_keeps_its_path() {
    let Ok(ArtifactUri::Layout(layout)) = parse("oci-layout:./out/dir:v1") else {
        panic!("layout")
    };
    assert_eq!(
        (layout.path(), layout.tag().unwrap().as_str()),
        ("./out/dir", "v1")
    );
}

#[test]
fn r01_nothing_is_refused_as_empty() {
    for text in ["", "   ", "oci://"] {
        assert_eq!(parse(text), Err(ReferenceError::Empty), "{text:?}");
    }
}

#[test]
fn r02_other_schemes_are_refused() {
    for (text, scheme) in [
        ("https://h.io/r", "https"),
        ("docker://h.io/r", "docker"),
        ("file:///x", "file"),
    ] {
        assert_eq!(parse(text), Err(ReferenceError::Scheme(scheme.into())));
    }
}

#[test]
fn r03_syntax_errors_name_the_character_and_its_offset() {
    let character = |text: &str, c: &str, offset, part| {
        assert_eq!(
            parse(text),
            Err(ReferenceError::Character {
                character: c.into(),
                offset,
                part
            }),
            "{text}"
        );
    };
    character("h.io/Repo:1", "R", 5, "a repository");
    character("oci://h.io/a:1!", "!", 14, "a tag");
    let part = |text: &str, wanted: &str| match parse(text) {
        Err(ReferenceError::Part { part, .. }) => assert_eq!(part, wanted, "{text}"),
        other => panic!("{text}: {other:?}"),
    };
    part("h.io/repo:", "the tag");
    part(&format!("h.io/repo:{}", "t".repeat(129)), "the tag");
    part("h.io/a//b", "the repository");
    part("h.io/-a", "the repository");
    assert!(parse(&format!("h.io/repo:{}", "t".repeat(128))).is_ok());
}

#[test]
fn r05_digests_have_a_known_algorithm_and_exact_length() {
    for text in [
        "h.io/r@",
        "h.io/r@sha256:abc",
        "h.io/r@md5:00",
        &format!("h.io/r@sha256:{}", "A".repeat(64)),
    ] {
        assert!(
            matches!(parse(text), Err(ReferenceError::Digest(_))),
            "{text}"
        );
    }
}

#[test]
fn r06_control_characters_escapes_and_homoglyphs_are_refused_and_echoed_escaped() {
    for text in [
        "h.io/a\0b",
        "h.io/a\nb",
        "h.io/%2e%2e/x",
        "h\u{0435}.io/a",
        "h.io/a\u{202e}b",
    ] {
        let error = parse(text).unwrap_err();
        assert!(
            matches!(error, ReferenceError::Character { .. }),
            "{text:?}: {error:?}"
        );
        assert!(
            error
                .to_string()
                .chars()
                .all(|c| c.is_ascii_graphic() || c == ' '),
            "{error}"
        );
    }
    assert!(matches!(
        parse("h.io/../x"),
        Err(ReferenceError::Part { .. })
    ));
}

#[test]
fn r10_credentials_are_refused_and_not_repeated() {
    for (text, hidden) in [
        ("user:hunter2@h.io/repo", "***@h.io/repo"),
        ("oci://user:hunter2@h.io/repo:1", "oci://***@h.io/repo:1"),
        ("user:hunter2/x@h.io/repo", "***@h.io/repo"),
        ("user:hunter2@x@h.io/a/b", "***@h.io/a/b"),
        ("hunter2@h.io/repo@sha256:00", "***@h.io/repo@sha256:00"),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(error, ReferenceError::Userinfo, "{text}");
        assert!(!error.to_string().contains("hunter2"));
        assert_eq!(without_userinfo(text).as_deref(), Some(hidden));
        assert_eq!(parse(hidden), Err(ReferenceError::Userinfo), "{hidden}");
    }
    let digest = Digest::sha256(b"x");
    for text in [
        "h.io/repo:1",
        "repo",
        "",
        "https://",
        &format!("h.io/a/b@{digest}"),
    ] {
        assert_eq!(without_userinfo(text), None, "{text}");
    }
}
