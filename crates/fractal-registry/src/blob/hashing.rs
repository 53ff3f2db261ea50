//! Hashing a blob: in place, or beside the reading of a large one where there is a second core. It compares nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use fractal_core::artifact::digest::Algorithm;
use fractal_core::artifact::{Digest, Hasher};

/// Below this, in bytes, a thread costs more than it saves.
const LARGE: u64 = 8 * 1024 * 1024;
/// Bytes handed over at once: chunks from a TLS connection have 16 KiB each, and every hand-over wakes a thread.
const BUFFER: usize = 256 * 1024;
/// One that is filled, one that is hashed, and one between them.
const BUFFERS: usize = 3;

/// Cores this process may use, a container's quota included.
static CORES: LazyLock<usize> =
    LazyLock::new(|| std::thread::available_parallelism().map_or(1, usize::from));

/// Threads that hash now: one core is the readers', and more threads than cores only take memory.
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// One of those threads, as long as it is hashing.
struct Slot;

impl Slot {
    fn take() -> Option<Self> {
        let free = |taken: usize| (taken + 1 < *CORES).then_some(taken + 1);
        let taken = THREADS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free);
        // Made only where one was taken: a slot gives its own back.
        taken.is_ok().then(|| Self)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        THREADS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A digest over a blob's bytes, in order.
pub(super) enum Hashing {
    Here(Hasher),
    Beside(Beside),
}

impl Hashing {
    /// For a blob of `size` bytes.
    pub(super) fn new(algorithm: Algorithm, size: u64) -> Self {
        let slot = (size >= LARGE).then(Slot::take).flatten();
        // Where no thread is to be had, the reader hashes.
        slot.and_then(|slot| Beside::start(algorithm, slot))
            .map_or_else(|| Self::Here(Hasher::new(algorithm)), Self::Beside)
    }

    pub(super) fn update(&mut self, chunk: &[u8]) {
        match self {
            Self::Here(hasher) => hasher.update(chunk),
            Self::Beside(beside) => beside.update(chunk),
        }
    }

    /// The digest of everything taken.
    pub(super) fn finish(self) -> Digest {
        match self {
            Self::Here(hasher) => hasher.finish(),
            Self::Beside(beside) => beside.finish(),
        }
    }
}

/// A thread that hashes what it is handed. It ends with what hands it something.
///
/// Bytes are copied into a few buffers of its own that go round: a chunk that were kept for the thread would keep its
/// connection from using its read buffer again, and new memory costs four times what the copying does.
pub(super) struct Beside {
    full: SyncSender<Vec<u8>>,
    // A receiver is not Sync, a body must be; nobody ever waits for this lock.
    empty: Mutex<Receiver<Vec<u8>>>,
    filling: Vec<u8>,
    thread: JoinHandle<Digest>,
}

impl Beside {
    fn start(algorithm: Algorithm, slot: Slot) -> Option<Self> {
        let (full, handed) = sync_channel(BUFFERS);
        let (done, empty) = sync_channel(BUFFERS);
        let hashing = done.clone();
        let thread = Builder::new()
            .name("blob-hash".to_owned())
            .spawn(move || {
                let _held = slot;
                digest(algorithm, &handed, &hashing)
            })
            .ok()?;
        for _ in 1..BUFFERS {
            // As many as there is room for.
            let _ = done.try_send(Vec::with_capacity(BUFFER));
        }
        Some(Self {
            full,
            empty: Mutex::new(empty),
            filling: Vec::with_capacity(BUFFER),
            thread,
        })
    }

    fn update(&mut self, mut chunk: &[u8]) {
        while !chunk.is_empty() {
            let room = BUFFER.saturating_sub(self.filling.len());
            let (fits, rest) = chunk.split_at(room.min(chunk.len()));
            self.filling.extend_from_slice(fits);
            chunk = rest;
            if self.filling.len() >= BUFFER {
                self.hand_over();
            }
        }
    }

    /// Waits where every buffer is still to be hashed: no longer than hashing one takes.
    fn hand_over(&mut self) {
        let filled = std::mem::take(&mut self.filling);
        // The thread is gone only where it panicked, which `finish` passes on.
        if self.full.send(filled).is_ok() {
            let empty = self.empty.get_mut().unwrap_or_else(PoisonError::into_inner);
            self.filling = empty.recv().unwrap_or_default();
        }
    }

    fn finish(self) -> Digest {
        let _ = self.full.send(self.filling);
        drop(self.full);
        match self.thread.join() {
            Ok(digest) => digest,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

fn digest(algorithm: Algorithm, handed: &Receiver<Vec<u8>>, done: &SyncSender<Vec<u8>>) -> Digest {
    let mut hasher = Hasher::new(algorithm);
    for mut buffer in handed {
        hasher.update(&buffer);
        buffer.clear();
        // Nobody needs the last ones.
        let _ = done.try_send(buffer);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counted beyond the cores, as the thread gives its slot back.
    fn started(algorithm: Algorithm) -> Beside {
        THREADS.fetch_add(1, Ordering::Relaxed);
        Beside::start(algorithm, Slot).unwrap()
    }

    #[test]
    fn a_slot_that_was_not_to_be_had_is_not_given_back() {
        for _ in 0..3 {
            let slots: Vec<Option<Slot>> = (0..*CORES * 2 + 2).map(|_| Slot::take()).collect();
            assert!(slots.iter().flatten().count() < *CORES);
            drop(slots);
            assert!(
                THREADS.load(Ordering::Relaxed) <= *CORES + 2,
                "more given back than taken"
            );
        }
    }

    #[test]
    fn a_digest_is_the_same_wherever_it_is_computed() {
        let bytes: Vec<u8> = (0..6 * BUFFER + 7)
            .map(|at| (at * 31 % 251) as u8)
            .collect();
        for size in [4096, BUFFER - 1, BUFFER, 3 * BUFFER + 1] {
            let mut beside = Hashing::Beside(started(Algorithm::Sha256));
            bytes.chunks(size).for_each(|chunk| beside.update(chunk));
            assert_eq!(beside.finish(), Digest::sha256(&bytes), "{size}");
        }
    }

    #[test]
    fn nothing_at_all_has_a_digest_too() {
        let beside = started(Algorithm::Sha512);
        let empty = Hasher::new(Algorithm::Sha512).finish();
        assert_eq!(Hashing::Beside(beside).finish(), empty);
    }

    #[test]
    fn a_thread_whose_blob_is_given_up_ends() {
        let mut beside = started(Algorithm::Sha256);
        beside.update(&[7; BUFFER + 1]);
        let Beside { full, thread, .. } = beside;
        drop(full);
        thread.join().unwrap();
    }
}
