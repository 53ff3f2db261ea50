//! From Lambda's answers to what we observe.

use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::types::{FunctionConfiguration, LastUpdateStatus, PackageType, State};

use crate::observed::{Function, Operation, Variables};

pub(super) fn function(answer: GetFunctionOutput) -> Function {
    let image = answer.code.and_then(|code| code.resolved_image_uri);
    let tags = answer.tags.unwrap_or_default().into_iter().collect();
    let configuration = answer
        .configuration
        .unwrap_or_else(|| FunctionConfiguration::builder().build());
    let architecture = configuration
        .architectures()
        .first()
        .map_or("x86_64", |architecture| architecture.as_str());
    let variables = configuration
        .environment()
        .and_then(|environment| environment.variables())
        .cloned()
        .unwrap_or_default();
    Function {
        arn: configuration.function_arn().unwrap_or_default().to_owned(),
        revision: configuration.revision_id().unwrap_or_default().to_owned(),
        is_image: configuration.package_type() == Some(&PackageType::Image),
        code_sha256: configuration.code_sha256().unwrap_or_default().to_owned(),
        image_sha256: image
            .as_deref()
            .and_then(|uri| uri.rsplit_once("@sha256:"))
            .map(|(_, hex)| hex.to_owned()),
        role: configuration.role().unwrap_or_default().to_owned(),
        runtime: configuration
            .runtime()
            .map(|runtime| runtime.as_str().to_owned()),
        handler: configuration.handler().map(str::to_owned),
        memory: configuration.memory_size().unwrap_or_default(),
        timeout: configuration.timeout().unwrap_or_default(),
        architecture: architecture.to_owned(),
        environment: Variables(variables.into_iter().collect()),
        tags,
        state: state(&configuration),
        update: update(&configuration),
    }
}

/// A new word of Lambda's is no success: only those documented as settled count.
fn state(configuration: &FunctionConfiguration) -> Operation {
    match configuration.state() {
        // An inactive function takes updates; its next call wakes it. `ActiveNonInvocable` belongs to functions of another kind.
        Some(State::Active | State::Inactive) => Operation::Settled,
        Some(State::Failed) => Operation::Failed {
            code: configuration
                .state_reason_code()
                .map(|code| code.as_str().to_owned())
                .unwrap_or_default(),
            message: configuration.state_reason().unwrap_or_default().to_owned(),
        },
        Some(other) => Operation::Running(other.as_str().to_owned()),
        None => Operation::Running("no state given".to_owned()),
    }
}

fn update(configuration: &FunctionConfiguration) -> Operation {
    match configuration.last_update_status() {
        // While a function is being created there is no last update.
        Some(LastUpdateStatus::Successful) | None => Operation::Settled,
        Some(LastUpdateStatus::Failed) => Operation::Failed {
            code: configuration
                .last_update_status_reason_code()
                .map(|code| code.as_str().to_owned())
                .unwrap_or_default(),
            message: configuration
                .last_update_status_reason()
                .unwrap_or_default()
                .to_owned(),
        },
        Some(other) => Operation::Running(other.as_str().to_owned()),
    }
}

/// Name and stamp of a function in a list: the list has neither tags nor state.
pub(super) fn stamp(configuration: &FunctionConfiguration) -> (String, String) {
    let name = configuration.function_name().unwrap_or_default().to_owned();
    let stamp = format!(
        "{} {}",
        configuration.revision_id().unwrap_or_default(),
        configuration.code_sha256().unwrap_or_default()
    );
    (name, stamp)
}
