//! Name resolution that drops every address a request may not reach: what is checked is what is connected to.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower_service::Service;

use super::address::Reach;

/// All addresses of a name are refused; carries the first.
#[derive(Debug, thiserror::Error)]
#[error("the address {0} is not reached from here")]
pub(crate) struct Denied(pub(crate) IpAddr);

#[derive(Debug, Clone)]
pub(crate) struct GuardedResolver {
    system: GaiResolver,
    reach: Reach,
}

impl GuardedResolver {
    pub(crate) fn new(reach: Reach) -> Self {
        Self {
            system: GaiResolver::new(),
            reach,
        }
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Service<Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let mut system = self.system.clone();
        let reach = self.reach;
        Box::pin(async move {
            let found: Vec<SocketAddr> = system.call(name).await?.collect();
            let first = found.first().map(SocketAddr::ip);
            let allowed: Vec<_> = found
                .into_iter()
                .filter(|address| reach.allows(address.ip()))
                .collect();
            match first {
                Some(first) if allowed.is_empty() => Err(Denied(first).into()),
                _ => Ok(allowed.into_iter()),
            }
        })
    }
}
