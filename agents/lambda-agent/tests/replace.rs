//! A function cannot turn from zip to image or back: it is replaced, and only with consent.

#[cfg(test)]
#[path = "support/artifacts.rs"]
#[expect(dead_code, reason = "this file needs part of it only")]
mod artifacts;
#[cfg(test)]
#[path = "support/cloud.rs"]
#[expect(dead_code, reason = "this file needs part of it only")]
mod cloud;
#[cfg(test)]
#[path = "support/deploy.rs"]
#[expect(dead_code, reason = "this file needs part of it only")]
mod deploy;
#[cfg(test)]
#[path = "support/wire.rs"]
#[expect(dead_code, reason = "this file needs part of it only")]
mod wire;

#[cfg(test)]
mod tests {
    use fractal_core::Class;
    use fractal_core::reconcile::End;

    use super::artifacts::zip_of;
    use super::deploy::{Consenting, Deployed, Deployment};

    async fn zip_to_image(consent: Consenting) -> Deployed {
        let zip = Deployment::of(zip_of("before", None));
        zip.then_image("after").allowed_by(consent).run().await
    }

    #[tokio::test]
    async fn without_consent_what_runs_is_left_alone() {
        use Consenting::{Nobody, OtherAim, OtherPlan};
        for consent in [Nobody, OtherPlan, OtherAim] {
            let deployed = zip_to_image(consent).await;
            let End::Fault(fault) = &deployed.end else {
                panic!("{consent:?}: {:?}", deployed.end)
            };
            assert_eq!(
                (fault.class, fault.reason.as_str()),
                (Class::Blocked, "ReplaceNeedsConsent")
            );
            assert_eq!(deployed.writes(), ["CreateFunction"], "{consent:?}");
        }
    }

    #[tokio::test]
    async fn with_consent_it_is_deleted_and_made_anew() {
        for consent in [Consenting::Environment, Consenting::ThisPlan] {
            let deployed = zip_to_image(consent).await;
            assert!(matches!(deployed.end, End::Ready(_)), "{:?}", deployed.end);
            assert_eq!(
                deployed.writes(),
                ["CreateFunction", "DeleteFunction", "CreateFunction"],
                "{consent:?}"
            );
        }
    }

    #[tokio::test]
    async fn an_image_is_replaced_by_a_zip_in_the_same_way() {
        let image = Deployment::of_image("before");
        let zip = zip_of("after", None);
        let deployed = image
            .then(zip, serde_json::json!({}))
            .allowed_by(Consenting::Environment)
            .run()
            .await;
        assert!(matches!(deployed.end, End::Ready(_)), "{:?}", deployed.end);
        assert_eq!(
            deployed.writes(),
            ["CreateFunction", "DeleteFunction", "CreateFunction"]
        );
    }
}
