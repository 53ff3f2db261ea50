//! The conformance suite's way into and around a real control plane.
//!
//! Faults come from a proxy before the API server, whose ledger tells what the agent asked for. What the cluster holds is read past it.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};

use caas_agent::{Config, Kubernetes};
use fractal_core::Class;
use fractal_core::reconcile::{Content, Inputs, NoContent, Platform, Rollout};
use fractal_testkit::cluster::proxy::{Fault, FaultProxy};
use fractal_testkit::conformance::{
    Call, Effort, Expected, Harness, LateFailure, Object, Outside, Spec, Trouble,
};

#[path = "harness/admin.rs"]
mod admin;
#[path = "harness/audited.rs"]
mod audited;
#[path = "harness/flawed.rs"]
pub(crate) mod flawed;
#[path = "harness/ledger.rs"]
mod ledger;
#[path = "harness/others.rs"]
mod others;
#[path = "harness/settle.rs"]
mod settle;
#[path = "harness/site.rs"]
mod site;
#[path = "harness/specs.rs"]
mod specs;
#[path = "harness/truth.rs"]
mod truth;

use admin::Admin;
use site::Site;
use specs::Shape;

/// What the API server says of pods beyond a quota.
const LATE: &str = "exceeded quota";

/// Two fresh namespaces and an agent that may write to them, through a proxy of their own.
pub(crate) struct KubernetesCloud<P = Kubernetes> {
    agent: PhantomData<fn() -> P>,
    admin: &'static Admin,
    shape: Shape,
    site: Site,
    proxy: FaultProxy,
    /// How the agent reaches the proxy.
    way: kube::Config,
    /// Whether new pods are refused at present.
    starved: AtomicBool,
}

impl<P> KubernetesCloud<P> {
    pub(crate) async fn workload() -> Self {
        Self::fresh(Shape::Workload).await
    }

    pub(crate) async fn bundle() -> Self {
        Self::fresh(Shape::Bundle).await
    }

    async fn fresh(shape: Shape) -> Self {
        let admin = Admin::get();
        let proxy = FaultProxy::before(admin.cluster).await;
        let site = Site::take(admin).await;
        let kubeconfig = proxy.kubeconfig(&admin.agent_token);
        Self {
            agent: PhantomData,
            way: admin::way(&kubeconfig).await,
            admin,
            shape,
            site,
            proxy,
            starved: AtomicBool::new(false),
        }
    }
}

impl<P: Platform<Config = Config> + From<Kubernetes>> Harness for KubernetesCloud<P> {
    type Platform = P;

    fn agent(&self) -> P {
        let client = kube::Client::try_from(self.way.clone()).unwrap();
        Kubernetes::new(client, self.site.home()).into()
    }

    fn config(&self) -> Config {
        specs::config(self.site.home())
    }

    fn content(&self) -> &dyn Content {
        &NoContent
    }

    fn deployment(&self, spec: Spec) -> (Inputs, Rollout) {
        let namespace = self.site.namespace(self.admin, spec);
        self.shape.deployment(spec, namespace)
    }

    fn expected(&self, spec: Spec) -> Expected {
        let namespace = self.site.namespace(self.admin, spec);
        self.shape.expected(spec, namespace)
    }

    fn mark(&self) -> u64 {
        self.proxy.mark()
    }

    fn calls(&self, since: u64) -> Vec<Call> {
        ledger::calls(&self.proxy, since)
    }

    fn objects(&self) -> Vec<Object> {
        let views = truth::views(self.admin, self.site.used());
        views.iter().flat_map(truth::View::objects).collect()
    }

    fn leftovers(&self) -> Vec<String> {
        let views = truth::outlines(self.admin, self.site.used());
        views.iter().flat_map(truth::View::leftovers).collect()
    }

    fn arm(&self, trouble: Trouble) {
        match Fault::of(trouble) {
            Some(fault) => self.proxy.arm(fault),
            None => {
                self.starved.store(true, Ordering::SeqCst);
                let home = self.site.home().to_owned();
                self.admin.wait(settle::starve(self.admin, home));
            }
        }
    }

    fn heal(&self) {
        self.proxy.heal();
        if self.starved.swap(false, Ordering::SeqCst) {
            let home = self.site.home().to_owned();
            self.admin.wait(settle::feed(self.admin, home));
        }
    }

    async fn advance(&self) {
        let used = self.site.used();
        self.admin.run(settle::settle(self.admin, used)).await;
    }

    async fn hung(&self) {
        self.proxy.hung().await;
    }

    async fn outside(&self, act: Outside) -> bool {
        let (home, shape) = (self.site.home().to_owned(), self.shape);
        self.admin
            .run(others::act(self.admin, home, shape, act))
            .await;
        self.advance().await;
        true
    }

    fn permission(&self, operation: &str) -> String {
        ledger::rule(operation)
    }

    fn late_failure(&self) -> LateFailure {
        LateFailure {
            class: Class::Blocked,
            says: LATE.into(),
        }
    }

    fn parts(&self) -> usize {
        self.shape.parts().len()
    }

    fn is_declarative(&self) -> bool {
        true
    }

    /// A ConfigMap changes at once.
    fn can_fail_late(&self, to: Spec) -> bool {
        self.shape == Shape::Workload || to == Spec::NewArtifact
    }

    fn foreign_writes(&self, since: u64) -> Vec<Call> {
        let views = truth::outlines(self.admin, self.site.used());
        let paths: Vec<String> = views.iter().flat_map(truth::View::foreign_paths).collect();
        ledger::writes_to(&self.proxy, since, &paths)
    }

    fn effort(&self) -> Effort {
        Effort::EveryWrite
    }
}
