//! `fractal publish`: the same bytes everywhere, and every refusal with its reason.

use fractal_simcloud::{Action, Filter, RegistryAuth, Rule};
use insta::assert_snapshot;
use serde_json::json;

use crate::rig::Rig;

const USER: &str = "publisher";
const PASSWORD: &str = "canary-password";

fn basic() -> RegistryAuth {
    RegistryAuth::Basic {
        username: USER.into(),
        password: PASSWORD.into(),
    }
}

const WHEEL: &[(&str, &str)] = &[
    ("etl/__init__.py", "def main(): pass\n"),
    (
        "etl-2.0.dist-info/METADATA",
        "Metadata-Version: 2.1\nName: etl\nVersion: 2.0\n",
    ),
    ("etl-2.0.dist-info/WHEEL", "Wheel-Version: 1.0\n"),
    ("etl-2.0.dist-info/RECORD", ""),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_zip_has_one_digest_in_two_registries() {
    let mut rig = Rig::new();
    let one = rig.registry("one.example", RegistryAuth::Open).await;
    let two = rig.registry("two.example", RegistryAuth::Open).await;
    rig.zip(
        "orders.zip",
        &[("app.py", "def handler(event, context): return 1\n")],
    );
    let to = [
        format!("{}/acme/orders:1", one.host()),
        format!("{}/mirror/orders:1.0", two.host()),
    ];
    let ran = rig.run(&["publish", "orders.zip", &to[0], &to[1]]).await;
    assert_snapshot!("zip", ran);
    assert_snapshot!(
        "zip_again",
        rig.run(&["publish", "orders.zip", &to[0], &to[1]]).await
    );
    let receipt = rig
        .run(&["publish", "orders.zip", &to[0], "--output", "json"])
        .await
        .json();
    assert_eq!(receipt["published"][0]["digest"], receipt["digest"]);
    assert_eq!(receipt["kind"], "function_zip");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_that_is_not_the_files_is_refused_before_anything_is_sent() {
    let mut rig = Rig::new();
    let registry = rig.registry("registry.example", RegistryAuth::Open).await;
    rig.zip("orders.zip", &[("app.py", "x")]);
    let to = |version: &str| format!("{}/acme/orders{version}", registry.host());
    let wrong = format!("@sha256:{}", "0a".repeat(32));
    let before = registry.ledger().last();
    let refused = rig
        .run(&["publish", "orders.zip", &to(":1"), &to(&wrong)])
        .await;
    assert_snapshot!("another_digest", refused);
    assert_eq!(registry.ledger().last(), before, "something was sent");
    let published = rig
        .run(&["publish", "orders.zip", &to(":1"), "--output", "json"])
        .await
        .json();
    let right = format!("@{}", published["digest"].as_str().unwrap());
    let again = rig.run(&["publish", "orders.zip", &to(&right)]).await;
    assert_eq!(again.code, 0, "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_file_under_the_same_name_has_the_same_digest() {
    let mut rig = Rig::new();
    let registry = rig.registry("registry.example", RegistryAuth::Open).await;
    std::fs::create_dir(rig.path("elsewhere")).unwrap();
    let mut digests = Vec::new();
    for name in ["orders.zip", "elsewhere/orders.zip", "renamed.zip"] {
        rig.zip(name, &[("app.py", "x")]);
        let to = format!("{}/acme/orders:{}", registry.host(), digests.len());
        let ran = rig.run(&["publish", name, &to, "--output", "json"]).await;
        digests.push(ran.json()["digest"].as_str().unwrap().to_owned());
    }
    assert_eq!(digests[0], digests[1]);
    assert_ne!(digests[0], digests[2], "the name is in the manifest");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_a_device_and_a_socket_are_refused_and_not_waited_for() {
    let rig = Rig::new();
    let pipe = rig.path("pipe.zip");
    let made = std::process::Command::new("mkfifo")
        .arg(&pipe)
        .status()
        .unwrap();
    assert!(made.success());
    let _socket = std::os::unix::net::UnixListener::bind(rig.path("socket.zip")).unwrap();
    let to = "registry.example/acme/orders:1";
    assert_snapshot!("pipe", rig.run(&["publish", "pipe.zip", to]).await);
    for from in ["socket.zip", "/dev/null", "/dev/zero"] {
        let ran = rig
            .run(&["publish", from, to, "--kind", "function_zip"])
            .await;
        assert_eq!(ran.code, 1, "{from}: {ran}");
        assert!(ran.err.contains("[PackageUnknown]"), "{from}: {ran}");
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_files_name_cannot_steer_the_terminal() {
    let mut rig = Rig::new();
    let registry = rig.registry("registry.example", RegistryAuth::Open).await;
    let name = "a\u{1b}[2J\rb\u{9b}31m.zip";
    rig.zip(name, &[("app.py", "x")]);
    let to = format!("{}/acme/orders:1", registry.host());
    let digest = format!("{}/acme/orders@sha256:{}", registry.host(), "0a".repeat(32));
    let published = rig.run(&["publish", name, &to]).await;
    assert_eq!(published.code, 0, "{published}");
    assert!(
        published
            .out
            .starts_with("a\\u{1b}[2J\\rb\\u{9b}31m.zip (function_zip)\n"),
        "{published}"
    );
    let refused = rig.run(&["publish", name, &digest]).await;
    let missing = rig.run(&["publish", "\u{1b}c.zip", &to]).await;
    let inspected = rig.run(&["inspect", name]).await;
    for ran in [published, refused, missing, inspected] {
        let steers = |c: char| c.is_control() && c != '\n';
        assert!(
            !ran.out.contains(steers) && !ran.err.contains(steers),
            "{ran:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wheel_is_published_as_one_and_a_wrong_one_is_refused() {
    let mut rig = Rig::new();
    let registry = rig.registry("registry.example", RegistryAuth::Open).await;
    let to = format!("{}/acme/etl:2.0", registry.host());
    rig.zip("etl-2.0-py3-none-any.whl", WHEEL);
    assert_snapshot!(
        "wheel",
        rig.run(&["publish", "etl-2.0-py3-none-any.whl", &to]).await
    );
    let sent = registry.ledger().last();
    rig.zip("etl.whl", WHEEL);
    assert_snapshot!("wheel_name", rig.run(&["publish", "etl.whl", &to]).await);
    rig.zip("etl-2.0-py2-none-any.whl", &WHEEL[..2]);
    assert_snapshot!(
        "wheel_without_record",
        rig.run(&["publish", "etl-2.0-py2-none-any.whl", &to]).await
    );
    assert_eq!(
        registry.ledger().last(),
        sent,
        "a refused artifact reached the registry"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layout_and_an_archive_of_it_have_the_digest_they_had() {
    let mut rig = Rig::new();
    let registry = rig.registry("registry.example", RegistryAuth::Open).await;
    let layout = crate::inspecting::image_layout(&rig, "image");
    let to = |tag: &str| format!("{}/acme/app:{tag}", registry.host());
    let folder = rig
        .run(&["publish", "image", &to("1"), "--output", "json"])
        .await;
    assert_eq!(folder.json()["digest"], layout, "{folder}");
    assert_eq!(folder.json()["kind"], "container");
    let named = rig
        .run(&[
            "publish",
            "oci-layout:image:1.4.2",
            &to("2"),
            "--output",
            "json",
        ])
        .await;
    assert_eq!(named.json()["published"][0]["digest"], layout);
    crate::inspecting::tar(&rig, "image", "image.tar");
    let archive = rig
        .run(&["publish", "image.tar", &to("3"), "--output", "json"])
        .await;
    assert_eq!(
        archive.json()["published"][0]["digest"],
        layout,
        "{archive}"
    );
    let wrong = rig
        .run(&["publish", "image", &to("4"), "--kind", "function_zip"])
        .await;
    assert_snapshot!("layout_of_another_kind", wrong);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_registry_that_refuses_stops_no_other_and_fails_the_command() {
    let mut rig = Rig::new();
    let one = rig.registry("one.example", RegistryAuth::Open).await;
    let two = rig.registry("two.example", RegistryAuth::Open).await;
    let writes = Filter {
        mutating: Some(true),
        ..Filter::default()
    };
    two.faults()
        .arm(Rule::new(writes, Action::Deny).until_lifted());
    rig.zip("orders.zip", &[("app.py", "x")]);
    let to = [
        format!("{}/acme/orders:1", one.host()),
        format!("{}/acme/orders:1", two.host()),
    ];
    let ran = rig.run(&["publish", "orders.zip", &to[0], &to[1]]).await;
    assert_snapshot!("refusing_registry", ran);
    let ran = rig
        .run(&["publish", "orders.zip", &to[0], &to[1], "--output", "json"])
        .await;
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.json()["published"][1]["fault"]["reason"],
        "RegistryForbidden"
    );
    assert_eq!(ran.json()["published"][0]["digest"], ran.json()["digest"]);
    let accepted = two
        .ledger()
        .since(0)
        .into_iter()
        .filter(|entry| entry.is_accepted_write());
    assert_eq!(accepted.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_come_from_a_file_or_standard_input_and_are_never_shown() {
    let mut rig = Rig::new();
    let registry = rig.registry("registry.example", basic()).await;
    let to = format!("{}/acme/orders:1", registry.host());
    rig.zip("orders.zip", &[("app.py", "x")]);
    assert_snapshot!(
        "no_credentials",
        rig.run(&["publish", "orders.zip", &to]).await
    );
    let login = [
        "publish",
        "orders.zip",
        &to,
        "--username",
        USER,
        "--password-stdin",
    ];
    let wrong = rig.run_reading(&login, "canary-wrong\n").await;
    assert!(
        wrong.code == 1 && !wrong.to_string().contains("canary"),
        "{wrong}"
    );
    let right = rig.run_reading(&login, &format!("{PASSWORD}\n")).await;
    assert!(
        right.code == 0 && !right.to_string().contains("canary"),
        "{right}"
    );
    let config = json!({"auths": {registry.host(): {"username": USER, "password": PASSWORD}}});
    rig.write("config.json", config.to_string());
    let variables = [("FRACTAL_REGISTRY_CONFIG", "config.json")];
    let ran = rig
        .run_with(&["publish", "orders.zip", &to], &variables)
        .await;
    assert_eq!(ran.code, 0, "{ran}");
    let two = [
        "publish",
        "orders.zip",
        &to,
        "ghcr.io/acme/orders:1",
        "--username",
        USER,
        "--password-stdin",
    ];
    assert_snapshot!(
        "one_password_for_two",
        rig.run_reading(&two, PASSWORD).await
    );
    assert_snapshot!("no_password", rig.run_reading(&login, "\n").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_keeps_its_name_where_it_is_reached_elsewhere() {
    let mut rig = Rig::new();
    let registry = rig.registry("registry.example", RegistryAuth::Open).await;
    rig.zip("orders.zip", &[("app.py", "x")]);
    let endpoint = format!("ghcr.io={}", registry.endpoint());
    let to = "ghcr.io/acme/orders:1";
    let ran = rig
        .run(&[
            "publish",
            "orders.zip",
            to,
            "--registry-endpoint",
            &endpoint,
        ])
        .await;
    assert!(ran.code == 0 && ran.out.contains(to), "{ran}");
    assert_ne!(registry.ledger().last(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_published_is_said_before_anything_is_sent() {
    let rig = Rig::new();
    let to = "ghcr.io/acme/orders:1";
    assert_snapshot!(
        "missing_file",
        rig.run(&["publish", "absent.zip", to]).await
    );
    rig.write("notes.txt", "hello");
    assert_snapshot!("no_artifact", rig.run(&["publish", "notes.txt", to]).await);
    rig.write("broken.zip", "PK\x03\x04 and then nothing");
    assert_snapshot!("broken_zip", rig.run(&["publish", "broken.zip", to]).await);
    rig.write(
        "old.tar",
        crate::inspecting::tar_of(&[("manifest.json", b"[]")]),
    );
    assert_snapshot!("old_archive", rig.run(&["publish", "old.tar", to]).await);
    std::fs::create_dir(rig.path("folder")).unwrap();
    assert_snapshot!("no_layout", rig.run(&["publish", "folder", to]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_reference_is_a_usage_error() {
    let rig = Rig::new();
    rig.zip("orders.zip", &[("app.py", "x")]);
    let mut all = String::new();
    for to in [
        "acme/orders:1",
        "ghcr.io/acme/orders",
        "ghcr.io/acme/Orders:1",
        "user:canary@ghcr.io/acme/orders:1",
        "",
    ] {
        let ran = rig.run(&["publish", "orders.zip", to]).await;
        assert_eq!(ran.code, 2, "{ran}");
        all.push_str(&ran.err);
    }
    assert_snapshot!("wrong_references", all);
    assert!(!all.contains("canary"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_not_well_is_to_be_tried_again() {
    let mut rig = Rig::new();
    let registry = rig.registry("registry.example", RegistryAuth::Open).await;
    let action = Action::Fail {
        status: 503,
        code: "UNAVAILABLE".into(),
        message: "back soon".into(),
        retry_after: None,
    };
    registry
        .faults()
        .arm(Rule::new(Filter::default(), action).until_lifted());
    rig.zip("orders.zip", &[("app.py", "x")]);
    let to = format!("{}/acme/orders:1", registry.host());
    assert_snapshot!(
        "unwell_registry",
        rig.run(&["publish", "orders.zip", &to]).await
    );
}
