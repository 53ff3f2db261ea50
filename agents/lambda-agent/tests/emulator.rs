//! The agent's own binary against a Lambda emulator that really runs functions: what was published is invoked, and answers.
//!
//! The emulator is more lenient than AWS: it throttles nothing, refuses no update in progress with 409, and an update's end
//! does not move RevisionId. What the agent owes to those is tested against the simulated AWS.

#[cfg(test)]
#[path = "support/agent.rs"]
mod agent;
#[cfg(test)]
#[path = "support/ministack.rs"]
mod ministack;

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use bytes::Bytes;
    use fractal_core::artifact::kind::media_type;
    use fractal_core::artifact::{Descriptor, Digest, ImageManifest, Reference};
    use fractal_queue::intake::Shrink;
    use fractal_queue::{LiveSystemView, Queue};
    use fractal_registry::{Options, Registry, RepositoryRef};
    use fractal_simcloud::{Registry as Simulated, RegistryConfig};
    use serde_json::{Value, json};
    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, DateTime, ZipWriter};

    use crate::agent::{Agent, settled};
    use crate::ministack::{ACCOUNT, Ministack};

    const SYSTEM: &str = "Personal/test/shop/orders";
    const BUCKET: &str = "staging";
    /// Larger than what is sent inline where a bucket is given.
    const LARGE: usize = 5 << 20;

    /// A function that answers with its version, its environment and what it was sent. `ballast` makes the zip so much larger.
    fn function_zip(version: &str, ballast: usize) -> Bytes {
        let source = format!(
            "import os\n\n\ndef handler(event, context):\n    return {{\"version\": \"{version}\", \"greeting\": os.environ.get(\"GREETING\"), \"event\": event}}\n"
        );
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default())
            .unix_permissions(0o644);
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer.start_file("app.py", options).unwrap();
        writer.write_all(source.as_bytes()).unwrap();
        writer.start_file("ballast.bin", options).unwrap();
        writer.write_all(&vec![7; ballast]).unwrap();
        writer.finish().unwrap().into_inner().into()
    }

    async fn publish(host: &str, name: &str, zip: Bytes) {
        let registry = Registry::new(Options::on_loopback()).unwrap();
        let to: Reference = format!("{host}/{name}").parse().unwrap();
        let blob = |media_type: &str, bytes: &Bytes| {
            Descriptor::new(media_type, Digest::sha256(bytes), bytes.len() as u64)
        };
        let empty = Bytes::from_static(b"{}");
        let config = blob(media_type::OCI_EMPTY, &empty);
        let layer = blob(media_type::FUNCTION_ZIP, &zip);
        let repository = RepositoryRef::from(&to);
        for (descriptor, bytes) in [(&config, &empty), (&layer, &zip)] {
            registry
                .push_blob(&repository, descriptor, bytes, None)
                .await
                .unwrap();
        }
        let manifest = ImageManifest::new(Some(media_type::FUNCTION_ZIP), config, vec![layer]);
        let bytes = Bytes::from(serde_json::to_vec(&manifest).unwrap());
        registry
            .push_manifest(&to, bytes, media_type::OCI_MANIFEST)
            .await
            .unwrap();
    }

    fn body(host: &str, greeting: &str) -> String {
        let component = |id: &str| {
            json!({
                "id": id,
                "type": "CustomWorkloads.FaaS.AwsLambda",
                "displayName": id,
                "provider": "AWS",
                "deliveryModel": "FaaS",
                "parameters": {
                    "sourceArtifact": format!("shop/{id}:live"),
                    "functionName": id,
                    "runtime": "python3.13",
                    "handler": "app.handler",
                    "memoryMb": 256,
                    "timeoutSeconds": 30,
                    "environment": { "GREETING": greeting },
                    "roleArn": format!("arn:aws:iam::{ACCOUNT}:role/lambda-role"),
                },
                "dependencies": [],
                "links": [],
            })
        };
        json!({
            "liveSystemId": SYSTEM,
            "fractalId": "Personal/test/shop/orders:1.0.0",
            "blueprintMap": { "small": component("small"), "large": component("large") },
            "environment": {
                "id": { "type": "Personal", "ownerId": "test", "shortName": "dev" },
                "parameters": { "registries": { "AWS": host } },
            },
        })
        .to_string()
    }

    async fn submit(queue: &Queue, body: &str) {
        queue
            .submit(body.as_bytes(), None, Shrink::Hold)
            .await
            .unwrap();
    }

    fn is_active(view: Option<&LiveSystemView>) -> bool {
        view.is_some_and(|view| view.phase == fractal_core::status::LiveSystemPhase::Active)
    }

    fn answers(version: &str, greeting: &str) -> Value {
        json!({ "version": version, "greeting": greeting, "event": { "order": 7 } })
    }

    /// Waits until the function, invoked, answers so.
    async fn says(cloud: &Ministack, agent: &Agent, function: &str, expected: &Value) {
        settled(
            agent,
            &format!("{function} answers {expected}"),
            async || cloud.invoke(function, &json!({ "order": 7 })).await == *expected,
        )
        .await;
    }

    #[tokio::test]
    async fn what_is_published_is_invoked_and_answers_until_it_is_taken_down() {
        let cloud = Ministack::start().await;
        cloud.make_bucket(BUCKET).await;
        let registry = Simulated::start(RegistryConfig::default()).await.unwrap();
        let agent = Agent::start(cloud.endpoint(), BUCKET, &registry.host());
        let (queue, host) = (agent.queue(), registry.host());
        let both = [("small", 0), ("large", LARGE)];
        for (id, ballast) in both {
            publish(
                &host,
                &format!("shop/{id}:live"),
                function_zip("1.0.0", ballast),
            )
            .await;
        }

        submit(&queue, &body(&host, "good morning")).await;
        agent
            .until(&queue, SYSTEM, "the deployment", is_active)
            .await;
        for (id, _) in both {
            let answer = cloud.invoke(id, &json!({ "order": 7 })).await;
            assert_eq!(answer, answers("1.0.0", "good morning"), "{id}");
        }

        // The same tag with other bytes: nobody tells the agent. What did not change is not written to.
        let untouched = cloud.revision("small").await;
        let large = function_zip("2.0.0", LARGE);
        publish(&host, "shop/large:live", large).await;
        says(&cloud, &agent, "large", &answers("2.0.0", "good morning")).await;
        says(&cloud, &agent, "small", &answers("1.0.0", "good morning")).await;
        assert_eq!(cloud.revision("small").await, untouched);
        let small = function_zip("2.0.0", 0);
        publish(&host, "shop/small:live", small).await;
        says(&cloud, &agent, "small", &answers("2.0.0", "good morning")).await;
        submit(&queue, &body(&host, "good evening")).await;
        for (id, _) in both {
            says(&cloud, &agent, id, &answers("2.0.0", "good evening")).await;
        }
        agent.until(&queue, SYSTEM, "the update", is_active).await;

        queue
            .remove_live_system(&SYSTEM.parse().unwrap())
            .await
            .unwrap();
        agent
            .until(&queue, SYSTEM, "the removal", |view| {
                view.is_none_or(|view| view.components.is_empty())
            })
            .await;
        assert_eq!(cloud.functions().await, Vec::<String>::new());
        assert_eq!(cloud.objects(BUCKET).await, Vec::<String>::new());
        for (id, _) in both {
            assert_eq!(
                cloud.invoke(id, &json!({})).await,
                json!("ResourceNotFoundException")
            );
        }
        agent.stop().await;
    }
}
