//! Blob streams: verified, resumed, bounded; the last chunk never leaves before size and digest hold.

use bytes::Bytes;
use fractal_core::artifact::{Descriptor, Digest};
use fractal_core::{Class, Fault};
use fractal_registry::{BlobStream, RegistryError};
use http_body::Body as _;

use crate::honest;
use crate::server::{Reply, Request, Server, Then, client};

/// Larger than any buffer on the way, so that there are several chunks.
fn content() -> Vec<u8> {
    (0..1_500_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

fn descriptor_of(bytes: &[u8]) -> Descriptor {
    Descriptor::new("application/zip", Digest::sha256(bytes), bytes.len() as u64)
}

async fn drain(mut stream: BlobStream) -> (Vec<u8>, Option<RegistryError>) {
    let mut all = Vec::new();
    while let Some(chunk) = stream.next().await {
        match chunk {
            Ok(chunk) => all.extend_from_slice(&chunk),
            Err(error) => {
                assert!(stream.next().await.is_none(), "nothing may follow an error");
                return (all, Some(error));
            }
        }
    }
    (all, None)
}

async fn pull(server: &Server, descriptor: &Descriptor) -> (Vec<u8>, Option<RegistryError>) {
    match client().blob(&server.reference("app:1"), descriptor).await {
        Ok(stream) => drain(stream).await,
        Err(error) => (Vec::new(), Some(error)),
    }
}

fn reason(error: Option<RegistryError>) -> (Class, String) {
    let fault = Fault::from(error.expect("an error"));
    assert!(
        fault.place.is_some() && fault.why.is_some() && fault.next.is_some(),
        "{fault}"
    );
    (fault.class, fault.reason.to_string())
}

const PASSING: Class = Class::Transient { retry_after: None };

#[tokio::test]
async fn a_blob_arrives_whole_and_its_size_is_known_throughout() {
    let bytes = content();
    let descriptor = descriptor_of(&bytes);
    let (server, state) = honest::start().await;
    state
        .lock()
        .unwrap()
        .blobs
        .insert(("app".into(), descriptor.digest.to_string()));
    state
        .lock()
        .unwrap()
        .bytes
        .insert(descriptor.digest.to_string(), bytes.clone());
    let mut stream = client()
        .blob(&server.reference("app:1"), &descriptor)
        .await
        .unwrap();
    assert_eq!(stream.size_hint().exact(), Some(descriptor.size));
    let first = stream.next().await.unwrap().unwrap();
    assert_eq!(
        stream.size_hint().exact(),
        Some(descriptor.size - first.len() as u64)
    );
    let (rest, error) = drain(stream).await;
    assert!(error.is_none());
    assert_eq!([first.as_ref(), &rest].concat(), bytes);
}

#[tokio::test]
async fn an_empty_blob_is_a_blob() {
    let server = Server::scripted(|_, _| Reply::new(200)).await;
    assert!(matches!(pull(&server, &descriptor_of(b"")).await, (bytes, None) if bytes.is_empty()));
    let lie = Descriptor::new("x", Digest::sha256(b"something"), 0);
    assert_eq!(
        reason(pull(&server, &lie).await.1),
        (Class::Terminal, "DigestMismatch".into())
    );
}

#[tokio::test]
async fn g18_the_last_chunk_is_withheld_from_wrong_bytes() {
    let mut bytes = content();
    let descriptor = descriptor_of(&bytes);
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let short = b"tiny".to_vec();
    let server = Server::scripted(move |_, _| Reply::new(200).body(bytes.as_slice())).await;
    let (given, error) = pull(&server, &descriptor).await;
    assert_eq!(reason(error), (Class::Terminal, "DigestMismatch".into()));
    assert!(
        given.len() < last + 1,
        "{} bytes were given out",
        given.len()
    );
    // A blob of one chunk gives nothing at all.
    let server = Server::scripted(move |_, _| Reply::new(200).body(short.as_slice())).await;
    let (given, error) = pull(&server, &Descriptor::new("x", Digest::sha256(b"TINY"), 4)).await;
    assert_eq!(
        (given.len(), reason(error)),
        (0, (Class::Terminal, "DigestMismatch".into()))
    );
}

#[tokio::test]
async fn g19_a_longer_body_stops_where_it_becomes_too_long() {
    let bytes = content();
    let declared = Descriptor::new("x", Digest::sha256(&bytes), 10);
    let announced = bytes.clone();
    let server = Server::scripted(move |_, _| Reply::new(200).body(announced.as_slice())).await;
    let (given, error) = pull(&server, &declared).await;
    assert_eq!(
        (given.len(), reason(error)),
        (0, (Class::Terminal, "SizeMismatch".into()))
    );
    // The same without an announced length, and with the right bytes before the extra one.
    let exact = descriptor_of(&bytes);
    let server = Server::scripted(move |_, _| Reply::new(200).chunked(&[&bytes, b"!"])).await;
    let (given, error) = pull(&server, &exact).await;
    assert_eq!(reason(error), (Class::Terminal, "SizeMismatch".into()));
    assert!((given.len() as u64) < exact.size);
}

#[tokio::test]
async fn g19_a_shorter_body_is_refused_from_its_announcement() {
    let server = Server::scripted(|_, _| Reply::new(200).body("short")).await;
    let (given, error) = pull(&server, &descriptor_of(&content())).await;
    assert_eq!(
        (given.len(), reason(error)),
        (0, (Class::Terminal, "SizeMismatch".into()))
    );
}

/// Sends `content` in pieces that break off: each answer gives at most `piece` bytes of what was asked.
fn breaking(
    content: Vec<u8>,
    piece: usize,
    last_break: usize,
) -> impl Fn(&Request, usize) -> Reply + Send + Sync {
    move |request, before| {
        let first = request.header("range").map_or(0, |range| {
            range[6..]
                .split('-')
                .next()
                .unwrap()
                .parse::<usize>()
                .unwrap()
        });
        let left = &content[first..];
        let status = if first == 0 { 200 } else { 206 };
        let range = format!("bytes {first}-{}/{}", content.len() - 1, content.len());
        let (part, then) = if before < last_break {
            (&left[..piece.min(left.len())], Then::Close)
        } else {
            (left, Then::KeepAlive)
        };
        let reply = Reply::new(status)
            .body_of_length(part, left.len())
            .then(then);
        if first == 0 {
            reply
        } else {
            reply.header("Content-Range", range)
        }
    }
}

#[tokio::test]
async fn g20_a_broken_transfer_is_resumed_where_it_broke() {
    let bytes = content();
    let server = Server::scripted(breaking(bytes.clone(), 400_000, 3)).await;
    let (given, error) = pull(&server, &descriptor_of(&bytes)).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(given, bytes);
    let ranges: Vec<_> = server
        .seen()
        .iter()
        .map(|request| request.header("range").map(str::to_owned))
        .collect();
    let expected = |from: usize| Some(format!("bytes={from}-{}", bytes.len() - 1));
    assert_eq!(
        ranges,
        [
            None,
            expected(400_000),
            expected(800_000),
            expected(1_200_000)
        ]
    );
}

#[tokio::test]
async fn g20_resuming_ends_after_three_times() {
    let bytes = content();
    let server = Server::scripted(breaking(bytes.clone(), 1000, 100)).await;
    let (given, error) = pull(&server, &descriptor_of(&bytes)).await;
    assert_eq!(reason(error), (PASSING, "BlobTruncated".into()));
    assert_eq!((given.len(), server.lines().len()), (4000, 4));
}

#[tokio::test]
async fn g21_a_range_ignored_is_never_spliced() {
    let bytes = content();
    let descriptor = descriptor_of(&bytes);
    let length = bytes.len();
    let server = Server::scripted(move |_, before| {
        let part = if before == 0 {
            &bytes[..1000]
        } else {
            &bytes[..]
        };
        Reply::new(200)
            .body_of_length(part, length)
            .then(Then::Close)
    })
    .await;
    let (given, error) = pull(&server, &descriptor).await;
    assert_eq!(
        (given.len(), reason(error)),
        (1000, (PASSING, "RegistryProtocol".into()))
    );
}

#[tokio::test]
async fn g21_a_range_ignored_begins_again_where_nothing_was_given_out() {
    let bytes = content();
    let descriptor = descriptor_of(&bytes);
    let (length, sent) = (bytes.len(), bytes.clone());
    let server = Server::scripted(move |_, before| {
        let part = if before == 0 { &sent[..0] } else { &sent[..] };
        Reply::new(200)
            .body_of_length(part, length)
            .then(Then::Close)
    })
    .await;
    let (given, error) = pull(&server, &descriptor).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(given, bytes);
}

#[tokio::test]
async fn g21_another_content_range_than_asked_for_is_refused() {
    let bytes = content();
    let descriptor = descriptor_of(&bytes);
    let length = bytes.len();
    let server = Server::scripted(move |_, before| match before {
        0 => Reply::new(200)
            .body_of_length(&bytes[..1000], length)
            .then(Then::Close),
        _ => Reply::new(206)
            .header(
                "Content-Range",
                format!("bytes 999-{}/{length}", length - 1),
            )
            .body(&bytes[999..]),
    })
    .await;
    let (given, error) = pull(&server, &descriptor).await;
    assert_eq!(
        (given.len(), reason(error)),
        (1000, (PASSING, "RegistryProtocol".into()))
    );
}

#[tokio::test]
async fn g22_a_stall_is_taken_up_once_and_then_frees_the_reader() {
    let bytes = content();
    let descriptor = descriptor_of(&bytes);
    let length = bytes.len();
    let server = Server::scripted(move |_, before| match before {
        0 => Reply::new(200)
            .body_of_length(&bytes[..1000], length)
            .then(Then::Stall),
        _ => Reply::new(206)
            .header(
                "Content-Range",
                format!("bytes 1000-{}/{length}", length - 1),
            )
            .body_of_length("", length - 1000)
            .then(Then::Stall),
    })
    .await;
    let (given, error) = pull(&server, &descriptor).await;
    assert_eq!(
        (given.len(), reason(error)),
        (1000, (PASSING, "RegistrySlow".into()))
    );
    assert_eq!(server.lines().len(), 2);
}

#[tokio::test]
async fn g03_a_blob_is_followed_to_its_store_without_our_credentials() {
    let bytes = content();
    let descriptor = descriptor_of(&bytes);
    let sent = bytes.clone();
    let store = Server::scripted(move |request, _| Reply::ranged(request, &sent)).await;
    let target = format!("http://{}/store/blob?sig=secret", store.host());
    let server = Server::scripted(move |request, _| match request.header("authorization") {
        None => Reply::new(401).header("WWW-Authenticate", "Basic realm=\"r\""),
        Some(_) => Reply::new(307).header("Location", &target),
    })
    .await;
    let registry = crate::auth::with_credentials(&[(&server.host(), "user", "canary")]);
    let stream = registry
        .blob(&server.reference("app:1"), &descriptor)
        .await
        .unwrap();
    let (given, error) = drain(stream).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(given, bytes);
    assert_eq!(store.seen()[0].header("authorization"), None);
    assert_eq!(store.lines(), ["GET /store/blob?sig=secret"]);
}

#[tokio::test]
async fn g03_loops_and_forbidden_targets_are_not_followed() {
    let check_as = async |location: &'static str, requests: usize, expected: (Class, &str)| {
        let server =
            Server::scripted(move |_, _| Reply::new(302).header("Location", location)).await;
        let (_, error) = pull(&server, &descriptor_of(b"x")).await;
        assert_eq!(
            reason(error),
            (expected.0, expected.1.to_owned()),
            "{location}"
        );
        assert_eq!(server.lines().len(), requests, "{location}");
    };
    let check = async |location, requests| {
        check_as(location, requests, (Class::Blocked, "RegistryRedirect")).await
    };
    check("/v2/app/blobs/again", 6).await;
    check("http://169.254.169.254/latest/meta-data/iam", 1).await;
    check("http://10.0.0.1/blob", 1).await;
    check("http://user:password@127.0.0.1/blob", 1).await;
    check("ftp://127.0.0.1/blob", 1).await;
    check_as("file:///etc/passwd", 1, (PASSING, "RegistryProtocol")).await;
    check_as("", 1, (PASSING, "RegistryProtocol")).await;
}

#[tokio::test]
async fn g05_urls_in_a_descriptor_are_not_fetched() {
    let trap = Server::scripted(|_, _| Reply::new(200).body("x")).await;
    let server = Server::scripted(|_, _| Reply::missing("BLOB_UNKNOWN")).await;
    let digest = Digest::sha256(b"x");
    let json = format!(
        r#"{{"mediaType":"x","digest":"{digest}","size":1,"urls":["http://{}/x"]}}"#,
        trap.host()
    );
    let descriptor: Descriptor = serde_json::from_str(&json).unwrap();
    assert_eq!(
        reason(pull(&server, &descriptor).await.1),
        (Class::Blocked, "RegistryNotFound".into())
    );
    assert!(trap.lines().is_empty());
}

#[tokio::test]
async fn first_bytes_cost_one_ranged_request() {
    let bytes = content();
    let descriptor = descriptor_of(&bytes);
    let expected = bytes[..4].to_vec();
    let server = Server::scripted(move |request, before| {
        if before == 0 {
            Reply::ranged(request, &bytes)
        } else {
            Reply::new(200).body(bytes.as_slice())
        }
    })
    .await;
    let reference = server.reference("app:1");
    for _ in 0..2 {
        assert_eq!(
            client()
                .blob_prefix(&reference, &descriptor, 4)
                .await
                .unwrap(),
            expected
        );
    }
    assert_eq!(server.seen()[0].header("range"), Some("bytes=0-3"));
    let small = Descriptor::new("x", Digest::sha256(b""), 0);
    assert_eq!(
        client().blob_prefix(&reference, &small, 4).await.unwrap(),
        Bytes::new()
    );
}

#[tokio::test]
async fn a_small_blob_is_read_whole_within_its_bound() {
    let server = Server::scripted(|_, before| {
        Reply::new(200).body(if before == 0 { "damag" } else { "whole" })
    })
    .await;
    let descriptor = descriptor_of(b"whole");
    let reference = server.reference("app:1");
    assert_eq!(
        client()
            .blob_bytes(&reference, &descriptor, 5)
            .await
            .unwrap(),
        "whole"
    );
    assert_eq!(
        reason(client().blob_bytes(&reference, &descriptor, 4).await.err()),
        (Class::Terminal, "SizeMismatch".into())
    );
    assert_eq!(server.lines().len(), 2);
}
