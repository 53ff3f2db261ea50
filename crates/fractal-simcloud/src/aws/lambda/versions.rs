//! `PublishVersion`, `ListVersionsByFunction`, and what a qualifier names.

use serde_json::{Value, json};

use super::aliases::Alias;
use super::function::{Function, Snapshot, Version};
use super::{ApiError, Invocation, conflict, invalid};
use crate::encoding::uuid;
use crate::exchange::Reply;

impl Invocation<'_, '_> {
    pub(super) fn publish(&mut self) -> Result<Reply, ApiError> {
        let (key, mut function) = self.writable()?;
        let sha256 = function.latest.code.sha256();
        if self
            .text("CodeSha256")
            .is_some_and(|wanted| !wanted.is_empty() && wanted != sha256)
        {
            return Err(invalid(format!(
                "CodeSHA256 ({}) is different from current CodeSHA256 in $LATEST ({sha256}). Please try again with the CodeSHA256 in $LATEST.",
                self.text("CodeSha256").unwrap_or_default()
            )));
        }
        let version = self.publish_snapshot(&mut function);
        self.transaction.put(key, &function);
        Ok(Reply::json(201, &version.configuration(&function)))
    }

    /// A new version of `$LATEST`, or the last one when nothing has changed since.
    pub(super) fn publish_snapshot(&mut self, function: &mut Function) -> Version {
        if let Some(last) = self
            .version(&function.name, function.last_version)
            .filter(|last| same_release(&last.snapshot, &function.latest))
        {
            return last;
        }
        function.last_version = function.last_version.saturating_add(1);
        let mut snapshot = function.latest.clone();
        if let Some(description) = self.text("Description").filter(|text| !text.is_empty()) {
            snapshot
                .settings
                .insert("Description".to_owned(), description.into());
        }
        let version = Version {
            number: function.last_version,
            snapshot,
            revision: uuid(),
        };
        self.transaction
            .put(self.version_key(&function.name, version.number), &version);
        version
    }

    pub(super) fn list_versions(&mut self) -> Result<Reply, ApiError> {
        let name = self.named()?.name;
        let function = self
            .transaction
            .get::<Function>(&self.key(&name))
            .ok_or_else(|| self.not_found(&name))?;
        let prefix = self.version_prefix(&name);
        let keys: Vec<String> = self
            .transaction
            .keys(&prefix, "")
            .map(str::to_owned)
            .collect();
        let published = keys
            .iter()
            .filter_map(|key| self.transaction.get::<Version>(key))
            .map(|version| version.configuration(&function));
        let versions: Vec<Value> = std::iter::once(Value::Object(function.listed()))
            .chain(published)
            .collect();
        Ok(Reply::json(200, &json!({ "Versions": versions })))
    }

    pub(super) fn delete_version(
        &mut self,
        function: &Function,
        qualifier: &str,
    ) -> Result<Reply, ApiError> {
        if qualifier == "$LATEST" {
            return Err(invalid(
                "$LATEST version cannot be deleted without deleting the function.",
            ));
        }
        let number: u32 = qualifier
            .parse()
            .map_err(|_| invalid("Deletion of aliases is not supported here"))?;
        let aliases: Vec<String> = self
            .transaction
            .keys(&self.alias_prefix(&function.name), "")
            .map(str::to_owned)
            .collect();
        if let Some(alias) = aliases
            .iter()
            .filter_map(|key| self.transaction.get::<Alias>(key))
            .find(|alias| alias.version == qualifier)
        {
            return Err(conflict(format!(
                "Unable to delete version because the following aliases reference it: [{}]",
                alias.name
            )));
        }
        self.version(&function.name, number)
            .ok_or_else(|| self.not_found(&format!("{}:{qualifier}", function.name)))?;
        self.transaction
            .delete(self.version_key(&function.name, number));
        Ok(Reply::new(204))
    }

    /// What a version number or alias names; `None` stands for `$LATEST`.
    pub(super) fn resolve(
        &self,
        function: &Function,
        qualifier: &str,
    ) -> Result<Option<Version>, ApiError> {
        let alias = self
            .transaction
            .get::<Alias>(&self.alias_key(&function.name, qualifier));
        let number = alias
            .as_ref()
            .map_or(qualifier, |alias| alias.version.as_str());
        if number == "$LATEST" {
            return Ok(None);
        }
        let version = number
            .parse()
            .ok()
            .and_then(|number| self.version(&function.name, number));
        version
            .map(Some)
            .ok_or_else(|| self.not_found(&format!("{}:{qualifier}", function.name)))
    }

    pub(super) fn version(&self, name: &str, number: u32) -> Option<Version> {
        self.transaction.get(&self.version_key(name, number))
    }

    fn version_key(&self, name: &str, number: u32) -> String {
        format!("{}{number:010}", self.version_prefix(name))
    }

    pub(super) fn version_prefix(&self, name: &str) -> String {
        format!("{}{name}/", self.prefix("version"))
    }
}

/// Whether two snapshots differ in nothing a version keeps.
fn same_release(one: &Snapshot, other: &Snapshot) -> bool {
    one.settings == other.settings && one.code == other.code
}
