//! Plans as pure values: the cases worth a name, and as a property that a plan carried out leaves nothing to plan.

#[cfg(test)]
#[path = "support/model.rs"]
mod model;

#[cfg(test)]
mod tests {
    use fractal_core::Class;
    use fractal_core::Fault;
    use fractal_core::reconcile::{At, Effect, Plan, Platform as _, Step as _};
    use lambda_agent::{
        Deletion, Desired, Function, Lambda, Memo, Observed, Operation, Place, Step,
    };
    use proptest::prelude::*;

    use super::model::{self, Model, Shape};

    fn seen(function: Option<Function>) -> Observed {
        Observed {
            function,
            staged: false,
        }
    }

    fn planned(
        memo: Memo,
        desired: Option<&Desired>,
        function: Option<Function>,
    ) -> Result<Plan<Step>, Fault> {
        let at: At<Place, Memo> = model::at(memo);
        Lambda::plan(&at, desired, &seen(function)).map_err(Fault::from)
    }

    fn steps(plan: Result<Plan<Step>, Fault>) -> (Vec<String>, Vec<String>) {
        match plan.unwrap() {
            Plan::Apply { now, later } => (now.iter().map(ToString::to_string).collect(), later),
            other => panic!("{other:?}"),
        }
    }

    fn failed() -> Operation {
        Operation::Failed {
            code: "ImageDeleted".into(),
            message: "the image is gone".into(),
        }
    }

    #[test]
    fn what_is_as_desired_needs_nothing() {
        let desired = Shape::default().desired();
        let function = model::function(&desired);
        assert_eq!(
            planned(Memo::default(), Some(&desired), Some(function)),
            Ok(Plan::InSync)
        );
        assert_eq!(planned(Memo::default(), None, None), Ok(Plan::InSync));
    }

    #[test]
    fn a_package_change_takes_the_function_away_first_and_is_a_replacement() {
        let (zip, image) = (
            Shape::default().desired(),
            Shape {
                image: true,
                ..Shape::default()
            }
            .desired(),
        );
        for (from, to) in [(&zip, &image), (&image, &zip)] {
            let plan = planned(Memo::default(), Some(to), Some(model::function(from))).unwrap();
            let Plan::Apply { now, later } = plan else {
                panic!("{plan:?}")
            };
            let because = Deletion::PackageChange;
            assert_eq!(now, [Step::Delete { because }]);
            assert_eq!(now[0].effect(), Effect::Replace);
            assert_eq!(later, ["create the function anew"]);
        }
    }

    #[test]
    fn settings_come_before_the_code_that_may_need_them() {
        let old = Shape::default().desired();
        let new = Shape {
            version: 2,
            memory: 256,
            ..Shape::default()
        }
        .desired();
        let (now, later) = steps(planned(
            Memo::default(),
            Some(&new),
            Some(model::function(&old)),
        ));
        assert_eq!(now, ["update settings: memory 128 -> 256"]);
        assert_eq!(later.len(), 1);
        assert!(later[0].starts_with("update the code to zip "), "{later:?}");
    }

    #[test]
    fn variables_that_only_go_away_come_after_the_code_that_needed_them() {
        let old = Shape {
            variables: 0b11,
            ..Shape::default()
        }
        .desired();
        let new = Shape {
            version: 2,
            variables: 0b01,
            ..Shape::default()
        }
        .desired();
        let memo = Memo {
            owned_env: old.settings.environment.keys().cloned().collect(),
            ..Memo::default()
        };
        let (now, later) = steps(planned(
            memo.clone(),
            Some(&new),
            Some(model::function(&old)),
        ));
        assert!(now[0].starts_with("update the code to zip "), "{now:?}");
        assert_eq!((now.len(), later), (1, vec!["mark the digest".to_owned()]));

        let mut updated = model::function(&new);
        updated.environment = model::function(&old).environment;
        let (now, _) = steps(planned(memo, Some(&new), Some(updated)));
        assert_eq!(now, ["update settings: remove KEY_B"]);
    }

    #[test]
    fn while_lambda_is_busy_nothing_is_planned() {
        let desired = Shape {
            memory: 256,
            ..Shape::default()
        }
        .desired();
        let mut pending = model::function(&Shape::default().desired());
        pending.state = Operation::Running("Pending".into());
        let mut updating = model::function(&Shape::default().desired());
        updating.update = Operation::Running("InProgress".into());
        for (function, state) in [(pending, "Pending"), (updating, "InProgress")] {
            let wait = format!("Lambda is busy with the function: {state}");
            assert_eq!(
                planned(Memo::default(), Some(&desired), Some(function)),
                Ok(Plan::Wait(wait))
            );
        }
    }

