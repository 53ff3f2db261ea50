//! One cloud with one agent: passes, crashes, and the comparison of what the cloud really holds with what was asked for.

use fractal_core::Class;
use fractal_core::Fault;
use fractal_core::reconcile::{Consent, End, Goal, Platform, Record, Task, reconcile};
use serde_json::Value;

use super::diary::{Diary, Interrupt};
use super::harness::{Call, FOREIGN_KEY, Harness, Object, Touch, Want, owner};

/// More passes than any change needs: each one that ends otherwise than in sync is followed by [`Harness::advance`].
const PASSES_MAX: usize = 48;

/// What a clause says when it is broken.
pub(super) type Broken = String;

type Memory<H> = Record<
    <<H as Harness>::Platform as Platform>::Place,
    <<H as Harness>::Platform as Platform>::Memo,
>;

/// A cloud, an agent, and the record that survives the agent.
pub(super) struct World<H: Harness> {
    pub(super) cloud: H,
    agent: H::Platform,
    durable: Value,
    /// Whether someone else's setting is on our object.
    pub(super) foreign_key: bool,
}

impl<H: Harness> World<H> {
    pub(super) fn new(cloud: H) -> Self {
        let agent = cloud.agent();
        let empty = serde_json::json!({ "places": [] });
        Self {
            cloud,
            agent,
            durable: empty,
            foreign_key: false,
        }
    }

    /// The agent dies; a new one starts from the durable record.
    pub(super) fn restart(&mut self) {
        self.agent = self.cloud.agent();
    }

    /// One pass, its outcome made durable.
    pub(super) async fn pass(&mut self, want: Want) -> Result<End, Broken> {
        let mut diary = Diary::new(&self.cloud, self.durable.take(), Interrupt::Never);
        let end = pass(&self.cloud, &self.agent, want, &mut diary).await;
        self.durable = diary.durable;
        end
    }

    /// Passes until the goal is reached, and then the cloud holds exactly what was asked for.
    pub(super) async fn drive(&mut self, want: Want) -> Result<(), Broken> {
        match self.until(want, goes_on).await? {
            End::Ready(_) | End::Absent => self.check(want),
            other => Err(format!("{want:?} ended with {}", told(&other))),
        }
    }

    /// Passes until nothing of ours is left, or until the agent says that a person has to look at what is.
    pub(super) async fn leave(&mut self) -> Result<(), Broken> {
        match self
            .until(Want::Absent, |end| matches!(end, End::Wait(_)))
            .await?
        {
            End::Absent => self.check(Want::Absent),
            End::Fault(fault) if fault.class == Class::Blocked => Ok(()),
            other => Err(format!("absence ended with {}", told(&other))),
        }
    }

    /// Passes until one ends in a fault.
    pub(super) async fn until_fault(&mut self, want: Want) -> Result<Fault, Broken> {
        match self.until(want, |end| matches!(end, End::Wait(_))).await? {
            End::Fault(fault) => Ok(fault),
            other => Err(format!(
                "{want:?} ended with {} instead of a fault",
                told(&other)
            )),
        }
    }

    async fn until(&mut self, want: Want, goes_on: impl Fn(&End) -> bool) -> Result<End, Broken> {
        let mut last = None;
        for _ in 0..PASSES_MAX {
            let end = self.pass(want).await?;
            if !goes_on(&end) {
                return Ok(end);
            }
            last = Some(end);
            self.cloud.advance().await;
        }
        let last = last.as_ref().map(told).unwrap_or_default();
        Err(format!(
            "{want:?} was not reached in {PASSES_MAX} passes, the last ended with {last}"
        ))
    }

    /// Passes until an armed fault has struck, or the goal is reached.
    pub(super) async fn until_struck(&mut self, want: Want, since: u64) -> Result<(), Broken> {
        for _ in 0..PASSES_MAX {
            let end = self.pass(want).await?;
            if self.cloud.calls(since).iter().any(|call| call.struck) {
                return Ok(());
            }
            if !goes_on(&end) {
                return Err(format!(
                    "no call was struck, {want:?} ended with {}",
                    told(&end)
                ));
            }
            self.cloud.advance().await;
        }
        Err("no call was struck".into())
    }

    /// Passes with interruptions until the goal is reached or the interruption came. Gives the marks of the notes.
    pub(super) async fn interrupted(
        &mut self,
        want: Want,
        interrupt: Interrupt,
    ) -> Result<Interrupted, Broken> {
        let mut diary = Diary::new(&self.cloud, self.durable.take(), interrupt);
        let mut end = Err("no pass was made".to_owned());
        for _ in 0..PASSES_MAX {
            end = pass(&self.cloud, &self.agent, want, &mut diary).await;
            if !end.as_ref().is_ok_and(goes_on) {
                break;
            }
            self.cloud.advance().await;
        }
        let ended = Interrupted {
            end: end?,
            marks: diary.marks.clone(),
        };
        self.durable = diary.durable;
        Ok(ended)
    }

