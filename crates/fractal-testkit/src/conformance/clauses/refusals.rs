//! What the cloud or the agent refuses, and how it is said.

use std::time::Duration;

use fractal_core::Class;
use fractal_core::reconcile::End;

use super::super::harness::{Call, Harness, Outcome, Outside, Spec, Trouble, Want};
use super::super::transition::{TRANSITIONS, Transition};
use super::super::world::{Broken, World, told};
use super::{Cases, cases};

const FIRST: Want = Want::Present(Spec::First);
/// What a throttled answer asks for.
const RETRY_AFTER: Duration = Duration::from_secs(7);

pub(super) async fn throttled<H: Harness>(fresh: &impl AsyncFn() -> H) -> Result<Cases, Broken> {
    let mut tally = Cases::new();
    for change in TRANSITIONS {
        let targets = change.cost(fresh).await?.targets;
        for call in targets.iter().map(|target| target.call) {
            let result = throttled_at(fresh, change, call).await;
            change.says(Trouble::Throttles(call, RETRY_AFTER), result)?;
        }
        tally.push(cases(change.name, targets.len()));
    }
    Ok(tally)
}

async fn throttled_at<H: Harness>(
    fresh: &impl AsyncFn() -> H,
    change: Transition,
    call: usize,
) -> Result<(), Broken> {
    let mut world = change.begin(fresh).await?;
    world.cloud.arm(Trouble::Throttles(call, RETRY_AFTER));
    let fault = world.until_fault(change.to).await?;
    let wanted = Class::Transient {
        retry_after: Some(RETRY_AFTER),
    };
    if fault.class != wanted {
        return Err(format!("{:?} is not {wanted:?}: {fault}", fault.class));
    }
    world.drive(change.to).await
}

pub(super) async fn forbidden<H: Harness>(fresh: &impl AsyncFn() -> H) -> Result<Cases, Broken> {
    let mut tally = Cases::new();
    for change in TRANSITIONS {
        let writes = change.cost(fresh).await?.writes;
        for write in 1..=writes {
            let result = forbidden_at(fresh, change, write).await;
            change.says(Trouble::Forbids(write), result)?;
        }
        tally.push(cases(change.name, writes));
    }
    Ok(tally)
}

async fn forbidden_at<H: Harness>(
    fresh: &impl AsyncFn() -> H,
    change: Transition,
    write: usize,
) -> Result<(), Broken> {
    let mut world = change.begin(fresh).await?;
    let mark = world.cloud.mark();
    world.cloud.arm(Trouble::Forbids(write));
    let fault = world.until_fault(change.to).await?;
    let calls = world.cloud.calls(mark);
    let denied = calls.iter().find(|call| call.outcome == Outcome::Prevented);
    let denied = denied.ok_or_else(|| format!("no call was denied: {fault}"))?;
    let permission = world.cloud.permission(&denied.operation);
    if fault.class != Class::Blocked {
        return Err(format!("{} is not Blocked: {fault}", fault.class.as_str()));
    }
    if !fault.to_string().contains(&permission) {
        return Err(format!("nothing names `{permission}`: {fault}"));
    }
    world.cloud.heal();
    world.drive(change.to).await
}

pub(super) async fn impossible<H: Harness>(fresh: &impl AsyncFn() -> H) -> Result<Cases, Broken> {
    let mut world = World::new(fresh().await);
    refused_unseen(&mut world).await?;
    world.drive(FIRST).await?;
    refused_unseen(&mut world).await?;
    world.check(FIRST)?;
    Ok(vec![cases("passes", 2)])
}

async fn refused_unseen<H: Harness>(world: &mut World<H>) -> Result<(), Broken> {
    let mark = world.cloud.mark();
    match world.pass(Want::Present(Spec::Impossible)).await? {
        End::Fault(fault) if fault.class == Class::Terminal => {}
        end => return Err(format!("an impossible spec ended with {}", told(&end))),
    }
    match world.cloud.calls(mark) {
        calls if calls.is_empty() => Ok(()),
        calls => Err(format!("an impossible spec cost {calls:?}")),
    }
}

/// The place is another's from the beginning, or it became another's after we had been there.
pub(super) async fn foreign<H: Harness>(fresh: &impl AsyncFn() -> H) -> Result<Cases, Broken> {
    for act in [Outside::TakesPlace, Outside::TakesPlaceUnmarked] {
        for were_there in [false, true] {
            let mut world = World::new(fresh().await);
            if were_there {
                world.drive(FIRST).await?;
            }
            if !world.cloud.outside(act).await {
                return Err(format!("the harness cannot do {act:?}"));
            }
            let result = left_alone(&mut world).await;
            result.map_err(|what| format!("{act:?}, ours before: {were_there}: {what}"))?;
        }
    }
    Ok(vec![cases("objects", 4)])
}

async fn left_alone<H: Harness>(world: &mut World<H>) -> Result<(), Broken> {
    let before = world.theirs();
    let mark = world.cloud.mark();
    for want in [FIRST, Want::Present(Spec::Both)] {
        match world.pass(want).await? {
            End::Fault(fault) if fault.class == Class::Blocked => {}
            end => return Err(format!("{want:?} ended with {}", told(&end))),
        }
    }
    untouched(world.writes(mark))?;
    world.leave().await?;
    let after = world.theirs();
    if before != after {
        return Err(format!("{before:?} became {after:?}"));
    }
    untouched(world.cloud.foreign_writes(mark))
}

fn untouched(writes: Vec<Call>) -> Result<(), Broken> {
    if writes.is_empty() {
        return Ok(());
    }
    Err(format!("a foreign object was written to: {writes:?}"))
}
