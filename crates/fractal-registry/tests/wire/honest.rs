//! An honest registry in memory, whose state a test looks into and adds to.

use std::sync::{Arc, Mutex};

pub(crate) use fractal_testkit::liar::Shelf;

use crate::server::{Reply, Request, Server};

pub(crate) type Shared = Arc<Mutex<Shelf>>;

pub(crate) async fn start() -> (Server, Shared) {
    let state = Shared::default();
    state.lock().unwrap().can_mount = true;
    let inner = state.clone();
    (
        Server::scripted(move |request, _| answer(&mut inner.lock().unwrap(), request)).await,
        state,
    )
}

/// The registry's answer; other scripts call it for what they do not lie about.
pub(crate) fn answer(state: &mut Shelf, request: &Request) -> Reply {
    state.answer(request)
}
