//! Which hosts are asked, and that the others are not even connected to.

use fractal_core::{Class, Fault};
use fractal_registry::{HostPolicy, IdentityClient, IdentityRequest, Options, Registry};
use fractal_testkit::liar::{Authority, Liar, Lie, Part, Shelf};

use crate::support::{Answer, Proxy, quick, resolve, through};

fn allowing(patterns: &[&str]) -> Options {
    let patterns = patterns.iter().map(|pattern| pattern.parse().unwrap());
    Options {
        hosts: HostPolicy::default().allow(patterns),
        ..quick()
    }
}

fn private(options: Options, patterns: &[&str]) -> Options {
    let patterns = patterns.iter().map(|pattern| pattern.parse().unwrap());
    Options {
        hosts: options.hosts.clone().allow_private(patterns),
        ..options
    }
}

fn check(fault: &Fault, reason: &str, next: &str) {
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (Class::Blocked, reason),
        "{fault}"
    );
    let says = fault.next.as_deref().unwrap_or_default();
    assert!(says.ends_with(next), "{says}");
}

#[tokio::test]
async fn r07_a_host_outside_the_list_is_refused_before_its_name_is_looked_up() {
    let registry = Registry::new(allowing(&["*.azurecr.io"])).unwrap();
    for host in [
        "acme.azurecr.io.evil.tld",
        "evilazurecr.io",
        "acme.azurecr.io:8443",
    ] {
        let reference = format!("{host}/app:1").parse().unwrap();
        let fault = Fault::from(registry.resolve(&reference).await.unwrap_err());
        let next = format!("the operator adds --allow-host {host}");
        check(&fault, "EgressDenied", &next);
        assert!(fault.what.contains("refused for safety"), "{fault}");
    }
    assert_eq!(registry.requests().total(), 0);
}

#[tokio::test]
async fn r07_a_listed_host_is_reached_and_its_mirror_with_it() {
    let liar = Liar::stocked().await;
    let listed = private(allowing(&[&liar.host()]), &[&liar.host()]);
    resolve(listed, liar.reference("shop/zip:1").to_string().as_str())
        .await
        .unwrap();
    let mut mirrored = allowing(&["r.example"]);
    mirrored
        .endpoints
        .insert("r.example".parse().unwrap(), liar.url());
    resolve(mirrored.clone(), "r.example/shop/zip:1")
        .await
        .unwrap();
    mirrored
        .endpoints
        .insert("other.example".parse().unwrap(), liar.url());
    let fault = resolve(mirrored, "other.example/shop/zip:1")
        .await
        .unwrap_err();
    check(&fault, "EgressDenied", "--allow-host other.example");
    assert_eq!(liar.seen().len(), 2);
}

#[tokio::test]
async fn r08_a_host_on_this_machine_is_refused_in_every_spelling() {
    let liar = Liar::stocked().await;
    let port = liar.port();
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
    ] {
        let fault = resolve(quick(), &format!("{host}:{port}/shop/zip:1"))
            .await
            .unwrap_err();
        check(
            &fault,
            "EgressDenied",
            &format!("--allow-private {host}:{port}"),
        );
        assert!(
            fault
                .why
                .as_ref()
                .is_some_and(|why| why.ends_with("127.0.0.1")),
            "{fault}"
        );
    }
    assert_eq!(liar.traffic().connections, 0);
}

#[tokio::test]
async fn r09_a_name_that_resolves_to_this_machine_is_refused() {
    let liar = Liar::stocked().await;
    let host = format!("localhost:{}", liar.port());
    let fault = resolve(quick(), &format!("{host}/shop/zip:1"))
        .await
        .unwrap_err();
    check(&fault, "EgressDenied", &format!("--allow-private {host}"));
    assert_eq!(liar.traffic().connections, 0);
    resolve(private(quick(), &[&host]), &format!("{host}/shop/zip:1"))
        .await
        .unwrap();
}

#[tokio::test]
async fn r08_a_host_on_this_machine_is_reached_once_the_operator_names_it() {
    let liar = Liar::stocked().await;
    let (host, reference) = (liar.host(), liar.reference("shop/zip:1").to_string());
    let plain = Options {
        plain_http: [host.parse().unwrap()].into(),
        ..quick()
    };
    let endpoint = Options {
        endpoints: [(host.parse().unwrap(), liar.url())].into(),
        ..quick()
    };
    for options in [
        private(quick(), &[&host]),
        plain,
        endpoint,
        Options::on_loopback(),
    ] {
        resolve(options, &reference).await.unwrap();
    }
    assert_eq!(liar.seen().len(), 4);
    // Another port of the same machine was not named.
    let other = Liar::stocked().await;
    let named = private(quick(), &[&host]);
    let fault = resolve(named, &other.reference("shop/zip:1").to_string())
        .await
        .unwrap_err();
    check(
        &fault,
        "EgressDenied",
        &format!("--allow-private {}", other.host()),
    );
    assert_eq!(other.traffic().connections, 0);
}

