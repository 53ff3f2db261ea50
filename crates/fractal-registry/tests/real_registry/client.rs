//! Our client for a registry of the test.

use std::collections::BTreeMap;
use std::sync::Arc;

use fractal_registry::{Credential, Options, Registry, StaticCredentials};
use fractal_testkit::registry::{PASSWORD, Server, Setup, USER};

/// As someone who may do everything.
pub(crate) fn client(server: &Server) -> Registry {
    let credential = if server.setup().authenticates() {
        Credential::basic(USER, PASSWORD)
    } else {
        Credential::Anonymous
    };
    client_as(server, credential)
}

pub(crate) fn client_as(server: &Server, credential: Credential) -> Registry {
    let host = || server.host().parse().unwrap();
    // A loopback host speaks plain HTTP unless an endpoint says otherwise.
    let endpoints = match server.setup() {
        Setup::Tls => BTreeMap::from([(host(), server.url())]),
        _ => BTreeMap::new(),
    };
    let credentials = StaticCredentials::new(BTreeMap::from([(host(), credential)]));
    Registry::new(Options {
        endpoints,
        credentials: Arc::new(credentials),
        ca_bundle: server.authority().map(Into::into),
        ..Options::on_loopback()
    })
    .unwrap()
}
