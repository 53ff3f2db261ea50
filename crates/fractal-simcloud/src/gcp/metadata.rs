//! The metadata server's token of the machine's service account.

use serde_json::json;

use super::{Gcp, GcpAccount, is_scope};
use crate::exchange::Reply;
use crate::front::Asked;

impl Gcp {
    /// `GET .../service-accounts/{default|email}/token`, with `Metadata-Flavor: Google` and not through a proxy.
    pub(super) fn metadata(&self, account: &str, asked: &Asked) -> Reply {
        let reply = if asked.header("metadata-flavor") != Some("Google") {
            plain(403, "Missing Metadata-Flavor:Google header.")
        } else if asked.header("x-forwarded-for").is_some() {
            plain(403, "Request has X-Forwarded-For header.")
        } else if asked.method() != "GET" {
            plain(405, "Method not allowed")
        } else {
            self.attached(account, asked)
        };
        reply
            .header("metadata-flavor", "Google")
            .header("server", "Metadata Server for VM")
    }

    fn attached(&self, account: &str, asked: &Asked) -> Reply {
        let is_it =
            |one: &&GcpAccount| one.attached && (account == "default" || one.email == account);
        let Some(found) = self.config.accounts.iter().find(is_it) else {
            return plain(
                404,
                "The requested service account is not attached to this machine.",
            );
        };
        if asked
            .parameter("scopes")
            .is_some_and(|scopes| !is_scope(scopes))
        {
            return plain(400, "Invalid scopes.");
        }
        let token = self.access_token(&found.email, found.access);
        let seconds = self.config.token_seconds;
        Reply::json(
            200,
            &json!({ "access_token": token, "expires_in": seconds, "token_type": "Bearer" }),
        )
    }
}

fn plain(status: u16, text: &str) -> Reply {
    Reply::new(status)
        .bytes("text/html", text.to_owned())
        .coded(status.to_string())
}
