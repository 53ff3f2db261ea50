//! Vault's HTTP API: logins, leases, policies, and KV version 2 with its versions and metadata.

use fractal_simcloud::{
    Clock, Config, SimCloud, TokenIssuer, VaultConfig, VaultLogin, VaultPolicy, VaultRole,
};
use serde_json::{Value, json};

use crate::support::{Reply, send};

const SUBJECT: &str = "system:serviceaccount:ns:name";
const SECRET: &str = "/v1/kv/data/a/b";

struct World {
    cloud: SimCloud,
    clock: Clock,
    issuer: TokenIssuer,
}

impl World {
    async fn new(namespace: Option<&str>) -> Self {
        let (clock, issuer) = (
            Clock::manual(),
            TokenIssuer::new("https://cluster").unwrap(),
        );
        let role = |mount: &str, login, name: &str| VaultRole {
            mount: mount.to_owned(),
            login,
            name: name.to_owned(),
            issuer: issuer.trusted(),
            subject: SUBJECT.to_owned(),
            audience: Some("vault".to_owned()),
            policies: vec!["read".to_owned()],
            ttl_seconds: 60,
            max_ttl_seconds: 100,
            renewable: name != "once",
        };
        let vault = VaultConfig {
            namespace: namespace.map(str::to_owned),
            kv_mounts: vec!["kv".to_owned()],
            roles: vec![
                role("kubernetes", VaultLogin::Kubernetes, "pod"),
                role("kubernetes", VaultLogin::Kubernetes, "once"),
                role("jwt", VaultLogin::Jwt, "job"),
            ],
            policies: vec![VaultPolicy::read("read", &["kv/data/a/*"])],
            root_token: Some("root".to_owned()),
            ..VaultConfig::default()
        };
        let cloud = SimCloud::start(Config {
            clock: clock.clone(),
            vault: Some(vault),
            ..Config::default()
        });
        Self {
            cloud: cloud.await.unwrap(),
            clock,
            issuer,
        }
    }

    async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Value) -> Reply {
        let endpoint = self.cloud.endpoints().vault.clone().unwrap();
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        send(&endpoint, method, path, headers, body).await.unwrap()
    }

    async fn root(&self, method: &str, path: &str, body: Value) -> Reply {
        self.call(method, path, &[("x-vault-token", "root")], body)
            .await
    }

    async fn login(&self, mount: &str, role: &str, audience: &str) -> Reply {
        let jwt = self.issuer.token(&self.clock, SUBJECT, audience, 60);
        let path = format!("/v1/auth/{mount}/login");
        self.call("POST", &path, &[], json!({ "role": role, "jwt": jwt }))
            .await
    }

    async fn token(&self, role: &str) -> String {
        let body = self
            .login("kubernetes", role, "vault")
            .await
            .expect(200)
            .json();
        body["auth"]["client_token"].as_str().unwrap().to_owned()
    }
}

