//! Shutdown: one switch, seen by everything that might begin something new.

use tokio::sync::watch;

/// Turns the switch.
#[derive(Debug, Clone)]
pub struct Stopper(watch::Sender<bool>);

/// Sees the switch.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stopper {
    /// A switch that is on, and its other end.
    #[must_use]
    pub fn new() -> (Self, Stop) {
        let (sender, receiver) = watch::channel(false);
        (Self(sender), Stop(receiver))
    }

    /// Whether it was turned off.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        *self.0.borrow()
    }

    /// Turns it off, for good.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Whether nothing new may begin.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves once nothing new may begin. A switch whose owner is gone counts as turned off.
    pub async fn stopped(&mut self) {
        // The error says that the owner is gone.
        let _ = self.0.wait_for(|stopping| *stopping).await;
    }
}
