//! Publishing one artifact to both registries, as `fractal publish` does, and comparing what they hold.

use std::path::Path;
use std::sync::Arc;

use fractal_cli::{Parcel, deliver};
use fractal_core::artifact::{Reference, ReferenceError};

use crate::error::Error;
use crate::output::Output;
use crate::world::{ACR, ECR, World};

/// Publishes what is at `path` as `name` in every registry.
pub(super) async fn everywhere(
    world: &World,
    out: Output,
    path: &Path,
    name: &str,
) -> Result<(), Error> {
    let parcel = Arc::new(Parcel::pack(&path.display().to_string(), None).await?);
    let to: Result<Vec<Reference>, ReferenceError> = [ECR, ACR]
        .iter()
        .map(|host| format!("{host}/{name}").parse())
        .collect();
    let to = to.map_err(|error| Error::Unexpected(error.to_string()))?;
    let mut digests = Vec::new();
    for (reference, arrival) in deliver(&parcel, &world.client, &to).await {
        let arrival = arrival?;
        out.line(&format!(
            "{reference} holds {} ({} bytes sent)",
            arrival.digest.short(),
            arrival.sent
        ));
        digests.push(arrival.digest);
    }
    digests.dedup();
    match digests.as_slice() {
        [digest] => out.holds(&format!("read back and compared: {digest} in both")),
        _ => {
            return Err(Error::Unexpected(
                "the registries hold different digests".into(),
            ));
        }
    }
    Ok(())
}
