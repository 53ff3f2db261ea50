//! S3 as SDKs really send it: chunked bodies with trailing checksums, conditions, ranges, multipart.

use crate::support::{Caller, base64, cloud, digest, hash64};

const STREAMING: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

async fn chunked(caller: &Caller, path: &str, body: &str, length: &str) -> crate::support::Reply {
    let headers = [
        ("content-encoding", "aws-chunked"),
        ("x-amz-content-sha256", STREAMING),
        ("x-amz-decoded-content-length", length),
        ("x-amz-trailer", "x-amz-checksum-sha256"),
    ];
    caller.s3("PUT", path, &headers, body.to_owned()).await
}

#[tokio::test]
async fn trailing_checksums_are_verified() {
    let cloud = cloud().await;
    let caller = Caller::of(&cloud);
    caller.bucket("bucket").await;
    let body = |checksum: &str| {
        format!("6\r\nhello \r\n5\r\nworld\r\n0\r\nx-amz-checksum-sha256:{checksum}\r\n\r\n")
    };
    let right = hash64(b"hello world");
    let put = chunked(&caller, "/bucket/k", &body(&right), "11")
        .await
        .expect(200);
    assert_eq!(put.header("x-amz-checksum-sha256"), right);
    assert_eq!(put.header("etag"), "\"5eb63bbbe01eeed093cb22bb8f5acdc3\"");
    let got = caller
        .s3(
            "GET",
            "/bucket/k",
            &[("x-amz-checksum-mode", "ENABLED")],
            "",
        )
        .await
        .expect(200);
    assert_eq!(
        (got.body.as_ref(), got.header("x-amz-checksum-sha256")),
        (b"hello world".as_slice(), right.as_str())
    );
    chunked(&caller, "/bucket/bad", &body(&hash64(b"other")), "11")
        .await
        .refused(400, "BadDigest");
    chunked(&caller, "/bucket/bad", &body(&right), "12")
        .await
        .refused(400, "IncompleteBody");
    chunked(&caller, "/bucket/bad", "6\r\nhello", "11")
        .await
        .refused(400, "IncompleteBody");
    chunked(&caller, "/bucket/bad", "5\r\nhello\r\n0\r\n\r\n", "5")
        .await
        .refused(400, "MalformedTrailerError");
    caller
        .s3("GET", "/bucket/bad", &[], "")
        .await
        .refused(404, "NoSuchKey");
    assert_eq!(cloud.objects().len(), 1);
}

#[tokio::test]
async fn stated_hashes_are_verified() {
    let cloud = cloud().await;
    let caller = Caller::of(&cloud);
    caller.bucket("bucket").await;
    let payload = digest(b"x").trim_start_matches("sha256:").to_owned();
    caller
        .s3(
            "PUT",
            "/bucket/k",
            &[("x-amz-content-sha256", &payload)],
            "x",
        )
        .await
        .expect(200);
    caller
        .s3(
            "PUT",
            "/bucket/k",
            &[("x-amz-content-sha256", &payload)],
            "y",
        )
        .await
        .refused(400, "XAmzContentSHA256Mismatch");
    caller
        .s3(
            "PUT",
            "/bucket/k",
            &[("content-md5", &base64(&[0; 16]))],
            "y",
        )
        .await
        .refused(400, "BadDigest");
    caller
        .s3("PUT", "/bucket/k", &[("content-md5", "short")], "y")
        .await
        .refused(400, "InvalidDigest");
    caller
        .s3(
            "PUT",
            "/bucket/k",
            &[("x-amz-checksum-crc32", "AAAAAA==")],
            "y",
        )
        .await
        .refused(400, "BadDigest");
    assert_eq!(caller.s3("GET", "/bucket/k", &[], "").await.body, "x");
}

#[tokio::test]
async fn conditions_and_ranges_hold() {
    let cloud = cloud().await;
    let caller = Caller::of(&cloud);
    caller.bucket("bucket").await;
    let etag = caller
        .s3("PUT", "/bucket/k", &[("if-none-match", "*")], "0123456789")
        .await
        .expect(200)
        .header("etag")
        .to_owned();
    caller
        .s3("PUT", "/bucket/k", &[("if-none-match", "*")], "other")
        .await
        .refused(412, "PreconditionFailed");
    caller
        .s3("PUT", "/bucket/k", &[("if-match", "\"other\"")], "other")
        .await
        .refused(412, "PreconditionFailed");
    caller
        .s3("GET", "/bucket/k", &[("if-none-match", &etag)], "")
        .await
        .expect(304);
    let part = caller
        .s3("GET", "/bucket/k", &[("range", "bytes=2-4")], "")
        .await
        .expect(206);
    assert_eq!(
        (part.body.as_ref(), part.header("content-range")),
        (b"234".as_slice(), "bytes 2-4/10")
    );
    assert_eq!(
        caller
            .s3("GET", "/bucket/k", &[("range", "bytes=-3")], "")
            .await
            .expect(206)
            .body,
        "789"
    );
    caller
        .s3("GET", "/bucket/k", &[("range", "bytes=10-")], "")
        .await
        .refused(416, "InvalidRange");
    let head = caller.s3("HEAD", "/bucket/k", &[], "").await.expect(200);
    assert_eq!((head.header("content-length"), head.body.len()), ("10", 0));
    caller
        .s3("HEAD", "/bucket/absent", &[], "")
        .await
        .expect(404);
}

