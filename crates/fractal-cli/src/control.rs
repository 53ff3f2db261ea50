//! The queue a command works on: which one, and whether it has to be there already.

use std::sync::Arc;

use fractal_core::{Fault, Reason};
use fractal_queue::{Queue, QueueUrl, SystemClock};

use crate::error::CliError;

const QUEUE_MISSING: Reason = Reason::new("QueueMissing");

/// Which queue.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct QueueArgs {
    /// The queue shared with the agents: sqlite:PATH
    #[arg(
        long,
        env = "FRACTAL_QUEUE",
        hide_env_values = true,
        value_name = "URL"
    )]
    queue: Option<QueueUrl>,
}

impl QueueArgs {
    /// Opens the queue, which is made where there is none yet.
    pub(crate) fn open_or_make(&self) -> Result<Queue, CliError> {
        let url = self.url()?;
        let store = url.open().map_err(|error| Fault::from(&error).at(url))?;
        Ok(Queue::new(store, Arc::new(SystemClock::default())))
    }

    /// Opens the queue. A mistyped path is said, and no empty queue is left behind there.
    pub(crate) fn open(&self) -> Result<Queue, CliError> {
        let url = self.url()?;
        if let QueueUrl::Sqlite(path) = url
            && !path.exists()
        {
            let fault = Fault::blocked(QUEUE_MISSING, "there is no queue")
                .at(url)
                .next("check --queue or FRACTAL_QUEUE; `fractal up` makes a queue where there is none");
            return Err(fault.into());
        }
        self.open_or_make()
    }

    fn url(&self) -> Result<&QueueUrl, CliError> {
        self.queue.as_ref().ok_or_else(|| {
            CliError::usage(
                "no queue is given",
                "set FRACTAL_QUEUE or --queue, for example sqlite:fractal.db",
            )
        })
    }
}
