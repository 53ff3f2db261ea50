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

/// Guards what another resolver finds: the system's, but in tests.
#[derive(Debug, Clone)]
pub(crate) struct GuardedResolver<R = GaiResolver> {
    system: R,
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

impl<R> Service<Name> for GuardedResolver<R>
where
    R: Service<Name> + Clone + Send + 'static,
    R::Response: Iterator<Item = SocketAddr>,
    R::Error: Into<BoxError>,
    R::Future: Send,
{
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
            let found: Vec<SocketAddr> = system.call(name).await.map_err(Into::into)?.collect();
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::{Ready, ready};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::address::Class;
    use super::*;

    /// A name server whose answers change: one list of addresses for each time it is asked, the last for ever.
    #[derive(Clone)]
    struct Rebinding {
        answers: Arc<[Vec<SocketAddr>]>,
        asked: Arc<AtomicUsize>,
    }

    impl Rebinding {
        fn of(answers: &[&[&str]]) -> Self {
            let parse = |address: &&str| SocketAddr::new(address.parse().unwrap(), 0);
            let all = answers
                .iter()
                .map(|addresses| addresses.iter().map(parse).collect());
            Self {
                answers: all.collect(),
                asked: Arc::default(),
            }
        }

        fn guarded(self, reach: Reach) -> GuardedResolver<Self> {
            GuardedResolver {
                system: self,
                reach,
            }
        }
    }

    impl Service<Name> for Rebinding {
        type Response = std::vec::IntoIter<SocketAddr>;
        type Error = Infallible;
        type Future = Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Name) -> Self::Future {
            let turn = self.asked.fetch_add(1, Ordering::SeqCst);
            let answer = self.answers[turn.min(self.answers.len() - 1)].clone();
            ready(Ok(answer.into_iter()))
        }
    }

    async fn found(resolver: &mut GuardedResolver<Rebinding>) -> Result<Vec<String>, String> {
        let name: Name = "r.example".parse().unwrap();
        let found = resolver.call(name).await;
        found
            .map(|all| all.map(|address| address.ip().to_string()).collect())
            .map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn r09_a_name_that_moves_to_a_private_address_is_refused_from_then_on() {
        let moving = Rebinding::of(&[&["8.8.8.8"], &["127.0.0.1"]]);
        for reach in [Reach::Named, Reach::Like(Class::Public)] {
            let mut resolver = moving.clone().guarded(reach);
            resolver.system.asked = Arc::default();
            assert_eq!(found(&mut resolver).await, Ok(vec!["8.8.8.8".to_owned()]));
            let refused = found(&mut resolver).await.unwrap_err();
            assert!(refused.contains("127.0.0.1"), "{refused}");
            assert!(found(&mut resolver).await.is_err());
        }
    }

    #[tokio::test]
    async fn r09_of_several_addresses_only_those_that_may_be_reached_are_left() {
        let mixed = Rebinding::of(&[&["169.254.169.254", "::ffff:10.0.0.1", "8.8.8.8"]]);
        let mut public = mixed.clone().guarded(Reach::Named);
        assert_eq!(found(&mut public).await, Ok(vec!["8.8.8.8".to_owned()]));
        let mut operators = mixed.guarded(Reach::Operator);
        assert_eq!(
            found(&mut operators).await,
            Ok(vec!["::ffff:10.0.0.1".to_owned(), "8.8.8.8".to_owned()])
        );
        let hidden = Rebinding::of(&[&["64:ff9b::a9fe:a9fe"], &["2002:7f00:1::1"], &["::"]]);
        let mut public = hidden.guarded(Reach::Named);
        for _ in 0..3 {
            assert!(found(&mut public).await.is_err());
        }
    }
}
