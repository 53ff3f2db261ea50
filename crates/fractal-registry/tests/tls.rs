//! TLS: the extra CA bundle, and certificates that must not be believed. Nothing falls back to plain HTTP.

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use fractal_core::{Class, Fault};
    use fractal_registry::{Options, Registry, RetryPolicy};
    use rcgen::{
        BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd,
    };
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

    struct Authority(CertifiedIssuer<'static, KeyPair>);

    impl Authority {
        fn new() -> Self {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
        }

        fn issue(
            &self,
            name: &str,
            until_year: i32,
        ) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            params.not_before = date_time_ymd(2000, 1, 1);
            params.not_after = date_time_ymd(until_year, 1, 1);
            let certificate = params.signed_by(&key, &self.0).unwrap();
            (
                certificate.der().clone(),
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
        }
    }

    /// A registry over TLS: its host, and how many requests it read.
    async fn serve(
        (certificate, key): (CertificateDer<'static>, PrivateKeyDer<'static>),
    ) -> (String, Arc<AtomicUsize>) {
        let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap();
        let config = config
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(AtomicUsize::new(0));
        let count = requests.clone();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(socket).await else {
                    continue;
                };
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n")
                    && matches!(stream.read_buf(&mut head).await, Ok(1..))
                {}
                count.fetch_add(1, Ordering::SeqCst);
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nDocker-Content-Digest: sha256:{}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                    "0".repeat(64)
                );
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        (host, requests)
    }

    fn client(host: &str, ca_bundle: Option<PathBuf>) -> Registry {
        let endpoints = [(
            "registry.example".parse().unwrap(),
            format!("https://{host}"),
        )]
        .into();
        let retry = RetryPolicy {
            attempts: 1,
            ..RetryPolicy::default()
        };
        Registry::new(Options {
            endpoints,
            ca_bundle,
            retry,
            ..Options::default()
        })
        .unwrap()
    }

    async fn resolve(registry: &Registry) -> Result<(), Fault> {
        registry
            .resolve(&"registry.example/app:1".parse().unwrap())
            .await
            .map(drop)
            .map_err(Fault::from)
    }

    #[tokio::test]
    async fn a_private_authority_is_trusted_through_the_extra_bundle() {
        let authority = Authority::new();
        let folder = tempfile::tempdir().unwrap();
        let bundle = folder.path().join("ca.pem");
        std::fs::write(&bundle, authority.0.pem()).unwrap();
        let (host, requests) = serve(authority.issue("127.0.0.1", 2999)).await;
        resolve(&client(&host, Some(bundle))).await.unwrap();
        assert_eq!(requests.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn g11_a_certificate_that_does_not_hold_blocks_and_nothing_is_sent() {
        let (authority, other) = (Authority::new(), Authority::new());
        let folder = tempfile::tempdir().unwrap();
        let bundle = folder.path().join("ca.pem");
        std::fs::write(&bundle, authority.0.pem()).unwrap();
        let cases = [
            ("expired", authority.issue("127.0.0.1", 2001)),
            ("another name", authority.issue("127.0.0.2", 2999)),
            ("another authority", other.issue("127.0.0.1", 2999)),
        ];
        for (case, certificate) in cases {
            let (host, requests) = serve(certificate).await;
            let fault = resolve(&client(&host, Some(bundle.clone())))
                .await
                .unwrap_err();
            assert_eq!(
                (fault.class, fault.reason.as_str()),
                (Class::Blocked, "RegistryTls"),
                "{case}: {fault}"
            );
            assert!(
                fault
                    .why
                    .as_ref()
                    .is_some_and(|why| why.contains("certificate")),
                "{case}: {fault}"
            );
            assert_eq!(requests.load(Ordering::SeqCst), 0, "{case}");
        }
    }
}
