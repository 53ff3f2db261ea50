//! Aliases: names for versions, with weights.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::function::Function;
use super::{ApiError, Invocation, conflict, invalid};
use crate::encoding::uuid;
use crate::exchange::Reply;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Alias {
    pub(super) name: String,
    pub(super) version: String,
    description: String,
    routing: Option<Value>,
    revision: String,
}

impl Invocation<'_, '_> {
    pub(super) fn create_alias(&mut self) -> Result<Reply, ApiError> {
        let function = self.aliased()?;
        let name = self.text("Name").unwrap_or_default().to_owned();
        let key = self.alias_key(&function.name, &name);
        if self.transaction.get::<Alias>(&key).is_some() {
            return Err(conflict(format!(
                "Alias already exists: {}:{name}",
                function.arn
            )));
        }
        let blank = Alias {
            name,
            version: String::new(),
            description: String::new(),
            routing: None,
            revision: String::new(),
        };
        self.put_alias(&function, blank, 201)
    }

    pub(super) fn update_alias(&mut self) -> Result<Reply, ApiError> {
        let (function, alias) = self.existing_alias()?;
        if self
            .text("RevisionId")
            .is_some_and(|revision| revision != alias.revision)
        {
            let message = "The RevisionId provided does not match the latest RevisionId. Call the GetFunction/GetAlias API to retrieve the latest RevisionId";
            return Err(ApiError::new(412, "PreconditionFailedException", message));
        }
        self.put_alias(&function, alias, 200)
    }

    fn put_alias(
        &mut self,
        function: &Function,
        mut alias: Alias,
        status: u16,
    ) -> Result<Reply, ApiError> {
        if let Some(version) = self.text("FunctionVersion") {
            alias.version = version.to_owned();
        }
        if let Some(description) = self.text("Description") {
            alias.description = description.to_owned();
        }
        if let Some(routing) = self.input.get("RoutingConfig") {
            let weights = routing
                .get("AdditionalVersionWeights")
                .and_then(Value::as_object)
                .filter(|weights| !weights.is_empty());
            alias.routing = weights.map(|_| routing.clone());
        }
        self.check_versions(function, &alias)?;
        alias.revision = uuid();
        self.transaction
            .put(self.alias_key(&function.name, &alias.name), &alias);
        Ok(Reply::json(status, &shown(function, &alias)))
    }

    fn check_versions(&self, function: &Function, alias: &Alias) -> Result<(), ApiError> {
        let weighted: Vec<String> = alias
            .routing
            .iter()
            .filter_map(|routing| routing.get("AdditionalVersionWeights")?.as_object())
            .flat_map(|weights| weights.keys().cloned())
            .collect();
        if !weighted.is_empty() && alias.version == "$LATEST" {
            return Err(invalid(
                "$LATEST is not supported for an alias pointing to more than 1 version",
            ));
        }
        let named = std::iter::once(&alias.version)
            .chain(&weighted)
            .filter(|version| *version != "$LATEST");
        for version in named {
            let exists = version
                .parse()
                .ok()
                .and_then(|number| self.version(&function.name, number));
            exists.ok_or_else(|| self.not_found(&format!("{}:{version}", function.name)))?;
        }
        Ok(())
    }

    pub(super) fn get_alias(&mut self) -> Result<Reply, ApiError> {
        let (function, alias) = self.existing_alias()?;
        Ok(Reply::json(200, &shown(&function, &alias)))
    }

    pub(super) fn delete_alias(&mut self) -> Result<Reply, ApiError> {
        let function = self.aliased()?;
        // Deleting an alias that is not there succeeds, as at the service.
        self.transaction
            .delete(self.alias_key(&function.name, &self.route.alias));
        Ok(Reply::new(204))
    }

    pub(super) fn list_aliases(&mut self) -> Result<Reply, ApiError> {
        let function = self.aliased()?;
        let keys: Vec<String> = self
            .transaction
            .keys(&self.alias_prefix(&function.name), "")
            .map(str::to_owned)
            .collect();
        let wanted = self.parameter("FunctionVersion");
        let aliases = keys
            .iter()
            .filter_map(|key| self.transaction.get::<Alias>(key))
            .filter(|alias| wanted.is_none_or(|wanted| alias.version == wanted));
        let shown: Vec<Value> = aliases.map(|alias| shown(&function, &alias)).collect();
        Ok(Reply::json(200, &json!({ "Aliases": shown })))
    }

    fn existing_alias(&self) -> Result<(Function, Alias), ApiError> {
        let function = self.aliased()?;
        let alias = self
            .transaction
            .get(&self.alias_key(&function.name, &self.route.alias));
        let absent = || {
            ApiError::new(
                404,
                "ResourceNotFoundException",
                format!(
                    "Cannot find alias arn: {}:{}",
                    function.arn, self.route.alias
                ),
            )
        };
        Ok((function.clone(), alias.ok_or_else(absent)?))
    }

    fn aliased(&self) -> Result<Function, ApiError> {
        let name = self.named()?.name;
        self.transaction
            .get(&self.key(&name))
            .ok_or_else(|| self.not_found(&name))
    }

    pub(super) fn alias_key(&self, name: &str, alias: &str) -> String {
        format!("{}{alias}", self.alias_prefix(name))
    }

    pub(super) fn alias_prefix(&self, name: &str) -> String {
        format!("{}{name}/", self.prefix("alias"))
    }
}

fn shown(function: &Function, alias: &Alias) -> Value {
    let mut shown = json!({
        "AliasArn": format!("{}:{}", function.arn, alias.name),
        "Name": alias.name,
        "FunctionVersion": alias.version,
        "Description": alias.description,
        "RevisionId": alias.revision,
    });
    if let (Some(routing), Some(shown)) = (&alias.routing, shown.as_object_mut()) {
        shown.insert("RoutingConfig".to_owned(), routing.clone());
    }
    shown
}
