//! Where Lambda takes code from: inline up to the limits, S3, and images in ECR.

use serde_json::{Value, json};

use crate::support::{
    Caller, IMAGE, INDEX, ROLE, base64, cloud, creation, descriptor, digest, hash64, push_blob,
    push_image, push_manifest, zip, zip_claiming,
};

const INLINE_LIMIT: usize = 52_428_800;
const OVERHEAD: usize = 30 + 8 + 46 + 8 + 22;

#[tokio::test]
async fn an_inline_zip_has_exactly_fifty_mebibytes_at_most() {
    let cloud = cloud().await;
    let caller = Caller::of(&cloud);
    let sized = |size: usize| {
        let content = vec![b'x'; size - OVERHEAD];
        zip_claiming(&content, u32::try_from(content.len()).unwrap())
    };
    let largest = sized(INLINE_LIMIT);
    assert_eq!(largest.len(), INLINE_LIMIT);
    let made = caller.create("largest", &largest).await.expect(201).json();
    assert_eq!(made["CodeSize"], INLINE_LIMIT);
    caller
        .create("larger", &sized(INLINE_LIMIT + 1))
        .await
        .refused(413, "RequestEntityTooLargeException");
    let whole = caller
        .create("huge", &vec![0; 52_700_000])
        .await
        .refused(413, "RequestEntityTooLargeException")
        .json();
    assert_eq!(
        whole["message"],
        "Request must be smaller than 70167211 bytes for the CreateFunction operation"
    );
    let recorded = &cloud.ledger().since(0)[0].request["Code"]["ZipFile"];
    assert_eq!(recorded["length"], INLINE_LIMIT);
    assert_eq!(
        format!("sha256:{}", recorded["sha256"].as_str().unwrap()),
        digest(&largest)
    );
}

#[tokio::test]
async fn the_unpacked_size_is_limited() {
    let cloud = cloud().await;
    let caller = Caller::of(&cloud);
    let refused = caller
        .create("f", &zip_claiming(b"x", 262_144_001))
        .await
        .refused(400, "InvalidParameterValueException")
        .json();
    assert_eq!(
        refused["message"],
        "Unzipped size must be smaller than 262144000 bytes"
    );
    caller
        .create("f", &zip_claiming(b"x", 262_144_000))
        .await
        .expect(201);
}

