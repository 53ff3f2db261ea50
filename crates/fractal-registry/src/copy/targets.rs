//! The same work at several targets at once.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::target::{Target, interrupted};
use crate::counts::tallied;
use crate::error::RegistryError;

pub(super) type Targets = Vec<Arc<Target>>;

/// Those that have not failed.
pub(super) fn live(targets: &[Arc<Target>]) -> Targets {
    let live = targets.iter().filter(|target| target.is_live());
    live.cloned().collect()
}

/// Does the same with every target at once. Those that fail are left out, and know why.
pub(super) async fn each<T, W>(
    targets: &[Arc<Target>],
    work: impl Fn(Arc<Target>) -> W,
) -> Vec<(Arc<Target>, T)>
where
    T: Send + 'static,
    W: Future<Output = Result<T, RegistryError>> + Send + 'static,
{
    let mut all = JoinSet::new();
    for (place, target) in targets.iter().enumerate() {
        let (tally, work) = (target.tally.clone(), work(target.clone()));
        all.spawn(async move { (place, tallied(&tally, work).await) });
    }
    let mut done: Vec<Option<Result<T, RegistryError>>> = Vec::new();
    done.resize_with(targets.len(), || None);
    while let Some(joined) = all.join_next().await {
        if let Ok((place, result)) = joined
            && let Some(slot) = done.get_mut(place)
        {
            *slot = Some(result);
        }
    }
    let mut succeeded = Vec::new();
    for (target, result) in targets.iter().zip(done) {
        match result {
            Some(Ok(value)) => succeeded.push((target.clone(), value)),
            Some(Err(error)) => target.fail(error),
            None => target.fail(interrupted(target)),
        }
    }
    succeeded
}
