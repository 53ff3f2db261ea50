//! Dry runs asked for through the queue: answered here, so that whoever asks needs no cloud credentials.

use std::time::Duration;

use fractal_core::contract::{Component, LiveSystemId};
use fractal_core::reconcile::{Owner, Platform, Preview, Record};
use fractal_core::{Fault, Reason};
use fractal_queue::{Ask, ComponentDocument, Desired, Gate, Question, QueueError, Scope};
use serde_json::json;

use super::{Look, Worker, of};

/// Longest time an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// A question older than this is answered for nobody, in milliseconds.
const ASK_AGE_MILLIS: u64 = 10 * 60 * 1000;

impl<P: Platform> Worker<P> {
    /// Answers one question, with a fault where there is no other answer. Changes nothing but the question's own document.
    pub(crate) async fn answer(&self, ask: &Ask) {
        if let Err(error) = self.try_answer(ask).await {
            let fault = Fault::from(&error);
            tracing::warn!(reason = %fault.reason, fault = %fault, "queue failed");
            // An answer too large for the queue, for one; if this fails too, the one who asks runs out of patience.
            let _ = self.queue.answer(&ask.id, json!({ "fault": fault })).await;
        }
    }

    async fn try_answer(&self, ask: &Ask) -> Result<(), QueueError> {
        let now = self.queue.clock().wall().unix_millis();
        if now.saturating_sub(ask.at.unix_millis()) > ASK_AGE_MILLIS {
            // Whoever asked is gone; the queue is swept of it.
            return Ok(());
        }
        let planned = tokio::time::timeout(ANSWER_WITHIN, self.planned(ask)).await;
        let answer = match planned {
            Ok(planned) => planned?,
            Err(_) => Err(too_slow()),
        };
        let answer = match answer {
            Ok(preview) => json!({ "preview": preview }),
            Err(fault) => json!({ "fault": fault }),
        };
        self.queue.answer(&ask.id, answer).await
    }

    async fn planned(&self, ask: &Ask) -> Result<Result<Preview, Fault>, QueueError> {
        let document = self.queue.component(&ask.key).await?;
        let body = match (&ask.question, &document) {
            (Question::PlanOf(_), _) => self.queue.asked_body(ask).await?,
            (Question::Plan, Some(document)) => match self.queue.desired(document).await? {
                Desired::Present(body) => Some(*body),
                Desired::Absent | Desired::Unreadable(_) => None,
            },
            (Question::Plan, None) => None,
        };
        let Some(body) = body else {
            return Ok(self.removal(document.as_ref()).await);
        };
        match document {
            Some(document) => self.change(&document, &body).await,
            None => Ok(self.creation(ask, &body).await),
        }
    }

    /// Every document in scope, by key.
    pub(crate) async fn documents(
        &self,
        scope: &Scope,
        only: Option<&LiveSystemId>,
    ) -> Result<Vec<ComponentDocument>, Fault> {
        let failed = |error: QueueError| Fault::from(&error);
        let mut all = Vec::new();
        for live_system in self.queue.live_systems().await.map_err(failed)? {
            if only.is_none_or(|only| *only == live_system.id) {
                all.extend(
                    self.queue
                        .components(&live_system.id)
                        .await
                        .map_err(failed)?,
                );
            }
        }
        all.retain(|document| scope.covers(&document.key));
        Ok(all)
    }

    /// What would be done about a component as it is desired now.
    pub(crate) async fn plan_of(
        &self,
        document: &ComponentDocument,
    ) -> Result<Result<Preview, Fault>, Fault> {
        let failed = |error: QueueError| Fault::from(&error);
        match self.queue.desired(document).await.map_err(failed)? {
            Desired::Present(body) => self.change(document, &body).await.map_err(failed),
            Desired::Absent | Desired::Unreadable(_) => Ok(self.removal(Some(document)).await),
        }
    }

    async fn removal(&self, document: Option<&ComponentDocument>) -> Result<Preview, Fault> {
        match document {
            Some(document) => self.preview(document, None).await,
            None => Ok(Preview {
                now: Vec::new(),
                later: Vec::new(),
                wait: None,
                notices: Vec::new(),
                approval: None,
            }),
        }
    }

    async fn change(
        &self,
        document: &ComponentDocument,
        body: &Component,
    ) -> Result<Result<Preview, Fault>, QueueError> {
        let outputs = match self.queue.gate(document, Some(body)).await? {
            Gate::Ready(outputs) => outputs,
            Gate::Waiting { why, .. } => return Ok(Ok(waiting(why))),
        };
        match self.wanted(of(document), body, outputs, true).await {
            Ok(wanted) => Ok(self.preview(document, Some(&wanted)).await),
            Err(look) => Ok(early(*look)),
        }
    }

    /// Of a component that is not in the queue yet: nothing is remembered of it.
    async fn creation(&self, ask: &Ask, body: &Component) -> Result<Preview, Fault> {
        use fractal_core::reconcile::{Consent, Goal, Task, preview};
        let wanted = match self
            .wanted((&ask.key, None), body, Default::default(), true)
            .await
        {
            Ok(wanted) => wanted,
            Err(look) => return early(*look),
        };
        let owner = Owner {
            installation: self.installation.clone(),
            component: ask.key.clone(),
        };
        let goal = Goal::Present {
            inputs: &wanted.inputs,
            rollout: &wanted.rollout,
        };
        let task = Task {
            owner: &owner,
            config: &self.config,
            goal,
            record: Record::default(),
            consent: Consent::Withheld,
        };
        Box::pin(preview(&self.platform, &task)).await
    }
}

fn too_slow() -> Fault {
    let what = format!(
        "the plan was not ready within {} seconds",
        ANSWER_WITHIN.as_secs()
    );
    Fault::transient(Reason::new("PlanTimedOut"), what)
        .next("look whether registry and cloud answer, then ask again")
}

fn waiting(why: String) -> Preview {
    Preview {
        now: Vec::new(),
        later: Vec::new(),
        wait: Some(why),
        notices: Vec::new(),
        approval: None,
    }
}

fn early(look: Look) -> Result<Preview, Fault> {
    match look {
        Look::Waiting { why, .. } => Ok(waiting(why)),
        Look::Faulty(fault, _) => Err(fault),
    }
}
