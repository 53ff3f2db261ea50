//! Rows G1 to G15: what a registry may answer, or who may answer in its place; with what of G18 and G27 shows at this level.
//!
//! G4 has no row here: the agent reads no list. It is in fractal-registry's tests, where lists are read.

use fractal_testkit::liar::{Authority, Gone, Liar, Lie, Part};

use crate::row::{Row, rows};

const LISTED: &[&str] = &["--allow-host=honest.example", "--allow-host=lying.example"];
const CHECK_CREDENTIAL: &str = "check the credential";

const fn challenged(lie: fn(&Liar) -> Lie) -> Row {
    Row::lie(lie)
        .is("Blocked", "RegistryAuth")
        .saying(&["lying.example/shop/zip:2"])
        .next(CHECK_CREDENTIAL)
}

const fn realm(lie: fn(&Liar) -> Lie) -> Row {
    Row::lie(lie)
        .is("Blocked", "RegistryRealm")
        .saying(&["lying.example/shop/zip:2", "names the token service"])
        .next("check who runs this registry; nothing was sent")
}

const fn redirect(lie: fn(&Liar) -> Lie) -> Row {
    Row::lie(lie)
        .is("Blocked", "RegistryRedirect")
        .saying(&["lying.example/shop/zip", "redirects to"])
        .next("check who runs this registry; nothing was sent")
}

const fn unavailable(lie: fn(&Liar) -> Lie) -> Row {
    Row::lie(lie)
        .is("Transient", "RegistryUnavailable")
        .saying(&["lying.example", "not available"])
        .next("check the registry")
}

const fn throttled(lie: fn(&Liar) -> Lie) -> Row {
    Row::lie(lie)
        .is("Transient", "RegistryThrottled")
        .saying(&["lying.example", "asks to slow down"])
        .next("nothing to do")
}

const fn untrusted(identity: crate::stage::Identity) -> Row {
    Row::lie(|_| Lie::None)
        .tls(identity)
        .is("Blocked", "RegistryTls")
        .saying(&["https://{liar}/v2/shop/zip", "certificate"])
        .next("CA bundle")
}

const fn unreadable(lie: fn(&Liar) -> Lie) -> Row {
    Row::lie(lie)
        .is("Terminal", "ManifestInvalid")
        .saying(&["lying.example/shop/zip"])
        .next("publish the artifact again")
}

const fn oversized(lie: fn(&Liar) -> Lie) -> Row {
    Row::lie(lie)
        .is("Terminal", "ManifestTooLarge")
        .saying(&["lying.example/shop/zip", "4194304 bytes"])
        .next("publish the artifact with a manifest")
}

const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const LAYER: &str = r#"{"mediaType":"application/zip","digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","size":10}"#;

/// A manifest as it should be, but for what stands at its end.
fn manifest(rest: &str) -> Vec<u8> {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{OCI}","config":{LAYER},"layers":[{LAYER}]{rest}}}"#
    )
    .into_bytes()
}

fn challenge(text: &str) -> Lie {
    Lie::Challenge(vec![text.as_bytes().to_vec()])
}

fn status(status: u16) -> Lie {
    Lie::Status(status, Vec::new())
}

fn retry_after(text: &str) -> Lie {
    Lie::Status(429, vec![("Retry-After", text.to_owned())])
}

