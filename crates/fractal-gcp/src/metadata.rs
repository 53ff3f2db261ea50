//! The metadata server's token: of the machine's service account, or of the one a pod is bound to.

use fractal_registry::{IdentityRequest, Issued, Secret, ServiceUrl};

use crate::error::GcpError;
use crate::tokens::{Caller, Granted, SCOPE};

const SERVICE: &str = "the metadata server";
const PATH: &str = "/computeMetadata/v1/instance/service-accounts/default/token";

pub(crate) async fn token(
    caller: &Caller<'_>,
    server: &ServiceUrl,
) -> Result<Issued<Secret>, GcpError> {
    let request = IdentityRequest::query(server, PATH, &[("scopes", SCOPE)])
        .header("metadata-flavor", "Google");
    let answer = caller.accepted(SERVICE, &request).await?;
    // Whoever else answers at this address is no metadata server: a captive portal, or another cloud's.
    if answer.header("metadata-flavor") != Some("Google") {
        let stranger = answer.protocol("it is not Google's metadata server that answers");
        return Err(GcpError::service(SERVICE)(stranger));
    }
    let granted: Granted = answer.json().map_err(GcpError::service(SERVICE))?;
    Ok(granted.issued())
}
