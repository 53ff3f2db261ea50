//! Entra's token endpoint, managed identities, and the token exchange of an Azure registry.

use fractal_simcloud::{
    AcrAccess, AzureApplication, AzureConfig, Clock, Config, Federation, RegistryAuth, SimCloud,
    TokenIssuer,
};
use serde_json::Value;

use crate::support::{Reply, base64, send};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const ACR: &str = "https%3A%2F%2Fcontainerregistry.azure.net";
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

async fn cloud(clock: &Clock, issuer: &TokenIssuer) -> SimCloud {
    let application = |client: &str, access| AzureApplication {
        tenant: "tenant".to_owned(),
        client_id: client.to_owned(),
        secret: Some("s3cret".to_owned()),
        federation: Some(Federation {
            issuer: issuer.trusted(),
            subject: "me".to_owned(),
            audience: "api://AzureADTokenExchange".to_owned(),
        }),
        managed: client == "puller",
        access,
    };
    SimCloud::start(Config {
        clock: clock.clone(),
        registry_auth: RegistryAuth::Azure {
            login_server: "fractal.azurecr.io".to_owned(),
            refresh_seconds: 600,
            access_seconds: 60,
        },
        azure: Some(AzureConfig {
            applications: vec![
                application("puller", AcrAccess::Pull),
                application("nobody", AcrAccess::None),
            ],
            ..AzureConfig::default()
        }),
        ..Config::default()
    })
    .await
    .unwrap()
}

async fn form(endpoint: &str, path: &str, form: &str) -> Reply {
    send(endpoint, "POST", path, &[FORM], form.to_owned())
        .await
        .unwrap()
}

/// Number of Entra's error, and OAuth's word for it.
fn refusal(reply: &Reply) -> (u64, String) {
    let body = reply.json();
    let word = body["error"].as_str().unwrap().to_owned();
    (body["error_codes"][0].as_u64().unwrap_or_default(), word)
}

#[tokio::test]
async fn entra_checks_every_part_of_a_grant() {
    let (clock, issuer) = (
        Clock::manual(),
        TokenIssuer::new("https://cluster").unwrap(),
    );
    let cloud = cloud(&clock, &issuer).await;
    let entra = cloud.endpoints().azure.clone().unwrap();
    let path = "/tenant/oauth2/v2.0/token";
    let good = format!("grant_type=client_credentials&client_id=puller&scope={ACR}%2F.default");
    let body = form(&entra, path, &format!("{good}&client_secret=s3cret"))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&body["token_type"], &body["expires_in"]),
        (&Value::from("Bearer"), &Value::from(3599))
    );
    let assertion = |token: &str| {
        format!(
            "{good}&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion={token}"
        )
    };
    let audience = "api://AzureADTokenExchange";
    let token = issuer.token(&clock, "me", audience, 60);
    form(&entra, path, &assertion(&token)).await.expect(200);
    let check = async |path: &str, body: String, status: u16, number: u64, word: &str| {
        let refused = form(&entra, path, &body).await.expect(status);
        assert_eq!(refusal(&refused), (number, word.to_owned()), "{body}");
    };
    check(
        path,
        format!("{good}&client_secret=x"),
        401,
        7_000_215,
        "invalid_client",
    )
    .await;
    check(path, good.clone(), 401, 7_000_218, "invalid_client").await;
    check(
        "/x/oauth2/v2.0/token",
        good.clone(),
        400,
        90002,
        "invalid_request",
    )
    .await;
    check(
        path,
        good.replace("puller", "x"),
        400,
        700_016,
        "unauthorized_client",
    )
    .await;
    check(
        path,
        "client_id=puller".to_owned(),
        400,
        900_144,
        "invalid_request",
    )
    .await;
    check(
        path,
        good.replace("client_credentials", "password"),
        400,
        70003,
        "unsupported_grant_type",
    )
    .await;
    let elsewhere = format!("{good}&client_secret=s3cret").replace("containerregistry", "other");
    check(path, elsewhere, 400, 500_011, "invalid_resource").await;
    let of = |subject: &str, audience: &str, seconds| {
        assertion(&issuer.token(&clock, subject, audience, seconds))
    };
    check(
        path,
        of("you", audience, 60),
        401,
        700_213,
        "invalid_client",
    )
    .await;
    check(path, of("me", "you", 60), 401, 700_212, "invalid_client").await;
    check(path, of("me", audience, 0), 401, 700_024, "invalid_client").await;
    let forged = TokenIssuer::new("https://cluster")
        .unwrap()
        .token(&clock, "me", audience, 60);
    check(path, assertion(&forged), 401, 700_027, "invalid_client").await;
    let wrong_type = assertion(&token).replace("jwt-bearer", "saml2-bearer");
    check(path, wrong_type, 400, 50027, "invalid_request").await;
}

