//! What a test process logs, whole: for tests that nothing secret is in it.
//!
//! One subscriber for the process. One per thread is not enough: tracing remembers for the whole process whether anybody listens
//! to an event, and may learn that from a thread where nobody does.

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// What has been logged since the first call of [`recorded`] in this process, by every test in it.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// All of it, down to trace level.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Records everything that this process logs from now on.
///
/// # Panics
/// Where the process has another subscriber already: nothing would be recorded then.
pub fn recorded() -> Lines {
    static LINES: OnceLock<Lines> = OnceLock::new();
    LINES.get_or_init(record).clone()
}

#[expect(
    clippy::expect_used,
    reason = "a test that looks at nothing must not pass"
)]
fn record() -> Lines {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber)
        .expect("no other subscriber in the process");
    lines
}

#[cfg(test)]
mod tests {
    use super::recorded;

    #[test]
    fn what_any_thread_logs_is_recorded() {
        let lines = recorded();
        let said = || tracing::trace!("said on another thread");
        std::thread::spawn(said).join().unwrap();
        assert!(recorded().text().contains("said on another thread"));
        assert!(lines.text().contains("TRACE"));
    }
}
