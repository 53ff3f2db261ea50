//! `TagResource`, `UntagResource`, `ListTags`: by ARN, on functions only.

use std::collections::BTreeMap;

use serde_json::json;

use super::configuration::check_tags;
use super::function::Function;
use super::names::Named;
use super::{ApiError, Invocation, invalid};
use crate::encoding::uuid;
use crate::exchange::Reply;

impl Invocation<'_, '_> {
    pub(super) fn tag(&mut self) -> Result<Reply, ApiError> {
        let given: BTreeMap<String, String> = self
            .input
            .get("Tags")
            .and_then(|tags| serde_json::from_value(tags.clone()).ok())
            .unwrap_or_default();
        self.retag(|tags| tags.extend(given))
    }

    pub(super) fn untag(&mut self) -> Result<Reply, ApiError> {
        let gone: Vec<String> = self
            .query
            .iter()
            .filter(|(name, _)| name == "tagKeys")
            .map(|(_, key)| key.clone())
            .collect();
        if gone.is_empty() {
            let message = "1 validation error detected: Value null at 'tagKeys' failed to satisfy constraint: Member must not be null";
            return Err(ApiError::new(400, "ValidationException", message));
        }
        self.retag(|tags| tags.retain(|key, _| !gone.contains(key)))
    }

    pub(super) fn list_tags(&mut self) -> Result<Reply, ApiError> {
        let (_, function) = self.tagged()?;
        Ok(Reply::json(200, &json!({ "Tags": function.tags })))
    }

    fn retag(
        &mut self,
        change: impl FnOnce(&mut BTreeMap<String, String>),
    ) -> Result<Reply, ApiError> {
        let (key, mut function) = self.tagged()?;
        let before = function.clone();
        change(&mut function.tags);
        check_tags(&function.tags)?;
        if self.lambda.tags_move_revision {
            function.revision = uuid();
        }
        self.transaction.put(key.clone(), &function);
        if let Some(stale) = self.strikes.stale_reads() {
            self.lambda.watches.wrote(&key, Some(before), stale);
        }
        Ok(Reply::new(204))
    }

    fn tagged(&self) -> Result<(String, Function), ApiError> {
        let arn = self.route.function.as_str();
        if !arn.starts_with("arn:") || !arn.contains(":function:") {
            let message = format!(
                "1 validation error detected: Value '{arn}' at 'resource' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*):lambda:[a-z]{{2}}-[a-z]+-\\d{{1}}:\\d{{12}}:(function:[a-zA-Z0-9-_]+(:(\\$LATEST|[a-zA-Z0-9-_]+))?|...)"
            );
            return Err(ApiError::new(400, "ValidationException", message));
        }
        let named = Named::parse(arn, self.scope)?;
        if named.qualifier.is_some() {
            return Err(invalid(
                "Tags on function aliases and versions are not supported. Please specify a function ARN.",
            ));
        }
        let key = self.key(&named.name);
        let function = self
            .transaction
            .get::<Function>(&key)
            .ok_or_else(|| self.not_found(&named.name))?;
        Ok((key, function))
    }
}
