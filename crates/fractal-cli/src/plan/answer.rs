//! What an agent answers to a dry run, and what is known without asking one.

use fractal_core::Fault;
use fractal_core::contract::ComponentKey;
use fractal_core::reconcile::Notice;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::of_class;
use fractal_core::Exit;

/// One component's plan.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Planned {
    pub(crate) component: String,
    pub(crate) offer: String,
    #[serde(flatten)]
    pub(crate) plan: Plan,
}

/// What is to come of a component.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Plan {
    /// What its agent would do.
    Preview(Preview),
    /// Why there is no plan.
    Fault(Fault),
    /// No agent makes it: its outputs are given by the environment.
    Provided(bool),
    /// The file lacks it: it would be removed.
    Removed(bool),
}

/// An agent's dry run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Preview {
    /// Steps that would be carried out first.
    pub(crate) now: Vec<Step>,
    /// What would follow.
    #[serde(default)]
    pub(crate) later: Vec<String>,
    /// Why it would wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) wait: Option<String>,
    /// What people should know of what is wanted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) notices: Vec<Notice>,
    /// The hash to approve, where the plan replaces something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) approval: Option<String>,
}

/// One step.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Step {
    pub(crate) place: String,
    pub(crate) step: String,
    pub(crate) effect: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) details: Vec<String>,
}

impl Planned {
    pub(crate) fn new(key: &ComponentKey, plan: Plan) -> Self {
        Self {
            component: key.component.to_string(),
            offer: key.offer.to_string(),
            plan,
        }
    }

    /// How the command ends because of it.
    pub(crate) const fn exit(&self) -> Exit {
        match &self.plan {
            Plan::Fault(fault) => of_class(fault.class),
            Plan::Preview(_) | Plan::Provided(_) | Plan::Removed(_) => Exit::Success,
        }
    }
}

impl Plan {
    /// Reads an answer; one of another form is an agent of another version.
    pub(crate) fn read(answer: Value) -> Option<Self> {
        let plan = serde_json::from_value(answer).ok()?;
        matches!(plan, Self::Preview(_) | Self::Fault(_)).then_some(plan)
    }
}

#[cfg(test)]
mod tests {
    use fractal_core::Reason;
    use fractal_core::reconcile::{Effect, Planned as Core, Preview as CorePreview};
    use serde_json::json;

    use super::*;

    #[test]
    fn what_agents_answer_is_read() {
        let preview = CorePreview {
            now: vec![Core {
                place: "eu-central-1/f".into(),
                step: "create function f".into(),
                effect: Effect::Create,
                details: vec!["memory: 128 -> 256".into()],
            }],
            later: vec!["wait until it is active".into()],
            wait: None,
            notices: Vec::new(),
            approval: None,
        };
        let Some(Plan::Preview(read)) = Plan::read(json!({ "preview": preview })) else {
            panic!("no preview")
        };
        assert_eq!(
            (
                read.now[0].effect.as_str(),
                read.now[0].details.len(),
                read.later.len()
            ),
            ("Create", 1, 1)
        );
        let fault = Fault::blocked(Reason::new("RoleDenied"), "denied").next("ask");
        let Some(Plan::Fault(read)) = Plan::read(json!({ "fault": fault })) else {
            panic!("no fault")
        };
        assert_eq!(read, fault);
    }

    #[test]
    fn an_answer_of_another_form_is_none() {
        for answer in [
            json!({}),
            json!({ "removed": true }),
            json!({ "preview": {} }),
            json!(1),
        ] {
            assert!(Plan::read(answer.clone()).is_none(), "{answer}");
        }
    }
}
