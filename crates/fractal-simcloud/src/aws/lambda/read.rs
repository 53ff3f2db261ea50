//! `GetFunction`, `GetFunctionConfiguration`, `ListFunctions`.

use serde_json::{Value, json};

use super::function::{Code, Function, Snapshot, Version};
use super::settle::Sight;
use super::{ApiError, Invocation};
use crate::exchange::Reply;

/// The service's page size; a larger `MaxItems` gives no larger page.
const PAGE: usize = 50;

impl Invocation<'_, '_> {
    pub(super) fn get(&mut self) -> Result<Reply, ApiError> {
        let (function, version) = self.seen()?;
        let (configuration, snapshot) = match &version {
            Some(version) => (version.configuration(&function), &version.snapshot),
            None => (function.configuration(), &function.latest),
        };
        let mut body =
            json!({ "Configuration": configuration, "Code": self.code_location(snapshot) });
        if let Some(body) = body.as_object_mut().filter(|_| !function.tags.is_empty()) {
            body.insert("Tags".to_owned(), json!(function.tags));
        }
        Ok(Reply::json(200, &body))
    }

    pub(super) fn get_configuration(&mut self) -> Result<Reply, ApiError> {
        let (function, version) = self.seen()?;
        Ok(Reply::json(
            200,
            &version.map_or_else(
                || function.configuration(),
                |version| version.configuration(&function),
            ),
        ))
    }

    /// The function as this read sees it, and the version where a qualifier names one.
    fn seen(&mut self) -> Result<(Function, Option<Version>), ApiError> {
        let named = self.named()?;
        let key = self.key(&named.name);
        let stored = self.transaction.get::<Function>(&key);
        let mut function = match self.lambda.watches.read(&key, stored.as_ref(), self.now_ms) {
            Sight::Before(previous) => previous.map(|function| *function),
            Sight::Now { settles } => stored.map(|mut function| {
                if settles {
                    function.settle();
                    self.transaction.put(key, &function);
                }
                function
            }),
        }
        .ok_or_else(|| self.not_found(&named.name))?;
        let qualifier = self
            .parameter("Qualifier")
            .map(str::to_owned)
            .or(named.qualifier)
            .filter(|qualifier| qualifier != "$LATEST");
        let Some(qualifier) = qualifier else {
            return Ok((function, None));
        };
        let version = self.resolve(&function, &qualifier)?;
        if version.is_none() {
            function.arn = format!("{}:{qualifier}", function.arn);
        }
        Ok((function, version))
    }

    fn code_location(&self, snapshot: &Snapshot) -> Value {
        match &snapshot.code {
            Code::Zip { sha256, .. } => {
                json!({ "RepositoryType": "S3", "Location": format!("{}/_sim/lambda/code/{sha256}", self.lambda.endpoint) })
            }
            Code::Image { uri, resolved, .. } => {
                json!({ "RepositoryType": "ECR", "ImageUri": uri, "ResolvedImageUri": resolved })
            }
        }
    }

    pub(super) fn list(&mut self) -> Result<Reply, ApiError> {
        let prefix = self.prefix("function");
        let after = self
            .parameter("Marker")
            .map(|name| format!("{prefix}{name}"))
            .unwrap_or_default();
        let mut keys: Vec<String> = self
            .transaction
            .keys(&prefix, &after)
            .map(str::to_owned)
            .collect();
        keys.extend(
            self.lambda
                .watches
                .deleted(&prefix)
                .into_iter()
                .filter(|key| *key > after),
        );
        keys.sort();
        keys.dedup();
        let limit = self
            .parameter("MaxItems")
            .and_then(|items| items.parse().ok())
            .unwrap_or(PAGE)
            .min(PAGE);
        let more = keys.len() > limit;
        keys.truncate(limit);
        let marker = keys
            .last()
            .filter(|_| more)
            .and_then(|key| key.strip_prefix(&prefix))
            .map(str::to_owned);
        let functions: Vec<Value> = keys
            .iter()
            .filter_map(|key| self.listed(key))
            .map(|function| Value::Object(function.listed()))
            .collect();
        let mut body = json!({ "Functions": functions });
        if let (Some(marker), Some(body)) = (marker, body.as_object_mut()) {
            body.insert("NextMarker".to_owned(), marker.into());
        }
        Ok(Reply::json(200, &body))
    }

    fn listed(&mut self, key: &str) -> Option<Function> {
        if let Some(previous) = self.lambda.watches.listed(key) {
            return previous;
        }
        let mut function = self.transaction.get::<Function>(key)?;
        if self.lambda.watches.by_time(&function, self.now_ms) {
            function.settle();
            self.transaction.put(key.to_owned(), &function);
        }
        Some(function)
    }
}
