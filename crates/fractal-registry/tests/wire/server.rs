//! The lying registry, and a client that waits for it no longer than it must.

use std::time::Duration;

use fractal_registry::{Options, Registry, RetryPolicy, Timeouts};

pub(crate) use fractal_testkit::liar::{Liar as Server, Reply, Request, Then};

/// Settings with which a test waits for nothing longer than it must.
pub(crate) fn quick() -> Options {
    Options {
        timeouts: Timeouts {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_millis(400),
            idle: Duration::from_millis(300),
            small: Duration::from_millis(800),
            commit: Duration::from_secs(2),
            rate_window: Duration::from_millis(500),
            least_rate: 16 * 1024,
        },
        retry: RetryPolicy {
            base: Duration::from_millis(1),
            cap: Duration::from_millis(4),
            patience: Duration::from_secs(2),
            ..RetryPolicy::default()
        },
        seed: Some(7),
        ..Options::on_loopback()
    }
}

pub(crate) fn client() -> Registry {
    Registry::new(quick()).unwrap()
}
