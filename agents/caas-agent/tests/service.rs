//! The agent's own binary, as an operator runs it: a queue, a real registry, a real control plane, and SIGTERM at the end.
//! The bundle is pushed by `tar` and `oras` as the documentation says.

#[cfg(test)]
#[path = "support/published.rs"]
mod published;
#[cfg(test)]
#[path = "support/rig.rs"]
#[expect(dead_code, unused_imports, reason = "this file needs part of it only")]
mod rig;
#[cfg(test)]
#[path = "support/running.rs"]
mod running;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::published::Published;
    use crate::rig::Rig;
    use crate::running::Running;

    const SYSTEM: &str = "Personal/test/shop/demo";

    fn body(registry: &str, namespace: &str, components: &[(&str, Value)]) -> String {
        let component = |(id, parameters): &(&str, Value)| {
            let mut parameters = parameters.clone();
            parameters["namespace"] = namespace.into();
            let component = json!({
                "id": id, "type": "CustomWorkloads.CaaS.K8sWorkload", "displayName": id, "deliveryModel": "CaaS",
                "parameters": parameters, "dependencies": [], "links": [],
            });
            ((*id).to_owned(), component)
        };
        let map: serde_json::Map<_, _> = components.iter().map(component).collect();
        json!({
            "liveSystemId": SYSTEM, "fractalId": "Personal/test/shop/demo:1.0.0", "blueprintMap": map,
            "environment": {
                "id": { "type": "Personal", "ownerId": "test", "shortName": "dev" },
                "parameters": { "registries": { "Azure": registry } },
            },
        })
        .to_string()
    }

    #[tokio::test]
    async fn a_bundle_pushed_with_tar_and_oras_and_a_typed_workload_run_until_they_are_taken_down()
    {
        let rig = Rig::start("service").await;
        let registry = Published::start().await;
        let image = registry.image("shop/orders:1", "first").await;
        let namespace = &rig.namespace;
        let manifest = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: producer, namespace: $NAMESPACE}
spec:
  replicas: 1
  selector: {matchLabels: {app: producer}}
  template:
    metadata: {labels: {app: producer}}
    spec:
      containers:
        - {name: app, image: 'registry.test/producer:1', args: [--greeting, $GREETING, $HOME]}
";
        let parameters = format!(
            "environments:\n  - name: dev\n    parameters: {{NAMESPACE: {namespace}, GREETING: hello}}\n"
        );
        let files = [
            ("producer-fdeploy.yaml", manifest),
            ("fractal-parameters.yml", &*parameters),
        ];
        registry.bundle("shop/manifests:live", &files).await;
        let agent = Running::start(&rig, registry.host()).await;

        let typed = json!({ "image": "shop/orders:1", "port": 8080 });
        let bundled = json!({ "manifestUri": format!("oci://{}/shop/manifests:live", registry.host()), "replicas": 2 });
        // Enough of them for lists to be fewer calls than single reads.
        let mut components: Vec<_> = ["orders", "carts", "invoices"]
            .map(|id| (id, typed.clone()))
            .into();
        components.push(("producer", bundled));
        agent
            .submit(&body(registry.host(), namespace, &components))
            .await;
        agent.until_active(SYSTEM).await;
        let orders = rig.object("deployment", "orders").await;
        let pinned = format!("{}/shop/orders@{image}", registry.host());
        assert_eq!(
            orders["spec"]["template"]["spec"]["containers"][0]["image"],
            pinned
        );
        let producer = rig.object("deployment", "producer").await;
        assert_eq!(producer["spec"]["replicas"], 2);
        let args = &producer["spec"]["template"]["spec"]["containers"][0]["args"];
        assert_eq!(*args, json!(["--greeting", "hello", "$HOME"]));
        let status = agent.status(SYSTEM, "producer").await;
        let notices: Vec<_> = status.notices.iter().map(|it| it.reason.as_str()).collect();
        assert_eq!(notices, ["UnresolvedNames"]);

        // In sync: looked at again and again, by a few lists, without a claim and without a write.
        let (mark, looked) = (rig.mark(), agent.steady().await);
        let looks = 5 * components.len() as u64;
        agent
            .settled("more looks", async || {
                agent.steady().await >= looked + looks
            })
            .await;
        let calls = rig.calls(mark);
        let writes: Vec<_> = calls.iter().filter(|call| call.is_write()).collect();
        assert!(writes.is_empty(), "{writes:?}");
        assert!(calls.iter().any(|call| call.verb == "list"), "{calls:?}");
        assert!(
            calls.len() as u64 <= 2 * looks,
            "{} calls for {looks} looks",
            calls.len()
        );

        // The same tag with another greeting: only its own workload is touched.
        let untouched = orders["metadata"]["resourceVersion"].clone();
        let other = parameters.replace("hello", "goodbye");
        let files = [
            ("producer-fdeploy.yaml", manifest),
            ("fractal-parameters.yml", &*other),
        ];
        registry.bundle("shop/manifests:live", &files).await;
        agent
            .settled("the new bundle", async || {
                let producer = rig.object("deployment", "producer").await;
                producer["spec"]["template"]["spec"]["containers"][0]["args"][1] == "goodbye"
            })
            .await;
        agent.until_active(SYSTEM).await;
        assert_eq!(
            rig.object("deployment", "orders").await["metadata"]["resourceVersion"],
            untouched
        );

        // A PUT without a component means its end.
        agent
            .submit(&body(registry.host(), namespace, &components[..3]))
            .await;
        agent
            .settled("the end of producer", async || {
                !rig.everything()
                    .await
                    .contains(&"deployment.apps/producer".to_owned())
            })
            .await;
        agent.until_active(SYSTEM).await;
        assert_eq!(
            rig.object("deployment", "orders").await["metadata"]["resourceVersion"],
            untouched
        );
        agent.remove(SYSTEM).await;
        agent
            .settled("the end of everything", async || {
                rig.everything().await.is_empty()
            })
            .await;
        agent.stop().await;
    }
}
