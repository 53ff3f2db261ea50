//! Each fault of the proxy once: what the caller sees, what the API server did, what the ledger says.

use std::time::Duration;

use fractal_testkit::cluster::Cluster;
use fractal_testkit::cluster::proxy::{Fault, FaultProxy, ProxiedCall};
use http_body_util::BodyExt as _;
use serde_json::json;

use super::caller::{Answer, Caller, config_map};

/// A namespace with a proxy and a caller behind it.
struct Scene {
    cluster: &'static Cluster,
    proxy: FaultProxy,
    caller: Caller,
    /// The path of the namespace's config maps.
    maps: String,
}

impl Scene {
    async fn new(name: &str) -> Self {
        let cluster = Cluster::shared().await;
        let namespace = cluster.namespace(name).await;
        let proxy = FaultProxy::before(cluster).await;
        let caller = Caller::new(cluster, &proxy, &namespace).await;
        let maps = format!("/api/v1/namespaces/{namespace}/configmaps");
        Self {
            cluster,
            proxy,
            caller,
            maps,
        }
    }

    async fn create(&self, name: &str) -> Result<Answer, hyper::Error> {
        self.caller
            .call("POST", &self.maps, &config_map(name, "one"))
            .await
    }

    /// What is really there.
    async fn exists(&self, name: &str) -> bool {
        let path = format!("{}/{name}", self.maps);
        self.cluster.api("GET", &path, None).await.0 == 200
    }

    fn last(&self) -> ProxiedCall {
        self.proxy.calls(0).last().unwrap().clone()
    }
}

#[tokio::test]
async fn without_a_fault_a_call_passes_and_is_noted() {
    let scene = Scene::new("plain").await;
    let (mark, audit_mark) = (scene.proxy.mark(), scene.cluster.audit_mark());
    let uri = format!("{}?fieldManager=caller", scene.maps);
    let created = scene
        .caller
        .call("POST", &uri, &config_map("a", "one"))
        .await
        .unwrap();
    assert_eq!(created.status, 201, "{}", created.body);
    assert_eq!(created.json()["data"], json!({ "key": "one" }));
    let [call] = scene.proxy.calls(mark).try_into().unwrap();
    assert_eq!(
        (call.method.as_str(), call.path.as_str()),
        ("POST", scene.maps.as_str())
    );
    assert_eq!(call.query.as_deref(), Some("fieldManager=caller"));
    assert_eq!(
        (call.served, call.told, call.struck),
        (Some(201), Some(201), false)
    );
    assert_eq!(call.user_agent, "caller/1");
    assert!(call.is_write());
    let audited = scene.cluster.audit_since(audit_mark);
    let written: Vec<_> = audited
        .iter()
        .filter(|event| event.user == scene.caller.user && event.is_accepted_write())
        .map(|event| event.request_uri.as_str())
        .collect();
    assert_eq!(written, [uri]);
}

#[tokio::test]
async fn a_watch_passes_event_by_event() {
    let scene = Scene::new("watch").await;
    let uri = format!("{}?watch=true", scene.maps);
    let watch = scene.caller.open("GET", &uri, &json!(null)).await.unwrap();
    let mut events = watch.into_body();
    assert_eq!(scene.create("seen").await.unwrap().status, 201);
    let mut text = String::new();
    while !text.contains("\"name\":\"seen\"") {
        let frame = tokio::time::timeout(Duration::from_secs(30), events.frame()).await;
        let frame = frame.unwrap().unwrap().unwrap();
        text.push_str(&String::from_utf8_lossy(frame.data_ref().unwrap()));
    }
}

#[tokio::test]
async fn a_call_that_is_closed_or_unavailable_does_nothing() {
    let scene = Scene::new("before").await;
    scene.proxy.arm(Fault::Closes(1));
    assert!(scene.create("closed").await.is_err());
    let call = scene.last();
    assert_eq!((call.served, call.told, call.struck), (None, None, true));
    scene.proxy.arm(Fault::Unavailable(1));
    let answer = scene.create("unavailable").await.unwrap();
    assert_eq!(
        (answer.status, &answer.json()["reason"]),
        (503, &json!("ServiceUnavailable"))
    );
    let call = scene.last();
    assert_eq!(
        (call.served, call.told, call.struck),
        (None, Some(503), true)
    );
    assert!(!scene.exists("closed").await && !scene.exists("unavailable").await);
    assert_eq!(scene.create("after").await.unwrap().status, 201);
}

