//! Several processes on one file, killed with SIGKILL while they work. The workers are this test's own binary, run again.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fractal_queue::intake::Shrink;
use fractal_queue::store::Sqlite;
use fractal_queue::{
    Company, NextDue, Outcome, Queue, Scope, Settlement, SystemClock, Take, Tenure,
};
use serde_json::json;

use crate::rig::{body, ready, record, system};

/// Tells this binary that it is a worker, and where.
const WORKER: &str = "FRACTAL_QUEUE_TEST_WORKER";
const THIS: &str = "processes::workers_that_are_killed_lose_nothing";
const LEASE: Duration = Duration::from_millis(1500);
const KILLS: u32 = 20;
const COMPONENTS: usize = 12;
const DEADLINE: Duration = Duration::from_secs(120);

fn open(directory: &Path) -> Queue {
    Queue::new(
        Arc::new(Sqlite::open(directory.join("queue.db")).unwrap()),
        Arc::new(SystemClock::default()),
    )
}

/// A worker that dies with its parent: it ends when its standard input does.
struct Worker(Child);

impl Worker {
    fn start(directory: &Path) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args([THIS, "--exact", "--nocapture"])
            .env(WORKER, directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

async fn work(directory: PathBuf) {
    std::thread::spawn(|| {
        drop(std::io::stdin().read_to_end(&mut Vec::new()));
        std::process::abort();
    });
    let queue = open(&directory);
    let mut ledger = std::fs::OpenOptions::new()
        .append(true)
        .open(directory.join("ledger"))
        .unwrap();
    let mut agenda = queue.agenda(Scope::everything());
    loop {
        agenda.refresh().await.unwrap();
        let now = queue.clock().wall();
        let Some(due) = agenda.due(now, 1).pop() else {
            let idle = agenda
                .idle(now)
                .unwrap_or(LEASE)
                .clamp(Duration::from_millis(5), LEASE);
            drop(tokio::time::timeout(idle, agenda.changed()).await);
            continue;
        };
        let company = if due.alone {
            Company::Alone
        } else {
            Company::Shared
        };
        let tenure = Tenure {
            holder: format!("process {}", std::process::id()),
            length: LEASE,
            company,
        };
        let Take::Claimed(mut claim) = queue.claim(&due.key, None, &tenure).await.unwrap() else {
            continue;
        };
        let noted = record(claim.generation());
        if queue.note(&mut claim, noted).await.is_err() {
            continue;
        }
        if claim.remaining(queue.clock().monotonic()) < LEASE / 2 {
            continue;
        }
        // The cloud write: one line, so that it is whole or not there.
        let line = format!(
            "{} {} {}\n",
            claim.key().component,
            claim.generation(),
            claim.token()
        );
        ledger.write_all(line.as_bytes()).unwrap();
        let status = ready(claim.generation(), now);
        let due = NextDue::In(Duration::from_secs(3600));
        // Another worker may have waited out a lease on a slow disk: that is no failure.
        drop(
            queue
                .settle(
                    *claim,
                    Settlement {
                        status,
                        record: None,
                        due,
                        outcome: Outcome::InSync,
                    },
                )
                .await,
        );
    }
}

fn ledger(directory: &Path) -> Vec<(String, u64, u64)> {
    let text = std::fs::read_to_string(directory.join("ledger")).unwrap();
    let line = |line: &str| {
        let mut words = line.split(' ').map(str::to_owned);
        let mut word = || words.next().unwrap();
        (word(), word().parse().unwrap(), word().parse().unwrap())
    };
    text.lines().map(line).collect()
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < DEADLINE, "{what} takes too long");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn want(queue: &Queue, version: u64) {
    let names: Vec<String> = (0..COMPONENTS).map(|number| format!("c{number}")).collect();
    let all: Vec<(&str, serde_json::Value, &[&str])> = names
        .iter()
        .map(|name| (name.as_str(), json!({ "v": version }), [].as_slice()))
        .collect();
    queue
        .submit(body(&all).to_string().as_bytes(), None, Shrink::Hold)
        .await
        .unwrap();
}

async fn held(queue: &Queue) -> usize {
    let all = queue.components(&system()).await.unwrap();
    all.iter()
        .filter(|document| document.lease.is_some())
        .count()
}

#[tokio::test]
async fn workers_that_are_killed_lose_nothing() {
    if let Some(directory) = std::env::var_os(WORKER) {
        return work(directory.into()).await;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    std::fs::write(path.join("ledger"), "").unwrap();
    let queue = open(path);
    want(&queue, 0).await;
    let mut workers = [Worker::start(path), Worker::start(path)];
    let mut while_held = 0;
    for kill in 1..=KILLS {
        // Every component will get a line for what is wanted now, however fast the workers are.
        let lines = ledger(path).len() + fastrand::usize(1..4);
        want(&queue, u64::from(kill)).await;
        until("progress", async || {
            ledger(path).len() >= lines || held(&queue).await > 0
        })
        .await;
        drop(workers[kill as usize % 2].0.kill());
        while_held += u32::from(held(&queue).await > 0);
        workers[kill as usize % 2] = Worker::start(path);
    }
    println!("{KILLS} kills, {while_held} of them while a claim was held");
    until("coming in sync", async || {
        let all = queue.components(&system()).await.unwrap();
        all.iter()
            .all(|document| document.synced == document.generation && document.lease.is_none())
    })
    .await;
    drop(workers);
    let all = queue.components(&system()).await.unwrap();
    assert_eq!(all.len(), COMPONENTS);
    assert!(all.iter().all(|document| document.set_aside.is_none()));
    let newest = u64::from(KILLS) + 1;
    let mut last: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut tokens = BTreeSet::new();
    for (component, generation, token) in ledger(path) {
        assert!(tokens.insert(token), "a token is one claim's");
        let before = last
            .insert(component, (generation, token))
            .unwrap_or_default();
        assert!(
            before.0 <= generation && before.1 < token,
            "an older claim wrote after a newer one"
        );
    }
    assert!(
        last.len() == COMPONENTS && last.values().all(|(generation, _)| *generation == newest),
        "{last:?}"
    );
}