    /// Passes until a call hangs, in which the agent dies. `false` where the goal was reached before.
    pub(super) async fn dies_in_call(&mut self, want: Want) -> Result<bool, Broken> {
        let mut diary = Diary::new(&self.cloud, self.durable.take(), Interrupt::Never);
        let mut died = false;
        for _ in 0..PASSES_MAX {
            let end = tokio::select! {
                biased;
                () = self.cloud.hung() => None,
                end = pass(&self.cloud, &self.agent, want, &mut diary) => Some(end?),
            };
            died = end.is_none();
            if !end.as_ref().is_some_and(goes_on) {
                break;
            }
            self.cloud.advance().await;
        }
        self.durable = diary.durable;
        Ok(died)
    }

    /// Compares what the cloud holds with what was asked for.
    pub(super) fn check(&self, want: Want) -> Result<(), Broken> {
        let ours: Vec<Object> = self.ours();
        let leftovers = self.cloud.leftovers();
        if !leftovers.is_empty() {
            return Err(format!(
                "{want:?} is reached, and the cloud still holds {leftovers:?}"
            ));
        }
        let wanted: Vec<Object> = match want {
            Want::Absent => Vec::new(),
            Want::Present(spec) => vec![self.wanted(spec)],
        };
        if ours == wanted {
            return Ok(());
        }
        Err(format!(
            "{want:?} is reached, and the cloud holds {ours:?} instead of {wanted:?}"
        ))
    }

    /// Objects that bear our marker.
    pub(super) fn ours(&self) -> Vec<Object> {
        let marker = owner().marker();
        let all = self.cloud.objects();
        all.into_iter()
            .filter(|object| object.owner.as_ref() == Some(&marker))
            .collect()
    }

    /// Objects that do not.
    pub(super) fn theirs(&self) -> Vec<Object> {
        let marker = owner().marker();
        let all = self.cloud.objects();
        all.into_iter()
            .filter(|object| object.owner.as_ref() != Some(&marker))
            .collect()
    }

    fn wanted(&self, spec: super::harness::Spec) -> Object {
        let expected = self.cloud.expected(spec);
        let mut settings = expected.settings;
        if self.foreign_key {
            settings.insert(FOREIGN_KEY.0.to_owned(), FOREIGN_KEY.1.to_owned());
        }
        Object {
            place: expected.place,
            owner: Some(owner().marker()),
            serves: Some(expected.serves),
            settings,
            digest: Some(expected.digest),
        }
    }

    /// Mutating calls since a mark, refused ones too.
    pub(super) fn writes(&self, since: u64) -> Vec<Call> {
        self.cloud
            .calls(since)
            .into_iter()
            .filter(Call::is_write)
            .collect()
    }

    /// Objects made since a mark.
    pub(super) fn made(&self, since: u64) -> usize {
        let calls = self.cloud.calls(since);
        calls
            .iter()
            .filter(|call| call.touches == Touch::Create && call.is_accepted_write())
            .count()
    }
}

/// How interrupted passes ended.
pub(super) struct Interrupted {
    pub(super) end: End,
    pub(super) marks: Vec<u64>,
}

async fn pass<H: Harness>(
    cloud: &H,
    agent: &H::Platform,
    want: Want,
    diary: &mut Diary<'_, H>,
) -> Result<End, Broken> {
    let record: Memory<H> = serde_json::from_value(diary.durable.clone())
        .map_err(|error| format!("the durable record cannot be read back: {error}"))?;
    let deployment = match want {
        Want::Present(spec) => Some(cloud.deployment(spec)),
        Want::Absent => None,
    };
    let goal = deployment
        .as_ref()
        .map_or(Goal::Absent, |(inputs, rollout)| Goal::Present {
            inputs,
            rollout,
        });
    let (owner, config) = (owner(), cloud.config());
    let task = Task {
        owner: &owner,
        config: &config,
        goal,
        record,
        consent: Consent::Withheld,
    };
    let report = Box::pin(reconcile(agent, task, diary, cloud.content())).await;
    if report.end != End::Stopped {
        diary.settle(&report.record);
    }
    Ok(report.end)
}

/// Whether another pass is made by itself, soon.
fn goes_on(end: &End) -> bool {
    match end {
        End::Wait(_) => true,
        End::Fault(fault) => matches!(fault.class, Class::Transient { .. }),
        End::Ready(_) | End::Absent | End::Lost | End::Stopped => false,
    }
}

/// How a pass ended, for people.
pub(super) fn told(end: &End) -> String {
    match end {
        End::Fault(fault) => format!("{} {}: {fault}", fault.class.as_str(), fault.reason),
        other => format!("{other:?}"),
    }
}
