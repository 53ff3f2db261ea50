//! Components that move, that share a name, and an API server that something else answers for.

use fractal_core::reconcile::{End, Platform as _};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::account::{admin, listed, of, uid};
use crate::rig::{Rig, WORKLOAD};

fn map(name: &str, more: &str) -> String {
    format!(
        "
apiVersion: v1
kind: ConfigMap
metadata: {{name: {name}{more}}}
data: {{a: b}}
"
    )
}

#[tokio::test]
async fn moving_a_bundle_takes_nothing_away_that_is_still_wanted() {
    let rig = admin("moving").await;
    let (from, to) = (
        rig.namespace.clone(),
        format!("{}-elsewhere", rig.namespace),
    );
    rig.kubectl(&["create", "namespace", &to]).await;
    let named = map("named", &format!(", namespace: {from}"));
    let role = format!(
        "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: reads-{from}}}
rules: []
"
    );
    let documents = [named.as_str(), &role, &map("follows", "")];
    let mut keeper = of(&rig, "keeper", &documents);
    keeper.set(json!({ "namespace": from }));
    keeper.ready(&rig.agent).await;
    let cluster_role = format!("reads-{from}");
    let before = [
        uid(&rig, "configmap", "named").await,
        uid(&rig, "clusterrole", &cluster_role).await,
    ];
    let mark = rig.mark();
    for namespace in [&to, &from] {
        keeper.set(json!({ "namespace": namespace }));
        keeper
            .until(&rig.agent, |it| {
                matches!(it.end, End::Ready(_)) && it.record.places.len() == 1
            })
            .await;
        let after = [
            uid(&rig, "configmap", "named").await,
            uid(&rig, "clusterrole", &cluster_role).await,
        ];
        assert_eq!(after, before);
        let found = ["get", "configmap", "follows", "-n", namespace];
        rig.kubectl(&found).await;
    }
    // What goes by the parameter has moved along both times; nothing else was deleted but the inventory left behind.
    let writes = rig.writes(mark);
    let deleted: Vec<_> = writes.iter().filter(|it| it.verb == "delete").collect();
    assert_eq!(deleted.len(), 4, "{deleted:?}");
    assert!(
        deleted.iter().all(|it| it.resource == "configmaps"),
        "{deleted:?}"
    );
    assert_eq!(listed(&rig, &keeper).await.len(), 3);
    keeper.gone(&rig.agent).await;
    assert!(
        rig.try_kubectl(&["get", "clusterrole", &cluster_role])
            .await
            .is_err()
    );
}

/// Answers everything as a proxy does that has lost what is behind it.
async fn nothing_here() -> kube::Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.windows(4).any(|it| it == b"\r\n\r\n") {
                    if stream.read_buf(&mut head).await? == 0 {
                        return Ok(());
                    }
                }
                let answer = "HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\ncontent-length: 19\r\nconnection: close\r\n\r\n404 page not found\n";
                stream.write_all(answer.as_bytes()).await?;
                stream.shutdown().await
            });
        }
    });
    kube::Client::try_from(kube::Config::new(url.parse().unwrap())).unwrap()
}

#[tokio::test]
async fn a_plain_404_says_nothing_of_what_there_is() {
    let rig = Rig::start("plain").await;
    let mut orders = rig.workload("orders", json!({ "port": 8080 }));
    orders.ready(&rig.agent).await;
    let before = rig.settled(crate::KINDS).await;
    let nowhere = caas_agent::Kubernetes::new(nothing_here().await, &rig.namespace);
    for _ in 0..5 {
        let report = orders.pass(&nowhere).await;
        assert!(
            matches!(report.end, End::Fault(_)) && report.steps.is_empty(),
            "{report:?}"
        );
        let report = orders.remove(&nowhere).await;
        assert!(
            matches!(report.end, End::Fault(_)) && report.steps.is_empty(),
            "{report:?}"
        );
        assert_eq!(report.record.places.len(), 1);
    }
    assert_eq!(rig.versions(crate::KINDS).await, before);
    orders.gone(&rig.agent).await;
    assert_eq!(rig.everything().await, Vec::<String>::new());
}

#[tokio::test]
async fn two_live_systems_with_one_component_id_are_both_steady() {
    let rig = Rig::start("namesakes").await;
    let mut first = of(&rig, "keeper", &[&map("first", "")]);
    let mut second = of(&rig, "keeper", &[&map("second", "")]);
    second.owner.component.live_system = "Personal/suite/another".parse().unwrap();
    first.ready(&rig.agent).await;
    second.ready(&rig.agent).await;
    assert_eq!(first.owner.component.offer.as_str(), WORKLOAD);
    let survey = rig.agent.survey(&rig.namespace, 100).await.unwrap();
    let survey = survey.unwrap();
    assert_eq!(survey.len(), 2, "{survey:?}");
    for component in [&first, &second] {
        let [(place, _)] = &component.record.places[..] else {
            panic!("{:?}", component.record)
        };
        let synced = component.record.synced.as_ref().unwrap();
        assert_eq!(Some(&survey[place]), synced.stamp.as_ref());
    }
    rig.stays(&mut first, crate::KINDS).await;
    rig.stays(&mut second, crate::KINDS).await;
    first.gone(&rig.agent).await;
    rig.stays(&mut second, crate::KINDS).await;
}
