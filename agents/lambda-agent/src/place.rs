//! Where a function lives, and what is remembered of it.

use std::collections::BTreeSet;
use std::fmt;

use fractal_core::Fingerprint;
use fractal_core::contract::Params;
use fractal_core::name::default_name;
use fractal_core::reconcile::{Inputs, Owner};
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::error::Error;

/// Longest function name, in characters.
const NAME_MAX: usize = 64;

/// Account, region and name: enough to find a function and to delete it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The account, twelve digits.
    pub account: String,
    /// The region.
    pub region: String,
    /// The function's name.
    pub name: String,
}

impl Place {
    /// The function's ARN.
    #[must_use]
    pub fn arn(&self) -> String {
        let partition = match self.region.split('-').next() {
            Some("cn") => "aws-cn",
            _ if self.region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        format!(
            "arn:{partition}:lambda:{}:{}:function:{}",
            self.region, self.account, self.name
        )
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lambda {}/{}/{}", self.account, self.region, self.name)
    }
}

/// What no read of Lambda can tell.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Memo {
    /// Environment variables we have set or are about to set. Everything else in the function's environment is someone else's.
    pub owned_env: BTreeSet<String>,
    /// Zips we have put or are about to put into a staging bucket.
    pub staged: BTreeSet<Staged>,
    /// What the last create or update was to bring about: a failed operation is not repeated for the same.
    pub attempt: Option<Fingerprint>,
    /// Reads left in which a function that was just created may still be missing.
    pub unseen: u8,
    /// Whether a write of ours on the function was answered: it was ours then, whatever its tags say now.
    pub made: bool,
}

/// An object in a staging bucket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Staged {
    /// The bucket.
    pub bucket: String,
    /// The object's key.
    pub key: String,
}

impl fmt::Display for Staged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

/// The place a component's parameters name.
pub(crate) fn place(config: &Config, inputs: &Inputs, owner: &Owner) -> Result<Place, Error> {
    let name = match inputs.parameters.text("functionName")? {
        Some(name) if is_name(name) => name.to_owned(),
        Some(name) => {
            return Err(Error::Name {
                name: name.escape_debug().to_string(),
            });
        }
        None => default_name(&owner.component, NAME_MAX),
    };
    let region = match inputs.parameters.text("region")? {
        Some(region) => region.to_owned(),
        None => environment_region(&inputs.environment.parameters)
            .unwrap_or_else(|| config.region.clone()),
    };
    if !is_region(&region) {
        return Err(Error::Region {
            region: region.escape_debug().to_string(),
        });
    }
    Ok(Place {
        account: config.account.clone(),
        region,
        name,
    })
}

/// The region of the environment's AWS agent, as environments are posted: `parameters.agents[].{provider, region}`.
fn environment_region(parameters: &Params) -> Option<String> {
    let agents = parameters.get("agents")?.as_array()?;
    let aws = agents.iter().find(|agent| {
        agent
            .get("provider")
            .and_then(|p| p.as_str())
            .is_some_and(|p| p.eq_ignore_ascii_case("aws"))
    })?;
    aws.get("region")?
        .as_str()
        .filter(|region| !region.is_empty())
        .map(str::to_owned)
}

fn is_name(name: &str) -> bool {
    (1..=NAME_MAX).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// Shaped like a region: it becomes part of a host name.
fn is_region(region: &str) -> bool {
    let parts: Vec<_> = region.split('-').collect();
    let word = |part: &&str| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    region.len() <= 32 && parts.len() >= 3 && parts.iter().all(word)
}