#[tokio::test]
async fn a_managed_identity_is_given_to_the_machine_only() {
    let (clock, issuer) = (
        Clock::manual(),
        TokenIssuer::new("https://cluster").unwrap(),
    );
    let cloud = cloud(&clock, &issuer).await;
    let azure = cloud.endpoints().azure.clone().unwrap();
    let get = async |query: &str, headers: &[(&str, &str)]| {
        let path = format!("/metadata/identity/oauth2/token?{query}");
        send(&azure, "GET", &path, headers, "").await.unwrap()
    };
    let query = format!("api-version=2018-02-01&resource={ACR}");
    let metadata = ("metadata", "true");
    let body = get(&query, &[metadata]).await.expect(200).json();
    assert_eq!(
        (&body["expires_in"], &body["client_id"]),
        (&Value::from("3599"), &Value::from("puller"))
    );
    get(&query, &[]).await.expect(400);
    get(&query, &[metadata, ("x-forwarded-for", "10.0.0.1")])
        .await
        .expect(400);
    get(&format!("resource={ACR}"), &[metadata])
        .await
        .expect(400);
    get("api-version=2018-02-01", &[metadata]).await.expect(400);
    get(&format!("{query}&client_id=nobody"), &[metadata])
        .await
        .expect(400);
}

#[tokio::test]
async fn a_registry_exchanges_its_tenants_tokens_and_narrows_scopes() {
    let (clock, issuer) = (
        Clock::manual(),
        TokenIssuer::new("https://cluster").unwrap(),
    );
    let cloud = cloud(&clock, &issuer).await;
    let (azure, registry) = (
        cloud.endpoints().azure.clone().unwrap(),
        cloud.registry_endpoint(),
    );
    let entra = async |client: &str, resource: &str| {
        let body = format!(
            "grant_type=client_credentials&client_id={client}&client_secret=s3cret&scope={resource}%2F.default"
        );
        let granted = form(&azure, "/tenant/oauth2/v2.0/token", &body)
            .await
            .expect(200);
        granted.json()["access_token"].as_str().unwrap().to_owned()
    };
    let exchange = async |token: &str, rest: &str| {
        let body = format!("grant_type=access_token&access_token={token}&{rest}");
        form(registry, "/oauth2/exchange", &body).await
    };
    let own = "service=fractal.azurecr.io&tenant=tenant";
    let token = entra("puller", ACR).await;
    exchange(&token, "service=other.azurecr.io")
        .await
        .expect(400);
    exchange(&token, "service=fractal.azurecr.io&tenant=other")
        .await
        .refused(401, "UNAUTHORIZED");
    exchange("forged", own).await.refused(401, "UNAUTHORIZED");
    exchange(&entra("nobody", ACR).await, own)
        .await
        .refused(401, "UNAUTHORIZED");
    let arm = entra("puller", "https%3A%2F%2Fmanagement.azure.com").await;
    exchange(&arm, own).await.refused(401, "UNAUTHORIZED");
    let refresh = exchange(&token, own).await.expect(200).json()["refresh_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let challenged = send(registry, "GET", "/v2/app/tags/list", &[], "")
        .await
        .unwrap();
    let challenge = format!(
        "Bearer realm=\"{registry}/oauth2/token\",service=\"fractal.azurecr.io\",scope=\"repository:app:pull\""
    );
    assert_eq!(challenged.expect(401).header("www-authenticate"), challenge);
    let body = format!(
        "grant_type=refresh_token&service=fractal.azurecr.io&scope=repository:app:pull,push&refresh_token={refresh}"
    );
    let access = form(registry, "/oauth2/token", &body)
        .await
        .expect(200)
        .json();
    let access = format!("Bearer {}", access["access_token"].as_str().unwrap());
    let shown = [("authorization", access.as_str())];
    send(registry, "GET", "/v2/app/tags/list", &shown, "")
        .await
        .unwrap()
        .expect(404);
    send(registry, "POST", "/v2/app/blobs/uploads/", &shown, "")
        .await
        .unwrap()
        .expect(401);
    let login = format!("Basic {}", base64(format!("{NOBODY}:{refresh}").as_bytes()));
    let path = "/oauth2/token?service=fractal.azurecr.io&scope=repository:app:pull";
    let docker = [("authorization", login.as_str())];
    send(registry, "GET", path, &docker, "")
        .await
        .unwrap()
        .expect(200);
    clock.advance(600_000);
    send(registry, "GET", path, &docker, "")
        .await
        .unwrap()
        .expect(401);
    form(registry, "/oauth2/token", &body).await.expect(401);
}
