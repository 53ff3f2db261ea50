//! Tokens at hand: one per registry host, environment and scope, fetched once however many ask, renewed before they run out.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fractal_core::artifact::RegistryHost;
use tokio::time::Instant;

use super::{Access, Ask, Round, Shown};
use crate::error::{Action, RegistryError};

/// Shortest and longest time a token is believed to hold, whatever its service says.
const LIFETIME: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));
/// Tokens held before those that ran out are dropped.
const HELD_MAX: usize = 256;

/// One environment's token is never another's: their credentials may differ.
type Key = (RegistryHost, Option<Arc<str>>, String);
type Slot = Arc<tokio::sync::Mutex<Option<Held>>>;

/// A token as its service gave it.
pub(super) struct Minted {
    pub(super) shown: Shown,
    /// Seconds it is said to hold.
    pub(super) seconds: f64,
}

struct Held {
    shown: Shown,
    renew_at: Instant,
}

#[derive(Default)]
pub(super) struct Tokens(Mutex<HashMap<Key, Slot>>);

impl Tokens {
    /// The token at hand unless it was rejected, is to be had anew, or runs out; otherwise what `mint` gives.
    pub(super) async fn get<F>(
        &self,
        access: &Access,
        ask: &Ask,
        mint: impl FnOnce() -> F,
    ) -> Result<Shown, RegistryError>
    where
        F: Future<Output = Result<Minted, RegistryError>> + Send,
    {
        let slot = self.slot((
            access.host.clone(),
            access.environment.clone(),
            own_scopes(access).join(" "),
        ));
        let mut held = slot.lock().await;
        if let Some(token) = held.as_ref()
            && token.shown.header != ask.rejected
            && Instant::now() < token.renew_at
        {
            return Ok(token.shown.clone());
        }
        *held = None;
        let minted = mint().await?;
        let shown = minted.shown.clone();
        *held = Some(Held {
            renew_at: Instant::now() + believed(minted.seconds),
            shown: minted.shown,
        });
        Ok(shown)
    }

    fn slot(&self, key: Key) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= HELD_MAX {
            let now = Instant::now();
            slots.retain(|_, slot| {
                slot.try_lock().map_or(true, |held| {
                    held.as_ref().is_some_and(|token| token.renew_at > now)
                })
            });
        }
        slots.entry(key).or_default().clone()
    }
}

/// The scopes a request needs, in the token services' own notation.
pub(super) fn own_scopes(access: &Access) -> Vec<String> {
    let actions = match access.action {
        Action::Pull => "pull",
        Action::Push => "pull,push",
    };
    let own = format!("repository:{}:{actions}", access.name);
    std::iter::once(own)
        .chain(
            access
                .also_pull
                .iter()
                .map(|name| format!("repository:{name}:pull")),
        )
        .collect()
}

/// All scopes to ask for: ours, and what the challenge names beyond them.
pub(super) fn scopes(access: &Access, ask: &Ask) -> Vec<String> {
    let mut all = own_scopes(access);
    for hint in ask
        .hint
        .as_deref()
        .unwrap_or_default()
        .split(' ')
        .filter(|hint| !hint.is_empty())
        .take(4)
    {
        let covered = hint.rsplit_once(':').is_some_and(|(what, actions)| {
            all.iter()
                .filter_map(|own| own.rsplit_once(':'))
                .any(|(own, has)| {
                    own == what
                        && actions
                            .split(',')
                            .all(|action| has.split(',').any(|own| own == action))
                })
        });
        if !covered && hint.len() <= 512 {
            all.push(hint.to_owned());
        }
    }
    all
}

/// Four fifths of the stated time, within [`LIFETIME`]; a service that says nothing means a minute.
fn believed(seconds: f64) -> Duration {
    let stated = if seconds.is_finite() {
        seconds.clamp(LIFETIME.0.as_secs_f64(), LIFETIME.1.as_secs_f64())
    } else {
        LIFETIME.0.as_secs_f64()
    };
    Duration::from_secs_f64(stated * 0.8)
}

impl Ask {
    /// Is a credential to be asked for anew?
    pub(super) fn is_anew(&self) -> bool {
        self.round == Round::Anew
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Origin;

    fn access(action: Action) -> Access {
        let origin = Origin::of(&"https://r.example".parse().unwrap()).unwrap();
        Access {
            host: "r.example".parse().unwrap(),
            name: "a/b".into(),
            action,
            also_pull: None,
            at: "r.example/a/b".into(),
            origin,
            environment: None,
        }
    }

    #[test]
    fn g07_a_lifetime_is_clamped() {
        let check = |seconds: f64, expected: u64| {
            assert_eq!(
                believed(seconds),
                Duration::from_secs(expected),
                "{seconds}"
            )
        };
        check(0.0, 48);
        check(-1.0, 48);
        check(1e12, 2880);
        check(f64::NAN, 48);
        check(300.0, 240);
    }

    #[test]
    fn a_hint_is_added_only_where_it_asks_for_more() {
        let ask = |hint: &str| Ask {
            hint: Some(hint.into()),
            rejected: None,
            round: Round::AtHand,
        };
        let push = access(Action::Push);
        assert_eq!(
            scopes(&push, &ask("repository:a/b:push")),
            ["repository:a/b:pull,push"]
        );
        let pull = access(Action::Pull);
        assert_eq!(
            scopes(&pull, &ask("repository:a/b:pull,push")),
            ["repository:a/b:pull", "repository:a/b:pull,push"]
        );
    }
}