#[tokio::test]
async fn buckets_belong_to_an_account_and_a_region() {
    let cloud = cloud().await;
    let caller = Caller::of(&cloud);
    caller
        .s3("PUT", "/Bad_Name", &[], "")
        .await
        .refused(400, "InvalidBucketName");
    caller
        .s3("PUT", "/bucket", &[], "")
        .await
        .refused(400, "IllegalLocationConstraintException");
    caller.bucket("bucket").await;
    let far = Caller {
        region: "us-east-1",
        ..Caller::of(&cloud)
    };
    let moved = far
        .s3("PUT", "/bucket/k", &[], "x")
        .await
        .refused(301, "PermanentRedirect");
    assert_eq!(moved.header("x-amz-bucket-region"), "eu-west-1");
    caller
        .s3("PUT", "/absent/k", &[], "x")
        .await
        .refused(404, "NoSuchBucket");
    caller
        .s3(
            "PUT",
            "/bucket/k",
            &[("x-amz-copy-source", "/bucket/x")],
            "",
        )
        .await
        .refused(501, "NotImplemented");
    caller
        .s3("GET", "/bucket?acl", &[], "")
        .await
        .refused(501, "NotImplemented");
    caller
        .s3("PUT", "/k", &[("host", "bucket.localhost")], "x")
        .await
        .expect(200);
    assert_eq!(
        caller
            .s3("GET", "/bucket/k", &[], "")
            .await
            .expect(200)
            .body,
        "x"
    );
}

#[tokio::test]
async fn a_multipart_upload_is_its_parts_in_order() {
    let cloud = cloud().await;
    let caller = Caller::of(&cloud);
    caller.bucket("bucket").await;
    let begun = caller
        .s3("POST", "/bucket/k?uploads", &[], "")
        .await
        .expect(200)
        .text();
    let id = begun
        .split("<UploadId>")
        .nth(1)
        .and_then(|rest| rest.split('<').next())
        .unwrap()
        .to_owned();
    let (first, last) = (vec![b'a'; 5 << 20], vec![b'b'; 7]);
    let mut tags = Vec::new();
    for (number, part) in [(1, &first), (2, &last)] {
        let path = format!("/bucket/k?partNumber={number}&uploadId={id}");
        tags.push(
            caller
                .s3("PUT", &path, &[], part.clone())
                .await
                .expect(200)
                .header("etag")
                .to_owned(),
        );
    }
    let list = |order: [usize; 2]| {
        let parts: String = order
            .iter()
            .map(|at| {
                format!(
                    "<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>",
                    at + 1,
                    tags[*at]
                )
            })
            .collect();
        format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>")
    };
    let path = format!("/bucket/k?uploadId={id}");
    caller
        .s3("POST", &path, &[], list([1, 0]))
        .await
        .refused(400, "InvalidPartOrder");
    caller
        .s3("POST", &path, &[], list([0, 1]).replace(&tags[1], "\"00\""))
        .await
        .refused(400, "InvalidPart");
    caller
        .s3("POST", &path, &[], "<CompleteMultipartUpload/>")
        .await
        .refused(400, "MalformedXML");
    assert!(cloud.objects().is_empty());
    caller
        .s3("POST", &path, &[], list([0, 1]))
        .await
        .expect(200);
    let got = caller.s3("GET", "/bucket/k", &[], "").await.expect(200);
    assert!(got.header("etag").ends_with("-2\""));
    assert_eq!(digest(&got.body), digest(&[first, last].concat()));
    caller
        .s3("POST", &path, &[], list([0, 1]))
        .await
        .refused(404, "NoSuchUpload");
    caller
        .s3(
            "PUT",
            &format!("/bucket/k?partNumber=1&uploadId={id}"),
            &[],
            "x",
        )
        .await
        .refused(404, "NoSuchUpload");
}
