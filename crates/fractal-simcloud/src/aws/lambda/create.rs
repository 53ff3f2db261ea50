//! `CreateFunction` and `DeleteFunction`.

use std::collections::BTreeMap;

use super::configuration::{check_tags, defaults, overlay};
use super::function::{Code, Failure, Function, Phase, Snapshot};
use super::{ApiError, Invocation, conflict, invalid};
use crate::encoding::uuid;
use crate::exchange::Reply;

impl Invocation<'_, '_> {
    pub(super) fn create(
        &mut self,
        package: Option<Result<Code, ApiError>>,
    ) -> Result<Reply, ApiError> {
        let named = self.named()?;
        if named.qualifier.is_some() {
            return Err(invalid("The function name cannot have a qualifier"));
        }
        let (name, key) = (named.name.clone(), self.key(&named.name));
        let tags: BTreeMap<String, String> = self
            .input
            .get("Tags")
            .and_then(|tags| serde_json::from_value(tags.clone()).ok())
            .unwrap_or_default();
        check_tags(&tags)?;
        self.check_package_type()?;
        self.check_settings()?;
        if self.transaction.get::<Function>(&key).is_some() {
            return Err(conflict(format!("Function already exist: {name}")));
        }
        let code = package
            .unwrap_or_else(|| Err(invalid("Please provide a source for function code.")))?;
        let mut settings = defaults(&name, &code);
        overlay(&mut settings, self.input);
        if let Some(architectures) = self.input.get("Architectures") {
            settings.insert("Architectures".to_owned(), architectures.clone());
        }
        let mut function = Function {
            arn: self.arn(&name),
            name,
            latest: Snapshot {
                settings,
                code,
                modified_ms: self.now_ms,
            },
            serving: None,
            tags,
            phase: Phase::Pending,
            written_ms: self.now_ms,
            fails_late: self.strikes.late_failure().map(|(code, reason)| Failure {
                code: code.to_owned(),
                reason: reason.to_owned(),
            }),
            revision: uuid(),
            last_version: 0,
        };
        if self.flag("Publish") {
            self.publish_snapshot(&mut function);
        }
        self.transaction.put(key.clone(), &function);
        self.lambda
            .watches
            .wrote(&key, None, self.strikes.stale_reads().unwrap_or(0));
        Ok(Reply::json(201, &function.configuration()))
    }

    pub(super) fn delete(&mut self) -> Result<Reply, ApiError> {
        let named = self.named()?;
        let key = self.key(&named.name);
        let function = self
            .transaction
            .get::<Function>(&key)
            .ok_or_else(|| self.not_found(&named.name))?;
        if let Some(qualifier) = self
            .parameter("Qualifier")
            .map(str::to_owned)
            .or(named.qualifier)
        {
            return self.delete_version(&function, &qualifier);
        }
        self.transaction.delete(key.clone());
        for prefix in [
            self.version_prefix(&named.name),
            self.alias_prefix(&named.name),
        ] {
            let below: Vec<String> = self
                .transaction
                .keys(&prefix, "")
                .map(str::to_owned)
                .collect();
            below
                .into_iter()
                .for_each(|key| self.transaction.delete(key));
        }
        self.lambda.watches.wrote(
            &key,
            Some(function),
            self.strikes.stale_reads().unwrap_or(0),
        );
        Ok(Reply::new(204))
    }
}