#[tokio::test]
async fn an_s3_source_is_copied_from_a_bucket_of_the_same_region() {
    let cloud = cloud().await;
    let caller = Caller::of(&cloud);
    let far = Caller {
        region: "us-west-2",
        ..Caller::of(&cloud)
    };
    caller.bucket("near").await;
    far.bucket("far").await;
    caller
        .s3("PUT", "/near/a/b.zip", &[], zip("one"))
        .await
        .expect(200);
    far.s3("PUT", "/far/b.zip", &[], zip("one"))
        .await
        .expect(200);
    let from = |bucket: &str, key: &str| {
        let mut body = creation("f", b"");
        body["Code"] = json!({ "S3Bucket": bucket, "S3Key": key });
        body
    };
    let path = "/2015-03-31/functions";
    let refused = caller
        .lambda("POST", path, from("far", "b.zip"))
        .await
        .refused(400, "InvalidParameterValueException")
        .json();
    assert!(refused["message"].as_str().unwrap().contains("S3 Error Code: PermanentRedirect. S3 Error Message: The bucket is in this region: us-west-2."));
    let refused = caller
        .lambda("POST", path, from("near", "absent"))
        .await
        .refused(400, "InvalidParameterValueException")
        .json();
    let absent = "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.";
    assert_eq!(refused["message"], absent);
    let made = caller
        .lambda("POST", path, from("near", "a/b.zip"))
        .await
        .expect(201)
        .json();
    assert_eq!(made["CodeSha256"], hash64(&zip("one")));
    caller
        .s3("DELETE", "/near/a/b.zip", &[], "")
        .await
        .expect(204);
    let location = caller.get("f").await.json()["Code"]["Location"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = location.strip_prefix(cloud.endpoint()).unwrap();
    let package = crate::support::send(cloud.endpoint(), "GET", path, &[], "")
        .await
        .unwrap()
        .expect(200);
    assert_eq!(package.body, zip("one"));
}

fn of_image(name: &str, uri: &str) -> Value {
    json!({ "FunctionName": name, "Role": ROLE, "PackageType": "Image", "Code": { "ImageUri": uri } })
}

#[tokio::test]
async fn an_image_is_one_manifest_of_the_right_architecture_resolved_once() {
    let cloud = cloud().await;
    let (caller, registry) = (Caller::of(&cloud), cloud.registry_endpoint().to_owned());
    let manifest = push_image(&registry, "team/app", "v1", "amd64").await;
    push_image(&registry, "team/app", "arm", "arm64").await;
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(IMAGE, manifest.to_string().as_bytes())] });
    push_manifest(&registry, "team/app", "multi", INDEX, &index)
        .await
        .expect(201);
    push_blob(&registry, "team/app", b"{}").await;
    let artifact = json!({ "schemaVersion": 2, "mediaType": IMAGE, "config": descriptor("application/vnd.oci.empty.v1+json", b"{}"), "layers": [] });
    push_manifest(&registry, "team/app", "artifact", IMAGE, &artifact)
        .await
        .expect(201);
    let host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
    let refusals = [
        (
            format!("{host}/team/app:multi"),
            "The image manifest, config or layer media type for the source image",
        ),
        (
            format!("{host}/team/app:artifact"),
            "The image manifest, config or layer media type for the source image",
        ),
        (format!("{host}/team/app:arm"), "architecture"),
        (
            format!("{host}/team/app:absent"),
            "does not exist. Provide a valid source image.",
        ),
        (
            format!("{host}/team/app@sha256:{}", "0".repeat(64)),
            "does not exist. Provide a valid source image.",
        ),
        (
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:v1".to_owned(),
            "is not valid. Provide a valid source image.",
        ),
        (
            "docker.io/team/app:v1".to_owned(),
            "is not valid. Provide a valid source image.",
        ),
    ];
    for (uri, message) in refusals {
        let refused = caller
            .lambda("POST", "/2015-03-31/functions", of_image("f", &uri))
            .await
            .refused(400, "InvalidParameterValueException");
        assert!(
            refused.text().contains(message),
            "{uri}: {}",
            refused.text()
        );
    }
    let stranger = of_image(
        "f",
        "999999999999.dkr.ecr.eu-west-1.amazonaws.com/team/app:v1",
    );
    caller
        .lambda("POST", "/2015-03-31/functions", stranger)
        .await
        .refused(403, "AccessDeniedException");
    let digest = digest(manifest.to_string().as_bytes());
    let made = caller
        .lambda(
            "POST",
            "/2015-03-31/functions",
            of_image("f", &format!("{host}/team/app:v1")),
        )
        .await
        .expect(201)
        .json();
    assert_eq!(made["CodeSha256"], digest.trim_start_matches("sha256:"));
    push_image(&registry, "team/app", "v1", "arm64").await;
    caller.settled("f").await;
    let code = caller.get("f").await.json()["Code"].clone();
    let resolved = format!("{host}/team/app@{digest}");
    assert_eq!(
        code,
        json!({ "RepositoryType": "ECR", "ImageUri": format!("{host}/team/app:v1"), "ResolvedImageUri": resolved })
    );
    assert_eq!(
        cloud.functions()[0].digest.as_deref(),
        Some(digest.as_str())
    );
}

#[tokio::test]
async fn the_package_type_never_changes() {
    let cloud = cloud().await;
    let (caller, registry) = (Caller::of(&cloud), cloud.registry_endpoint().to_owned());
    push_image(&registry, "app", "v1", "amd64").await;
    let uri = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:v1";
    caller
        .lambda("POST", "/2015-03-31/functions", of_image("image", uri))
        .await
        .expect(201);
    caller.create("zip", &zip("one")).await.expect(201);
    caller.settled("image").await;
    caller.settled("zip").await;
    caller
        .code("image", json!({ "ZipFile": base64(&zip("one")) }))
        .await
        .refused(400, "InvalidParameterValueException");
    let refused = caller
        .code("zip", json!({ "ImageUri": uri }))
        .await
        .refused(400, "InvalidParameterValueException")
        .json();
    assert_eq!(
        refused["message"],
        "Please don't provide ImageUri when updating a function with packageType Zip."
    );
    caller
        .configure("image", json!({ "Handler": "x.y" }))
        .await
        .refused(400, "InvalidParameterValueException");
    caller
        .code("image", json!({ "ImageUri": uri }))
        .await
        .expect(200);
}
