//! Every single call fails, or loses its answer, or is not visible yet.

use super::super::effort::Target;
use super::super::harness::{Effort, Harness, Spec, Trouble, Want};
use super::super::transition::{Cost, TRANSITIONS, Transition};
use super::super::world::{Broken, World};
use super::{Cases, cases};

type Strike = fn(usize) -> Trouble;

pub(super) async fn call_fails<H: Harness>(fresh: &impl AsyncFn() -> H) -> Result<Cases, Broken> {
    let all = |cost: &Cost| cost.targets.iter().map(|target| target.call).collect();
    every_call(fresh, Trouble::Fails, all).await
}

pub(super) async fn answer_lost<H: Harness>(fresh: &impl AsyncFn() -> H) -> Result<Cases, Broken> {
    every_call(fresh, Trouble::LosesAnswer, Cost::whole).await
}

async fn every_call<H: Harness>(
    fresh: &impl AsyncFn() -> H,
    strike: Strike,
    struck_calls: impl Fn(&Cost) -> Vec<usize>,
) -> Result<Cases, Broken> {
    let mut tally = Cases::new();
    for change in TRANSITIONS {
        let cost = change.cost(fresh).await?;
        let calls = struck_calls(&cost);
        for call in calls.iter().copied() {
            let trouble = strike(call);
            let mut world = change.begin(fresh).await?;
            let mark = world.cloud.mark();
            world.cloud.arm(trouble);
            change.says(trouble, world.drive(change.to).await)?;
            change.says(trouble, struck(&world, mark))?;
            let made = world.made(mark);
            if made > cost.made {
                return change.says(
                    trouble,
                    Err(format!("{made} objects were made of {}", cost.made)),
                );
            }
        }
        tally.push(cases(change.name, calls.len()));
    }
    Ok(tally)
}

fn struck<H: Harness>(world: &World<H>, since: u64) -> Result<(), Broken> {
    if world.cloud.calls(since).iter().any(|call| call.struck) {
        return Ok(());
    }
    Err("the armed fault struck no call".into())
}

/// What is wanted instead, after a call was struck.
#[derive(Debug, Clone, Copy)]
enum Meanwhile {
    /// What was there before.
    Back,
    /// Something else.
    Other,
    /// Something else for one pass, then again what was wanted.
    OtherAndBack,
}

const MEANWHILE: [Meanwhile; 3] = [Meanwhile::Back, Meanwhile::Other, Meanwhile::OtherAndBack];

/// A call struck in each way, with each change meanwhile.
///
/// Of chosen calls only writes: a write that fails leaves what the reads before it found, and is followed by one change in turn.
fn surprises(effort: Effort, target: Target) -> Vec<(Trouble, Meanwhile)> {
    let call = target.call;
    let each = |trouble| MEANWHILE.map(|meanwhile| (trouble, meanwhile));
    let (failing, losing) = (each(Trouble::Fails(call)), each(Trouble::LosesAnswer(call)));
    match effort {
        Effort::EveryCall => [failing, losing].concat(),
        Effort::EveryWrite if target.is_whole => {
            let in_turn = failing.into_iter().cycle().skip(call).take(1);
            in_turn.chain(losing).collect()
        }
        Effort::EveryWrite => Vec::new(),
    }
}

pub(super) async fn changed_meanwhile<H: Harness>(
    fresh: &impl AsyncFn() -> H,
) -> Result<Cases, Broken> {
    let mut tally = Cases::new();
    for change in TRANSITIONS {
        let cost = change.cost(fresh).await?;
        let targets = cost.targets.into_iter();
        let all: Vec<_> = targets.flat_map(|it| surprises(cost.effort, it)).collect();
        for (trouble, meanwhile) in all.iter().copied() {
            let result = changed(fresh, change, trouble, meanwhile).await;
            change.says((trouble, meanwhile), result)?;
        }
        tally.push(cases(change.name, all.len()));
    }
    Ok(tally)
}

async fn changed<H: Harness>(
    fresh: &impl AsyncFn() -> H,
    change: Transition,
    trouble: Trouble,
    meanwhile: Meanwhile,
) -> Result<(), Broken> {
    let mut world = change.begin(fresh).await?;
    let mark = world.cloud.mark();
    world.cloud.arm(trouble);
    world.until_struck(change.to, mark).await?;
    world.cloud.advance().await;
    let other = Want::Present(Spec::DroppedKey);
    match meanwhile {
        Meanwhile::Back => world.drive(change.from).await,
        Meanwhile::Other => world.drive(other).await,
        Meanwhile::OtherAndBack => {
            world.pass(other).await?;
            world.cloud.advance().await;
            world.drive(change.to).await
        }
    }
}

/// Also undeployed at once, while the object that was just made cannot be seen yet, with and without the answer to its making.
pub(super) async fn stale_read<H: Harness>(fresh: &impl AsyncFn() -> H) -> Result<Cases, Broken> {
    let reads = World::new(fresh().await).cloud.stale_reads();
    for change in TRANSITIONS {
        let cost = change.cost(fresh).await?;
        let mut world = change.begin(fresh).await?;
        let mark = world.cloud.mark();
        world.cloud.arm(Trouble::StaleReads(reads));
        change.says("stale reads", world.drive(change.to).await)?;
        let made = world.made(mark);
        if made > cost.made {
            return Err(format!(
                "{}: {made} objects were made of {}",
                change.name, cost.made
            ));
        }
    }
    let calls = TRANSITIONS[0].cost(fresh).await?.whole();
    for call in std::iter::once(0).chain(calls.iter().copied()) {
        let mut world = World::new(fresh().await);
        world.cloud.arm(Trouble::StaleReads(reads));
        if call > 0 {
            world.cloud.arm(Trouble::LosesAnswer(call));
        }
        world.pass(Want::Present(Spec::First)).await?;
        let undeployed = world.drive(Want::Absent).await;
        undeployed.map_err(|what| format!("undeployed right after call {call}: {what}"))?;
    }
    Ok(vec![
        cases("changes", TRANSITIONS.len()),
        cases("undeploys", calls.len() + 1),
    ])
}
