//! The changes that every fault is tried on, and how many calls each takes undisturbed.

use super::effort::Target;
use super::harness::{Call, Effort, Harness, Spec, Want};
use super::world::{Broken, World};

/// A change from one deployment to another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Transition {
    pub(super) name: &'static str,
    pub(super) from: Want,
    pub(super) to: Want,
}

/// One of each kind.
pub(super) const TRANSITIONS: [Transition; 4] = [
    Transition {
        name: "deploy",
        from: Want::Absent,
        to: Want::Present(Spec::First),
    },
    Transition {
        name: "update",
        from: Want::Present(Spec::First),
        to: Want::Present(Spec::Both),
    },
    Transition {
        name: "undeploy",
        from: Want::Present(Spec::First),
        to: Want::Absent,
    },
    Transition {
        name: "move",
        from: Want::Present(Spec::First),
        to: Want::Present(Spec::OtherPlace),
    },
];

/// What a change costs undisturbed.
pub(super) struct Cost {
    /// How they were chosen.
    pub(super) effort: Effort,
    /// The calls to strike.
    pub(super) targets: Vec<Target>,
    pub(super) writes: usize,
    pub(super) made: usize,
}

impl Cost {
    /// Calls struck by faults that only tell writes apart.
    pub(super) fn whole(&self) -> Vec<usize> {
        let whole = self.targets.iter().filter(|target| target.is_whole);
        whole.map(|target| target.call).collect()
    }
}

impl Transition {
    /// A fresh cloud that holds what the change starts from.
    pub(super) async fn begin<H: Harness>(
        self,
        fresh: &impl AsyncFn() -> H,
    ) -> Result<World<H>, Broken> {
        let mut world = World::new(fresh().await);
        if self.from != Want::Absent {
            world.drive(self.from).await?;
        }
        Ok(world)
    }

    /// Carries the change out undisturbed, and counts by the ledger.
    pub(super) async fn cost<H: Harness>(
        self,
        fresh: &impl AsyncFn() -> H,
    ) -> Result<Cost, Broken> {
        let mut world = self.begin(fresh).await?;
        let mark = world.cloud.mark();
        world.drive(self.to).await?;
        let calls = world.cloud.calls(mark);
        Ok(Cost {
            effort: world.cloud.effort(),
            targets: world.cloud.effort().targets(&calls),
            writes: calls.iter().filter(|call| Call::is_write(call)).count(),
            made: world.made(mark),
        })
    }

    /// Says in which case something broke.
    pub(super) fn says<T>(
        self,
        case: impl std::fmt::Debug,
        result: Result<T, Broken>,
    ) -> Result<T, Broken> {
        result.map_err(|what| format!("{}, {case:?}: {what}", self.name))
    }
}
