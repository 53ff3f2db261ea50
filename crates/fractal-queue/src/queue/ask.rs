//! Questions to agents: a dry run answered by whoever has the credentials, so that CI needs none.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use fractal_core::contract::ComponentKey;
use serde_json::Value;

use super::desired::Body;
use super::{Edit, Queue};
use crate::document::ask::{Ask, Question};
use crate::document::{self, key};
use crate::error::QueueError;

impl Queue {
    /// Asks about a component, and gives the question's id back.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn ask(&self, key: &ComponentKey, question: Question) -> Result<String, QueueError> {
        let id = format!("{:016x}", RandomState::new().hash_one(std::process::id()));
        let ask = Ask::new(id.clone(), key.clone(), question, self.clock().wall());
        let document_key = key::ask(&id);
        let body = document::write(&document_key, &ask)?;
        self.store()
            .put(&document_key, crate::store::Expected::Absent, body)
            .await?;
        Ok(id)
    }

    /// Asks what would be done about a component with another body, which need not be submitted.
    ///
    /// # Errors
    /// Where the store fails or refuses the body for its size.
    pub async fn ask_plan_of(
        &self,
        component: &fractal_core::contract::Component,
    ) -> Result<String, QueueError> {
        let digest = self.put_body(Body::of(component)?).await?;
        self.ask(&component.key(), Question::PlanOf(digest)).await
    }

    /// The body a question is about; `None` where it is the desired one.
    ///
    /// # Errors
    /// Where the store fails, or the body is missing or cannot be read.
    pub async fn asked_body(
        &self,
        ask: &Ask,
    ) -> Result<Option<fractal_core::contract::Component>, QueueError> {
        match &ask.question {
            Question::Plan => Ok(None),
            Question::PlanOf(digest) => self.body_at(digest, &ask.key).await.map(Some),
        }
    }

    /// Answers a question. The first answer stands; one to a question that was withdrawn is dropped.
    ///
    /// # Errors
    /// Where the store fails or refuses the answer for its size.
    pub async fn answer(&self, id: &str, answer: Value) -> Result<(), QueueError> {
        self.change(&key::ask(id), |found: Option<Ask>| {
            Ok(match found {
                Some(ask) if ask.answer.is_none() => Edit::Put(
                    Ask {
                        answer: Some(answer.clone()),
                        ..ask
                    },
                    (),
                ),
                _ => Edit::Keep(()),
            })
        })
        .await
    }

    /// Waits for the answer, for at most `within` of real time, and withdraws the question. `None` where nobody answered.
    ///
    /// # Errors
    /// Where the store fails, or there is no such question.
    pub async fn await_answer(
        &self,
        id: &str,
        within: Duration,
    ) -> Result<Option<Value>, QueueError> {
        let document_key = key::ask(id);
        let mut watch = self.store().watch(&document_key, None);
        let answer = tokio::time::timeout(within, async {
            loop {
                for change in watch.next().await? {
                    let ask: Option<Ask> = change
                        .body
                        .as_ref()
                        .map(|body| document::read(&change.key, body))
                        .transpose()?;
                    let ask = ask.ok_or_else(|| QueueError::NotFound {
                        what: format!("question {id}"),
                    })?;
                    if ask.answer.is_some() {
                        return Ok::<_, QueueError>(ask.answer);
                    }
                }
            }
        })
        .await;
        self.change(&document_key, |_: Option<Ask>| Ok(Edit::Delete(())))
            .await?;
        answer.unwrap_or(Ok(None))
    }
}
