//! An archive that crane pulls has no manifest of its own: what we publish of it is one image, always the same, and crane takes it back.

use fractal_testkit::registry::{Peer, Server, Setup};

use crate::ours::{self, Fractal};
use crate::samples::Samples;

#[tokio::test]
async fn what_crane_pulls_is_published_with_one_digest_and_is_valid_to_crane() {
    let server = Server::start(Setup::Plain).await;
    let (crane, fractal, registry) = (
        Peer::crane(&server).await,
        Fractal::new(&[&server]),
        ours::client(&server),
    );
    let samples = Samples::new();
    let image = &samples.all[0];
    let from = server.reference("pulled/image:1");
    fractal.publish(image, &from.to_string()).await;
    let mut digests = Vec::new();
    for run in ["one", "two"] {
        let archive = crane.home().join(format!("{run}.tar"));
        let archive = archive.display().to_string();
        crane.text(&["pull", &from.to_string(), &archive]).await;
        let to = server.reference(&format!("archives/{run}:1"));
        let receipt = fractal.json(&["publish", &archive, &to.to_string()]).await;
        assert_eq!(receipt["kind"], "container");
        let digest = receipt["digest"].as_str().unwrap().to_owned();
        assert_eq!(crane.text(&["digest", &to.to_string()]).await, digest);
        crane.text(&["validate", "--remote", &to.to_string()]).await;
        let (before, after) = (
            ours::read(&registry, &from).await,
            ours::read(&registry, &to).await,
        );
        // Only the manifest is another: layers and config are what they were.
        let kept = |parts: &std::collections::BTreeMap<String, Vec<u8>>, but: &str| {
            let parts = parts.clone().into_iter();
            parts
                .filter(|(digest, _)| digest != but)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            kept(&before.parts, &before.digest)
                .iter()
                .map(|(digest, _)| digest)
                .collect::<Vec<_>>(),
            kept(&after.parts, &after.digest)
                .iter()
                .map(|(digest, _)| digest)
                .collect::<Vec<_>>(),
        );
        digests.push(digest);
    }
    assert_eq!(digests[0], digests[1]);
}
