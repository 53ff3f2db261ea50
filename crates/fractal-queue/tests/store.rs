//! The SQLite engine passes the behaviour suite, on a file and in memory, and tells a restored file from the one it was.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fractal_queue::store::{Expected, Revision, Sqlite, Store, StoreError, behaviour};

struct OnFile(tempfile::TempDir);

impl OnFile {
    fn path(&self) -> PathBuf {
        self.0.path().join("queue.db")
    }
}

impl behaviour::Engine for OnFile {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(Sqlite::open(self.path()).unwrap())
    }
}

fn fresh() -> OnFile {
    OnFile(tempfile::tempdir().unwrap())
}

struct InMemory(Arc<dyn Store>);

impl behaviour::Engine for InMemory {
    fn open(&self) -> Arc<dyn Store> {
        Arc::clone(&self.0)
    }
}

#[tokio::test]
async fn sqlite_passes_the_behaviour_suite() {
    behaviour::check(fresh).await.unwrap();
}

#[tokio::test]
async fn sqlite_in_memory_passes_it_too() {
    behaviour::check(|| InMemory(Arc::new(Sqlite::in_memory().unwrap())))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_file_that_was_copied_back_is_another_incarnation() {
    let engine = fresh();
    let store = Sqlite::open(engine.path()).unwrap();
    store
        .put("a", Expected::Absent, b"1".to_vec())
        .await
        .unwrap();
    let cursor = store.cursor().await.unwrap();
    close(store).await;
    let backup = engine.0.path().join("backup.db");
    std::fs::copy(engine.path(), &backup).unwrap();
    std::fs::rename(&backup, engine.path()).unwrap();
    let store = Sqlite::open(engine.path()).unwrap();
    assert_ne!(
        store.cursor().await.unwrap().incarnation,
        cursor.incarnation
    );
    assert!(matches!(
        store.watch("", Some(cursor)).next().await,
        Err(StoreError::Restored)
    ));
    assert!(store.get("a").await.unwrap().is_some());
}

/// The last handle's side files go when its thread has closed the file.
async fn close(store: Sqlite) {
    let wal = store.path().unwrap().with_extension("db-wal");
    drop(store);
    tokio::time::timeout(Duration::from_secs(10), async {
        while wal.exists() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

fn is_replaced<T>(answer: Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::FileReplaced { .. }))
}

/// Every operation says that the file is gone; a process that went on would be alone with what it writes.
async fn refuses_everything(store: &Sqlite) {
    let body = || b"2".to_vec();
    assert!(is_replaced(store.cursor().await));
    assert!(is_replaced(store.get("a").await));
    assert!(is_replaced(store.list("").await));
    assert!(is_replaced(store.put("b", Expected::Absent, body()).await));
    assert!(is_replaced(store.delete("a", Revision::new(1)).await));
    assert!(is_replaced(store.watch("", None).next().await));
    assert!(is_replaced(store.watch("", None).ready().await));
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_is_removed_or_replaced_while_it_is_open_is_noticed() {
    let engine = fresh();
    let store = Sqlite::open(engine.path()).unwrap();
    let put = store.put("a", Expected::Absent, b"1".to_vec()).await;
    let written = put.unwrap();
    let mut waiting = store.watch("", None);
    assert_eq!(waiting.next().await.unwrap().len(), 1);
    let away = engine.0.path().join("away.db");
    std::fs::rename(engine.path(), &away).unwrap();
    // Nobody asks anything: the watch is told all the same.
    let told = tokio::time::timeout(Duration::from_secs(10), waiting.next());
    assert!(is_replaced(told.await.unwrap()));
    refuses_everything(&store).await;
    std::fs::rename(&away, engine.path()).unwrap();
    assert_eq!(store.get("a").await.unwrap().unwrap().revision, written);
    assert_eq!(waiting.ready().await.unwrap(), []);
    for name in ["queue.db", "queue.db-wal", "queue.db-shm"] {
        std::fs::remove_file(engine.0.path().join(name)).unwrap();
    }
    refuses_everything(&store).await;
    let next = Sqlite::open(engine.path()).unwrap();
    assert!(next.get("a").await.unwrap().is_none());
    next.put("a", Expected::Absent, b"3".to_vec())
        .await
        .unwrap();
    refuses_everything(&store).await;
    assert_eq!(next.list("").await.unwrap().len(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_its_owners_only() {
    use std::os::unix::fs::PermissionsExt;
    let engine = fresh();
    let _store = Sqlite::open(engine.path()).unwrap();
    for name in ["queue.db", "queue.db-wal", "queue.db-shm"] {
        let mode = std::fs::metadata(engine.0.path().join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_store_is_refused_and_kept() {
    let engine = fresh();
    std::fs::write(
        engine.path(),
        "these are my notes, and they are longer than one header",
    )
    .unwrap();
    assert!(matches!(
        Sqlite::open(engine.path()),
        Err(StoreError::Open { .. })
    ));
    assert!(
        std::fs::read_to_string(engine.path())
            .unwrap()
            .starts_with("these are my notes")
    );
}

#[tokio::test]
async fn writes_that_wait_together_are_committed_together() {
    let engine = fresh();
    let store = Arc::new(Sqlite::open(engine.path()).unwrap());
    let started = std::time::Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..2000 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            store
                .put(&format!("k/{number}"), Expected::Absent, vec![0; 256])
                .await
                .unwrap()
        });
    }
    tasks.join_all().await;
    println!("2000 durable writes in {:?}", started.elapsed());
    assert_eq!(store.list("k/").await.unwrap().len(), 2000);
}
