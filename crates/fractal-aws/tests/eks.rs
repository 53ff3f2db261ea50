//! Pods on EKS, by a service account's token (IRSA) and by pod identity: a process of its own with the variables EKS sets, and nothing
//! else of ours, pulls a blob from a registry that takes ECR's tokens only. The pods are this test's own binary, run again.

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::path::{Path, PathBuf};
    use std::process::Stdio;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use bytes::Bytes;
    use fractal_aws::{EcrCredentials, Session};
    use fractal_core::Fault;
    use fractal_core::artifact::{Descriptor, Digest, Reference};
    use fractal_registry::{
        Credential, CredentialSource as _, Options, Registry, RepositoryRef, StaticCredentials,
    };
    use fractal_simcloud::{
        Action, Config, EksConfig, Entry, Filter, Outcome, RegistryAuth, Rule, SimCloud,
        TokenIssuer,
    };
    use tempfile::TempDir;
    use tokio::process::Command;

    /// Tells this binary that it is a pod, and where the registry is.
    const POD: &str = "FRACTAL_AWS_TEST_POD";
    const HOST: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
    const ROLE: &str = "arn:aws:iam::123456789012:role/caas-agent";
    const SUBJECT: &str = "system:serviceaccount:fractal:caas-agent";
    const USER: &str = "publisher";
    const PASSWORD: &str = "password";
    /// The SDK renews a session at a moment of its own choice in the last ten seconds.
    const SESSION_SECONDS: u64 = 6;
    const DEADLINE: Duration = Duration::from_secs(60);

    fn content() -> Bytes {
        Bytes::from("blob ".repeat(10_000))
    }

    fn artifact() -> (Reference, Descriptor) {
        let bytes = content();
        let descriptor = Descriptor::new("x", Digest::sha256(&bytes), bytes.len() as u64);
        (format!("{HOST}/team/app:1").parse().unwrap(), descriptor)
    }

    fn options(endpoint: &str) -> Options {
        Options {
            endpoints: [(HOST.parse().unwrap(), endpoint.to_owned())].into(),
            ..Options::default()
        }
    }

    /// What a pod does: pulls, then asks for new registry tokens until its standard input ends.
    async fn pod(endpoint: &str) -> Result<(), Fault> {
        let session = Session::connect(&Options::default()).await?;
        assert_eq!(session.account(), "123456789012");
        let credentials = Arc::new(EcrCredentials::new(session));
        let registry = Registry::new(Options {
            credentials: credentials.clone(),
            ..options(endpoint)
        })?;
        let (reference, descriptor) = artifact();
        let pulled = registry
            .blob(&reference, &descriptor)
            .await?
            .collect()
            .await?;
        assert_eq!(pulled, content());
        // A thread of the runtime's would keep a pod that failed.
        let told = std::thread::spawn(|| std::io::stdin().read_to_end(&mut Vec::new()));
        while !told.is_finished() {
            credentials.credential(reference.host(), true).await?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    struct World {
        cloud: SimCloud,
        issuer: TokenIssuer,
        folder: TempDir,
    }

    impl World {
        async fn new() -> Self {
            let issuer = TokenIssuer::new("https://oidc.eks.example/id/1").unwrap();
            let cloud = SimCloud::start(Config {
                default_account: None,
                registry_auth: RegistryAuth::Basic {
                    username: USER.to_owned(),
                    password: PASSWORD.to_owned(),
                },
                eks: Some(EksConfig {
                    issuer: issuer.trusted(),
                    roles: vec![(SUBJECT.to_owned(), ROLE.to_owned())],
                    session_seconds: SESSION_SECONDS,
                }),
                ..Config::default()
            });
            let cloud = cloud.await.unwrap();
            publish(cloud.registry_endpoint()).await;
            let folder = tempfile::tempdir().unwrap();
            Self {
                cloud,
                issuer,
                folder,
            }
        }

        /// A service account's token, as the kubelet projects it.
        fn token(&self, subject: &str, audience: &str) -> PathBuf {
            let path = self.folder.path().join("token");
            let token = self
                .issuer
                .token(self.cloud.clock(), subject, audience, 600);
            std::fs::write(&path, token).unwrap();
            path
        }

        /// Runs a pod of the test `this` until `done`, or until it ends; whether it ended well, and what it said.
        async fn run(
            &self,
            this: &str,
            variables: &[(&str, String)],
            done: impl Fn() -> bool,
        ) -> (bool, String) {
            let mut pod = Command::new(std::env::current_exe().unwrap())
                .args([this, "--exact", "--nocapture"])
                .env_clear()
                .env(POD, self.cloud.registry_endpoint())
                .env("HOME", self.folder.path())
                .env("AWS_REGION", "eu-west-1")
                .env("AWS_ENDPOINT_URL", self.cloud.endpoint())
                .env("AWS_EC2_METADATA_DISABLED", "true")
                .envs(variables.iter().map(|(name, value)| (*name, value)))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .kill_on_drop(true)
                .spawn()
                .unwrap();
            let deadline = Instant::now() + DEADLINE;
            while pod.try_wait().unwrap().is_none() && !done() {
                assert!(Instant::now() < deadline, "the pod did not do it");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            drop(pod.stdin.take());
            let output = tokio::time::timeout(DEADLINE, pod.wait_with_output()).await;
            let output = output.expect("the pod did not end").unwrap();
            let said = [output.stdout, output.stderr].concat();
            (
                output.status.success(),
                String::from_utf8_lossy(&said).into_owned(),
            )
        }

        fn accepted(&self, operation: &str) -> usize {
            let wanted =
                |entry: &&Entry| entry.operation == operation && entry.outcome == Outcome::Accepted;
            self.cloud.ledger().since(0).iter().filter(wanted).count()
        }
    }

    async fn publish(endpoint: &str) {
        let known = Credential::basic(USER, PASSWORD);
        let known = StaticCredentials::new([(HOST.parse().unwrap(), known)].into());
        let registry = Registry::new(Options {
            credentials: Arc::new(known),
            ..options(endpoint)
        });
        let (reference, descriptor) = artifact();
        let repository = RepositoryRef::from(&reference);
        let registry = registry.unwrap();
        let bytes = content();
        let pushed = registry.push_blob(&repository, &descriptor, &bytes, None);
        pushed.await.unwrap();
    }

    fn web_identity(token: &Path) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ROLE_ARN", ROLE.to_owned()),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", token.display().to_string()),
        ]
    }

    #[tokio::test]
    async fn a_pod_with_a_service_accounts_role_pulls_and_renews_its_session() {
        if let Ok(endpoint) = std::env::var(POD) {
            return pod(&endpoint).await.unwrap();
        }
        let world = World::new().await;
        let variables = web_identity(&world.token(SUBJECT, "sts.amazonaws.com"));
        let this = "tests::a_pod_with_a_service_accounts_role_pulls_and_renews_its_session";
        let renewed = || world.accepted("AssumeRoleWithWebIdentity") >= 3;
        let (ended_well, said) = world.run(this, &variables, renewed).await;
        assert!(ended_well && renewed(), "{said}");
        assert!(world.accepted("GetAuthorizationToken") >= 2);
        assert_eq!(world.accepted("GetBlob"), 1);
    }

    #[tokio::test]
    async fn a_pod_with_pod_identity_pulls_and_renews_its_session() {
        if let Ok(endpoint) = std::env::var(POD) {
            return pod(&endpoint).await.unwrap();
        }
        let world = World::new().await;
        let token = world.token(SUBJECT, "pods.eks.amazonaws.com");
        let variables = [
            (
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                format!("{}/v1/credentials", world.cloud.endpoint()),
            ),
            (
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                token.display().to_string(),
            ),
        ];
        let this = "tests::a_pod_with_pod_identity_pulls_and_renews_its_session";
        let renewed = || world.accepted("PodIdentityCredentials") >= 3;
        let (ended_well, said) = world.run(this, &variables, renewed).await;
        assert!(ended_well && renewed(), "{said}");
        assert_eq!(world.accepted("GetBlob"), 1);
    }

    #[tokio::test]
    async fn h08_a_pod_whose_account_is_bound_to_no_role_says_so_without_its_token() {
        if let Ok(endpoint) = std::env::var(POD) {
            panic!("{}", pod(&endpoint).await.unwrap_err());
        }
        let world = World::new().await;
        let stranger = "system:serviceaccount:other:agent";
        let token = world.token(stranger, "sts.amazonaws.com");
        let this = "tests::h08_a_pod_whose_account_is_bound_to_no_role_says_so_without_its_token";
        let (ended_well, said) = world.run(this, &web_identity(&token), || false).await;
        assert!(!ended_well);
        assert!(
            said.contains("cannot tell which AWS account the credentials belong to"),
            "{said}"
        );
        assert!(
            said.contains("Not authorized to perform sts:AssumeRoleWithWebIdentity"),
            "{said}"
        );
        let token = std::fs::read_to_string(token).unwrap();
        assert!(!said.contains(token.rsplit('.').next().unwrap()));
        assert_eq!(world.accepted("GetAuthorizationToken"), 0);
    }

    #[tokio::test]
    async fn a_pod_whose_role_is_taken_away_is_told_of_its_trust_policy() {
        if let Ok(endpoint) = std::env::var(POD) {
            panic!("{:?}", pod(&endpoint).await.unwrap_err());
        }
        let world = World::new().await;
        let assumptions = Filter {
            operation: Some("AssumeRoleWithWebIdentity".to_owned()),
            ..Filter::default()
        };
        let denied = Rule::new(assumptions, Action::Deny);
        world.cloud.faults().arm(denied.nth(4).until_lifted());
        let token = world.token(SUBJECT, "sts.amazonaws.com");
        let this = "tests::a_pod_whose_role_is_taken_away_is_told_of_its_trust_policy";
        let (_, said) = world.run(this, &web_identity(&token), || false).await;
        assert!(
            said.contains("class: Blocked, reason: Reason(\"IdentityRefused\")"),
            "{said}"
        );
        assert!(
            said.contains("let the role's trust policy name the cluster's issuer"),
            "{said}"
        );
    }
}
