//! What every engine has to pass, point by point of [`Store`](super::Store)'s behaviour. A crash is simulated by the caller's `reopen`.
//!
//! It asserts by returning what did not hold, so that it can live outside of tests: each engine's own tests call [`check`].

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::{Change, Changes, DOCUMENT_MAX, Expected, Revision, Store, StoreError};

/// How long a write of another handle may take to arrive.
const ARRIVES_WITHIN: Duration = Duration::from_secs(10);

/// What did not hold.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Broken {
    /// A clause of the behaviour.
    #[error("{0}")]
    Clause(String),
    /// The engine failed where it should not.
    #[error("the engine failed")]
    Store(#[from] StoreError),
}

type Outcome = Result<(), Broken>;
type Checked<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// An engine under test: one set of documents that can be opened any number of times.
pub trait Engine: Sync {
    /// Opens another handle on the same documents, as another process would.
    fn open(&self) -> Arc<dyn Store>;
}

/// Runs every clause on fresh documents from `fresh`.
///
/// # Errors
/// Names the first clause that does not hold.
pub async fn check<E: Engine>(fresh: impl Fn() -> E) -> Outcome {
    type Clause<E> = for<'a> fn(&'a E) -> Checked<'a>;
    let clauses: [(&str, Clause<E>); 8] = [
        ("compare_and_set", |engine| {
            Box::pin(compare_and_set(engine.open()))
        }),
        ("deletes", |engine| Box::pin(deletes(engine.open()))),
        ("limits", |engine| Box::pin(limits(engine.open()))),
        ("lists", |engine| Box::pin(lists(engine.open()))),
        ("one_writer_wins", |engine| {
            Box::pin(one_writer_wins(engine.open(), engine.open()))
        }),
        ("watches", |engine| {
            Box::pin(watches(engine.open(), engine.open()))
        }),
        ("long_watches", |engine| {
            Box::pin(long_watches(engine.open()))
        }),
        ("survives_reopening", |engine| Box::pin(survives(engine))),
    ];
    for (name, clause) in clauses {
        clause(&fresh()).await.map_err(|error| {
            Broken::Clause(format!("{name}: {}", fractal_core::fault::chain(&error)))
        })?;
    }
    Ok(())
}

fn holds(condition: bool, clause: &str) -> Outcome {
    if condition {
        Ok(())
    } else {
        Err(Broken::Clause(clause.into()))
    }
}

fn conflicts<T>(result: &Result<T, StoreError>, at: Option<Revision>) -> Outcome {
    holds(
        matches!(result, Err(StoreError::Conflict { found, .. }) if *found == at),
        "a conflict says what is there",
    )
}

async fn compare_and_set(store: Arc<dyn Store>) -> Outcome {
    holds(
        store.get("a/1").await?.is_none(),
        "an absent document is absent",
    )?;
    let first = store.put("a/1", Expected::Absent, b"one".to_vec()).await?;
    conflicts(
        &store.put("a/1", Expected::Absent, b"two".to_vec()).await,
        Some(first),
    )?;
    let second = store
        .put("a/1", Expected::At(first), b"two".to_vec())
        .await?;
    holds(second > first, "revisions grow")?;
    conflicts(
        &store
            .put("a/1", Expected::At(first), b"three".to_vec())
            .await,
        Some(second),
    )?;
    conflicts(
        &store
            .put("a/2", Expected::At(second), b"three".to_vec())
            .await,
        None,
    )?;
    let other = store.put("a/2", Expected::Absent, Vec::new()).await?;
    holds(other > second, "revisions are store-wide")?;
    let found = store.get("a/1").await?;
    holds(
        found.is_some_and(|found| found.body == b"two" && found.revision == second),
        "a refused write changes nothing",
    )?;
    holds(
        store
            .get("a/2")
            .await?
            .is_some_and(|found| found.body.is_empty()),
        "an empty document is one",
    )?;
    holds(
        store.cursor().await?.revision == other,
        "the cursor is the last write",
    )
}