#[tokio::test]
async fn a_lost_answer_belongs_to_a_call_that_was_done() {
    let scene = Scene::new("lost").await;
    scene.proxy.arm(Fault::LosesAnswer(2));
    assert_eq!(scene.create("told").await.unwrap().status, 201);
    assert!(scene.create("untold").await.is_err());
    let call = scene.last();
    assert_eq!(
        (call.served, call.told, call.struck),
        (Some(201), None, true)
    );
    assert!(scene.exists("untold").await);
}

#[tokio::test]
async fn a_hanging_call_is_done_and_ends_when_healed() {
    let scene = Scene::new("hangs").await;
    scene.proxy.arm(Fault::Hangs(1));
    let (caller, maps) = (scene.caller.clone(), scene.maps.clone());
    let hanging = tokio::spawn(async move {
        let outcome = caller.call("POST", &maps, &config_map("a", "one")).await;
        outcome.is_err()
    });
    scene.proxy.hung().await;
    assert!(scene.exists("a").await);
    assert!(!hanging.is_finished());
    scene.proxy.heal();
    assert!(hanging.await.unwrap(), "a cut call has no answer");
}

#[tokio::test]
async fn a_throttled_call_is_told_when_to_come_back() {
    let scene = Scene::new("throttled").await;
    scene.proxy.arm(Fault::Throttles(1, Duration::from_secs(7)));
    let answer = scene.create("a").await.unwrap();
    assert_eq!(answer.status, 429);
    assert_eq!(answer.headers["retry-after"], "7");
    assert!(!scene.exists("a").await);
    assert_eq!(scene.create("a").await.unwrap().status, 201);
}

#[tokio::test]
async fn a_permission_that_is_taken_away_is_refused_in_the_api_servers_words() {
    let scene = Scene::new("forbidden").await;
    scene.proxy.arm(Fault::Forbids(2));
    assert_eq!(scene.create("a").await.unwrap().status, 201);
    let namespace = scene.maps.trim_end_matches("/configmaps").to_owned();
    let apps = namespace.replace("/api/v1", "/apis/apps/v1");
    let calls = [
        ("DELETE", format!("{namespace}/configmaps/a")),
        ("DELETE", format!("{namespace}/secrets/a")),
        ("DELETE", format!("{namespace}/secrets")),
        ("POST", format!("{namespace}/secrets")),
        ("PATCH", format!("{namespace}/secrets/a?dryRun=All")),
        ("PATCH", format!("{apps}/deployments/a/scale")),
        ("PUT", "/api/v1/nodes/a".to_owned()),
    ];
    let mut taken = Vec::new();
    for (method, uri) in &calls {
        let answer = scene.caller.call(method, uri, &json!({})).await.unwrap();
        assert_eq!(answer.status, 403, "{method} {uri}: {}", answer.body);
        taken.push(answer.json());
    }
    assert!(scene.exists("a").await);
    scene.proxy.heal();
    // All but the first are really forbidden.
    for ((method, uri), taken) in calls.iter().zip(taken).skip(1) {
        let real = scene.caller.call(method, uri, &json!({})).await.unwrap();
        assert_eq!(taken, real.json(), "{method} {uri}");
    }
}

#[tokio::test]
async fn stale_reads_show_objects_and_lists_as_they_were() {
    let scene = Scene::new("stale").await;
    scene.proxy.arm(Fault::StaleReads(2));
    let path = format!("{}/a", scene.maps);
    assert_eq!(scene.create("a").await.unwrap().status, 201);
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(scene.caller.get(&path).await.status);
    }
    assert_eq!(seen, [404, 404, 200]);
    let patch = json!({ "data": { "key": "two" } });
    assert_eq!(
        scene
            .caller
            .call("PATCH", &path, &patch)
            .await
            .unwrap()
            .status,
        200
    );
    let mut seen = vec![scene.caller.get(&path).await.json()["data"]["key"].clone()];
    let list = format!("{}?fieldSelector=metadata.name%3Da", scene.maps);
    for _ in 0..2 {
        let listed = scene.caller.get(&list).await.json();
        seen.push(listed["items"][0]["data"]["key"].clone());
    }
    assert_eq!(seen, [json!("one"), json!("one"), json!("two")]);
    let stale = scene
        .proxy
        .calls(0)
        .iter()
        .filter(|call| call.stale)
        .count();
    assert_eq!(stale, 4);
}