/// The same layer, of another size.
fn sized(size: &str) -> Lie {
    let text = String::from_utf8(manifest("")).unwrap();
    Lie::Manifest(
        OCI,
        text.replace(r#""size":10"#, &format!(r#""size":{size}"#))
            .into_bytes(),
    )
}

fn expired(authority: &Authority) -> fractal_testkit::liar::ServerIdentity {
    authority.issue("127.0.0.1", 2001)
}

fn of_another_name(authority: &Authority) -> fractal_testkit::liar::ServerIdentity {
    authority.issue("127.0.0.2", 2999)
}

fn of_another_authority(_: &Authority) -> fractal_testkit::liar::ServerIdentity {
    Authority::new().issue("127.0.0.1", 2999)
}

fn trusted(authority: &Authority) -> fractal_testkit::liar::ServerIdentity {
    authority.issue("127.0.0.1", 2999)
}

rows! {
    g01_basic_that_is_never_enough: challenged(|_| challenge(r#"Basic realm="x""#)).saying(&["user `robot`"]),
    g01_bearer_that_says_nothing: challenged(|_| challenge("Bearer")),
    g01_an_unknown_scheme: challenged(|_| challenge("Digest realm=x")),
    g01_bytes_that_are_no_challenge: challenged(|_| Lie::Challenge(vec![vec![0xff, 0xfe, b'=', b'"']])),
    g01_64_kib: challenged(|_| challenge(&format!("Basic {}", "x".repeat(64 << 10)))),
    g01_the_same_many_times: challenged(|_| Lie::Challenge(vec![br#"Basic realm="x""#.to_vec(); 40])),
    g01_none: challenged(|_| Lie::Challenge(Vec::new())),

    g02_metadata: realm(|_| Lie::Realm("http://169.254.169.254/latest/meta-data".into())).saying(&["169.254.169.254"]),
    g02_a_private_address: realm(|_| Lie::Realm("https://10.0.0.1/token".into())).saying(&["10.0.0.1"]),
    g02_a_public_host_without_tls: realm(|_| Lie::Realm("http://auth.example/token".into())).saying(&["auth.example"]),
    g02_user_information: realm(|_| Lie::Realm("https://robot:canary-of-the-realm@auth.example/token".into())).hiding(&["canary-of-the-realm"]),
    g02_no_url: realm(|_| Lie::Realm("file:///etc/passwd".into())),
    g02_a_host_that_is_not_listed: realm(|trap| Lie::Realm(format!("{}/token", trap.url()))).flags(LISTED).saying(&["{trap}"]).next("--allow-host {trap}"),
    g02_https_to_http: realm(|trap| Lie::Realm(format!("{}/token", trap.url()))).tls(trusted).saying(&["is not https"]),

    g03_metadata: redirect(|_| Lie::Redirect(Part::Blobs, "http://169.254.169.254/latest/".into())).saying(&["169.254.169.254"]),
    g03_a_manifest_at_a_private_address: redirect(|_| Lie::Redirect(Part::Manifests, "https://10.0.0.1/".into())).saying(&["10.0.0.1"]),
    g03_no_url: Row::lie(|_| Lie::Redirect(Part::Blobs, "file:///etc/passwd".into())).is("Transient", "RegistryProtocol").saying(&["lying.example/shop/zip", "redirects without a readable location"]).next("check that the host is a registry"),
    g03_user_information: redirect(|_| Lie::Redirect(Part::Blobs, "http://robot:canary-of-the-redirect@127.0.0.1/".into())).hiding(&["canary-of-the-redirect"]),
    g03_a_host_that_is_not_listed: redirect(|trap| Lie::Redirect(Part::Blobs, format!("{}/", trap.url()))).flags(LISTED).saying(&["{trap}"]).next("--allow-host {trap}"),
    g03_https_to_http: redirect(|trap| Lie::Redirect(Part::Blobs, format!("{}/", trap.url()))).tls(trusted).saying(&["is not https"]),
    g03_a_loop: redirect(|_| Lie::Chain(usize::MAX)).saying(&["one redirect too many"]),
    g03_the_sixth_hop: redirect(|_| Lie::Chain(6)).saying(&["one redirect too many"]),

    g05_a_blob_that_is_only_elsewhere: Row::lie(|trap| {
        let urls = format!(r#","urls":["{}/v2/shop/zip/blobs/x","http://169.254.169.254/latest/meta-data/"]}}"#, trap.url());
        let text = String::from_utf8(manifest("")).unwrap();
        Lie::Manifest(OCI, text.replace(r#""size":10}"#, &format!(r#""size":10{urls}"#)).into_bytes())
    }).is("Blocked", "RegistryNotFound").saying(&["lying.example/shop/zip", "not a blob it names"]).next("publish the artifact again"),
    g05_a_blob_that_is_only_in_the_manifest: Row::lie(|_| {
        let text = String::from_utf8(manifest("")).unwrap();
        Lie::Manifest(OCI, text.replace(r#""size":10}"#, r#""size":10,"data":"AAAAAAAAAAAAAA=="}"#).into_bytes())
    }).is("Blocked", "RegistryNotFound").saying(&["not a blob it names"]).next("publish the artifact again"),

    g07_a_token_that_is_none: Row::lie(|_| Lie::Token(200, r#"{"token":5}"#.into())).is("Transient", "RegistryProtocol").saying(&["http://{liar}/token"]).next("check that the host is a registry"),
    g07_no_token: Row::lie(|_| Lie::Token(200, "{}".into())).is("Transient", "RegistryProtocol").saying(&["http://{liar}/token"]).next("check that the host is a registry"),
    g07_a_token_without_end: Row::lie(|_| Lie::EndlessToken).is("Transient", "RegistryProtocol").saying(&["http://{liar}/token"]).next("check that the host is a registry"),
    g07_a_token_of_another_scope: challenged(|_| Lie::Token(200, r#"{"token":"of-another-scope"}"#.into())),
    g07_a_token_service_that_refuses: challenged(|_| Lie::Token(401, r#"{"details":"incorrect username or password"}"#.into())).saying(&["user `robot`", "incorrect username or password"]),

    g08_forbidden: Row::lie(|_| Lie::Status(403, Vec::new())).is("Blocked", "RegistryForbidden").saying(&["lying.example/shop/zip:2", "an anonymous client", "to pull"]).next("AcrPull, ecr:BatchGetImage"),

    g09_no_repository: Row::lie(|_| Lie::Gone(Gone::Repository)).is("Blocked", "RegistryNotFound").saying(&["lying.example/shop/zip:2", "the repository does not exist"]).next("publish the artifact, or correct the repository"),
    g09_no_tag: Row::lie(|_| Lie::Gone(Gone::Manifest)).is("Blocked", "RegistryNotFound").saying(&["lying.example/shop/zip:2", "no such tag or digest"]).next("under this version"),
    g09_no_blob: Row::lie(|_| Lie::Gone(Gone::Blob)).is("Blocked", "RegistryNotFound").saying(&["lying.example/shop/zip", "not a blob it names"]).next("publish the artifact again"),

    g10_in_seconds: throttled(|_| retry_after("600")),
    g10_at_a_date: throttled(|_| retry_after("Fri, 31 Dec 2999 23:59:59 GMT")),
    g10_at_a_date_that_is_past: throttled(|_| retry_after("Sat, 01 Jan 2000 00:00:00 GMT")),
    g10_in_ten_years: throttled(|_| retry_after("315360000")),
    g10_garbage: throttled(|_| retry_after("soon, -1 \"at last\"")),

    g11_500: unavailable(|_| status(500)).saying(&["500"]),
    g11_502: unavailable(|_| status(502)).saying(&["502"]),
    g11_503: unavailable(|_| status(503)).saying(&["503"]),
    g11_504: unavailable(|_| status(504)).saying(&["504"]),
    g11_a_connection_that_is_closed: unavailable(|_| Lie::Reset).saying(&["http://{liar}/v2/shop/zip", "connection closed"]),
    g11_a_server_without_tls: Row::lie(|_| Lie::None).flags(&["--registry-endpoint=lying.example=https://{liar}"]).is("Blocked", "RegistryTls").saying(&["https://{liar}/v2/shop/zip", "TLS"]).next("for a registry without TLS say so"),
    g11_an_expired_certificate: untrusted(expired),
    g11_a_certificate_of_another_name: untrusted(of_another_name),
    g11_a_certificate_of_another_authority: untrusted(of_another_authority),

    g12_a_manifest_of_5_mib: oversized(|_| Lie::LargeManifest(5 << 20)),
    g12_a_manifest_without_end: oversized(|_| Lie::EndlessManifest),
    g12_a_manifest_that_unpacks: Row::lie(|_| Lie::EncodedManifest(b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec())).is("Transient", "RegistryProtocol").saying(&["lying.example/shop/zip", "gzip"]).next("no proxy answers"),

    g13_200_000_levels: unreadable(|_| Lie::Manifest(OCI, manifest(&format!(r#","x":{}1{}"#, "[".repeat(200_000), "]".repeat(200_000))))).saying(&["recursion limit"]),
    g13_a_key_twice: unreadable(|_| Lie::Manifest(OCI, manifest(r#","config":{}"#))).saying(&["`config` occurs twice"]),
    g13_no_utf_8: unreadable(|_| Lie::Manifest(OCI, [br#"{"schemaVersion":2,"x":"#.as_slice(), b"\"\xff\xfe\"}"].concat())),
    g13_a_negative_size: unreadable(|_| sized("-1")).saying(&["-1"]),
    g13_a_size_beyond_numbers: unreadable(|_| sized("1e30")),
    g13_a_size_that_is_text: unreadable(|_| sized("\"12\"")),

    g14_cve_2021_41190_image_and_index: unreadable(|_| Lie::Manifest(OCI, manifest(r#","manifests":[]"#))).saying(&["ambiguous"]),
    g14_served_as_something_else: unreadable(|_| Lie::Manifest(INDEX, manifest(""))).saying(&["ambiguous"]),
    g14_no_type_and_no_shape: unreadable(|_| Lie::Manifest("", br#"{"schemaVersion":2}"#.to_vec())).saying(&["ambiguous"]),

    g15_schema_1: unreadable(|_| Lie::Manifest("application/vnd.docker.distribution.manifest.v1+prettyjws", br#"{"schemaVersion":1,"name":"shop/zip","tag":"2","fsLayers":[],"history":[]}"#.to_vec())).saying(&["schema"]),

    g18_another_manifest: Row::lie(|_| Lie::OtherManifest).is("Terminal", "DigestMismatch").saying(&["lying.example/shop/zip", "other bytes"]).next("compromised"),
    g18_another_blob: Row::lie(|_| Lie::OtherBlob).is("Terminal", "DigestMismatch").saying(&["lying.example/shop/zip", "other bytes"]).next("compromised"),

    g27_a_zip_of_10_gib: Row::lie(|_| sized("10737418240")).is("Terminal", "TooLargeForTarget").saying(&["lying.example/shop/zip", "10737418240 bytes", "at most 262144000"]).next("publish a smaller zip"),
}
