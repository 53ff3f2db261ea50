//! A question to an agent: a dry run, answered by the one that has the cloud credentials.

use fractal_core::Timestamp;
use fractal_core::artifact::Digest;
use fractal_core::contract::ComponentKey;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Kind, VERSION};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Question {
    /// What would be done about the component as it is desired now.
    Plan,
    /// What would be done about it with another body, which is in the store under its digest.
    PlanOf(Digest),
}

/// One question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ask {
    pub(crate) version: u32,
    /// Its id.
    pub id: String,
    /// The component it is about, which need not exist yet.
    pub key: ComponentKey,
    /// The question.
    pub question: Question,
    /// When it was asked.
    pub at: Timestamp,
    /// The answer, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Value>,
}

impl Kind for Ask {
    fn version(&self) -> u32 {
        self.version
    }
}

impl Ask {
    pub(crate) const fn new(
        id: String,
        key: ComponentKey,
        question: Question,
        at: Timestamp,
    ) -> Self {
        Self {
            version: VERSION,
            id,
            key,
            question,
            at,
            answer: None,
        }
    }
}