    #[test]
    fn a_failed_creation_is_said_once_and_then_made_anew() {
        let desired = Shape::default().desired();
        let mut function = model::function(&desired);
        (function.state, function.update) = (failed(), failed());
        let tried = Memo {
            attempt: desired.attempt(),
            ..Memo::default()
        };
        let fault = planned(tried, Some(&desired), Some(function.clone())).unwrap_err();
        assert_eq!(
            (fault.class, fault.reason.as_str()),
            (Class::Blocked, "OperationFailed")
        );
        assert_eq!(
            fault.why.as_deref(),
            Some("ImageDeleted: the image is gone")
        );

        let (now, later) = steps(planned(Memo::default(), Some(&desired), Some(function)));
        assert_eq!(now, ["delete the function whose creation failed"]);
        assert_eq!(later, ["create the function anew"]);
    }

    #[test]
    fn after_a_failed_update_the_code_is_written_again_though_lambda_reports_it() {
        let desired = Shape::default().desired();
        let mut function = model::function(&desired);
        function.update = failed();
        let (now, _) = steps(planned(Memo::default(), Some(&desired), Some(function)));
        assert!(now[0].starts_with("update the code to zip "), "{now:?}");
    }

    #[test]
    fn another_ones_function_is_refused_and_survives_the_undeploy() {
        let desired = Shape::default().desired();
        for marker in [None, Some("other/0123".to_owned())] {
            let mut function = model::function(&desired);
            function.tags.remove("fractal:owner");
            function
                .tags
                .extend(marker.map(|marker| ("fractal:owner".to_owned(), marker)));
            let fault =
                planned(Memo::default(), Some(&desired), Some(function.clone())).unwrap_err();
            assert_eq!(
                (fault.class, fault.reason.as_str()),
                (Class::Blocked, "OwnedByOther")
            );
            assert_eq!(
                planned(Memo::default(), None, Some(function)),
                Ok(Plan::InSync)
            );
        }
    }

    #[test]
    fn a_function_that_was_just_created_is_not_believed_absent_at_once() {
        let plan = planned(
            Memo {
                unseen: 1,
                ..Memo::default()
            },
            None,
            None,
        );
        assert!(matches!(plan, Ok(Plan::Wait(_))), "{plan:?}");
    }

    fn shapes() -> impl Strategy<Value = Shape> {
        (
            any::<[bool; 3]>(),
            1_u8..4,
            0_u8..4,
            prop_oneof![Just(128), Just(256)],
        )
            .prop_map(|([image, staged, arm], version, variables, memory)| Shape {
                image,
                staged: staged && !image,
                arm,
                version,
                variables,
                memory,
            })
    }

    /// What may have happened to the function meanwhile.
    fn tampered(model: &mut Model, how: u8) {
        let Some(function) = &mut model.function else {
            return;
        };
        match how {
            0 => function.update = failed(),
            1 => (function.state, function.update) = (failed(), failed()),
            2 => _ = function.tags.remove("fractal:digest"),
            3 => {
                let running = function.image_sha256.as_mut();
                *running.unwrap_or(&mut function.code_sha256) = "tampered".into();
            }
            4 => {
                let value = function.environment.0.get_mut("KEY_A");
                value
                    .into_iter()
                    .for_each(|value| *value = "tampered".into());
            }
            5 => model.function = None,
            _ => {}
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever was there before, and whatever happened to it: plans carried out end in a function as desired, in few rounds,
        /// with nothing left over, what is foreign untouched, and nothing more to plan.
        #[test]
        fn a_plan_carried_out_leaves_nothing_to_plan(shapes in proptest::collection::vec((shapes(), 0_u8..9), 1..4)) {
            let mut model = Model::default();
            for (shape, how) in &shapes {
                let desired = shape.desired();
                model.converge(Some(&desired)).map_err(TestCaseError::fail)?;
                prop_assert_eq!(model.differs_from(&desired), None);
                prop_assert!(model.bucket.is_empty(), "left in the bucket: {:?}", model.bucket);
                if let Some(function) = &mut model.function {
                    function.environment.0.insert("FOREIGN".into(), "kept".into());
                }
                tampered(&mut model, *how);
            }
            model.converge(None).map_err(TestCaseError::fail)?;
            prop_assert!(model.function.is_none() && model.bucket.is_empty());
        }
    }
}