#[tokio::test]
async fn r08_metadata_servers_are_refused_even_where_they_are_named() {
    let named = [
        "metadata.google.internal",
        "169.254.169.254",
        "168.63.129.16",
    ];
    let options = private(allowing(&named), &named);
    let registry = Registry::new(options).unwrap();
    for host in named {
        let reference = format!("{host}/app:1").parse().unwrap();
        let fault = Fault::from(registry.resolve(&reference).await.unwrap_err());
        assert_eq!(fault.reason.as_str(), "EgressDenied", "{host}");
        assert!(
            !fault.next.unwrap_or_default().contains("--allow"),
            "{host}"
        );
    }
    assert_eq!(registry.requests().total(), 0);
}

/// A registry that seems public: the proxy leads there.
async fn public(lie: Lie) -> (Liar, Proxy, Options, tempfile::TempDir) {
    let authority = Authority::new();
    let liar = Liar::over_tls(Shelf::stocked(), &authority.issue("r.example", 2999)).await;
    liar.tell(lie);
    let proxy = Proxy::start(Answer::To(liar.host().parse().unwrap())).await;
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("ca.pem");
    std::fs::write(&bundle, authority.pem()).unwrap();
    let options = Options {
        ca_bundle: Some(bundle),
        ..through(&proxy.url(), "")
    };
    (liar, proxy, options, folder)
}

#[tokio::test]
async fn g02_a_token_service_is_private_or_unlisted_only_where_the_operator_names_it() {
    let service = Liar::stocked().await;
    let realm = format!("https://{}/token", service.host());
    let (_liar, _proxy, options, _folder) = public(Lie::Realm(realm)).await;
    let fault = resolve(options.clone(), "r.example/shop/zip:1")
        .await
        .unwrap_err();
    check(
        &fault,
        "RegistryRealm",
        &format!("--allow-private {}", service.host()),
    );
    assert_eq!(service.traffic().connections, 0);
    // Named, it is asked; that it speaks no TLS is another matter.
    let named = private(options, &[&service.host()]);
    let fault = resolve(named, "r.example/shop/zip:1").await.unwrap_err();
    assert_eq!(fault.reason.as_str(), "RegistryTls", "{fault}");
    assert_eq!(service.traffic().connections, 1);

    let (_liar, proxy, options, _folder) =
        public(Lie::Realm("https://auth.example/token".into())).await;
    let listed = Options {
        hosts: HostPolicy::default().allow(["r.example".parse().unwrap()]),
        ..options
    };
    let fault = resolve(listed, "r.example/shop/zip:1").await.unwrap_err();
    check(&fault, "RegistryRealm", "--allow-host auth.example");
    assert!(
        proxy
            .heads()
            .iter()
            .all(|head| head.starts_with("CONNECT r.example:443 "))
    );
}

#[tokio::test]
async fn g03_a_redirect_is_followed_to_private_or_unlisted_hosts_only_where_the_operator_names_them()
 {
    let target = Liar::stocked().await;
    let to = format!("https://{}/elsewhere", target.host());
    let (_liar, _proxy, options, _folder) = public(Lie::Redirect(Part::Manifests, to)).await;
    let fault = resolve(options.clone(), "r.example/shop/zip:1")
        .await
        .unwrap_err();
    check(
        &fault,
        "RegistryRedirect",
        &format!("--allow-private {}", target.host()),
    );
    assert_eq!(target.traffic().connections, 0);
    let named = private(options, &[&target.host()]);
    let fault = resolve(named, "r.example/shop/zip:1").await.unwrap_err();
    assert_eq!(fault.reason.as_str(), "RegistryTls", "{fault}");

    let to = "https://cdn.example/elsewhere".to_owned();
    let (_liar, proxy, options, _folder) = public(Lie::Redirect(Part::Manifests, to)).await;
    let listed = Options {
        hosts: HostPolicy::default().allow(["r.example".parse().unwrap()]),
        ..options
    };
    let fault = resolve(listed, "r.example/shop/zip:1").await.unwrap_err();
    check(&fault, "RegistryRedirect", "--allow-host cdn.example");
    assert_eq!(proxy.heads().len(), 1);
}

#[tokio::test]
async fn r07_a_registrys_own_exchange_is_for_hosts_that_may_be_reached() {
    let liar = Liar::stocked().await;
    let ask = async |options: Options, host: &str| {
        let client = IdentityClient::new(options).unwrap();
        let service = client.registry(&host.parse().unwrap())?;
        client.send(&IdentityRequest::get(&service, "/v2/")).await
    };
    let refused = async |options: Options, host: &str| {
        let error = ask(options, host).await.unwrap_err();
        assert_eq!(error.reason().as_str(), "EgressDenied", "{error}");
    };
    refused(allowing(&["*.azurecr.io"]), "azurecr.io.evil.tld").await;
    refused(quick(), &liar.host()).await;
    let mut renamed = allowing(&["*.azurecr.io"]);
    renamed
        .endpoints
        .insert("r.example".parse().unwrap(), liar.url());
    refused(renamed, "r.example").await;
    assert_eq!(liar.traffic().connections, 0);
    let named = private(quick(), &[&liar.host()]);
    ask(named, &liar.host()).await.unwrap();
    // The operator's own services are on no list, and may be private.
    let service = liar.url().parse().unwrap();
    let client = IdentityClient::new(allowing(&["*.azurecr.io"])).unwrap();
    let request = IdentityRequest::get(&service, "/v2/");
    client.send(&request).await.unwrap();
    assert_eq!(liar.seen().len(), 2);
}