fn errors(reply: &Reply) -> String {
    let errors = reply.json()["errors"].clone();
    errors[0].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_login_answers_in_vaults_form_and_refuses_in_its_words() {
    let world = World::new(None).await;
    let body = world
        .login("kubernetes", "pod", "vault")
        .await
        .expect(200)
        .json();
    assert_eq!(body["auth"]["lease_duration"], 60);
    assert_eq!(body["auth"]["policies"], json!(["read"]));
    assert_eq!(body["data"], Value::Null);
    world.login("jwt", "job", "vault").await.expect(200);
    let check = async |mount: &str, role: &str, audience: &str, status: u16, words: &str| {
        let refused = world.login(mount, role, audience).await.expect(status);
        assert_eq!(errors(&refused), words);
    };
    check("kubernetes", "x", "vault", 400, "invalid role name \"x\"").await;
    check("jwt", "x", "vault", 400, "role \"x\" could not be found").await;
    check("ldap", "x", "vault", 403, "permission denied").await;
    let audience =
        "invalid audience (aud) claim: audience claim does not match any expected audience";
    check("kubernetes", "pod", "other", 403, audience).await;
    check(
        "jwt",
        "job",
        "other",
        400,
        &format!("error validating token: {audience}"),
    )
    .await;
    let stranger = World::new(None).await;
    let forged = stranger.issuer.token(&world.clock, SUBJECT, "vault", 60);
    let body = json!({ "role": "pod", "jwt": forged });
    let refused = world
        .call("POST", "/v1/auth/kubernetes/login", &[], body)
        .await;
    assert_eq!(errors(&refused.expect(403)), "permission denied");
}

#[tokio::test]
async fn a_lease_is_renewed_up_to_its_longest_life() {
    let world = World::new(None).await;
    let token = world.token("pod").await;
    let shown = [("x-vault-token", token.as_str())];
    let renew = async || {
        world
            .call("POST", "/v1/auth/token/renew-self", &shown, json!({}))
            .await
    };
    world.clock.advance(50_000);
    let body = renew().await.expect(200).json();
    assert_eq!(body["auth"]["lease_duration"], 50);
    assert!(body["warnings"][0].as_str().unwrap().contains("max_ttl"));
    let looked_up = world
        .call("GET", "/v1/auth/token/lookup-self", &shown, Value::Null)
        .await;
    assert_eq!(looked_up.expect(200).json()["data"]["ttl"], 50);
    world.clock.advance(50_000);
    assert!(errors(&renew().await.expect(403)).contains("invalid token"));
    let once = world.token("once").await;
    let shown = [("x-vault-token", once.as_str())];
    let refused = world
        .call("POST", "/v1/auth/token/renew-self", &shown, json!({}))
        .await;
    assert_eq!(errors(&refused.expect(400)), "lease is not renewable");
    world
        .call("POST", "/v1/auth/token/revoke-self", &shown, json!({}))
        .await
        .expect(204);
    world
        .call("GET", "/v1/auth/token/lookup-self", &shown, Value::Null)
        .await
        .expect(403);
}

#[tokio::test]
async fn a_secret_has_versions_and_outlives_its_deletion() {
    let world = World::new(None).await;
    let put = async |value: u64, cas: Option<u64>| {
        let body = json!({ "data": { "n": value }, "options": { "cas": cas } });
        world.root("POST", SECRET, body).await
    };
    assert_eq!(
        put(1, Some(0)).await.expect(200).json()["data"]["version"],
        1
    );
    put(2, None).await.expect(200);
    assert!(errors(&put(3, Some(1)).await.expect(400)).contains("check-and-set"));
    let token = world.token("pod").await;
    let shown = [("x-vault-token", token.as_str())];
    let get = async |path: &str| world.call("GET", path, &shown, Value::Null).await;
    let body = get(SECRET).await.expect(200).json();
    assert_eq!(body["data"]["data"], json!({ "n": 2 }));
    assert_eq!(body["data"]["metadata"]["version"], 2);
    let first = get("/v1/kv/data/a/b?version=1").await.expect(200).json();
    assert_eq!(first["data"]["data"]["n"], 1);
    assert_eq!(
        get("/v1/kv/data/a/nothing").await.expect(404).json(),
        json!({ "errors": [] })
    );
    assert_eq!(
        errors(&get("/v1/kv/data/other").await.expect(403)),
        "permission denied"
    );
    assert_eq!(
        errors(&get("/v1/kv/metadata/a/b").await.expect(403)),
        "permission denied"
    );
    world
        .call("POST", SECRET, &shown, json!({ "data": {} }))
        .await
        .expect(403);
    world.root("DELETE", SECRET, Value::Null).await.expect(204);
    let deleted = get(SECRET).await.expect(404).json();
    assert_eq!(deleted["data"]["data"], Value::Null);
    assert_ne!(deleted["data"]["metadata"]["deletion_time"], "");
    let metadata = world.root("GET", "/v1/kv/metadata/a/b", Value::Null).await;
    assert_eq!(metadata.expect(200).json()["data"]["current_version"], 2);
    let unknown = world.root("GET", "/v1/other/data/a", Value::Null).await;
    assert!(errors(&unknown.expect(404)).starts_with("no handler for route"));
}

#[tokio::test]
async fn a_namespace_must_be_named_and_a_sealed_vault_says_so() {
    let world = World::new(Some("team")).await;
    world.login("kubernetes", "pod", "vault").await.expect(404);
    let named = [("x-vault-namespace", "team/"), ("x-vault-token", "root")];
    world
        .call("GET", SECRET, &named, Value::Null)
        .await
        .expect(404);
    world
        .call("POST", SECRET, &named, json!({ "data": { "k": "v" } }))
        .await
        .expect(200);
    world
        .call("GET", SECRET, &named, Value::Null)
        .await
        .expect(200);
    world.cloud.vault().unwrap().seal(true);
    let sealed = world.call("GET", SECRET, &named, Value::Null).await;
    assert_eq!(errors(&sealed.expect(503)), "Vault is sealed");
    let health = world.call("GET", "/v1/sys/health", &[], Value::Null).await;
    assert_eq!(health.expect(503).json()["sealed"], true);
}

#[tokio::test]
async fn tokens_and_secrets_outlive_a_restart_and_are_in_no_entry() {
    let folder = tempfile::tempdir().unwrap();
    let config = || Config {
        state_dir: Some(folder.path().to_owned()),
        vault: Some(VaultConfig {
            root_token: Some("root".to_owned()),
            ..VaultConfig::default()
        }),
        ..Config::default()
    };
    let cloud = SimCloud::start(config()).await.unwrap();
    cloud
        .vault()
        .unwrap()
        .write("fractal_cloud", "a", &json!({ "password": "canary" }));
    cloud.stop().await;
    let cloud = SimCloud::start(config()).await.unwrap();
    let endpoint = cloud.endpoints().vault.clone().unwrap();
    let shown = [("x-vault-token", "root")];
    let read = send(&endpoint, "GET", "/v1/fractal_cloud/data/a", &shown, "").await;
    assert_eq!(
        read.unwrap().expect(200).json()["data"]["data"]["password"],
        "canary"
    );
    let entries = serde_json::to_string(&cloud.ledger().since(0)).unwrap();
    assert!(!entries.contains("canary") && entries.contains("ReadSecret"));
}
