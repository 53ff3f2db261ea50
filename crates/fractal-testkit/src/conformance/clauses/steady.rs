//! Undisturbed: what is deployed, and what each kind of change touches.

use fractal_core::reconcile::End;

use super::super::harness::{Call, Harness, Outside, Spec, Touch, Want};
use super::super::world::{Broken, World, told};
use super::{Cases, cases};

pub(super) async fn fresh_deploy<H: Harness>(fresh: &impl AsyncFn() -> H) -> Result<Cases, Broken> {
    let mut world = World::new(fresh().await);
    world.drive(Want::Present(Spec::First)).await?;
    let calls = world.cloud.calls(0).len();
    let (made, parts) = (world.made(0), world.cloud.parts());
    if made != parts {
        return Err(format!(
            "{made} objects were made for a component of {parts}"
        ));
    }
    Ok(vec![cases("calls", calls)])
}

pub(super) async fn second_pass<H: Harness>(fresh: &impl AsyncFn() -> H) -> Result<Cases, Broken> {
    let want = Want::Present(Spec::First);
    let mut world = World::new(fresh().await);
    world.drive(want).await?;
    let mark = world.cloud.mark();
    match world.pass(want).await? {
        End::Ready(_) => {}
        other => return Err(format!("the second pass ended with {}", told(&other))),
    }
    let writes = world.writes(mark);
    if !writes.is_empty() {
        return Err(format!("the second pass wrote: {writes:?}"));
    }
    world.check(want)?;
    Ok(vec![cases("reads", world.cloud.calls(mark).len())])
}

pub(super) async fn new_artifact<H: Harness>(fresh: &impl AsyncFn() -> H) -> Result<Cases, Broken> {
    let allowed = [Touch::Code, Touch::Marker, Touch::Staged];
    changes(fresh, Spec::NewArtifact, Touch::Code, &allowed).await
}

pub(super) async fn new_settings<H: Harness>(fresh: &impl AsyncFn() -> H) -> Result<Cases, Broken> {
    changes(
        fresh,
        Spec::NewSettings,
        Touch::Settings,
        &[Touch::Settings],
    )
    .await
}

/// The change is made with one call that touches `needed`, and nothing beyond `allowed` is touched.
async fn changes<H: Harness>(
    fresh: &impl AsyncFn() -> H,
    to: Spec,
    needed: Touch,
    allowed: &[Touch],
) -> Result<Cases, Broken> {
    let mut world = World::new(fresh().await);
    world.drive(Want::Present(Spec::First)).await?;
    let mark = world.cloud.mark();
    world.drive(Want::Present(to)).await?;
    let writes = world.writes(mark);
    let beyond: Vec<&Call> = writes
        .iter()
        .filter(|call| !allowed.contains(&call.touches))
        .collect();
    if !beyond.is_empty() {
        return Err(format!("{to:?} needs no {beyond:?}"));
    }
    let made = writes.iter().filter(|call| call.touches == needed).count();
    if made != 1 {
        return Err(format!("{to:?} took {made} calls of one: {writes:?}"));
    }
    Ok(vec![cases("writes", writes.len())])
}

pub(super) async fn dropped_key<H: Harness>(fresh: &impl AsyncFn() -> H) -> Result<Cases, Broken> {
    let mut world = World::new(fresh().await);
    world.drive(Want::Present(Spec::First)).await?;
    if !world.cloud.outside(Outside::AddsKey).await {
        return Err("the harness cannot add a foreign key".into());
    }
    world.foreign_key = true;
    world.drive(Want::Present(Spec::First)).await?;
    world.drive(Want::Present(Spec::DroppedKey)).await?;
    world.drive(Want::Present(Spec::Both)).await?;
    Ok(vec![cases("changes", 3)])
}