async fn deletes(store: Arc<dyn Store>) -> Outcome {
    conflicts(&store.delete("a", Revision::new(7)).await, None)?;
    let first = store.put("a", Expected::Absent, b"one".to_vec()).await?;
    conflicts(
        &store.delete("a", Revision::new(first.get() + 1)).await,
        Some(first),
    )?;
    let deleted = store.delete("a", first).await?;
    holds(deleted > first, "a delete has a revision")?;
    holds(
        store.get("a").await?.is_none() && store.list("").await?.is_empty(),
        "a deleted document is absent",
    )?;
    conflicts(&store.delete("a", deleted).await, None)?;
    conflicts(
        &store.put("a", Expected::At(deleted), Vec::new()).await,
        None,
    )?;
    let again = store.put("a", Expected::Absent, b"two".to_vec()).await?;
    holds(again > deleted, "a document can come back")
}

async fn limits(store: Arc<dyn Store>) -> Outcome {
    let revision = store
        .put("a", Expected::Absent, vec![7; DOCUMENT_MAX])
        .await?;
    let large = store
        .put("a", Expected::At(revision), vec![8; DOCUMENT_MAX + 1])
        .await;
    holds(
        matches!(large, Err(StoreError::TooLarge { found, .. }) if found == DOCUMENT_MAX + 1),
        "a large document is refused",
    )?;
    let kept = store.get("a").await?;
    holds(
        kept.is_some_and(|kept| kept.body == vec![7; DOCUMENT_MAX]),
        "a refused document replaces nothing, a full one is whole",
    )?;
    for key in ["", "a b", "a\u{7f}", "é", "a\n"] {
        let refused = store.put(key, Expected::Absent, Vec::new()).await;
        holds(
            matches!(refused, Err(StoreError::Key { .. })),
            "an odd key is refused",
        )?;
    }
    Ok(())
}

async fn lists(store: Arc<dyn Store>) -> Outcome {
    for key in ["b/2", "a", "b/10", "b", "b/1", "b0", "c", "b/~"] {
        store.put(key, Expected::Absent, key.into()).await?;
    }
    let keys: Vec<String> = store
        .list("b/")
        .await?
        .into_iter()
        .map(|stored| stored.key)
        .collect();
    holds(
        keys == ["b/1", "b/10", "b/2", "b/~"],
        "a list is a prefix, ordered by key",
    )?;
    holds(
        store.list("").await?.len() == 8,
        "the empty prefix is everything",
    )?;
    holds(
        store.list("b/1%").await?.is_empty(),
        "a prefix is no pattern",
    )
}

async fn one_writer_wins(first: Arc<dyn Store>, second: Arc<dyn Store>) -> Outcome {
    const ADDS: u64 = 40;
    first.put("n", Expected::Absent, b"0".to_vec()).await?;
    let (a, b) = tokio::join!(add(&*first, ADDS), add(&*second, ADDS));
    a.and(b)?;
    let found = first.get("n").await?.map(|found| found.body);
    holds(
        found == Some((2 * ADDS).to_string().into_bytes()),
        "no increment is lost between two handles",
    )
}

