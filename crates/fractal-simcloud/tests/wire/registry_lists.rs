//! The distribution API: tags, the catalogue, deletion and referrers.

use serde_json::json;

use crate::registry::{get, registry};
use crate::support::{
    IMAGE, INDEX, descriptor, digest, push_blob, push_image, push_manifest, send,
};

#[tokio::test]
async fn tags_are_paged_moved_and_deleted() {
    let registry = registry().await;
    let endpoint = registry.endpoint();
    for tag in ["c", "a", "b"] {
        push_image(&endpoint, "app", tag, "amd64").await;
    }
    assert_eq!(
        get(&registry, "/v2/app/tags/list").await.json(),
        json!({ "name": "app", "tags": ["a", "b", "c"] })
    );
    let page = get(&registry, "/v2/app/tags/list?n=2").await;
    assert_eq!(
        (page.json()["tags"].clone(), page.header("link")),
        (
            json!(["a", "b"]),
            "</v2/app/tags/list?n=2&last=b>; rel=\"next\""
        )
    );
    let last = get(&registry, "/v2/app/tags/list?n=2&last=b").await;
    assert_eq!(
        (last.json()["tags"].clone(), last.header("link")),
        (json!(["c"]), "")
    );
    assert_eq!(
        get(&registry, "/v2/_catalog").await.json(),
        json!({ "repositories": ["app"] })
    );
    let of_b = get(&registry, "/v2/app/manifests/b")
        .await
        .header("docker-content-digest")
        .to_owned();
    send(&endpoint, "DELETE", "/v2/app/manifests/a", &[], "")
        .await
        .unwrap()
        .expect(202);
    send(
        &endpoint,
        "DELETE",
        &format!("/v2/app/manifests/{of_b}"),
        &[],
        "",
    )
    .await
    .unwrap()
    .expect(202);
    assert_eq!(
        get(&registry, "/v2/app/tags/list").await.json()["tags"],
        json!(["c"])
    );
    get(&registry, &format!("/v2/app/manifests/{of_b}"))
        .await
        .refused(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn referrers_are_listed_and_filtered() {
    let registry = registry().await;
    let endpoint = registry.endpoint();
    let subject = push_image(&endpoint, "app", "v1", "amd64")
        .await
        .to_string();
    push_blob(&endpoint, "app", b"{}").await;
    let signed = json!({
        "schemaVersion": 2, "mediaType": IMAGE, "artifactType": "application/example", "annotations": { "k": "v" },
        "config": descriptor("application/vnd.oci.empty.v1+json", b"{}"), "layers": [], "subject": descriptor(IMAGE, subject.as_bytes()),
    });
    let own = digest(signed.to_string().as_bytes());
    let put = push_manifest(&endpoint, "app", &own, IMAGE, &signed)
        .await
        .expect(201);
    assert_eq!(put.header("oci-subject"), digest(subject.as_bytes()));
    let path = format!("/v2/app/referrers/{}", digest(subject.as_bytes()));
    let found = get(&registry, &path).await.expect(200);
    assert_eq!(found.header("content-type"), INDEX);
    let expected = json!({
        "mediaType": IMAGE, "digest": own, "size": signed.to_string().len(), "artifactType": "application/example", "annotations": { "k": "v" },
    });
    assert_eq!(found.json()["manifests"], json!([expected]));
    let none = get(
        &registry,
        &format!("{path}?artifactType=application%2Fother"),
    )
    .await
    .expect(200);
    assert_eq!(
        (
            none.json()["manifests"].clone(),
            none.header("oci-filters-applied")
        ),
        (json!([]), "artifactType")
    );
    assert_eq!(
        get(&registry, &format!("/v2/none/referrers/{own}"))
            .await
            .expect(200)
            .json()["manifests"],
        json!([])
    );
}
