//! The SQLite engine passes the behaviour suite, on a file and in memory, and tells a restored file from the one it was.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fractal_queue::store::{Expected, Sqlite, Store, StoreError, behaviour};

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
