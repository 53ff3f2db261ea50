//! Whole publications against the simulated registry, which checks what a real one checks: every kind of access, and a fault
//! at every single call.
//!
//! Hostile answers that no registry would give are in `wire`.

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;
    use fractal_core::artifact::kind::media_type;
    use fractal_core::artifact::{Descriptor, Digest, ImageIndex, ImageManifest, Reference};
    use fractal_core::{Class, Fault};
    use fractal_registry::{
        Copied, CopyOptions, Credential, Options, Registry, RegistryError, RepositoryRef,
        RequestKind, RetryPolicy, StaticCredentials, copy,
    };
    use fractal_simcloud::{
        Action, Filter, Registry as Simulated, RegistryAuth, RegistryConfig, Rule,
    };

    const USER: &str = "publisher";
    const PASSWORD: &str = "canary-password";

    fn basic() -> RegistryAuth {
        RegistryAuth::Basic {
            username: USER.into(),
            password: PASSWORD.into(),
        }
    }

    fn bearer(anonymous_pull: bool) -> RegistryAuth {
        RegistryAuth::Bearer {
            username: USER.into(),
            password: PASSWORD.into(),
            token_seconds: 300,
            anonymous_pull,
        }
    }

    async fn simulated(auth: RegistryAuth) -> Simulated {
        Simulated::start(RegistryConfig {
            auth,
            ..RegistryConfig::default()
        })
        .await
        .unwrap()
    }

    fn client(host: &str, credential: Credential) -> Registry {
        let credentials = BTreeMap::from([(host.parse().unwrap(), credential)]);
        let retry = RetryPolicy {
            base: Duration::from_millis(1),
            cap: Duration::from_millis(2),
            ..RetryPolicy::default()
        };
        Registry::new(Options {
            credentials: Arc::new(StaticCredentials::new(credentials)),
            retry,
            seed: Some(1),
            ..Options::on_loopback()
        })
        .unwrap()
    }

    fn descriptor(media_type: &str, bytes: &[u8]) -> Descriptor {
        Descriptor::new(media_type, Digest::sha256(bytes), bytes.len() as u64)
    }

    /// An index of one image of two blobs, under `reference`.
    async fn publish(registry: &Registry, reference: &Reference) -> Result<Digest, RegistryError> {
        let repository = RepositoryRef::from(reference);
        let (config, layer) = (
            Bytes::from_static(b"{}"),
            Bytes::from("layer ".repeat(60_000)),
        );
        for blob in [&config, &layer] {
            registry
                .push_blob(&repository, &descriptor("x", blob), blob, None)
                .await?;
        }
        let image = ImageManifest::new(
            None,
            descriptor(media_type::OCI_CONFIG, &config),
            vec![descriptor(media_type::OCI_LAYER, &layer)],
        );
        let image = Bytes::from(serde_json::to_vec(&image).unwrap());
        let entry = descriptor(media_type::OCI_MANIFEST, &image);
        registry
            .push_manifest(
                &reference.pinned(&entry.digest),
                image,
                media_type::OCI_MANIFEST,
            )
            .await?;
        let index = Bytes::from(serde_json::to_vec(&ImageIndex::new(vec![entry])).unwrap());
        registry
            .push_manifest(reference, index, media_type::OCI_INDEX)
            .await
    }

    fn reference(server: &Simulated, rest: &str) -> Reference {
        format!("{}/{rest}", server.host()).parse().unwrap()
    }

    #[tokio::test]
    async fn an_artifact_is_published_and_read_under_every_kind_of_access() {
        for auth in [RegistryAuth::Open, basic(), bearer(false), bearer(true)] {
            let server = simulated(auth.clone()).await;
            let registry = client(&server.host(), Credential::basic(USER, PASSWORD));
            let tagged = reference(&server, "team/app:1");
            let digest = publish(&registry, &tagged).await.unwrap();
            assert_eq!(
                registry.resolve(&tagged).await.unwrap().digest,
                digest,
                "{auth:?}"
            );
            let index = registry.manifest(&tagged, &digest).await.unwrap();
            let fractal_core::artifact::Manifest::Index(index) = index.manifest else {
                panic!("no index")
            };
            let image = registry
                .manifest(&tagged, &index.manifests[0].digest)
                .await
                .unwrap();
            let fractal_core::artifact::Manifest::Image(image) = image.manifest else {
                panic!("no image")
            };
            let layer = registry
                .blob(&tagged, &image.layers[0])
                .await
                .unwrap()
                .collect()
                .await
                .unwrap();
            assert_eq!(layer, "layer ".repeat(60_000));
            assert_eq!(
                registry
                    .blob_prefix(&tagged, &image.layers[0], 5)
                    .await
                    .unwrap(),
                "layer"
            );
        }
    }

    #[tokio::test]
    async fn one_token_serves_each_scope() {
        let server = simulated(bearer(false)).await;
        let registry = client(&server.host(), Credential::basic(USER, PASSWORD));
        let tagged = reference(&server, "app:1");
        let digest = publish(&registry, &tagged).await.unwrap();
        for _ in 0..5 {
            registry.resolve(&tagged).await.unwrap();
            registry.manifest(&tagged, &digest).await.unwrap();
        }
        assert_eq!(registry.requests().of(RequestKind::Token), 2);
    }

    #[tokio::test]
    async fn a_wrong_password_is_named_without_being_repeated() {
        for auth in [basic(), bearer(false)] {
            let server = simulated(auth).await;
            let registry = client(&server.host(), Credential::basic(USER, "canary-wrong"));
            let fault = Fault::from(
                publish(&registry, &reference(&server, "app:1"))
                    .await
                    .unwrap_err(),
            );
            assert_eq!(
                (fault.class, fault.reason.as_str()),
                (Class::Blocked, "RegistryAuth"),
                "{fault}"
            );
            assert!(
                fault.what.contains(USER) && !fault.to_string().contains("canary"),
                "{fault}"
            );
            assert!(
                !server
                    .ledger()
                    .since(0)
                    .iter()
                    .any(fractal_simcloud::Entry::is_accepted_write)
            );
        }
    }

    async fn copied_under(
        fault: &Action,
        nth: u64,
        (registry, from): (&Registry, &Reference),
        target: &Simulated,
    ) -> (Copied, bool) {
        let id = target
            .faults()
            .arm(Rule::new(Filter::default(), fault.clone()).nth(nth));
        let to = registry.locate(&reference(target, &format!("app-{nth}:1")));
        let options = CopyOptions {
            referrers: false,
            ..CopyOptions::default()
        };
        let copied = copy(&registry.locate(from), &[to], &options)
            .await
            .only()
            .unwrap_or_else(|error| panic!("{fault:?} at call {nth}: {}", Fault::from(error)));
        let struck = target
            .faults()
            .armed()
            .iter()
            .any(|armed| armed.id == id && armed.struck > 0);
        target.faults().clear();
        (copied, struck)
    }

    #[tokio::test]
    async fn one_fault_at_any_call_of_a_copy_is_survived() {
        let source = simulated(RegistryAuth::Open).await;
        let registry = client(&source.host(), Credential::Anonymous);
        let from = reference(&source, "app:1");
        let digest = publish(&registry, &from).await.unwrap();
        let unavailable = Action::Fail {
            status: 503,
            code: "UNAVAILABLE".into(),
            message: "later".into(),
            retry_after: None,
        };
        for fault in [
            Action::Reset,
            Action::LoseAnswer,
            Action::Throttle {
                retry_after: Some(0),
            },
            unavailable,
        ] {
            let target = simulated(RegistryAuth::Open).await;
            let mut calls = 0;
            for nth in 1.. {
                let (copied, struck) = copied_under(&fault, nth, (&registry, &from), &target).await;
                assert_eq!(copied.digest, digest);
                let found = registry
                    .resolve(&reference(&target, &format!("app-{nth}:1")))
                    .await
                    .unwrap();
                assert_eq!(found.digest, digest, "{fault:?} at call {nth}");
                if !struck {
                    break;
                }
                calls = nth;
            }
            // HEAD and GET of the tag, and two calls for each of two blobs and two manifests: the repository is new, so nothing is
            // asked for in it.
            assert_eq!(calls, 10, "{fault:?} struck only {calls} calls");
        }
    }

    #[tokio::test]
    async fn a_repository_that_may_not_be_pulled_says_who_and_what() {
        let server = simulated(RegistryAuth::Open).await;
        let registry = client(&server.host(), Credential::Anonymous);
        let tagged = reference(&server, "app:1");
        publish(&registry, &tagged).await.unwrap();
        server
            .faults()
            .arm(Rule::new(Filter::default(), Action::Deny).until_lifted());
        let fault = Fault::from(registry.resolve(&tagged).await.unwrap_err());
        assert_eq!(
            (fault.class, fault.reason.as_str()),
            (Class::Blocked, "RegistryForbidden"),
            "{fault}"
        );
        assert_eq!(
            fault.what,
            "the registry forbids an anonymous client to pull"
        );
        server.faults().clear();
        registry.resolve(&tagged).await.unwrap();
    }
}
