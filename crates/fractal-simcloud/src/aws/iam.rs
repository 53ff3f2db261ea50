//! IAM, as far as Lambda's role check needs it: `CreateRole`, `GetRole`, `DeleteRole`. Policies are not evaluated.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::sts::unknown_action;
use super::wire::{ApiError, Dialect};
use super::{Aws, Input, Scope};
use crate::clock::at;
use crate::encoding::{find, query_pairs, uuid, xml_escape};
use crate::exchange::{Answer, Reply};
use crate::ledger::{Call, Transaction};

const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

#[derive(Serialize, Deserialize)]
struct Role {
    name: String,
    arn: String,
    id: String,
    created_ms: u64,
    trust: String,
}

impl Aws {
    pub(super) async fn serve_iam(&self, scope: Scope, input: Input) -> Answer {
        let form = query_pairs(&String::from_utf8_lossy(&input.body), true);
        let operation = find(&form, "Action").unwrap_or_default().to_owned();
        let name = find(&form, "RoleName").unwrap_or_default().to_owned();
        let mutating = matches!(operation.as_str(), "CreateRole" | "DeleteRole");
        let call = Call {
            service: "iam".into(),
            operation: operation.clone(),
            resource: name.clone(),
            mutating,
            ..scope.call()
        };
        let request = json!({ "Action": operation, "RoleName": name });
        let strikes = match self.gate(&call, Dialect::Query, &request).await {
            Ok(strikes) => strikes,
            Err(answer) => return answer,
        };
        let trust = find(&form, "AssumeRolePolicyDocument").unwrap_or_default();
        self.finish(&call, &strikes, request, |transaction| {
            let done = match operation.as_str() {
                "CreateRole" => create(transaction, &scope, &name, trust, self.clock.now_ms()),
                "GetRole" => get(transaction, &scope, &name),
                "DeleteRole" => delete(transaction, &scope, &name),
                _ => return unknown_action(&operation),
            };
            done.unwrap_or_else(|error| Dialect::Query.error(&error, &name))
        })
    }
}

/// Whether a role made by `CreateRole` has this ARN.
pub(super) fn role_exists(transaction: &Transaction<'_>, arn: &str) -> bool {
    let account = arn.split(':').nth(4).unwrap_or_default();
    let name = arn.rsplit('/').next().unwrap_or_default();
    transaction
        .get::<Role>(&key(account, name))
        .is_some_and(|role| role.arn == arn)
}

fn key(account: &str, name: &str) -> String {
    format!("iam/{account}/role/{name}")
}

fn create(
    transaction: &mut Transaction<'_>,
    scope: &Scope,
    name: &str,
    trust: &str,
    now_ms: u64,
) -> Result<Reply, ApiError> {
    let valid = !name.is_empty()
        && name.len() <= 64
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@-_".contains(&byte));
    if !valid {
        return Err(ApiError::new(
            400,
            "ValidationError",
            format!("The specified value for roleName is invalid: '{name}'."),
        ));
    }
    if serde_json::from_str::<serde_json::Value>(trust).is_err() {
        return Err(ApiError::new(
            400,
            "MalformedPolicyDocument",
            "This policy contains invalid Json",
        ));
    }
    let key = key(&scope.account, name);
    if transaction.get::<Role>(&key).is_some() {
        return Err(ApiError::new(
            409,
            "EntityAlreadyExists",
            format!("Role with name {name} already exists."),
        ));
    }
    let arn = format!("arn:aws:iam::{}:role/{name}", scope.account);
    let role = Role {
        name: name.to_owned(),
        arn,
        id: format!("AROA{}", uuid().replace('-', "").to_uppercase()),
        created_ms: now_ms,
        trust: trust.to_owned(),
    };
    transaction.put(key, &role);
    Ok(role_reply("CreateRole", &role))
}

fn get(transaction: &Transaction<'_>, scope: &Scope, name: &str) -> Result<Reply, ApiError> {
    transaction
        .get::<Role>(&key(&scope.account, name))
        .map(|role| role_reply("GetRole", &role))
        .ok_or_else(|| absent(name))
}

fn delete(transaction: &mut Transaction<'_>, scope: &Scope, name: &str) -> Result<Reply, ApiError> {
    let key = key(&scope.account, name);
    transaction.get::<Role>(&key).ok_or_else(|| absent(name))?;
    transaction.delete(key);
    Ok(reply("DeleteRole", ""))
}

fn absent(name: &str) -> ApiError {
    ApiError::new(
        404,
        "NoSuchEntity",
        format!("The role with name {name} cannot be found."),
    )
}

fn role_reply(operation: &str, role: &Role) -> Reply {
    let format =
        time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    let created = at(role.created_ms).format(format).unwrap_or_default();
    let role = format!(
        "<Role><Path>/</Path><RoleName>{}</RoleName><RoleId>{}</RoleId><Arn>{}</Arn><CreateDate>{created}</CreateDate><AssumeRolePolicyDocument>{}</AssumeRolePolicyDocument></Role>",
        xml_escape(&role.name),
        role.id,
        xml_escape(&role.arn),
        crate::encoding::percent_encode(&role.trust, false),
    );
    reply(
        operation,
        &format!("<{operation}Result>{role}</{operation}Result>"),
    )
}

fn reply(operation: &str, result: &str) -> Reply {
    let body = format!(
        "<{operation}Response xmlns=\"{NAMESPACE}\">{result}<ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></{operation}Response>",
        uuid()
    );
    Reply::new(200).bytes("text/xml", body)
}
