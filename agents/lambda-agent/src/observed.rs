//! A function as Lambda reports it.

use std::collections::BTreeMap;
use std::fmt;

/// What is there now.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// The function, where there is one.
    pub function: Option<Function>,
    /// Whether the zip that is wanted is staged; read only where it decides anything.
    pub staged: bool,
}

/// A function.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    /// Its ARN.
    pub arn: String,
    /// Changes with every write, and again when an update settles.
    pub revision: String,
    /// Whether it runs an image.
    pub is_image: bool,
    /// Hash of what it runs, as Lambda computes it.
    pub code_sha256: String,
    /// Digest of the image it runs, in hex.
    pub image_sha256: Option<String>,
    /// The execution role's ARN.
    pub role: String,
    /// The runtime.
    pub runtime: Option<String>,
    /// The handler.
    pub handler: Option<String>,
    /// Memory in MB.
    pub memory: i32,
    /// Timeout in seconds.
    pub timeout: i32,
    /// CPU architecture.
    pub architecture: String,
    /// All environment variables, ours and others'.
    pub environment: Variables,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Where its creation stands.
    pub state: Operation,
    /// Where its last update stands.
    pub update: Operation,
}

/// Where an operation of Lambda's own stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Nothing is going on.
    Settled,
    /// It runs; Lambda's word for it.
    Running(String),
    /// It failed.
    Failed {
        /// Lambda's reason code.
        code: String,
        /// Lambda's words.
        message: String,
    },
}

/// Environment variables. Others' values are among them, so `Debug` shows names only.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Variables(pub BTreeMap<String, String>);

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Function {
    /// Hash of the code it runs, in the form of [`crate::desired::Code::sha256`].
    #[must_use]
    pub fn running(&self) -> &str {
        self.image_sha256.as_deref().unwrap_or(&self.code_sha256)
    }
}
