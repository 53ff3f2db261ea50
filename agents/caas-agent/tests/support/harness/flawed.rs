//! Agents that are broken on purpose: what the suite has to notice through this harness, on this cluster.

use std::marker::PhantomData;

use caas_agent::{Config, Desired, Kubernetes, Memo, Observed, Place, Step};
use fractal_core::reconcile::{
    At, Content, Finding, Health, Inputs, Needs, Outputs, Owner, Plan, Platform, Rollout,
};
use fractal_core::{Class, Fault};

/// One way to be broken.
pub(crate) trait Flaw: Send + Sync + 'static {
    /// What it makes of an error.
    fn fault(fault: Fault) -> Fault {
        fault
    }

    /// What it makes of a plan.
    fn plan(plan: Plan<Step>, _desired: Option<&Desired>) -> Plan<Step> {
        plan
    }

    /// What it forgets.
    fn forget(_memo: &mut Memo) {}
}

/// Believes that what is not there will not come.
pub(crate) struct Hasty;

impl Flaw for Hasty {
    fn forget(memo: &mut Memo) {
        memo.unseen = 0;
    }
}

/// Does not hear how long it is to wait.
pub(crate) struct Deaf;

impl Flaw for Deaf {
    fn fault(mut fault: Fault) -> Fault {
        if let Class::Transient { retry_after } = &mut fault.class {
            *retry_after = None;
        }
        fault
    }
}

/// Leaves the inventory behind.
pub(crate) struct Untidy;

impl Flaw for Untidy {
    fn plan(plan: Plan<Step>, _: Option<&Desired>) -> Plan<Step> {
        match plan {
            Plan::Apply { now, .. } if matches!(now.as_slice(), [Step::Forget { .. }]) => {
                Plan::InSync
            }
            plan => plan,
        }
    }
}

/// Repairs nothing that is there already.
pub(crate) struct Blind;

impl Flaw for Blind {
    fn plan(plan: Plan<Step>, desired: Option<&Desired>) -> Plan<Step> {
        match plan {
            Plan::Apply { now, .. }
                if desired.is_some() && now.iter().all(|it| matches!(it, Step::Update { .. })) =>
            {
                Plan::InSync
            }
            plan => plan,
        }
    }
}

/// The agent with a flaw.
pub(crate) struct Flawed<F>(Kubernetes, PhantomData<F>);

impl<F> From<Kubernetes> for Flawed<F> {
    fn from(agent: Kubernetes) -> Self {
        Self(agent, PhantomData)
    }
}

fn flawed<F: Flaw>(error: impl Into<Fault>) -> Fault {
    F::fault(error.into())
}

impl<F: Flaw> Platform for Flawed<F> {
    const OFFERS: &'static [&'static str] = Kubernetes::OFFERS;
    const REVISION: u32 = Kubernetes::REVISION;
    const GRANTS: &'static [fractal_core::reconcile::Grant] = Kubernetes::GRANTS;

    type Config = Config;
    type Place = Place;
    type Memo = Memo;
    type Desired = Desired;
    type Observed = Observed;
    type Step = Step;
    type Error = Fault;

    fn provider(config: &Config) -> &str {
        Kubernetes::provider(config)
    }

    fn place(config: &Config, inputs: &Inputs, owner: &Owner) -> Result<Place, Fault> {
        Kubernetes::place(config, inputs, owner).map_err(flawed::<F>)
    }

    fn needs(config: &Config, inputs: &Inputs) -> Result<Needs, Fault> {
        Kubernetes::needs(config, inputs).map_err(flawed::<F>)
    }

    fn desired(
        config: &Config,
        place: &Place,
        inputs: &Inputs,
        rollout: &Rollout,
    ) -> Result<Desired, Fault> {
        Kubernetes::desired(config, place, inputs, rollout).map_err(flawed::<F>)
    }

    async fn observe(
        &self,
        at: &At<Place, Memo>,
        desired: Option<&Desired>,
    ) -> Result<Observed, Fault> {
        let observed = self.0.observe(at, desired).await;
        observed.map_err(flawed::<F>)
    }

    fn plan(
        at: &At<Place, Memo>,
        desired: Option<&Desired>,
        observed: &Observed,
    ) -> Result<Plan<Step>, Fault> {
        let plan = Kubernetes::plan(at, desired, observed).map_err(flawed::<F>)?;
        Ok(F::plan(plan, desired))
    }

    async fn apply(
        &self,
        at: &At<Place, Memo>,
        desired: Option<&Desired>,
        step: &Step,
        content: &dyn Content,
    ) -> Result<Memo, Fault> {
        let memo = self.0.apply(at, desired, step, content).await;
        memo.map_err(flawed::<F>)
    }

    fn report(at: &At<Place, Memo>, desired: &Desired, observed: &Observed) -> (Health, Outputs) {
        Kubernetes::report(at, desired, observed)
    }

    fn intend(step: &Step, desired: Option<&Desired>, memo: &mut Memo) {
        Kubernetes::intend(step, desired, memo);
        F::forget(memo);
    }

    fn learn(memo: &mut Memo, desired: Option<&Desired>, observed: &Observed) {
        Kubernetes::learn(memo, desired, observed);
    }

    fn lane(place: &Place) -> String {
        Kubernetes::lane(place)
    }

    async fn preflight(&self) -> Vec<Finding> {
        self.0.preflight().await
    }
}