async fn add(store: &dyn Store, times: u64) -> Outcome {
    let mut done = 0;
    while done < times {
        let Some(found) = store.get("n").await? else {
            return holds(false, "the counter is there");
        };
        let number: u64 = String::from_utf8_lossy(&found.body)
            .parse()
            .unwrap_or_default();
        match store
            .put(
                "n",
                Expected::At(found.revision),
                (number + 1).to_string().into_bytes(),
            )
            .await
        {
            Ok(_) => done += 1,
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn watches(ours: Arc<dyn Store>, theirs: Arc<dyn Store>) -> Outcome {
    let first = ours.put("w/1", Expected::Absent, b"1".to_vec()).await?;
    ours.put("x/1", Expected::Absent, b"x".to_vec()).await?;
    let mut watch = ours.watch("w/", None);
    holds(
        watch.cursor().is_none(),
        "a watch that has given nothing has no cursor",
    )?;
    let begin = arrives(&mut *watch).await?;
    holds(
        keys(&begin) == ["w/1"],
        "a watch begins with what there is, of its prefix",
    )?;
    holds(watch.ready().await?.is_empty(), "then it is up to date")?;
    theirs.delete("w/1", first).await?;
    let written = theirs.put("w/2", Expected::Absent, b"2".to_vec()).await?;
    let mut seen = Vec::new();
    while seen
        .last()
        .is_none_or(|change: &Change| change.revision < written)
    {
        seen.extend(arrives(&mut *watch).await?);
    }
    holds(
        keys(&seen) == ["w/1", "w/2"],
        "another handle's writes arrive in order",
    )?;
    holds(
        seen.first().is_some_and(|change| change.body.is_none()),
        "deletes are seen",
    )?;
    let cursor = watch.cursor();
    drop(watch);
    ours.put("w/3", Expected::Absent, b"3".to_vec()).await?;
    let resumed = arrives(&mut *theirs.watch("w/", cursor.clone())).await?;
    holds(keys(&resumed) == ["w/3"], "a watch resumes where it stood")?;
    let stranger = cursor.map(|cursor| super::Cursor {
        incarnation: super::Incarnation::new("stranger"),
        ..cursor
    });
    holds(
        matches!(
            ours.watch("w/", stranger).next().await,
            Err(StoreError::Restored)
        ),
        "a restored store is noticed",
    )
}

async fn long_watches(store: Arc<dyn Store>) -> Outcome {
    const COUNT: usize = 700;
    for number in 0..COUNT {
        store
            .put(&format!("l/{number}"), Expected::Absent, Vec::new())
            .await?;
    }
    let mut watch = store.watch("l/", None);
    let mut seen = Vec::new();
    while seen.len() < COUNT {
        let page = arrives(&mut *watch).await?;
        holds(page.len() <= super::CHANGES_MAX, "a page is bounded")?;
        seen.extend(page);
    }
    holds(
        seen.is_sorted_by(|a, b| a.revision < b.revision),
        "pages are in order and overlap nowhere",
    )
}

async fn survives(engine: &impl Engine) -> Outcome {
    let store = engine.open();
    let kept = store.put("k/1", Expected::Absent, b"kept".to_vec()).await?;
    let gone = store.put("k/2", Expected::Absent, b"gone".to_vec()).await?;
    let last = store.delete("k/2", gone).await?;
    let before = store.cursor().await?;
    drop(store);
    let store = engine.open();
    holds(
        store.cursor().await? == before,
        "a reopened store is the same one",
    )?;
    let documents = store.list("").await?;
    holds(
        documents.len() == 1
            && documents
                .first()
                .is_some_and(|stored| stored.revision == kept),
        "documents survive",
    )?;
    let resumed = arrives(&mut *store.watch(
        "k/",
        Some(super::Cursor {
            revision: kept,
            ..before
        }),
    ))
    .await?;
    holds(
        keys(&resumed) == ["k/2"] && resumed.iter().all(|change| change.body.is_none()),
        "deletes survive",
    )?;
    holds(
        store.put("k/3", Expected::Absent, Vec::new()).await? > last,
        "revisions go on",
    )
}

fn keys(changes: &[Change]) -> Vec<&str> {
    changes.iter().map(|change| change.key.as_str()).collect()
}

async fn arrives(watch: &mut dyn Changes) -> Result<Vec<Change>, Broken> {
    let changes = tokio::time::timeout(ARRIVES_WITHIN, watch.next()).await;
    Ok(changes.map_err(|_| Broken::Clause("a change arrives".into()))??)
}
