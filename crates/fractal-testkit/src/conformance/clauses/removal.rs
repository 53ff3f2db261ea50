//! Taking away: by request, by record alone, and from the place that was left.

use super::super::harness::{Harness, Spec, Want};
use super::super::world::{Broken, World};
use super::{Cases, cases};

const FIRST: Want = Want::Present(Spec::First);

pub(super) async fn undeploy<H: Harness>(fresh: &impl AsyncFn() -> H) -> Result<Cases, Broken> {
    let mut world = World::new(fresh().await);
    world.drive(Want::Absent).await?;
    never_writes(&world, 0, "undeploying what never was")?;
    world.drive(FIRST).await?;
    world.drive(Want::Absent).await?;
    let mark = world.cloud.mark();
    world.drive(Want::Absent).await?;
    never_writes(&world, mark, "undeploying again")?;
    Ok(vec![cases("undeploys", 3)])
}

fn never_writes<H: Harness>(world: &World<H>, since: u64, what: &str) -> Result<(), Broken> {
    match world.writes(since) {
        writes if writes.is_empty() => Ok(()),
        writes => Err(format!("{what} wrote {writes:?}")),
    }
}

/// The specification is one that cannot be read any more, and the agent is not the process that made the object.
pub(super) async fn by_record<H: Harness>(fresh: &impl AsyncFn() -> H) -> Result<Cases, Broken> {
    for deployed in [Spec::First, Spec::OtherPlace] {
        let mut world = World::new(fresh().await);
        world.drive(Want::Present(deployed)).await?;
        world.pass(Want::Present(Spec::Impossible)).await?;
        world.restart();
        world.drive(Want::Absent).await?;
    }
    Ok(vec![cases("places", 2)])
}

/// Between two passes there is always an object that serves: the old one goes only after the new one is ready.
pub(super) async fn moved<H: Harness>(fresh: &impl AsyncFn() -> H) -> Result<Cases, Broken> {
    let mut world = World::new(fresh().await);
    world.drive(FIRST).await?;
    let to = Want::Present(Spec::OtherPlace);
    let mut passes = 0;
    while world.check(to).is_err() && passes < 8 {
        world.pass(to).await?;
        passes += 1;
        if !world.ours().iter().any(|object| object.serves.is_some()) {
            return Err(format!("after pass {passes} of the move nothing serves"));
        }
        world.cloud.advance().await;
    }
    world.drive(to).await?;
    world.drive(FIRST).await?;
    Ok(vec![cases("moves", 2), cases("passes", passes)])
}
