//! `UpdateFunctionCode` and `UpdateFunctionConfiguration`.

use serde_json::{Value, json};

use super::configuration::overlay;
use super::function::{Code, Failure, Function, Phase, Snapshot};
use super::{ApiError, Invocation, conflict, invalid};
use crate::encoding::uuid;
use crate::exchange::Reply;

impl Invocation<'_, '_> {
    pub(super) fn update_code(
        &mut self,
        package: Option<Result<Code, ApiError>>,
    ) -> Result<Reply, ApiError> {
        let (key, function) = self.writable()?;
        self.check_kind(&function)?;
        let code = package
            .unwrap_or_else(|| Err(invalid("Please provide a source for function code.")))?;
        let mut settings = function.latest.settings.clone();
        if let Some(architectures) = self
            .input
            .get("Architectures")
            .filter(|value| !value.is_null())
        {
            settings.insert("Architectures".to_owned(), architectures.clone());
        }
        check_architecture(&settings, &code)?;
        let mut updated = self.updating(
            &function,
            Snapshot {
                settings,
                code,
                modified_ms: self.now_ms,
            },
        );
        if self.flag("DryRun") {
            return Ok(Reply::json(200, &updated.configuration()));
        }
        if self.flag("Publish") {
            self.publish_snapshot(&mut updated);
        }
        self.write(&key, function, &updated)
    }

    pub(super) fn update_configuration(&mut self) -> Result<Reply, ApiError> {
        let (key, function) = self.writable()?;
        self.check_settings()?;
        let has = |member: &str| self.input.get(member).is_some_and(|value| !value.is_null());
        let image = matches!(function.latest.code, Code::Image { .. });
        if image && (has("Runtime") || has("Handler") || has("Layers")) {
            return Err(invalid(
                "Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image.",
            ));
        }
        if !image && has("ImageConfig") {
            return Err(invalid(
                "Please don't provide ImageConfig when updating a function with packageType Zip.",
            ));
        }
        let mut settings = function.latest.settings.clone();
        overlay(&mut settings, self.input);
        let updated = self.updating(
            &function,
            Snapshot {
                settings,
                code: function.latest.code.clone(),
                modified_ms: self.now_ms,
            },
        );
        self.write(&key, function, &updated)
    }

    /// The function a write names, when it exists, its revision is the one expected and nothing is in progress.
    pub(super) fn writable(&mut self) -> Result<(String, Function), ApiError> {
        let named = self.named()?;
        if named
            .qualifier
            .as_deref()
            .is_some_and(|qualifier| qualifier != "$LATEST")
        {
            return Err(invalid(
                "The function name cannot have a qualifier other than $LATEST",
            ));
        }
        let key = self.key(&named.name);
        let mut function = self
            .transaction
            .get::<Function>(&key)
            .ok_or_else(|| self.not_found(&named.name))?;
        if self.lambda.watches.by_time(&function, self.now_ms) {
            function.settle();
        }
        if self
            .text("RevisionId")
            .is_some_and(|revision| revision != function.revision)
        {
            let message = "The RevisionId provided does not match the latest RevisionId. Call the GetFunction/GetAlias API to retrieve the latest RevisionId";
            return Err(ApiError::new(412, "PreconditionFailedException", message));
        }
        match &function.phase {
            Phase::Pending => Err(in_state("Pending")),
            Phase::Failed(_) => Err(in_state("Failed")),
            Phase::Updating => Err(conflict(format!(
                "The operation cannot be performed at this time. An update is in progress for resource: {}",
                function.arn
            ))),
            Phase::Active | Phase::UpdateFailed(_) => Ok((key, function)),
        }
    }

    fn check_kind(&self, function: &Function) -> Result<(), ApiError> {
        let image = self
            .input
            .get("ImageUri")
            .is_some_and(|value| !value.is_null());
        match function.latest.code {
            Code::Zip { .. } if image => Err(invalid(
                "Please don't provide ImageUri when updating a function with packageType Zip.",
            )),
            Code::Image { .. } if !image => Err(invalid(
                "Please provide ImageUri when updating a function with packageType Image.",
            )),
            _ => Ok(()),
        }
    }

    fn updating(&self, function: &Function, latest: Snapshot) -> Function {
        Function {
            latest,
            phase: Phase::Updating,
            written_ms: self.now_ms,
            fails_late: self.strikes.late_failure().map(|(code, reason)| Failure {
                code: code.to_owned(),
                reason: reason.to_owned(),
            }),
            revision: uuid(),
            ..function.clone()
        }
    }

    fn write(&mut self, key: &str, before: Function, after: &Function) -> Result<Reply, ApiError> {
        self.transaction.put(key.to_owned(), after);
        self.lambda
            .watches
            .wrote(key, Some(before), self.strikes.stale_reads().unwrap_or(0));
        Ok(Reply::json(200, &after.configuration()))
    }
}

fn in_state(state: &str) -> ApiError {
    conflict(format!(
        "The operation cannot be performed at this time. The function is currently in the following state: {state}"
    ))
}

fn check_architecture(
    settings: &serde_json::Map<String, Value>,
    code: &Code,
) -> Result<(), ApiError> {
    let Code::Image {
        architecture, uri, ..
    } = code
    else {
        return Ok(());
    };
    if settings.get("Architectures") == Some(&json!([architecture])) {
        return Ok(());
    }
    Err(invalid(format!(
        "The architecture of the source image {uri} is {architecture}, not the function's."
    )))
}
