//! What agents see of the queue: their agenda, questions, what happens, and what is swept.

use std::sync::Arc;
use std::time::Duration;

use fractal_core::Timestamp;
use fractal_queue::store::Sqlite;
use fractal_queue::{
    Clock, Environments, Event, ManualClock, Outcome, Question, Queue, Scope, Selector, Sweeper,
};
use serde_json::json;

use crate::rig::{component, rig, system};

const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn an_agenda_holds_its_scope_only_and_forgets_a_deferral_with_a_change() {
    let rig = rig();
    let agent = rig.worker("a");
    let key = component("api", 1).key();
    agent.queue.put(&component("api", 1)).await.unwrap();
    let of = |offer: &str| Scope {
        environments: Environments::All,
        offers: [offer.parse().unwrap()].into(),
    };
    let mut foreign = agent.queue.agenda(of("CustomWorkloads.FaaS.GcpFunction"));
    let mut elsewhere = agent.queue.agenda(Scope {
        environments: Environments::Only(
            [fractal_core::contract::EnvironmentId::new("Personal", "o", "prod").unwrap()].into(),
        ),
        ..Scope::everything()
    });
    let mut ours = agent.queue.agenda(of("CustomWorkloads.FaaS.AwsLambda"));
    for agenda in [&mut foreign, &mut elsewhere, &mut ours] {
        agenda.refresh().await.unwrap();
    }
    let now = rig.clock.wall();
    assert_eq!(
        (
            foreign.keys().count(),
            elsewhere.keys().count(),
            ours.due(now, 9).len()
        ),
        (0, 0, 1)
    );
    ours.defer(&key, now.plus_millis(60_000));
    assert!(ours.due(now, 9).is_empty());
    assert_eq!(ours.idle(now), Some(Duration::from_secs(60)));
    agent
        .queue
        .wake(&Selector::Component(key), "TagMoved")
        .await
        .unwrap();
    tokio::time::timeout(PATIENCE, ours.changed())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(ours.due(now, 9).len(), 1, "a change ends a deferral");
}

#[tokio::test]
async fn another_handle_on_the_file_is_seen_without_asking() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(Timestamp::from_unix_millis(
        1_700_000_000_000,
    )));
    let open = || {
        let store = Sqlite::open(directory.path().join("queue.db")).unwrap();
        Queue::new(Arc::new(store), Arc::clone(&clock) as Arc<dyn Clock>)
    };
    let (agent, control) = (open(), open());
    let mut agenda = agent.agenda(Scope::everything());
    agenda.refresh().await.unwrap();
    assert_eq!(agenda.idle(clock.wall()), None);
    control.put(&component("api", 1)).await.unwrap();
    let seen = async {
        while agenda.due(clock.wall(), 1).is_empty() {
            agenda.changed().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.unwrap();
    assert_eq!(
        agent.installation().await.unwrap(),
        control.installation().await.unwrap()
    );
}

#[tokio::test]
async fn a_question_is_answered_once_and_goes_when_it_is_fetched() {
    let rig = rig();
    let (agent, person) = (rig.worker("a"), rig.worker("person"));
    let proposed = component("api", 7);
    let id = person.queue.ask_plan_of(&proposed).await.unwrap();
    let mut agenda = agent.queue.agenda(Scope::everything());
    agenda.refresh().await.unwrap();
    let asks = agenda.asks();
    assert_eq!(asks.len(), 1);
    assert_eq!(
        agent.queue.asked_body(&asks[0]).await.unwrap(),
        Some(proposed.clone())
    );
    let answer = async {
        agent
            .queue
            .answer(&asks[0].id, json!(["create api"]))
            .await
            .unwrap();
        agent
            .queue
            .answer(&asks[0].id, json!("too late"))
            .await
            .unwrap();
    };
    let (fetched, ()) = tokio::join!(person.queue.await_answer(&id, PATIENCE), answer);
    assert_eq!(fetched.unwrap(), Some(json!(["create api"])));
    agenda.refresh().await.unwrap();
    assert!(agenda.asks().is_empty() && rig.store.list("ask/").await.unwrap().is_empty());
    // Nobody answers.
    let id = person
        .queue
        .ask(&proposed.key(), Question::Plan)
        .await
        .unwrap();
    assert_eq!(
        person
            .queue
            .await_answer(&id, Duration::from_millis(1))
            .await
            .unwrap(),
        None
    );
    assert!(
        rig.store.list("ask/").await.unwrap().is_empty(),
        "a question nobody waits for is withdrawn"
    );
}

#[tokio::test]
async fn events_tell_what_happened_and_go_on_from_a_cursor() {
    let rig = rig();
    let agent = rig.worker("a");
    agent.queue.put(&component("api", 1)).await.unwrap();
    let mut events = agent.queue.changes(None);
    assert!(
        matches!(events.next().await.unwrap(), Event::LiveSystem(system) if system.generation == 1)
    );
    assert!(
        matches!(events.next().await.unwrap(), Event::Component(document) if document.generation == 1)
    );
    let cursor = events.cursor();
    agent.queue.remove_live_system(&system()).await.unwrap();
    let mut resumed = agent.queue.changes(cursor);
    let mut deleted = Vec::new();
    while deleted.len() < 2 {
        if let Event::Deleted(key) = resumed.next().await.unwrap() {
            deleted.push(key);
        }
    }
    assert!(
        deleted[0].starts_with("component/") && deleted[1].starts_with("live-system/"),
        "{deleted:?}"
    );
}

#[tokio::test]
async fn bodies_are_swept_an_hour_after_nobody_uses_them() {
    let rig = rig();
    let agent = rig.worker("a");
    let key = component("api", 1).key();
    for version in 1..=3 {
        agent.queue.put(&component("api", version)).await.unwrap();
    }
    let claim = agent.claim(&key).await;
    agent
        .settle(claim, Default::default(), Outcome::Waiting)
        .await;
    let mut sweeper = Sweeper::default();
    assert_eq!(agent.queue.sweep(&mut sweeper).await.unwrap(), 0);
    rig.clock.advance(Duration::from_secs(3600));
    // One that is about to be used again was written again.
    agent.queue.put(&component("api", 2)).await.unwrap();
    agent.queue.put(&component("api", 3)).await.unwrap();
    assert_eq!(agent.queue.sweep(&mut sweeper).await.unwrap(), 1);
    assert_eq!(rig.store.list("body/").await.unwrap().len(), 2);
    let document = agent.document(&key).await;
    agent.queue.body(&document).await.unwrap();
}
