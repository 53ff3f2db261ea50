//! HTTP proxies: what goes through them, what does not, and proxies that refuse, talk nonsense or say nothing.

use std::time::{Duration, Instant};

use fractal_core::{Class, Fault};
use fractal_registry::{HostPolicy, IdentityClient, IdentityRequest, Options, ServiceUrl};
use fractal_testkit::liar::{Authority, Liar, Shelf};
use rcgen::{CertificateParams, KeyPair};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::support::{Answer, PASSWORD, Proxy, resolve, through, whole};

/// `proxy-user:canary-of-the-proxy`.
const BASIC: &str = "Basic cHJveHktdXNlcjpjYW5hcnktb2YtdGhlLXByb3h5";

#[tokio::test]
async fn https_goes_through_a_tunnel_and_the_proxys_password_to_the_proxy_only() {
    let authority = Authority::new();
    let liar = Liar::over_tls(Shelf::stocked(), &authority.issue("r.example", 2999)).await;
    let proxy = Proxy::start(Answer::To(liar.host().parse().unwrap())).await;
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("ca.pem");
    std::fs::write(&bundle, authority.pem()).unwrap();
    let options = Options {
        ca_bundle: Some(bundle),
        ..through(&proxy.url(), "")
    };
    resolve(options, "r.example/shop/zip:1").await.unwrap();
    assert_eq!(
        proxy.heads(),
        [format!(
            "CONNECT r.example:443 HTTP/1.1\r\nHost: r.example:443\r\nProxy-Authorization: {BASIC}\r\n\r\n"
        )]
    );
    assert_eq!(liar.lines(), ["HEAD /v2/shop/zip/manifests/1"]);
    assert_eq!(liar.seen()[0].header("proxy-authorization"), None);
}

#[tokio::test]
async fn plain_http_is_passed_on_by_the_proxy() {
    let proxy = Liar::scripted(|request, _| {
        let mut passed = request.clone();
        passed.target = request.target.replace("http://r.example", "");
        Shelf::stocked().answer(&passed)
    })
    .await;
    let url = format!("http://proxy-user:{PASSWORD}@{}", proxy.host());
    let plain = Options {
        plain_http: ["r.example".parse().unwrap()].into(),
        ..through("", &url)
    };
    resolve(plain, "r.example/shop/zip:1").await.unwrap();
    let seen = proxy.seen();
    assert_eq!(
        seen[0].line(),
        "HEAD http://r.example/v2/shop/zip/manifests/1"
    );
    assert_eq!(seen[0].header("proxy-authorization"), Some(BASIC));
    assert_eq!(seen[0].header("host"), Some("r.example"));
}

#[tokio::test]
async fn a_proxy_over_tls_is_one_of_the_bundles_authorities_too() {
    let (authority, key) = (Authority::new(), KeyPair::generate().unwrap());
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let config = ServerConfig::builder_with_provider(
        tokio_rustls::rustls::crypto::aws_lc_rs::default_provider().into(),
    )
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_no_client_auth()
    .with_single_cert(
        vec![certificate.der().clone()],
        PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())),
    )
    .unwrap();
    let liar = Liar::over_tls(Shelf::stocked(), &authority.issue("r.example", 2999)).await;
    let to = Answer::To(liar.host().parse().unwrap());
    let proxy = Proxy::over_tls(to, TlsAcceptor::from(std::sync::Arc::new(config))).await;
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("ca.pem");
    std::fs::write(&bundle, format!("{}{}", authority.pem(), certificate.pem())).unwrap();
    let through = through(&proxy.url().replace("http://", "https://"), "");
    let fault = resolve(through.clone(), "r.example/shop/zip:1")
        .await
        .unwrap_err();
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (Class::Transient { retry_after: None }, "ProxyUnavailable")
    );
    let trusting = Options {
        ca_bundle: Some(bundle),
        ..through
    };
    resolve(trusting, "r.example/shop/zip:1").await.unwrap();
    assert_eq!(proxy.heads().len(), 1);
}

async fn fault_of(answer: Answer) -> (Fault, Proxy) {
    let proxy = Proxy::start(answer).await;
    let fault = resolve(through(&proxy.url(), ""), "r.example/shop/zip:1")
        .await
        .unwrap_err();
    let text = whole(&fault);
    assert!(text.contains(&format!("http://{}", proxy.host())), "{text}");
    assert!(
        !text.contains(PASSWORD) && !text.contains("cHJveHk"),
        "{text}"
    );
    (fault, proxy)
}

