//! TLS: the extra CA bundle, and certificates that must not be believed. Nothing falls back to plain HTTP.

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use fractal_core::{Class, Fault};
    use fractal_registry::{Options, Registry, RetryPolicy};
    use fractal_testkit::liar::{Authority, Liar, Shelf};

    fn client(liar: &Liar, ca_bundle: Option<PathBuf>) -> Registry {
        let endpoints = [("registry.example".parse().unwrap(), liar.url())].into();
        let retry = RetryPolicy {
            attempts: 1,
            ..RetryPolicy::default()
        };
        Registry::new(Options {
            endpoints,
            ca_bundle,
            retry,
            ..Options::on_loopback()
        })
        .unwrap()
    }

    async fn resolve(registry: &Registry) -> Result<(), Fault> {
        registry
            .resolve(&"registry.example/shop/zip:1".parse().unwrap())
            .await
            .map(drop)
            .map_err(Fault::from)
    }

    fn bundle(folder: &Path, authority: &Authority) -> PathBuf {
        let bundle = folder.join("ca.pem");
        std::fs::write(&bundle, authority.pem()).unwrap();
        bundle
    }

    #[tokio::test]
    async fn a_private_authority_is_trusted_through_the_extra_bundle() {
        let authority = Authority::new();
        let folder = tempfile::tempdir().unwrap();
        let bundle = bundle(folder.path(), &authority);
        let identity = authority.issue("127.0.0.1", 2999);
        let liar = Liar::over_tls(Shelf::stocked(), &identity).await;
        resolve(&client(&liar, Some(bundle))).await.unwrap();
        assert_eq!(liar.lines(), ["HEAD /v2/shop/zip/manifests/1"]);
    }

    #[tokio::test]
    async fn g11_a_certificate_that_does_not_hold_blocks_and_nothing_is_sent() {
        let (authority, other) = (Authority::new(), Authority::new());
        let folder = tempfile::tempdir().unwrap();
        let bundle = bundle(folder.path(), &authority);
        let cases = [
            ("expired", authority.issue("127.0.0.1", 2001)),
            ("another name", authority.issue("127.0.0.2", 2999)),
            ("another authority", other.issue("127.0.0.1", 2999)),
        ];
        for (case, identity) in cases {
            let liar = Liar::over_tls(Shelf::stocked(), &identity).await;
            let fault = resolve(&client(&liar, Some(bundle.clone())))
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
            assert_eq!(liar.traffic().connections, 1, "{case}");
            assert!(liar.seen().is_empty(), "{case}");
        }
    }
}
