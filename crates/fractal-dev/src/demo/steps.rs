//! What each step does, and what has to hold after it. `sabotage` makes the step's own promise fail, for real.

use std::path::{Path, PathBuf};

use fractal_core::artifact::Digest;
use fractal_queue::intake::Shrink;
use fractal_simcloud::{Action, Filter, Rule};

use super::{cloud, system, wait};
use crate::error::Error;
use crate::output::Output;
use crate::world::{ACR, ECR, World};
use fractal_dev::samples;

mod publish;

/// The demo's state between steps.
pub(super) struct Stage<'a> {
    world: &'a World,
    folder: &'a Path,
    out: Output,
    teller: wait::Teller,
    /// The ledger's last entry when the current step began to watch.
    mark: u64,
}

impl<'a> Stage<'a> {
    pub(super) const fn new(world: &'a World, folder: &'a Path, out: Output) -> Self {
        Self {
            world,
            folder,
            out,
            teller: wait::Teller::new(out),
            mark: 0,
        }
    }

    pub(super) async fn started(&self) -> Result<(), Error> {
        let world = self.world;
        self.out
            .line(&format!("AWS           {}", world.sim.endpoint()));
        self.out.line(&format!(
            "ECR           {} answers as {ECR}",
            world.sim.registry_endpoint()
        ));
        self.out.line(&format!(
            "other vendor  {} answers as {ACR}",
            world.other.endpoint()
        ));
        wait::agent(world).await?;
        self.out
            .holds("lambda-agent serves CustomWorkloads.FaaS.AwsLambda");
        Ok(())
    }

    pub(super) fn build(&mut self, sabotage: bool) -> Result<(), Error> {
        self.write_function("1.0.0")?;
        let text = if sabotage {
            String::new()
        } else {
            "report 1.0.0\n".to_owned()
        };
        let image = self.write_image("1.0.0", &text)?;
        self.out.line("app.zip       a Python function, packed without clock or user: the same bytes everywhere");
        self.out
            .line("report        an image index for amd64 and arm64, one static program in each");
        if text.is_empty() {
            return Err(Error::Unexpected(
                "the image's program prints nothing".into(),
            ));
        }
        self.out.holds(&format!(
            "image {} holds a program that prints {text:?}",
            image.short()
        ));
        Ok(())
    }

    fn write_function(&self, version: &str) -> Result<PathBuf, Error> {
        let path = self.folder.join(format!("orders-{version}.zip"));
        std::fs::write(&path, samples::function_zip(version)?)
            .map_err(Error::io("writing the zip"))?;
        Ok(path)
    }

    fn write_image(&self, version: &str, text: &str) -> Result<Digest, Error> {
        let folder = self.folder.join(format!("report-{version}"));
        Ok(samples::image(&folder, text)
            .map_err(Error::io("writing the image"))?
            .index)
    }

    pub(super) async fn publish(&mut self, sabotage: bool) -> Result<(), Error> {
        if sabotage {
            self.world
                .other
                .faults()
                .arm(Rule::new(writing("registry"), Action::Deny).until_lifted());
        }
        self.publish_function("1.0.0").await?;
        self.publish_image("1.0.0").await
    }

    async fn publish_function(&self, version: &str) -> Result<(), Error> {
        let file = self.folder.join(format!("orders-{version}.zip"));
        publish::everywhere(self.world, self.out, &file, "shop/orders:live").await
    }

    async fn publish_image(&self, version: &str) -> Result<(), Error> {
        let layout = self.folder.join(format!("report-{version}"));
        publish::everywhere(self.world, self.out, &layout, "shop/report:live").await
    }

    pub(super) async fn deploy(&mut self, sabotage: bool) -> Result<(), Error> {
        let body = if sabotage {
            system::body("arn:aws:iam::123456789012:role/nobody-made-this")
        } else {
            system::deployed()
        };
        self.submit(&body).await?;
        wait::until(self.world, &self.teller, "the deployment", wait::is_active).await?;
        for entry in cloud::writes(self.world, 0) {
            self.out
                .line(&format!("ledger: {}", cloud::describe(&entry)));
        }
        let served = self.world.sim.functions().len();
        expect(served == 2, || {
            format!("the cloud holds {served} functions, not 2")
        })?;
        self.out
            .holds("both components are Active, and the cloud serves both digests");
        Ok(())
    }

    async fn submit(&self, body: &serde_json::Value) -> Result<(), Error> {
        self.world
            .queue
            .submit(body.to_string().as_bytes(), None, Shrink::Hold)
            .await?;
        Ok(())
    }

