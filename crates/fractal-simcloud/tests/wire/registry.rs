//! The distribution API: uploads, blobs, and the checks of manifests.

use fractal_simcloud::{Registry, RegistryConfig};
use serde_json::{Value, json};

use crate::support::{
    CONFIG, IMAGE, INDEX, LAYER, Reply, descriptor, digest, push_blob, push_manifest, send,
};

pub(crate) async fn registry() -> Registry {
    Registry::start(RegistryConfig::default()).await.unwrap()
}

pub(crate) async fn get(registry: &Registry, path: &str) -> Reply {
    send(&registry.endpoint(), "GET", path, &[], "")
        .await
        .unwrap()
}

async fn start(registry: &Registry) -> String {
    let begun = send(
        &registry.endpoint(),
        "POST",
        "/v2/app/blobs/uploads/",
        &[],
        "",
    )
    .await
    .unwrap()
    .expect(202);
    begun.header("location").to_owned()
}

#[tokio::test]
async fn an_upload_goes_in_one_two_or_many_requests() {
    let registry = registry().await;
    let endpoint = registry.endpoint();
    push_blob(&endpoint, "app", b"one").await;
    let location = start(&registry).await;
    let path = format!("{location}?digest={}", digest(b"two"));
    let put = send(&endpoint, "PUT", &path, &[], "two")
        .await
        .unwrap()
        .expect(201);
    assert_eq!(put.header("docker-content-digest"), digest(b"two"));
    let location = start(&registry).await;
    let first = send(
        &endpoint,
        "PATCH",
        &location,
        &[("content-range", "0-2")],
        "abc",
    )
    .await
    .unwrap()
    .expect(202);
    assert_eq!(first.header("range"), "0-2");
    send(
        &endpoint,
        "PATCH",
        &location,
        &[("content-range", "2-4")],
        "cde",
    )
    .await
    .unwrap()
    .refused(416, "BLOB_UPLOAD_INVALID");
    send(
        &endpoint,
        "PATCH",
        &location,
        &[("content-range", "3-9")],
        "de",
    )
    .await
    .unwrap()
    .refused(416, "BLOB_UPLOAD_INVALID");
    assert_eq!(
        get(&registry, &location).await.expect(204).header("range"),
        "0-2"
    );
    send(
        &endpoint,
        "PATCH",
        &location,
        &[("content-range", "3-4")],
        "de",
    )
    .await
    .unwrap()
    .expect(202);
    let path = format!("{location}?digest={}", digest(b"abcdef"));
    send(&endpoint, "PUT", &path, &[], "f")
        .await
        .unwrap()
        .expect(201);
    for blob in ["one", "two", "abcdef"] {
        let path = format!("/v2/app/blobs/{}", digest(blob.as_bytes()));
        let got = get(&registry, &path).await.expect(200);
        assert_eq!(
            (got.body.as_ref(), got.header("docker-content-digest")),
            (blob.as_bytes(), digest(blob.as_bytes()).as_str())
        );
        let head = send(&endpoint, "HEAD", &path, &[], "")
            .await
            .unwrap()
            .expect(200);
        assert_eq!(head.header("content-length"), blob.len().to_string());
    }
}

#[tokio::test]
async fn wrong_bytes_never_become_a_blob() {
    let registry = registry().await;
    let endpoint = registry.endpoint();
    let location = start(&registry).await;
    let path = format!("{location}?digest={}", digest(b"right"));
    send(&endpoint, "PUT", &path, &[], "wrong")
        .await
        .unwrap()
        .refused(400, "DIGEST_INVALID");
    get(&registry, &format!("/v2/app/blobs/{}", digest(b"right")))
        .await
        .refused(404, "BLOB_UNKNOWN");
    send(&endpoint, "PUT", &path, &[], "right")
        .await
        .unwrap()
        .refused(404, "BLOB_UPLOAD_UNKNOWN");
    let location = start(&registry).await;
    send(&endpoint, "PUT", &location, &[], "x")
        .await
        .unwrap()
        .refused(400, "DIGEST_INVALID");
    send(
        &endpoint,
        "PUT",
        &format!("{location}?digest=md5:00"),
        &[],
        "x",
    )
    .await
    .unwrap()
    .refused(400, "DIGEST_INVALID");
    send(&endpoint, "DELETE", &location, &[], "")
        .await
        .unwrap()
        .expect(204);
    get(&registry, &location)
        .await
        .refused(404, "BLOB_UPLOAD_UNKNOWN");
    get(&registry, "/v2/app/blobs/uploads/..%2f..%2ftoken.key")
        .await
        .expect(404);
    get(&registry, "/v2/UPPER/tags/list")
        .await
        .refused(400, "NAME_INVALID");
    get(&registry, "/v2/../blobs/x")
        .await
        .refused(400, "NAME_INVALID");
}

