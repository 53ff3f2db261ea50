//! `fractal copy`: one artifact in several places, what came of each, and every refusal with its reason.

use fractal_core::artifact::kind::media_type;
use fractal_core::artifact::{Digest, ImageManifest};
use fractal_simcloud::{Action, Filter, Registry, RegistryAuth, Rule};
use insta::assert_snapshot;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::inspecting::{image_layout, tar};
use crate::rig::Rig;

async fn two(rig: &mut Rig) -> [Registry; 2] {
    [
        rig.registry("one.example", RegistryAuth::Open).await,
        rig.registry("two.example", RegistryAuth::Open).await,
    ]
}

fn at(registry: &Registry, rest: &str) -> String {
    format!("{}/{rest}", registry.host())
}

/// Adds to the layout what refers to its image, as a tool for signing does. The digest of that.
fn refer(rig: &Rig, layout: &str, image: &str) -> String {
    let folder = rig.path(layout);
    let blob = |bytes: &[u8]| {
        let digest = Digest::sha256(bytes);
        std::fs::write(folder.join("blobs/sha256").join(digest.hex()), bytes).unwrap();
        digest
    };
    let list: Value =
        serde_json::from_slice(&std::fs::read(folder.join("index.json")).unwrap()).unwrap();
    let image = json!({
        "mediaType": media_type::OCI_MANIFEST, "digest": image, "size": list["manifests"][0]["size"],
    });
    let empty = json!({"mediaType": media_type::OCI_EMPTY, "digest": blob(b"{}"), "size": 2});
    let text = b"a signature";
    let layer = json!({"mediaType": "text/plain", "digest": blob(text), "size": text.len()});
    let manifest = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "artifactType": "text/plain",
        "config": empty, "layers": [layer], "subject": image,
    })
    .to_string();
    let digest = blob(manifest.as_bytes());
    let mut entries = list["manifests"].as_array().unwrap().clone();
    entries.push(json!({
        "mediaType": media_type::OCI_MANIFEST, "digest": digest, "size": manifest.len(),
    }));
    let list = json!({"schemaVersion": 2, "manifests": entries});
    std::fs::write(folder.join("index.json"), list.to_string()).unwrap();
    digest.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_read_serves_registries_and_a_layout_and_a_second_copy_changes_nothing() {
    let mut rig = Rig::new();
    let [one, two] = two(&mut rig).await;
    rig.zip("orders.zip", &[("app.py", "x")]);
    let from = at(&one, "acme/orders:1");
    let published = rig.run(&["publish", "orders.zip", &from]).await;
    assert_eq!(published.code, 0, "{published}");
    let to = [at(&two, "acme/orders:1"), at(&two, "mirror/orders:1")];
    let args = ["copy", &from, &to[0], &to[1], "oci-layout:backup:1"];
    assert_snapshot!("everywhere", rig.run(&args).await);
    let before = two.ledger().last();
    assert_snapshot!("again", rig.run(&args[..4]).await);
    let writes = two.ledger().since(before).into_iter();
    assert_eq!(writes.filter(|entry| entry.mutating).count(), 0);
    let back = at(&two, "back/orders:1");
    let ran = rig.run(&["copy", "oci-layout:backup:1", &back]).await;
    assert_snapshot!("out_of_a_layout", ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_receipt_says_what_each_place_took() {
    let mut rig = Rig::new();
    let [one, two] = two(&mut rig).await;
    let digest = image_layout(&rig, "image");
    let (first, second) = (at(&one, "acme/app:1"), at(&two, "acme/app:1"));
    let args = ["copy", "oci-layout:image:1.4.2", &first, "--output", "json"];
    let receipt = rig.run(&args).await.json();
    let place = &receipt["published"][0];
    assert_eq!(receipt["artifact"], "oci-layout:image:1.4.2");
    assert_eq!(
        (&receipt["digest"], &place["digest"]),
        (&json!(digest), &json!(digest))
    );
    assert_eq!(
        (&place["uploaded"], &place["manifests"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(place["readBack"], true);
    assert_eq!(place["sentBytes"], receipt["read"]["bytes"]);
    assert_eq!(receipt["read"]["requests"], 0, "a layout is asked nothing");
    let args = [
        "copy",
        "--no-referrers",
        &first,
        &second,
        "--output",
        "json",
    ];
    assert_eq!(rig.run(&args).await.json()["published"][0]["manifests"], 1);
    let receipt = rig.run(&args).await.json();
    let place = &receipt["published"][0];
    assert_eq!(
        (&place["uploaded"], &place["manifests"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(
        (&receipt["read"]["requests"], &place["requests"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(place["readBack"], false, "a HEAD is the registry's word");
    assert!(receipt.get("kind").is_none(), "a copy is of any kind");
}

/// Registries lose blobs, and collect as garbage what is still named.
#[tokio::test(flavor = "multi_thread")]
async fn g01_what_a_registry_lost_is_sent_again_where_that_is_asked_for() {
    let mut rig = Rig::new();
    let [one, two] = two(&mut rig).await;
    rig.zip("orders.zip", &[("app.py", "x")]);
    let (first, second) = (at(&one, "acme/orders:1"), at(&two, "acme/orders:1"));
    let publish = ["publish", "orders.zip", &first, &second];
    assert_eq!(rig.run(&publish).await.code, 0);
    let layer = Digest::sha256(std::fs::read(rig.path("orders.zip")).unwrap());
    let is_whole = async |reference: &str| rig.run(&["inspect", reference, "--contents"]).await;
    for registry in [&one, &two] {
        lose(registry, &layer).await;
    }
    let ran = is_whole(&first).await;
    assert!(
        ran.code == 1 && ran.err.contains("`fractal copy --thorough`"),
        "{ran}"
    );
    assert_snapshot!("published_again", rig.run(&publish[..3]).await);
    assert_eq!(is_whole(&first).await.code, 0);
    let copy = ["copy", &first, &second, "--thorough"];
    let believed = rig.run(&copy[..3]).await;
    assert!(
        believed.code == 0 && !believed.out.contains("read back"),
        "{believed}"
    );
    assert_eq!(
        is_whole(&second).await.code,
        1,
        "the registry's word was taken"
    );
    assert_snapshot!("thorough", rig.run(&copy).await);
    assert_eq!(is_whole(&second).await.code, 0);
}

/// A disk that was full, or a copy of the folder that broke off.
#[tokio::test(flavor = "multi_thread")]
async fn g01_what_a_layout_holds_in_part_is_written_again() {
    let rig = Rig::new();
    let image = image_layout(&rig, "image");
    let args = ["copy", "image", "oci-layout:backup:1", "--thorough"];
    assert_eq!(rig.run(&args[..3]).await.code, 0);
    let layer = Digest::sha256("a layer of an image");
    let blob = rig.path("backup/blobs/sha256").join(layer.hex());
    std::fs::write(&blob, "a lay").unwrap();
    let receipt = rig
        .run(&[&args[..], &["--output", "json"]].concat())
        .await
        .json();
    assert_eq!(receipt["digest"], image);
    assert_eq!(receipt["published"][0]["uploaded"], 1, "{receipt}");
    assert_eq!(std::fs::read(&blob).unwrap(), b"a layer of an image");
}

async fn lose(registry: &Registry, blob: &Digest) {
    let mut connection = tokio::net::TcpStream::connect(registry.host())
        .await
        .unwrap();
    let request = format!(
        "DELETE /v2/acme/orders/blobs/{blob} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        registry.host()
    );
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
}

/// A tag that was not there is no small thing, though all its bytes were.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_tag_of_what_is_there_is_published() {
    let mut rig = Rig::new();
    let [one, _] = two(&mut rig).await;
    image_layout(&rig, "image");
    let ran = rig.run(&["copy", "image", &at(&one, "acme/app:1")]).await;
    assert_eq!(ran.code, 0, "{ran}");
    let ran = rig.run(&["copy", "image", &at(&one, "acme/app:2")]).await;
    assert_snapshot!("new_tag", ran);
    let ran = rig.run(&["copy", "image", &at(&one, "acme/app:2")]).await;
    assert!(ran.out.contains("there already"), "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_place_that_refuses_stops_no_other_and_fails_the_command() {
    let mut rig = Rig::new();
    let [one, two] = two(&mut rig).await;
    image_layout(&rig, "image");
    let writes = Filter {
        mutating: Some(true),
        ..Filter::default()
    };
    two.faults()
        .arm(Rule::new(writes, Action::Deny).until_lifted());
    let to = [at(&one, "acme/app:1"), at(&two, "acme/app:1")];
    let args = ["copy", "image", &to[0], &to[1], "oci-layout:backup:1"];
    assert_snapshot!("one_refuses", rig.run(&args).await);
    let args = [&args[..], &["--output", "json"]].concat();
    let ran = rig.run(&args).await;
    assert_eq!(ran.code, 1);
    let receipt = ran.json();
    let fault = &receipt["published"][1]["fault"];
    assert_eq!(fault["reason"], "RegistryForbidden");
    assert!(fault["next"].as_str().unwrap().contains("docker login"));
    for arrived in [0, 2] {
        assert_eq!(receipt["published"][arrived]["digest"], receipt["digest"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_refers_to_it_travels_along_unless_that_is_not_wanted() {
    let mut rig = Rig::new();
    let [one, two] = two(&mut rig).await;
    let image = image_layout(&rig, "image");
    let referrer = refer(&rig, "image", &image);
    let args = ["copy", "oci-layout:image:1.4.2", "--output", "json"];
    let to = [at(&one, "acme/app:1"), at(&two, "acme/app:1")];
    let with = [&args[..], &[&to[0]]].concat();
    assert_eq!(rig.run(&with).await.json()["published"][0]["referrers"], 1);
    let by_digest = at(&one, &format!("acme/app@{referrer}"));
    assert_eq!(
        rig.run(&["copy", &by_digest, "oci-layout:out:1"])
            .await
            .code,
        0
    );
    let without = [&args[..], &["--no-referrers", &to[1]]].concat();
    assert_eq!(
        rig.run(&without).await.json()["published"][0]["referrers"],
        0
    );
    let by_digest = at(&two, &format!("acme/app@{referrer}"));
    assert_eq!(
        rig.run(&["copy", &by_digest, "oci-layout:out:1"])
            .await
            .code,
        1
    );
}

/// As ECR does, which takes no manifest with a subject in some of its regions.
#[tokio::test(flavor = "multi_thread")]
async fn a_referrer_that_a_registry_does_not_take_is_a_warning() {
    let mut rig = Rig::new();
    let [one, _] = two(&mut rig).await;
    let image = image_layout(&rig, "image");
    let referrer = refer(&rig, "image", &image);
    let filter = Filter {
        operation: Some("PutManifest".into()),
        resource: Some(referrer.clone()),
        ..Filter::default()
    };
    let refuse = Action::Fail {
        status: 405,
        code: "UNSUPPORTED".into(),
        message: "manifests with a subject are not supported".into(),
        retry_after: None,
    };
    one.faults().arm(Rule::new(filter, refuse).until_lifted());
    let (from, to) = ("oci-layout:image:1.4.2", at(&one, "acme/app:1"));
    assert_snapshot!("left_behind", rig.run(&["copy", from, &to]).await);
    let ran = rig.run(&["copy", from, &to, "--output", "json"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    let left = &ran.json()["published"][0]["leftBehind"];
    assert_eq!(left[0]["digest"], referrer);
    assert_eq!(left[0]["fault"]["reason"], "RegistryRefused");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_images_has_to_be_chosen() {
    let mut rig = Rig::new();
    let [one, _] = two(&mut rig).await;
    let digest = image_layout(&rig, "image");
    let index = rig.path("image/index.json");
    let list: Value = serde_json::from_slice(&std::fs::read(&index).unwrap()).unwrap();
    let mut entry = list["manifests"][0].clone();
    entry["annotations"] = json!({"io.containerd.image.name": "docker.io/acme/app:1"});
    // The same bytes with another form are another image.
    let blobs = rig.path("image/blobs/sha256");
    let hex = digest.strip_prefix("sha256:").unwrap();
    let manifest: ImageManifest =
        serde_json::from_slice(&std::fs::read(blobs.join(hex)).unwrap()).unwrap();
    let other = serde_json::to_vec_pretty(&manifest).unwrap();
    let other_digest = Digest::sha256(&other);
    std::fs::write(blobs.join(other_digest.hex()), &other).unwrap();
    let other = json!({
        "mediaType": media_type::OCI_MANIFEST, "digest": other_digest, "size": other.len(),
        "annotations": {"io.containerd.image.name": "docker.io/acme/other:1"},
    });
    let list = json!({"schemaVersion": 2, "manifests": [entry, other]});
    std::fs::write(&index, list.to_string()).unwrap();
    tar(&rig, "image", "images.tar");
    let to = at(&one, "acme/app:1");
    assert_snapshot!("several", rig.run(&["copy", "images.tar", &to]).await);
    let choose = async |command: &str, name: &str| {
        let args = [command, "images.tar", &to, "--image", name];
        rig.run(&[&args[..], &["--output", "json"]].concat()).await
    };
    assert_eq!(choose("copy", "acme/app:1").await.json()["digest"], digest);
    let other = choose("publish", "docker.io/acme/other:1").await;
    assert_eq!(other.json()["digest"], other_digest.as_str());
    let ran = rig
        .run(&["copy", "images.tar", &to, "--image", "app"])
        .await;
    assert_snapshot!("no_such_image", ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn publishing_takes_from_a_registry_what_is_an_artifact() {
    let mut rig = Rig::new();
    let [one, two] = two(&mut rig).await;
    let digest = image_layout(&rig, "image");
    let (from, to) = (at(&one, "acme/app:1"), at(&two, "acme/app:1"));
    assert_eq!(rig.run(&["copy", "image", &from]).await.code, 0);
    let receipt = rig
        .run(&["publish", &from, &to, "--output", "json"])
        .await
        .json();
    assert_eq!(
        (&receipt["digest"], &receipt["kind"]),
        (&json!(digest), &json!("container"))
    );
    assert_eq!(receipt["published"][0]["uploaded"], 2);
    let missing = at(&one, "acme/none:1");
    assert_snapshot!("missing_source", rig.run(&["publish", &missing, &to]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_copied_is_said_before_anything_is_sent() {
    let mut rig = Rig::new();
    let [one, _] = two(&mut rig).await;
    let digest = image_layout(&rig, "image");
    rig.zip("orders.zip", &[("app.py", "x")]);
    let to = at(&one, "acme/app:1");
    let other = at(&one, &format!("acme/app@sha256:{}", "0a".repeat(32)));
    let mut all = String::new();
    let calls: [(&[&str], i32); 7] = [
        (&["copy", "orders.zip", &to], 2),
        (&["copy", "absent.tar", &to], 1),
        (&["copy", "acme/app:1", &to], 1),
        (&["copy", "oci-layout:absent:1", &to], 1),
        (&["copy", "oci-layout:image:9", &to], 1),
        (&["copy", "image", "ghcr.io/acme/app"], 2),
        (&["copy", "image", &other], 2),
    ];
    for (args, code) in calls {
        let ran = rig.run(args).await;
        assert_eq!(ran.code, code, "{args:?}: {ran}");
        let json = rig.run(&[args, &["--output", "json"]].concat()).await;
        assert_eq!(json.code, code, "{args:?}: {json}");
        let said = if json.out.is_empty() {
            &json.err
        } else {
            &json.out
        };
        assert!(
            serde_json::from_str::<Value>(said).is_ok(),
            "{args:?}: {json}"
        );
        all.push_str(&ran.err);
    }
    assert_snapshot!("refusals", all);
    let writes = one.ledger().since(0).into_iter();
    assert_eq!(writes.filter(|entry| entry.mutating).count(), 0);
    let right = at(&one, &format!("acme/app@{digest}"));
    assert_eq!(rig.run(&["copy", "image", &right]).await.code, 0);
}

/// Amazon's registry, and some others, make no repository on push.
#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_has_to_be_made_first_is_said() {
    let mut rig = Rig::new();
    let [one, _] = two(&mut rig).await;
    image_layout(&rig, "image");
    let missing = Action::Fail {
        status: 404,
        code: "NAME_UNKNOWN".into(),
        message: "The repository with name 'acme/app' does not exist in the registry".into(),
        retry_after: None,
    };
    one.faults()
        .arm(Rule::new(Filter::default(), missing).until_lifted());
    let ran = rig.run(&["copy", "image", &at(&one, "acme/app:1")]).await;
    assert_snapshot!("no_repository", ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_speaks_tls_on_this_machine_is_said_how_to_reach() {
    let mut rig = Rig::new();
    let [one, _] = two(&mut rig).await;
    image_layout(&rig, "image");
    let tls = Action::Fail {
        status: 400,
        code: "UNKNOWN".into(),
        message: "Client sent an HTTP request to an HTTPS server.".into(),
        retry_after: None,
    };
    one.faults()
        .arm(Rule::new(Filter::default(), tls).until_lifted());
    let ran = rig.run(&["copy", "image", &at(&one, "acme/app:1")]).await;
    let host = "one.example";
    let flag = format!("--registry-endpoint {host}=https://{host}");
    assert!(ran.code == 1 && ran.err.contains(&flag), "{ran}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_copy_says_how_it_goes_on() {
    let mut rig = Rig::new();
    let [one, _] = two(&mut rig).await;
    image_layout(&rig, "image");
    let hold = Action::Delay {
        milliseconds: 600_000,
    };
    one.faults()
        .arm(Rule::new(Filter::default(), hold).until_lifted());
    let to = at(&one, "acme/app:1");
    let child = rig.start(&["copy", "image", &to]);
    let asked = async {
        while one.faults().armed()[0].struck == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), asked)
        .await
        .unwrap();
    let pid = child.id().unwrap().to_string();
    let killed = std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status();
    assert!(killed.unwrap().success());
    let ran = rig.finish(child).await;
    assert_snapshot!("interrupted", ran);
}
