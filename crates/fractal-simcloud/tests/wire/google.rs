//! The metadata server, the token endpoints and the registry login of Google.

use fractal_simcloud::{
    Clock, Config, GarAccess, GcpAccount, GcpConfig, GcpConsent, GcpProvider, RegistryAuth,
    SimCloud, TokenIssuer,
};
use serde_json::{Value, json};

use crate::support::{Reply, base64, send};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const POOL: &str = "//iam.googleapis.com/pool";
const TOKEN: &str = "/computeMetadata/v1/instance/service-accounts/default/token";

struct World {
    cloud: SimCloud,
    clock: Clock,
    key: TokenIssuer,
    cluster: TokenIssuer,
    google: String,
}

impl World {
    async fn new() -> Self {
        let clock = Clock::manual();
        let key = TokenIssuer::new("key").unwrap();
        let cluster = TokenIssuer::new("https://cluster").unwrap();
        let account = GcpAccount {
            email: "a@p".to_owned(),
            key: Some(key.trusted()),
            consent: Some(GcpConsent {
                client_id: "client".to_owned(),
                client_secret: "s3cret".to_owned(),
                refresh_token: "consent".to_owned(),
            }),
            attached: true,
            impersonators: vec!["me".to_owned()],
            access: GarAccess::Reader,
        };
        let cloud = SimCloud::start(Config {
            clock: clock.clone(),
            registry_auth: RegistryAuth::Google { token_seconds: 60 },
            gcp: Some(GcpConfig {
                accounts: vec![account],
                providers: vec![GcpProvider {
                    audience: POOL.to_owned(),
                    issuer: cluster.trusted(),
                    access: GarAccess::None,
                }],
                ..GcpConfig::default()
            }),
            ..Config::default()
        });
        let cloud = cloud.await.unwrap();
        let google = cloud.endpoints().gcp.clone().unwrap();
        Self {
            cloud,
            clock,
            key,
            cluster,
            google,
        }
    }

    async fn form(&self, path: &str, body: &str) -> Reply {
        send(&self.google, "POST", path, &[FORM], body.to_owned())
            .await
            .unwrap()
    }

    /// An assertion as the account's key signs it, changed by `change`.
    fn assertion(&self, change: &Value) -> String {
        let now = self.clock.now_ms() / 1000;
        let mut claims = json!({
            "iss": "a@p", "scope": SCOPE, "aud": format!("{}/token", self.google), "iat": now, "exp": now + 3600,
        });
        claims
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        self.key.sign(&claims)
    }

    async fn assert(&self, assertion: &str) -> Reply {
        let body = format!(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}"
        );
        self.form("/token", &body).await
    }

    async fn exchange(&self, token: &str, audience: &str) -> Reply {
        let urn = "urn%3Aietf%3Aparams%3Aoauth";
        let body = format!(
            "grant_type={urn}%3Agrant-type%3Atoken-exchange&requested_token_type={urn}%3Atoken-type%3Aaccess_token&subject_token_type={urn}%3Atoken-type%3Ajwt&scope={SCOPE}&audience={audience}&subject_token={token}"
        );
        self.form("/v1/token", &body).await
    }
}

