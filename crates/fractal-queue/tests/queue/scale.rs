//! What a large live system costs: printed, and bounded where a bound is a promise.

use std::time::{Duration, Instant};

use fractal_queue::intake::Shrink;
use fractal_queue::store::Sqlite;
use fractal_queue::{Company, Queue, Scope, SystemClock, Take, Tenure};
use serde_json::json;

use crate::rig::{body, ready};

const COMPONENTS: usize = 1000;

#[tokio::test]
async fn a_thousand_components_are_taken_in_claimed_and_settled() {
    let directory = tempfile::tempdir().unwrap();
    let store = std::sync::Arc::new(Sqlite::open(directory.path().join("queue.db")).unwrap());
    let queue = Queue::new(store, std::sync::Arc::new(SystemClock::default()));
    let names: Vec<String> = (0..COMPONENTS)
        .map(|number| format!("component-{number}"))
        .collect();
    let all: Vec<(&str, serde_json::Value, &[&str])> = names
        .iter()
        .map(|name| (name.as_str(), json!({}), [].as_slice()))
        .collect();
    let started = Instant::now();
    queue
        .submit(body(&all).to_string().as_bytes(), None, Shrink::Hold)
        .await
        .unwrap();
    println!("{COMPONENTS} components taken in: {:?}", started.elapsed());

    let started = Instant::now();
    let mut agenda = queue.agenda(Scope::everything());
    agenda.refresh().await.unwrap();
    let due = agenda.due(queue.clock().wall(), COMPONENTS);
    assert_eq!(due.len(), COMPONENTS);
    println!("read and followed: {:?}", started.elapsed());

    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for due in due {
        let queue = queue.clone();
        tasks.spawn(async move {
            let tenure = Tenure {
                holder: "one".into(),
                length: Duration::from_secs(600),
                company: Company::Shared,
            };
            let Take::Claimed(claim) = queue.claim(&due.key, None, &tenure).await.unwrap() else {
                panic!("{due:?}")
            };
            let status = ready(claim.generation(), claim.document().due);
            let due = fractal_queue::NextDue::In(Duration::from_secs(300));
            let outcome = fractal_queue::Outcome::InSync;
            queue
                .settle(
                    *claim,
                    fractal_queue::Settlement {
                        status,
                        record: None,
                        due,
                        outcome,
                    },
                )
                .await
                .unwrap();
        });
    }
    tasks.join_all().await;
    println!("claimed and settled: {:?}", started.elapsed());
    agenda.refresh().await.unwrap();
    assert!(agenda.due(queue.clock().wall(), 1).is_empty());
}
