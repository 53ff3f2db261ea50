//! Two agents and the cloud in processes of their own, killed a hundred times while fifty functions are deployed and changed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fractal_core::artifact::Digest;
use fractal_queue::ComponentDocument;
use serde_json::Value;

use crate::support::agent::Agent;
use crate::support::artifacts::{publish_image, publish_zip};
use crate::support::stage::Stage;
use crate::support::system::{image_function, live_system, zip_function};
use crate::support::until;

const SYSTEMS: usize = 5;
const EACH: usize = 10;
const KILLS: u32 = 100;
/// Kills that have to fall while the killed process holds a claim.
const HELD: u32 = 60;
const FLAGS: [&str; 6] = ["--lease", "1.5", "--interval", "1", "--concurrency", "6"];
/// Long enough for two processes on a busy machine to wait out each other's leases.
const CONVERGE: Duration = Duration::from_secs(120);

/// What is wanted of every component: grows by one with each wave of changes.
struct Wave {
    number: usize,
    digests: BTreeMap<String, Digest>,
}

fn system_id(system: usize) -> String {
    format!("Personal/owner/kill/system{system}")
}

fn component_id(system: usize, component: usize) -> String {
    format!("fn{system}-{component}")
}

/// Every third function is an image.
const fn is_image(component: usize) -> bool {
    component % 3 == 2
}

/// The artifact a component has in a wave: half of the waves bring new code, the others new settings only.
fn artifact(component: usize, wave: usize) -> String {
    let kind = if is_image(component) { "image" } else { "zip" };
    format!("shop/{kind}:v{}", wave / 2 % 4)
}

async fn publish(stage: &Stage) -> BTreeMap<String, Digest> {
    let mut digests = BTreeMap::new();
    for version in 0..4 {
        let zip = format!("shop/zip:v{version}");
        let image = format!("shop/image:v{version}");
        let layout = stage.path().join(format!("layout-{version}"));
        let text = format!("version {version}\n");
        digests.insert(
            zip.clone(),
            publish_zip(&stage.client, &zip, &version.to_string()).await,
        );
        digests.insert(
            image.clone(),
            publish_image(&stage.client, &layout, &image, &text).await,
        );
    }
    digests
}

impl Wave {
    /// Wants the next thing of one live system.
    async fn submit(&self, stage: &Stage, system: usize) {
        let components: Vec<Value> = (0..EACH)
            .map(|component| {
                let id = component_id(system, component);
                let artifact = artifact(component, self.number);
                let version = self.number.to_string();
                if is_image(component) {
                    image_function(&id, &artifact, &version)
                } else {
                    zip_function(&id, &artifact, &version)
                }
            })
            .collect();
        stage
            .submit(&live_system(&system_id(system), &components))
            .await;
    }

    async fn submit_all(&mut self, stage: &Stage) {
        self.number += 1;
        for system in 0..SYSTEMS {
            self.submit(stage, system).await;
        }
    }
}

async fn documents(stage: &Stage) -> Vec<ComponentDocument> {
    let mut all = Vec::new();
    for system in 0..SYSTEMS {
        all.extend(stage.components(&system_id(system)).await);
    }
    all
}

fn held_by(documents: &[ComponentDocument], holder: &str) -> usize {
    let holds = |document: &&ComponentDocument| {
        document
            .lease
            .as_ref()
            .is_some_and(|lease| lease.holder == holder)
    };
    documents.iter().filter(holds).count()
}

/// The cloud answers slowly enough to be killed in the middle of a call.
fn slow(stage: &Stage) {
    stage.cloud.fault(
        serde_json::json!({ "service": "lambda" }),
        serde_json::json!({ "kind": "delay", "milliseconds": 25 }),
    );
}