fn word(reply: &Reply) -> String {
    reply.json()["error"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn token(reply: &Reply) -> String {
    reply.json()["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_metadata_server_wants_its_flavor_and_shows_it() {
    let world = World::new().await;
    let flavor = ("metadata-flavor", "Google");
    let get = async |path: &str, headers: &[(&str, &str)]| {
        send(&world.google, "GET", path, headers, "").await.unwrap()
    };
    let given = get(TOKEN, &[flavor]).await.expect(200);
    assert_eq!(given.header("metadata-flavor"), "Google");
    assert_eq!(given.json()["expires_in"], 3599);
    get(TOKEN, &[]).await.expect(403);
    get(TOKEN, &[flavor, ("x-forwarded-for", "10.0.0.1")])
        .await
        .expect(403);
    get(&TOKEN.replace("default", "other@p"), &[flavor])
        .await
        .expect(404);
    get(&TOKEN.replace("default", "a@p"), &[flavor])
        .await
        .expect(200);
    get(&format!("{TOKEN}?scopes=email"), &[flavor])
        .await
        .expect(400);
}

#[tokio::test]
async fn an_assertion_is_verified_in_every_part() {
    let world = World::new().await;
    world.assert(&world.assertion(&json!({}))).await.expect(200);
    let now = world.clock.now_ms() / 1000;
    for (change, error) in [
        (json!({ "iss": "b@p" }), "invalid_grant"),
        (
            json!({ "aud": "https://elsewhere.example/token" }),
            "invalid_grant",
        ),
        (json!({ "exp": now + 3601 }), "invalid_grant"),
        (json!({ "exp": now }), "invalid_grant"),
        (
            json!({ "iat": now + 301, "exp": now + 600 }),
            "invalid_grant",
        ),
        (json!({ "scope": "email" }), "invalid_scope"),
    ] {
        let refused = world.assert(&world.assertion(&change)).await.expect(400);
        assert_eq!(word(&refused), error, "{change}");
    }
    let forged = TokenIssuer::new("key")
        .unwrap()
        .sign(&json!({ "iss": "a@p" }));
    let refused = world.assert(&forged).await.expect(400);
    assert_eq!(
        refused.json()["error_description"],
        "Invalid JWT Signature."
    );
    let consent = "grant_type=refresh_token&client_id=client&client_secret=s3cret&refresh_token=";
    world
        .form("/token", &format!("{consent}consent"))
        .await
        .expect(200);
    assert_eq!(
        word(
            &world
                .form("/token", &format!("{consent}x"))
                .await
                .expect(400)
        ),
        "invalid_grant"
    );
    let stranger = consent.replace("s3cret", "x");
    let refused = world
        .form("/token", &format!("{stranger}consent"))
        .await
        .expect(401);
    assert_eq!(word(&refused), "invalid_client");
}

#[tokio::test]
async fn a_federated_token_impersonates_whom_it_may() {
    let world = World::new().await;
    let subject = |subject: &str| world.cluster.token(&world.clock, subject, POOL, 60);
    let federated = world.exchange(&subject("me"), POOL).await.expect(200);
    assert_eq!(
        federated.json()["issued_token_type"],
        "urn:ietf:params:oauth:token-type:access_token"
    );
    assert_eq!(
        word(&world.exchange(&subject("me"), "//other").await.expect(400)),
        "invalid_target"
    );
    assert_eq!(
        word(&world.exchange("a.b.c", POOL).await.expect(400)),
        "invalid_grant"
    );
    let impersonate = async |token: &str, email: &str| {
        let path = format!("/v1/projects/-/serviceAccounts/{email}:generateAccessToken");
        let bearer = format!("Bearer {token}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        let body = json!({ "scope": [SCOPE], "lifetime": "3600s" }).to_string();
        send(&world.google, "POST", &path, &headers, body)
            .await
            .unwrap()
    };
    let given = impersonate(&token(&federated), "a@p")
        .await
        .expect(200)
        .json();
    assert!(
        given["accessToken"].as_str().unwrap().starts_with("ya29.")
            && given["expireTime"].is_string()
    );
    let stranger = token(&world.exchange(&subject("you"), POOL).await.expect(200));
    let refused = impersonate(&stranger, "a@p").await.expect(403).json();
    assert_eq!(refused["error"]["status"], "PERMISSION_DENIED");
    impersonate("forged", "a@p").await.expect(401);
}

#[tokio::test]
async fn a_registry_login_narrows_scopes_and_names_the_missing_permission() {
    let world = World::new().await;
    let registry = world.cloud.registry_endpoint();
    let login = async |user: &str, password: &str| {
        let login = format!("Basic {}", base64(format!("{user}:{password}").as_bytes()));
        let path = "/v2/token?service=x&scope=repository:app:pull,push";
        send(registry, "GET", path, &[("authorization", &login)], "")
            .await
            .unwrap()
    };
    let reader = token(&world.assert(&world.assertion(&json!({}))).await.expect(200));
    let given = login("oauth2accesstoken", &reader).await.expect(200).json();
    let bearer = format!("Bearer {}", given["token"].as_str().unwrap());
    let shown = [("authorization", bearer.as_str())];
    send(registry, "GET", "/v2/app/tags/list", &shown, "")
        .await
        .unwrap()
        .expect(404);
    send(registry, "POST", "/v2/app/blobs/uploads/", &shown, "")
        .await
        .unwrap()
        .expect(401);
    login("somebody", &reader)
        .await
        .refused(401, "UNAUTHORIZED");
    login("oauth2accesstoken", "forged")
        .await
        .refused(401, "UNAUTHORIZED");
    let nobody = world.cluster.token(&world.clock, "you", POOL, 60);
    let nobody = token(&world.exchange(&nobody, POOL).await.expect(200));
    login("oauth2accesstoken", &nobody)
        .await
        .refused(403, "DENIED");
    world.clock.advance(3_600_000);
    login("oauth2accesstoken", &reader)
        .await
        .refused(401, "UNAUTHORIZED");
}
