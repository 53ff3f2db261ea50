//! Basic credentials, the bearer-token flow, and the ECR token.

use fractal_simcloud::{Clock, Config, Registry, RegistryAuth, RegistryConfig, SimCloud};
use serde_json::Value;

use crate::support::{Reply, authorization, base64, send};

const TAGS: &str = "/v2/app/tags/list";

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", base64(format!("{user}:{password}").as_bytes()))
}

async fn with(endpoint: &str, method: &str, path: &str, authorization: &str) -> Reply {
    send(
        endpoint,
        method,
        path,
        &[("authorization", authorization)],
        "",
    )
    .await
    .unwrap()
}

#[tokio::test]
async fn basic_credentials_open_the_registry() {
    let auth = RegistryAuth::Basic {
        username: "user".into(),
        password: "pass:word".into(),
    };
    let registry = Registry::start(RegistryConfig {
        auth,
        ..RegistryConfig::default()
    })
    .await
    .unwrap();
    let endpoint = registry.endpoint();
    let challenged = send(&endpoint, "GET", "/v2/", &[], "")
        .await
        .unwrap()
        .refused(401, "UNAUTHORIZED");
    assert!(
        challenged
            .header("www-authenticate")
            .starts_with("Basic realm=")
    );
    with(&endpoint, "GET", "/v2/", &basic("user", "other"))
        .await
        .refused(401, "UNAUTHORIZED");
    with(&endpoint, "GET", "/v2/", &basic("user", "pass:word"))
        .await
        .expect(200);
}

const UPLOADS: &str = "/v2/app/blobs/uploads/";

async fn bearer(clock: &Clock) -> Registry {
    let auth = RegistryAuth::Bearer {
        username: "user".into(),
        password: "pass".into(),
        token_seconds: 60,
        anonymous_pull: true,
    };
    Registry::start(RegistryConfig {
        auth,
        clock: clock.clone(),
        ..RegistryConfig::default()
    })
    .await
    .unwrap()
}

fn token(reply: &Reply) -> String {
    format!("Bearer {}", reply.json()["token"].as_str().unwrap())
}

#[tokio::test]
async fn a_challenge_names_the_token_endpoint_and_anonymous_tokens_only_pull() {
    let registry = bearer(&Clock::manual()).await;
    let (endpoint, host) = (registry.endpoint(), registry.host());
    let challenged = send(&endpoint, "GET", TAGS, &[], "")
        .await
        .unwrap()
        .refused(401, "UNAUTHORIZED");
    let challenge = format!(
        "Bearer realm=\"http://{host}/token\",service=\"{host}\",scope=\"repository:app:pull\""
    );
    assert_eq!(challenged.header("www-authenticate"), challenge);
    let path = format!("/token?service={host}&scope=repository:app:pull,push");
    let anonymous = send(&endpoint, "GET", &path, &[], "")
        .await
        .unwrap()
        .expect(200);
    assert_eq!(anonymous.json()["expires_in"], 60);
    with(&endpoint, "GET", TAGS, &token(&anonymous))
        .await
        .refused(404, "NAME_UNKNOWN");
    let refused = with(&endpoint, "POST", UPLOADS, &token(&anonymous))
        .await
        .refused(401, "UNAUTHORIZED");
    let scope = "scope=\"repository:app:pull,push\",error=\"insufficient_scope\"";
    assert!(refused.header("www-authenticate").ends_with(scope));
}

#[tokio::test]
async fn a_bearer_token_has_a_scope_and_an_end() {
    let clock = Clock::manual();
    let registry = bearer(&clock).await;
    let endpoint = registry.endpoint();
    let path = "/token?service=x&scope=repository:app:pull,push";
    with(&endpoint, "GET", path, &basic("user", "other"))
        .await
        .refused(401, "UNAUTHORIZED");
    let known = with(&endpoint, "GET", path, &basic("user", "pass"))
        .await
        .expect(200);
    with(&endpoint, "POST", UPLOADS, &token(&known))
        .await
        .expect(202);
    with(
        &endpoint,
        "POST",
        "/v2/other/blobs/uploads/",
        &token(&known),
    )
    .await
    .refused(401, "UNAUTHORIZED");
    with(&endpoint, "DELETE", "/v2/app/manifests/t", &token(&known))
        .await
        .refused(401, "UNAUTHORIZED");
    let form =
        "grant_type=password&username=user&password=pass&scope=repository%3Aapp%3Apull%2Cpush";
    let posted = send(&endpoint, "POST", "/token", &[], form)
        .await
        .unwrap()
        .expect(200);
    with(&endpoint, "POST", UPLOADS, &token(&posted))
        .await
        .expect(202);
    clock.advance(59_999);
    with(&endpoint, "POST", UPLOADS, &token(&known))
        .await
        .expect(202);
    clock.advance(1);
    let expired = with(&endpoint, "POST", UPLOADS, &token(&known))
        .await
        .refused(401, "UNAUTHORIZED");
    assert!(
        expired
            .header("www-authenticate")
            .ends_with("error=\"invalid_token\"")
    );
}

#[tokio::test]
async fn an_ecr_token_opens_the_registry_for_twelve_hours() {
    let clock = Clock::manual();
    let auth = RegistryAuth::Basic {
        username: "user".into(),
        password: "pass".into(),
    };
    let cloud = SimCloud::start(Config {
        registry_auth: auth,
        clock: clock.clone(),
        ..Config::default()
    })
    .await
    .unwrap();
    let signed = authorization("AKID", "eu-west-1", "ecr");
    let target = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";
    let headers = [
        ("authorization", signed.as_str()),
        ("x-amz-target", target),
        ("content-type", "application/x-amz-json-1.1"),
    ];
    let answer = send(cloud.endpoint(), "POST", "/", &headers, "{}")
        .await
        .unwrap()
        .expect(200)
        .json();
    let given: &Value = &answer["authorizationData"][0];
    assert_eq!(given["proxyEndpoint"], cloud.registry_endpoint());
    assert_eq!(
        given["expiresAt"].as_u64().unwrap(),
        (clock.now_ms() + 12 * 3600 * 1000) / 1000
    );
    let token = format!("Basic {}", given["authorizationToken"].as_str().unwrap());
    with(cloud.registry_endpoint(), "GET", "/v2/", &token)
        .await
        .expect(200);
    with(
        cloud.registry_endpoint(),
        "GET",
        "/v2/",
        &basic("AWS", "guess"),
    )
    .await
    .refused(401, "UNAUTHORIZED");
    clock.advance(12 * 3600 * 1000);
    with(cloud.registry_endpoint(), "GET", "/v2/", &token)
        .await
        .refused(401, "UNAUTHORIZED");
    let refused = [
        ("authorization", signed.as_str()),
        (
            "x-amz-target",
            "AmazonEC2ContainerRegistry_V20150921.Nothing",
        ),
    ];
    send(cloud.endpoint(), "POST", "/", &refused, "{}")
        .await
        .unwrap()
        .refused(400, "UnknownOperationException");
}
