//! The agent loses its component, shuts down, or dies: at every note, every step and every call.

use fractal_core::reconcile::End;

use super::super::diary::Interrupt;
use super::super::harness::{Call, Harness, Touch, Trouble};
use super::super::transition::{TRANSITIONS, Transition};
use super::super::world::{Broken, World, told};
use super::{Cases, cases};

pub(super) async fn fenced<H: Harness>(fresh: &impl AsyncFn() -> H) -> Result<Cases, Broken> {
    let mut tally = Cases::new();
    for change in TRANSITIONS {
        let notes = notes(fresh, change).await?;
        for note in 1..=notes {
            let interrupt = Interrupt::LostAt(note);
            change.says(interrupt, fenced_at(fresh, change, interrupt).await)?;
        }
        tally.push(cases(change.name, notes));
    }
    Ok(tally)
}

async fn fenced_at<H: Harness>(
    fresh: &impl AsyncFn() -> H,
    change: Transition,
    interrupt: Interrupt,
) -> Result<(), Broken> {
    let mut world = change.begin(fresh).await?;
    let ended = world.interrupted(change.to, interrupt).await?;
    if ended.end != End::Lost {
        return Err(format!("ended with {}", told(&ended.end)));
    }
    let refused = ended.marks.last().copied().unwrap_or_default();
    let after = world.writes(refused);
    if !after.is_empty() {
        return Err(format!("wrote after the component was lost: {after:?}"));
    }
    one_effect_a_note(&world, &ended.marks)
}

/// The lease is checked at each note: whoever writes twice after one note may write after having lost the component.
/// Staging may take several calls: it changes nothing that runs, and its names are content-addressed.
fn one_effect_a_note<H: Harness>(world: &World<H>, marks: &[u64]) -> Result<(), Broken> {
    for (from, to) in marks.iter().zip(marks.iter().skip(1)) {
        let calls = world.cloud.calls(*from);
        let span = usize::try_from(to.saturating_sub(*from)).unwrap_or(usize::MAX);
        let effects: Vec<&Call> = calls
            .iter()
            .take(span)
            .filter(|call| call.is_write())
            .collect();
        let unstaged = effects.iter().any(|call| call.touches != Touch::Staged);
        if unstaged && effects.len() > 1 {
            return Err(format!("one note was followed by {effects:?}"));
        }
    }
    Ok(())
}

async fn notes<H: Harness>(
    fresh: &impl AsyncFn() -> H,
    change: Transition,
) -> Result<usize, Broken> {
    let mut world = change.begin(fresh).await?;
    let ended = world.interrupted(change.to, Interrupt::Never).await?;
    change.says("uninterrupted", world.check(change.to))?;
    let notes = ended.marks.len();
    let mut marks = ended.marks;
    marks.push(world.cloud.mark());
    change.says("uninterrupted", one_effect_a_note(&world, &marks))?;
    Ok(notes)
}

pub(super) async fn cancelled<H: Harness>(fresh: &impl AsyncFn() -> H) -> Result<Cases, Broken> {
    let mut tally = Cases::new();
    for change in TRANSITIONS {
        let notes = notes(fresh, change).await?;
        for note in 0..notes {
            let interrupt = Interrupt::StopAfter(note);
            change.says(interrupt, stopped_after(fresh, change, interrupt).await)?;
        }
        for note in 1..=notes {
            let interrupt = Interrupt::LostAt(note);
            change.says(interrupt, taken_over(fresh, change, interrupt).await)?;
        }
        let calls = change.cost(fresh).await?.whole();
        for call in calls.iter().copied() {
            let trouble = Trouble::Hangs(call);
            change.says(trouble, died_in(fresh, change, trouble).await)?;
        }
        tally.push(cases(&format!("{} between steps", change.name), notes));
        tally.push(cases("taken over", notes));
        tally.push(cases("in calls", calls.len()));
    }
    Ok(tally)
}

async fn stopped_after<H: Harness>(
    fresh: &impl AsyncFn() -> H,
    change: Transition,
    interrupt: Interrupt,
) -> Result<(), Broken> {
    let mut world = change.begin(fresh).await?;
    let ended = world.interrupted(change.to, interrupt).await?;
    if ended.end != End::Stopped {
        return Err(format!("ended with {}", told(&ended.end)));
    }
    world.restart();
    world.cloud.advance().await;
    world.drive(change.to).await
}

/// Another agent goes on from the record of the one that lost the component.
async fn taken_over<H: Harness>(
    fresh: &impl AsyncFn() -> H,
    change: Transition,
    interrupt: Interrupt,
) -> Result<(), Broken> {
    let mut world = change.begin(fresh).await?;
    world.interrupted(change.to, interrupt).await?;
    world.restart();
    world.cloud.advance().await;
    world.drive(change.to).await
}

async fn died_in<H: Harness>(
    fresh: &impl AsyncFn() -> H,
    change: Transition,
    trouble: Trouble,
) -> Result<(), Broken> {
    let mut world = change.begin(fresh).await?;
    world.cloud.arm(trouble);
    if !world.dies_in_call(change.to).await? {
        return Err("the call that was to hang never came".into());
    }
    world.cloud.heal();
    world.restart();
    world.cloud.advance().await;
    world.drive(change.to).await
}