#[tokio::test]
async fn ranges_of_a_blob() {
    let registry = registry().await;
    push_blob(&registry.endpoint(), "app", b"0123456789").await;
    let path = format!("/v2/app/blobs/{}", digest(b"0123456789"));
    let part = send(
        &registry.endpoint(),
        "GET",
        &path,
        &[("range", "bytes=4-")],
        "",
    )
    .await
    .unwrap()
    .expect(206);
    assert_eq!(
        (part.body.as_ref(), part.header("content-range")),
        (b"456789".as_slice(), "bytes 4-9/10")
    );
    send(
        &registry.endpoint(),
        "GET",
        &path,
        &[("range", "bytes=10-")],
        "",
    )
    .await
    .unwrap()
    .refused(416, "RANGE_INVALID");
}

#[tokio::test]
async fn a_blob_is_mounted_where_the_other_repository_has_it() {
    let registry = registry().await;
    let endpoint = registry.endpoint();
    push_blob(&endpoint, "app", b"blob").await;
    let mount = |from: &str| {
        format!(
            "/v2/other/blobs/uploads/?mount={}&from={from}",
            digest(b"blob")
        )
    };
    send(&endpoint, "POST", &mount("absent"), &[], "")
        .await
        .unwrap()
        .expect(202);
    get(&registry, &format!("/v2/other/blobs/{}", digest(b"blob")))
        .await
        .refused(404, "BLOB_UNKNOWN");
    send(&endpoint, "POST", &mount("app"), &[], "")
        .await
        .unwrap()
        .expect(201);
    get(&registry, &format!("/v2/other/blobs/{}", digest(b"blob")))
        .await
        .expect(200);
    send(
        &endpoint,
        "DELETE",
        &format!("/v2/app/blobs/{}", digest(b"blob")),
        &[],
        "",
    )
    .await
    .unwrap()
    .expect(202);
    get(&registry, &format!("/v2/app/blobs/{}", digest(b"blob")))
        .await
        .refused(404, "BLOB_UNKNOWN");
    get(&registry, &format!("/v2/other/blobs/{}", digest(b"blob")))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_manifest_must_be_right_and_complete() {
    let registry = registry().await;
    let endpoint = registry.endpoint();
    let manifest = |config: Value, layers: Value| json!({ "schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": layers });
    let put = |body: Value, kind: &'static str| {
        let endpoint = endpoint.clone();
        async move { push_manifest(&endpoint, "app", "t", kind, &body).await }
    };
    push_blob(&endpoint, "app", b"{}").await;
    let good = manifest(descriptor(CONFIG, b"{}"), json!([]));
    put(
        manifest(
            descriptor(CONFIG, b"{}"),
            json!([descriptor(LAYER, b"absent")]),
        ),
        IMAGE,
    )
    .await
    .refused(400, "MANIFEST_BLOB_UNKNOWN");
    let mut sized = descriptor(CONFIG, b"{}");
    sized["size"] = json!(3);
    put(manifest(sized, json!([])), IMAGE)
        .await
        .refused(400, "SIZE_INVALID");
    put(good.clone(), INDEX)
        .await
        .refused(400, "MANIFEST_INVALID");
    put(json!({ "schemaVersion": 1, "mediaType": IMAGE }), IMAGE)
        .await
        .refused(400, "MANIFEST_INVALID");
    put(json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(IMAGE, b"absent")] }), INDEX).await.refused(400, "MANIFEST_BLOB_UNKNOWN");
    push_manifest(&endpoint, "app", &digest(b"other"), IMAGE, &good)
        .await
        .refused(400, "DIGEST_INVALID");
    push_manifest(&endpoint, "app", ".bad", IMAGE, &good)
        .await
        .refused(400, "MANIFEST_INVALID");
    send(
        &endpoint,
        "PUT",
        "/v2/app/manifests/t",
        &[("content-type", IMAGE)],
        "{",
    )
    .await
    .unwrap()
    .refused(400, "MANIFEST_INVALID");
    let large = vec![b' '; (4 << 20) + 1];
    send(
        &endpoint,
        "PUT",
        "/v2/app/manifests/t",
        &[("content-type", IMAGE)],
        large,
    )
    .await
    .unwrap()
    .refused(413, "SIZE_INVALID");
    get(&registry, "/v2/app/manifests/t")
        .await
        .refused(404, "MANIFEST_UNKNOWN");
    get(&registry, "/v2/absent/manifests/t")
        .await
        .refused(404, "NAME_UNKNOWN");
    let stored = put(good.clone(), IMAGE).await.expect(201);
    assert_eq!(
        stored.header("docker-content-digest"),
        digest(good.to_string().as_bytes())
    );
    let got = get(&registry, "/v2/app/manifests/t").await.expect(200);
    assert_eq!(
        (got.text(), got.header("content-type")),
        (good.to_string(), IMAGE)
    );
}