#[tokio::test]
async fn a_proxy_that_refuses_blocks_and_is_named_without_its_password() {
    for (status, next) in [
        (407, "give the proxy's user and password"),
        (403, "let the proxy connect"),
        (401, "let the proxy"),
    ] {
        let (fault, proxy) = fault_of(Answer::status(status)).await;
        assert_eq!(
            (fault.class, fault.reason.as_str()),
            (Class::Blocked, "ProxyRefused"),
            "{fault}"
        );
        assert!(
            fault.next.as_ref().is_some_and(|it| it.starts_with(next)),
            "{fault}"
        );
        assert!(
            fault
                .why
                .as_ref()
                .is_some_and(|why| why.contains(&status.to_string())),
            "{fault}"
        );
        assert_eq!(proxy.heads().len(), 1);
    }
    let proxy = Liar::scripted(|_, _| fractal_testkit::liar::Reply::new(407)).await;
    let plain = Options {
        plain_http: ["r.example".parse().unwrap()].into(),
        ..through("", &proxy.url())
    };
    let fault = resolve(plain, "r.example/shop/zip:1").await.unwrap_err();
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (Class::Blocked, "ProxyRefused"),
        "{fault}"
    );
}

#[tokio::test]
async fn a_proxy_that_fails_or_talks_nonsense_passes_within_bounds() {
    let cases = [
        (Answer::status(502), "it answered CONNECT with 502"),
        (Answer::status(429), "it answered CONNECT with 429"),
        (
            Answer::Bytes(b"SSH-2.0-OpenSSH_9.6\r\n\r\n".to_vec()),
            "its answer to CONNECT is no HTTP",
        ),
        (Answer::Bytes(Vec::new()), "unexpected end of file"),
        (
            Answer::Bytes(b"HTTP/1.1 200 OK\r\n".to_vec()),
            "unexpected end of file",
        ),
        (
            Answer::Endless,
            "its answer to CONNECT is longer than 8 KiB",
        ),
        (Answer::Silence, "no answer to CONNECT within 500ms"),
    ];
    for (answer, why) in cases {
        let began = Instant::now();
        let (fault, _proxy) = fault_of(answer.clone()).await;
        let class = Class::Transient { retry_after: None };
        assert_eq!(
            (fault.class, fault.reason.as_str()),
            (class, "ProxyUnavailable"),
            "{answer:?}: {fault}"
        );
        assert_eq!(fault.why.as_deref(), Some(why), "{answer:?}");
        assert!(began.elapsed() < Duration::from_secs(10), "{answer:?}");
    }
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let fault = resolve(through(&format!("http://{closed}"), ""), "r.example/a:1")
        .await
        .unwrap_err();
    assert_eq!(fault.reason.as_str(), "ProxyUnavailable", "{fault}");
}

#[tokio::test]
async fn what_is_on_this_machine_needs_no_proxy() {
    let proxy = Proxy::start(Answer::status(403)).await;
    let liar = Liar::stocked().await;
    let local = Options {
        hosts: HostPolicy::default().with_loopback(),
        ..through(&proxy.url(), &proxy.url())
    };
    resolve(local.clone(), &liar.reference("shop/zip:1").to_string())
        .await
        .unwrap();
    let metadata = ServiceUrl::metadata(&liar.host()).unwrap();
    let client = IdentityClient::new(local).unwrap();
    client
        .send(&IdentityRequest::get(&metadata, "/v2/"))
        .await
        .unwrap();
    assert_eq!(proxy.heads(), Vec::<String>::new());
}

#[tokio::test]
async fn r08_behind_a_proxy_names_and_written_addresses_are_checked_before_it_is_asked() {
    let proxy = Proxy::start(Answer::status(403)).await;
    let listed = Options {
        hosts: HostPolicy::default()
            .allow(["r.example".parse().unwrap(), "10.0.0.1".parse().unwrap()]),
        ..through(&proxy.url(), &proxy.url())
    };
    for host in ["evil.example", "10.0.0.1", "metadata.google.internal"] {
        let fault = resolve(listed.clone(), &format!("{host}/app:1"))
            .await
            .unwrap_err();
        assert_eq!(fault.reason.as_str(), "EgressDenied", "{host}");
    }
    for host in ["167772161", "0x0a.1", "169.254.169.254"] {
        let any = through(&proxy.url(), &proxy.url());
        let fault = resolve(any, &format!("{host}:80/app:1")).await.unwrap_err();
        assert_eq!(fault.reason.as_str(), "EgressDenied", "{host}");
    }
    assert_eq!(proxy.heads(), Vec::<String>::new());
    let fault = resolve(listed, "r.example/app:1").await.unwrap_err();
    assert_eq!(fault.reason.as_str(), "ProxyRefused");
    assert_eq!(proxy.heads().len(), 1);
}