/// What the run did.
#[derive(Debug, Default)]
struct Count {
    kills: u32,
    held: u32,
    before_start: u32,
    cloud_kills: u32,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_kills_during_fifty_deployments_lose_and_double_nothing() {
    let seed = std::env::var("FRACTAL_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed}; repeat with FRACTAL_TEST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let began = Instant::now();
    let mut stage = Stage::new(&[
        "--no-quotas",
        "--settle-reads",
        "1000",
        "--settle-ms",
        "120",
    ])
    .await;
    let mut wave = Wave {
        number: 0,
        digests: publish(&stage).await,
    };
    slow(&stage);
    wave.submit_all(&stage).await;
    let count = rampage(&mut stage, &mut wave, &mut random).await;
    println!("{count:?} in {:?}", began.elapsed());
    assert!(count.kills >= KILLS && count.held >= HELD, "{count:?}");
    let agents = [
        stage.agent("last-0", &FLAGS).await,
        stage.agent("last-1", &FLAGS).await,
    ];
    converged(&stage, &wave).await;
    println!("in sync after {:?}", began.elapsed());
    nothing_more_is_written(&stage).await;
    drop(agents);
}

async fn rampage(stage: &mut Stage, wave: &mut Wave, random: &mut fastrand::Rng) -> Count {
    let mut count = Count::default();
    let mut agents: Vec<Agent> = (0..2)
        .map(|number| {
            Agent::launch(
                stage.path(),
                &stage.cloud,
                &format!("first-{number}"),
                &FLAGS,
            )
        })
        .collect();
    while count.kills < KILLS || count.held < HELD {
        let pause = Duration::from_millis(random.u64(50..1200));
        tokio::time::sleep(pause).await;
        // Something is always to be done: a wave where everything is in sync, one live system where it is not.
        let behind = documents(stage)
            .await
            .iter()
            .filter(|d| d.synced != d.generation)
            .count();
        if behind < SYSTEMS * EACH / 3 {
            wave.submit_all(stage).await;
        }
        let victim = random.usize(0..2);
        let holder = agents[victim].holder();
        agents[victim].process.kill();
        count.kills += 1;
        match holder {
            None => count.before_start += 1,
            Some(holder) if held_by(&documents(stage).await, &holder) > 0 => count.held += 1,
            Some(_) => {}
        }
        let name = format!("agent-{}", count.kills);
        agents[victim] = Agent::launch(stage.path(), &stage.cloud, &name, &FLAGS);
        if count.kills % 25 == 0 {
            stage.cloud.kill();
            stage.cloud.restart().await;
            slow(stage);
            count.cloud_kills += 1;
        }
        assert!(
            count.kills < 3 * KILLS,
            "too few kills hit a claim: {count:?}"
        );
    }
    count
}

/// Everything is in sync, nothing was set aside, and the cloud agrees.
async fn converged(stage: &Stage, wave: &Wave) {
    until("all in sync", CONVERGE, async || {
        let all = documents(stage).await;
        let aside: Vec<_> = all.iter().filter(|d| d.set_aside.is_some()).collect();
        assert!(aside.is_empty(), "set aside: {aside:#?}");
        all.iter()
            .all(|document| document.synced == document.generation && document.lease.is_none())
    })
    .await;
    assert_eq!(documents(stage).await.len(), SYSTEMS * EACH);
    let served = stage.cloud.functions();
    assert_eq!(
        served.len(),
        SYSTEMS * EACH,
        "a function each, and no other"
    );
    for system in 0..SYSTEMS {
        for component in 0..EACH {
            let id = component_id(system, component);
            let function = served
                .iter()
                .find(|function| {
                    function["function"]
                        .as_str()
                        .unwrap()
                        .starts_with(&format!("{id}-"))
                })
                .unwrap_or_else(|| panic!("no function for {id}"));
            let digest = &wave.digests[&artifact(component, wave.number)];
            assert_eq!(function["digest"], digest.to_string(), "{id}");
            assert_eq!(
                function["environment"]["VERSION"],
                wave.number.to_string(),
                "{id}"
            );
        }
    }
    let mut creates: BTreeMap<String, u32> = BTreeMap::new();
    for entry in stage.cloud.writes(0) {
        assert_ne!(
            entry.operation, "DeleteFunction",
            "nothing was to be deleted"
        );
        if entry.operation == "CreateFunction" {
            *creates.entry(entry.resource).or_default() += 1;
        }
    }
    assert!(
        creates.len() == SYSTEMS * EACH && creates.values().all(|count| *count == 1),
        "{creates:?}"
    );
}

/// Two more looks at everything, and not one write.
async fn nothing_more_is_written(stage: &Stage) {
    let mark = stage.cloud.last();
    until("two more looks", Duration::from_secs(30), async || {
        let looks = stage.cloud.ledger(mark);
        looks
            .iter()
            .filter(|entry| entry.operation == "ListFunctions")
            .count()
            >= 4
    })
    .await;
    let writes = stage.cloud.writes(mark);
    assert!(writes.is_empty(), "{writes:#?}");
}
