//! Which execution role a function runs with.

use fractal_core::reconcile::Inputs;
use fractal_core::{Fault, Reason};

use crate::config::Config;
use crate::error::Error;

/// A role that may not be used here.
const ROLE_DENIED: Reason = Reason::new("RoleDenied");
/// No role is named anywhere.
const ROLE_MISSING: Reason = Reason::new("RoleMissing");

/// The component's `roleArn`, else the environment's `lambdaRoleArn`, else the agent's default.
///
/// Only the component's is checked against the account and the operator's patterns: the other two are the operator's own word.
pub(super) fn role(config: &Config, inputs: &Inputs) -> Result<String, Error> {
    if let Some(arn) = inputs.parameters.text("roleArn")? {
        return checked(config, arn);
    }
    let environment = inputs.environment.parameters.text("lambdaRoleArn")?;
    environment.or(config.default_role.as_deref()).map(str::to_owned).ok_or_else(|| {
        Fault::blocked(ROLE_MISSING, "no execution role is set")
            .at("parameters.roleArn")
            .next("set `roleArn` on the component, `lambdaRoleArn` in the environment's parameters, or --default-role-arn on the agent")
            .into()
    })
}

fn checked(config: &Config, arn: &str) -> Result<String, Error> {
    if config.allows_role(arn) {
        return Ok(arn.to_owned());
    }
    let allowed = match config.allowed_roles.as_slice() {
        [] => format!("any role of account {}", config.account),
        patterns => format!(
            "roles of account {} that fit {}",
            config.account,
            patterns.join(" or ")
        ),
    };
    Err(Fault::blocked(
        ROLE_DENIED,
        format!("the role `{}` may not be used here", arn.escape_debug()),
    )
    .at("parameters.roleArn")
    .because(format!("allowed are {allowed}"))
    .next("use an allowed role, or extend the agent's --allow-role")
    .into())
}
