//! The client of identity services against ones that redirect, flood, repeat what they were sent, and come and go.

use fractal_core::{Class, Fault};
use fractal_registry::{
    IdentityAnswer, IdentityClient, IdentityRequest, RegistryError, Secret, ServiceUrl,
};

use crate::server::{Reply, Server, Then, quick};

fn client() -> IdentityClient {
    IdentityClient::new(quick()).unwrap()
}

fn service(server: &Server) -> ServiceUrl {
    format!("http://{}/base/", server.host()).parse().unwrap()
}

async fn post(server: &Server) -> Result<IdentityAnswer, RegistryError> {
    let secret = Secret::new("canary secret");
    let form = [("grant_type", "x"), ("secret", secret.reveal())];
    let request = IdentityRequest::form(&service(server), "/token", &form)
        .hiding(&secret)
        .secret_header("x-key", "Bearer ", &Secret::new("canary-key"));
    client().send(&request).await
}

#[tokio::test]
async fn a_form_is_sent_as_one() {
    let server = Server::scripted(|_, _| Reply::new(200).body("{}")).await;
    post(&server).await.unwrap();
    let seen = server.seen().remove(0);
    assert_eq!(seen.line(), "POST /base/token");
    assert_eq!(seen.body, b"grant_type=x&secret=canary%20secret");
    assert_eq!(
        seen.header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(seen.header("x-key"), Some("Bearer canary-key"));
}

#[tokio::test]
async fn g03_a_redirect_gets_nothing_wherever_it_leads() {
    let other = Server::scripted(|_, _| Reply::new(200).body("{}")).await;
    for status in [301, 302, 303, 307, 308] {
        let target = format!("http://{}/elsewhere?token=canary", other.host());
        let server =
            Server::scripted(move |_, _| Reply::new(status).header("Location", &target)).await;
        let fault = post(&server).await.unwrap_err().of_identity("Vault");
        assert_eq!(
            (fault.class, fault.reason.as_str()),
            (Class::Blocked, "IdentityUnusable")
        );
        assert!(!fault.to_string().contains("canary"), "{fault}");
    }
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn g07_an_answer_is_read_up_to_a_mebibyte() {
    let flood = Server::scripted(|_, _| Reply::new(200).body(vec![b' '; (1 << 20) + 1])).await;
    let error = post(&flood).await.unwrap_err();
    assert!(matches!(error, RegistryError::Protocol { .. }), "{error}");
    let endless = Server::scripted(|_, _| {
        let chunk = vec![b' '; 600_000];
        Reply::new(400).chunked(&[&chunk, &chunk])
    })
    .await;
    let error = post(&endless).await.unwrap_err();
    assert!(matches!(error, RegistryError::Protocol { .. }), "{error}");
    let odd = Server::scripted(|_, _| Reply::new(200).body("canary")).await;
    let answer = post(&odd).await.unwrap();
    let error = answer.json::<Vec<u8>>().unwrap_err();
    assert!(!format!("{error:?} {error} {answer:?}").contains("canary"));
}

#[tokio::test]
async fn h08_what_a_service_repeats_is_taken_out_before_it_is_cut() {
    // Where the text is cut, a part of the secret would remain if it were taken out afterwards.
    let filler = "x".repeat(295);
    let body = format!(r#"{{"errors":["{filler}canary secret and canary-key"]}}"#);
    let server = Server::scripted(move |_, _| Reply::new(400).body(body.clone())).await;
    let answer = post(&server).await.unwrap();
    assert!(!answer.is_success());
    assert_eq!(answer.said.to_string(), format!("{filler}<reda..."));
    let forms = r#"{"error":"x","error_description":"got a \"b\" %c and a%20%22b%22%20%25c"}"#;
    let server = Server::scripted(move |_, _| Reply::new(400).body(forms)).await;
    let request = IdentityRequest::get(&service(&server), "/").hiding(&Secret::new("a \"b\" %c"));
    let answer = client().send(&request).await.unwrap();
    assert_eq!(answer.said.to_string(), "x: got <redacted> and <redacted>");
}

#[tokio::test]
async fn a_passing_failure_is_asked_again_and_a_refusal_is_not() {
    for status in [408, 425, 429, 500, 502, 503, 504] {
        let server = Server::scripted(move |_, before| match before {
            0 => Reply::new(status).then(Then::Close),
            _ => Reply::new(200).body("{}"),
        })
        .await;
        assert_eq!(post(&server).await.unwrap().status, 200, "{status}");
        assert_eq!(server.seen().len(), 2, "{status}");
    }
    for status in [400, 401, 403, 404, 409] {
        let server = Server::scripted(move |_, _| Reply::new(status)).await;
        assert_eq!(post(&server).await.unwrap().status, status);
        assert_eq!(server.seen().len(), 1, "{status}");
    }
    let down =
        Server::scripted(|_, _| Reply::new(503).body(r#"{"errors":["Vault is sealed"]}"#)).await;
    let fault = post(&down).await.unwrap_err().of_identity("Vault");
    assert!(matches!(fault.class, Class::Transient { .. }));
    assert_eq!(fault.reason.as_str(), "IdentityUnavailable");
    assert_eq!(fault.what, "Vault is not available");
    assert!(
        fault
            .why
            .unwrap()
            .ends_with("answered 503: Vault is sealed")
    );
    let later = Server::scripted(|_, _| Reply::new(429).header("Retry-After", 3600)).await;
    let fault = post(&later).await.unwrap_err().of_identity("Vault");
    let retry_after = Some(std::time::Duration::from_secs(900));
    assert_eq!(fault.class, Class::Transient { retry_after });
    assert_eq!(
        later.seen().len(),
        1,
        "nobody waits that long within a call"
    );
}

#[tokio::test]
async fn r08_only_a_metadata_server_may_be_at_a_link_local_address() {
    for url in [
        "https://169.254.169.254",
        "https://[fe80::1]",
        "https://168.63.129.16",
    ] {
        let request = IdentityRequest::get(&url.parse().unwrap(), "/token");
        let fault: Fault = client()
            .send(&request)
            .await
            .unwrap_err()
            .of_identity("Vault");
        assert_eq!(
            (fault.class, fault.reason.as_str()),
            (Class::Blocked, "IdentityUnusable"),
            "{url}"
        );
    }
    // The address of Azure's platform is no metadata server's, whoever names it.
    let other = ServiceUrl::metadata("168.63.129.16").unwrap();
    let refused = client().send(&IdentityRequest::get(&other, "/")).await;
    assert!(matches!(refused, Err(RegistryError::Egress { .. })));
}
