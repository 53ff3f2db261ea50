//! What the cloud does by itself or by other hands: drift, slow operations, late failures.

use fractal_core::Class;
use fractal_core::reconcile::End;

use super::super::harness::{Harness, Object, Outside, Spec, Trouble, Want};
use super::super::world::{Broken, World, told};
use super::{Cases, cases};

const FIRST: Want = Want::Present(Spec::First);

pub(super) async fn drift<H: Harness>(fresh: &impl AsyncFn() -> H) -> Result<Cases, Broken> {
    let mut seen = 0;
    for act in [
        Outside::ChangesCode,
        Outside::ChangesSettings,
        Outside::DropsDigestMarker,
        Outside::DropsOwnerMarker,
    ] {
        let mut world = World::new(fresh().await);
        world.drive(FIRST).await?;
        if !world.cloud.outside(act).await {
            continue;
        }
        if world.check(FIRST).is_ok() {
            return Err(format!("{act:?}: the harness changed nothing"));
        }
        seen += 1;
        repaired(&mut world, act)
            .await
            .map_err(|what| format!("{act:?}: {what}"))?;
    }
    match seen {
        0..2 => Err("the harness can change neither code nor settings".into()),
        _ => Ok(vec![cases("changes", seen)]),
    }
}

/// An object that lost its ownership marker may be anyone's: refusing it is as good an answer as marking it again.
async fn repaired<H: Harness>(world: &mut World<H>, act: Outside) -> Result<(), Broken> {
    if act != Outside::DropsOwnerMarker {
        return world.drive(FIRST).await;
    }
    let mark = world.cloud.mark();
    match world.pass(FIRST).await? {
        End::Fault(fault) if fault.class == Class::Blocked => match world.writes(mark) {
            writes if writes.is_empty() => Ok(()),
            writes => Err(format!("refused after writing {writes:?}")),
        },
        _ => world.drive(FIRST).await,
    }
}

pub(super) async fn busy<H: Harness>(fresh: &impl AsyncFn() -> H) -> Result<Cases, Broken> {
    let mut world = World::new(fresh().await);
    let mut waited = 0;
    for (begun, other) in [
        (Spec::First, Spec::Both),
        (Spec::NewArtifact, Spec::DroppedKey),
    ] {
        let begun = Want::Present(begun);
        match world.pass(begun).await? {
            End::Wait(_) => {}
            end => return Err(format!("{begun:?} was begun and ended with {}", told(&end))),
        }
        let mut asked = begun;
        for want in [begun, Want::Present(other), begun] {
            if want != asked && world.cloud.is_declarative() {
                taken(&mut world, want).await?;
                asked = want;
            }
            waits(&mut world, want, begun).await?;
            waited += 1;
        }
        world.cloud.advance().await;
        world.drive(begun).await?;
    }
    Ok(vec![cases("passes while busy", waited)])
}

/// What is wanted instead is written at once.
async fn taken<H: Harness>(world: &mut World<H>, want: Want) -> Result<(), Broken> {
    let mark = world.cloud.mark();
    let end = world.pass(want).await?;
    let writes = world.writes(mark);
    match end {
        End::Wait(_) | End::Ready(_) if !writes.is_empty() => Ok(()),
        end => Err(format!(
            "while the cloud was busy, {want:?} wrote {writes:?} and ended with {}",
            told(&end)
        )),
    }
}

/// Nothing is written. Only what a declarative cloud went back to may be ready already.
async fn waits<H: Harness>(world: &mut World<H>, want: Want, begun: Want) -> Result<(), Broken> {
    let mark = world.cloud.mark();
    let end = world.pass(want).await?;
    let writes = world.writes(mark);
    if !writes.is_empty() {
        return Err(format!(
            "while the cloud was busy, {want:?} wrote {writes:?}"
        ));
    }
    match end {
        End::Wait(_) => Ok(()),
        End::Ready(_) if want != begun && world.cloud.is_declarative() => Ok(()),
        end => Err(format!(
            "while the cloud was busy, {want:?} ended with {}",
            told(&end)
        )),
    }
}

pub(super) async fn late_failure<H: Harness>(fresh: &impl AsyncFn() -> H) -> Result<Cases, Broken> {
    let mut operations = 0;
    for to in [Spec::NewArtifact, Spec::NewSettings] {
        let mut world = World::new(fresh().await);
        if !world.cloud.can_fail_late(to) {
            continue;
        }
        world.drive(FIRST).await?;
        let before = world.ours();
        fails_late(&mut world, Want::Present(to)).await?;
        let marked = !world.cloud.is_declarative();
        let serves = |objects: &[Object]| {
            let each = objects.iter();
            each.map(|object| {
                (
                    object.serves.clone(),
                    object.digest.clone().filter(|_| marked),
                )
            })
            .collect::<Vec<_>>()
        };
        let after = world.ours();
        if serves(&before) != serves(&after) {
            return Err(format!(
                "{to:?} failed, and {after:?} serves instead of {before:?}"
            ));
        }
        world.cloud.heal();
        world.drive(Want::Present(to)).await?;
        operations += 1;
    }
    if operations == 0 {
        return Err("the harness can let no change fail late".into());
    }
    let mut world = World::new(fresh().await);
    fails_late(&mut world, FIRST).await?;
    world.cloud.heal();
    world.drive(FIRST).await?;
    Ok(vec![cases("operations", operations + 1)])
}

async fn fails_late<H: Harness>(world: &mut World<H>, want: Want) -> Result<(), Broken> {
    let expected = world.cloud.late_failure();
    world.cloud.arm(Trouble::FailsLate);
    let fault = world.until_fault(want).await?;
    if fault.class != expected.class {
        let class = fault.class.as_str();
        return Err(format!(
            "{want:?} failed late, and {class} is not {}: {fault}",
            expected.class.as_str()
        ));
    }
    if fault.to_string().contains(&expected.says) {
        return Ok(());
    }
    Err(format!(
        "{want:?} failed late, and nothing says `{}`: {fault}",
        expected.says
    ))
}
