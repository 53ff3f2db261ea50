//! Running futures side by side, so that their writes share syncs. No tasks are spawned: dropping it drops them all.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use crate::error::QueueError;

/// How many run side by side.
const WIDTH: usize = 128;

/// Runs all of them and gives their results back in order, or the first error.
pub(super) async fn gather<T>(
    futures: impl Iterator<Item = impl Future<Output = Result<T, QueueError>> + Send>,
) -> Result<Vec<T>, QueueError> {
    let mut futures = futures.peekable();
    let mut results = Vec::new();
    while futures.peek().is_some() {
        results.extend(side_by_side(futures.by_ref().take(WIDTH)).await?);
    }
    Ok(results)
}

enum Slot<F, T> {
    Running(Pin<Box<F>>),
    Done(T),
}

async fn side_by_side<F: Future<Output = Result<T, QueueError>>, T>(
    futures: impl Iterator<Item = F>,
) -> Result<Vec<T>, QueueError> {
    let mut slots: Vec<Slot<F, T>> = futures
        .map(|future| Slot::Running(Box::pin(future)))
        .collect();
    poll_fn(|context| {
        let mut waiting = false;
        for slot in &mut slots {
            let Slot::Running(future) = slot else {
                continue;
            };
            match future.as_mut().poll(context) {
                Poll::Ready(Ok(value)) => *slot = Slot::Done(value),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => waiting = true,
            }
        }
        if waiting {
            Poll::Pending
        } else {
            Poll::Ready(Ok(()))
        }
    })
    .await?;
    Ok(slots
        .into_iter()
        .filter_map(|slot| {
            if let Slot::Done(value) = slot {
                Some(value)
            } else {
                None
            }
        })
        .collect())
}