    pub(super) async fn steady(&mut self, sabotage: bool) -> Result<(), Error> {
        self.watch();
        let looks = self.world.metrics.steady_count();
        if sabotage {
            cloud::set_memory(self.world, &self.function(system::FUNCTION)?, 1024).await?;
        }
        // The same live system once more, and at least two more looks at each of its two components.
        self.submit(&system::deployed()).await?;
        wait::looks(self.world, looks + 4).await?;
        let writes = cloud::writes(self.world, self.mark);
        expect(writes.is_empty(), || {
            format!(
                "{} writes where there should be none: {}",
                writes.len(),
                all(&writes)
            )
        })?;
        let pulls = cloud::pulls(self.world, self.mark);
        expect(pulls == 0, || format!("{pulls} blobs were read again"))?;
        self.out.holds(&format!(
            "{} looks, 0 writes, 0 blobs read",
            self.world.metrics.steady_count() - looks
        ));
        Ok(())
    }

    pub(super) async fn update(&mut self, sabotage: bool) -> Result<(), Error> {
        self.watch();
        self.write_function("2.0.0")?;
        self.publish_function("2.0.0").await?;
        let untouched = self.function(system::IMAGE)?;
        if sabotage {
            cloud::set_memory(self.world, &untouched, 1024).await?;
        }
        let wanted = Digest::sha256(samples::function_zip("2.0.0")?);
        wait::serves(self.world, &self.function(system::FUNCTION)?, &wanted).await?;
        wait::until(self.world, &self.teller, "the update", wait::is_active).await?;
        let writes = cloud::writes(self.world, self.mark);
        writes.iter().for_each(|entry| {
            self.out
                .line(&format!("ledger: {}", cloud::describe(entry)))
        });
        let touched = writes
            .iter()
            .find(|entry| entry.resource.contains(&untouched));
        expect(touched.is_none(), || {
            format!(
                "component {} was touched too: {}",
                system::IMAGE,
                all(&writes)
            )
        })?;
        let settings = writes
            .iter()
            .find(|entry| entry.operation == "UpdateFunctionConfiguration");
        expect(settings.is_none(), || {
            format!("settings were written too: {}", all(&writes))
        })?;
        self.out.holds(&format!(
            "only {} changed, and only its code",
            system::FUNCTION
        ));
        Ok(())
    }

    pub(super) async fn repair(&mut self, sabotage: bool) -> Result<(), Error> {
        let function = self.function(system::FUNCTION)?;
        if sabotage {
            let filter = Filter {
                operation: Some("UpdateFunctionConfiguration".into()),
                ..writing("lambda")
            };
            // The first such call is the one that breaks the function.
            self.world
                .sim
                .faults()
                .arm(Rule::new(filter, Action::Deny).nth(2).until_lifted());
        }
        cloud::set_memory(self.world, &function, 3008).await?;
        self.out
            .line(&format!("by hand: {function} gets 3008 MB instead of 256"));
        // The change takes a moment to settle; only then is there something to repair.
        wait::memory(self.world, &self.teller, &function, 3008).await?;
        wait::memory(self.world, &self.teller, &function, 256).await?;
        wait::until(self.world, &self.teller, "the repair", wait::is_active).await?;
        self.out.holds("seen and put right: 256 MB again");
        Ok(())
    }

    pub(super) async fn down(&mut self, sabotage: bool) -> Result<(), Error> {
        if sabotage {
            let filter = Filter {
                operation: Some("DeleteFunction".into()),
                ..writing("lambda")
            };
            self.world
                .sim
                .faults()
                .arm(Rule::new(filter, Action::Deny).until_lifted());
        }
        let id = system::id().map_err(|error| Error::Unexpected(error.to_string()))?;
        self.world.queue.remove_live_system(&id).await?;
        wait::until(self.world, &self.teller, "the removal", |view| {
            view.is_none_or(|view| view.components.is_empty())
        })
        .await?;
        let (functions, objects) = (
            self.world.sim.functions().len(),
            self.world.sim.objects().len(),
        );
        expect(functions == 0 && objects == 0, || {
            format!("{functions} functions and {objects} staged objects are left")
        })?;
        self.out.holds("no function and no staged object is left");
        Ok(())
    }

    fn watch(&mut self) {
        self.mark = self.world.sim.ledger().last();
    }

    /// The name of a component's function in the cloud.
    fn function(&self, component: &str) -> Result<String, Error> {
        let functions = self.world.sim.functions();
        let found = functions
            .into_iter()
            .find(|served| served.function.starts_with(component));
        found
            .map(|served| served.function)
            .ok_or_else(|| Error::Unexpected(format!("the cloud has no function for {component}")))
    }
}

fn writing(service: &str) -> Filter {
    Filter {
        service: Some(service.to_owned()),
        mutating: Some(true),
        ..Filter::default()
    }
}

fn all(entries: &[fractal_simcloud::Entry]) -> String {
    entries
        .iter()
        .map(cloud::describe)
        .collect::<Vec<_>>()
        .join(", ")
}

fn expect(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Error> {
    if holds {
        Ok(())
    } else {
        Err(Error::Unexpected(otherwise()))
    }
}
