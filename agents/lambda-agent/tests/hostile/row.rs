//! A row of the threat model, and what is asked of every one of them.

use std::time::{Duration, Instant};

use fractal_core::status::Status;
use fractal_core::{Class, Fault};
use fractal_queue::{Clock as _, SystemClock};
use fractal_testkit::liar::{Liar, Lie};
use serde_json::{Value, json};

use crate::stage::{Identity, SYSTEM, Stage, function, live_system, zip_digest};

/// Longest from the document to its fault, and to the healthy component's readiness.
const TIME_MAX: Duration = Duration::from_secs(45);
/// Most that the agent's peak memory may grow by, in KiB, over what a good deployment took.
const GROWTH_MAX: u64 = 32 << 10;
/// Most bytes that the registry gets rid of, in all attempts together.
const SENT_MAX: u64 = 64 << 20;
/// Most requests that it gets out of us, in all attempts together.
const REQUESTS_MAX: usize = 64;
/// Longest that a registry can make us wait.
const WAIT_MAX: Duration = Duration::from_secs(15 * 60);

const ERRORS: &str = include_str!("../../../../docs/errors.md");

/// One row.
pub(crate) struct Row {
    lie: fn(&Liar) -> Lie,
    tls: Option<Identity>,
    reference: &'static str,
    parameters: &'static str,
    flags: &'static [&'static str],
    secrets: &'static [&'static str],
    class: &'static str,
    reason: &'static str,
    says: &'static [&'static str],
    next: &'static str,
    asked: bool,
}

impl Row {
    /// The artifact is named so; the registry is honest. `{trap}` stands for a registry that only the reference names.
    pub(crate) const fn reference(reference: &'static str) -> Self {
        Self {
            lie: |_| Lie::None,
            tls: None,
            reference,
            parameters: "{}",
            flags: &[],
            secrets: &[],
            class: "",
            reason: "",
            says: &[],
            next: "",
            asked: false,
        }
    }

    /// The reference is fine and the registry lies. The lie is given the registry that nobody named.
    pub(crate) const fn lie(lie: fn(&Liar) -> Lie) -> Self {
        Self {
            lie,
            asked: true,
            ..Self::reference("lying.example/shop/zip:2")
        }
    }

    /// Reference and registry are fine; these parameters are not.
    pub(crate) const fn parameters(parameters: &'static str) -> Self {
        Self {
            parameters,
            asked: true,
            ..Self::reference("lying.example/shop/zip:2")
        }
    }

    pub(crate) const fn with(self, parameters: &'static str) -> Self {
        Self { parameters, ..self }
    }

    /// The agent has these flags besides.
    pub(crate) const fn flags(self, flags: &'static [&'static str]) -> Self {
        Self { flags, ..self }
    }

    /// The registry is served over TLS as this.
    pub(crate) const fn tls(self, identity: Identity) -> Self {
        Self {
            tls: Some(identity),
            ..self
        }
    }

    /// These must come out nowhere.
    pub(crate) const fn hiding(self, secrets: &'static [&'static str]) -> Self {
        Self { secrets, ..self }
    }

    /// The registry named in the reference is asked, although the reference is what is wrong.
    pub(crate) const fn asking(self, asked: bool) -> Self {
        Self { asked, ..self }
    }

    /// The verdict: class and reason.
    pub(crate) const fn is(self, class: &'static str, reason: &'static str) -> Self {
        Self {
            class,
            reason,
            ..self
        }
    }

    /// Parts of what the fault says: what, where and why.
    pub(crate) const fn saying(self, says: &'static [&'static str]) -> Self {
        Self { says, ..self }
    }

    /// A part of the next step.
    pub(crate) const fn next(self, next: &'static str) -> Self {
        Self { next, ..self }
    }

    /// Deploys what is good, then what the row says, and holds the outcome against it.
    pub(crate) async fn run(self) {
        let mut stage = Stage::new(self.flags, self.tls).await;
        let before = Before::of(&mut stage).await;
        stage.liar.tell((self.lie)(&stage.trap));
        let began = Instant::now();
        let hostile = system(&stage, self.reference, "3", self.parameters);
        stage.submit(&hostile).await;
        let status = stage.faulty(SYSTEM, "victim").await;
        stage.active(SYSTEM, "healthy").await;
        assert!(began.elapsed() < TIME_MAX, "took {:?}", began.elapsed());
        self.judge(status.fault.as_ref().unwrap(), &stage);
        before.assert_shown_in(&status);
        before.assert_kept(&stage);
        before.assert_bounded(&stage);
        self.assert_asked(&stage);
        stage.assert_no_secret(self.secrets).await;
    }

    /// Who was asked: the liar where the row says so, and nobody whom only a lie or a reference names.
    fn assert_asked(&self, stage: &Stage) {
        let asked = stage.liar.traffic().connections > 0;
        assert_eq!(asked, self.asked, "{:?}", stage.liar.lines());
        assert_eq!(stage.trap.traffic().connections, 0, "nobody named it");
        if self.reason == "RegistryTls" {
            assert_eq!(stage.liar.lines(), [""; 0], "nothing falls back");
        }
        if self.reason == "TooLargeForTarget" {
            let blobs = |line: &String| line.contains("/blobs/");
            assert!(
                !stage.liar.lines().iter().any(blobs),
                "told by the manifest"
            );
        }
    }

    fn judge(&self, fault: &Fault, stage: &Stage) {
        assert_eq!(
            (fault.class.as_str(), fault.reason.as_str()),
            (self.class, self.reason),
            "{fault}"
        );
        assert_documented(self.class, self.reason);
        let text = fault.to_string();
        for part in self.says {
            let part = stage.named(part);
            assert!(text.contains(&part), "`{part}` is not in: {text}");
        }
        let place = fault.place.as_deref().unwrap_or_default();
        assert!(!fault.what.is_empty() && !place.is_empty(), "{text}");
        let next = fault.next.as_deref().unwrap_or_default();
        let wanted = stage.named(self.next);
        assert!(
            !next.is_empty() && next.contains(&wanted),
            "`{wanted}` is not in: {next}"
        );
        assert!(
            text.chars().all(|c| !c.is_control() && !is_reordering(c)),
            "{text:?}"
        );
        assert!(!stage.agent.said().contains(is_reordering));
        if let Class::Transient {
            retry_after: Some(pause),
        } = fault.class
        {
            assert!(pause <= WAIT_MAX, "{pause:?}");
        }
    }
}

/// The operator's table has the reason, in its class.
fn assert_documented(class: &str, reason: &str) {
    let letter = match class {
        "Transient" => 'T',
        "Blocked" => 'B',
        _ => 'X',
    };
    let named = format!("`{reason}`");
    let classes = ERRORS.lines().filter_map(|line| {
        let mut cells = line.split('|').skip(1);
        let (reasons, classes) = (cells.next()?, cells.next()?);
        reasons.contains(&named).then_some(classes)
    });
    assert!(
        classes.into_iter().any(|classes| classes.contains(letter)),
        "{class} {reason} is not in docs/errors.md"
    );
}

/// What there was when all was well.
struct Before {
    status: Status,
    ledger: u64,
    memory: u64,
}

impl Before {
    async fn of(stage: &mut Stage) -> Self {
        let good = system(stage, "honest.example/shop/zip:1", "1", "{}");
        stage.submit(&good).await;
        let status = stage.active(SYSTEM, "victim").await.status;
        stage.active(SYSTEM, "healthy").await;
        Self {
            status,
            ledger: stage.cloud.ledger().last(),
            memory: stage.agent.peak(),
        }
    }

    /// What ran still runs, and the status says when the other is tried again.
    fn assert_shown_in(&self, status: &Status) {
        let running =
            |status: &Status| status.artifact.as_ref().and_then(|one| one.running.clone());
        let good = running(&self.status);
        assert!(good.is_some() && running(status) == good, "{status:#?}");
        assert_eq!(status.outputs, self.status.outputs);
        let fault = status.fault.as_ref().unwrap();
        let again = status.next_attempt.map(|at| at.unix_millis());
        let terminal = fault.class == Class::Terminal;
        assert_eq!(again.is_none(), terminal, "{status:#?}");
        let now = SystemClock::default().wall().unix_millis();
        let latest = now + 2 * WAIT_MAX.as_millis() as u64;
        assert!(again.is_none_or(|at| at < latest), "{status:#?}");
    }

    /// The cloud took no write for the one, and those for the other.
    fn assert_kept(&self, stage: &Stage) {
        assert_eq!(stage.writes_on("victim", self.ledger), []);
        assert!(
            !stage.writes_on("healthy", self.ledger).is_empty(),
            "what is held against nothing proves nothing"
        );
        assert!(stage.cloud.objects().is_empty());
        assert_eq!(stage.serves("victim"), Some(zip_digest("one")));
        assert_eq!(stage.serves("healthy"), Some(zip_digest("three")));
    }

    fn assert_bounded(&self, stage: &Stage) {
        let grown = stage.agent.peak().saturating_sub(self.memory);
        assert!(grown <= GROWTH_MAX, "the peak grew by {grown} KiB");
        let sent = stage.liar.traffic().sent;
        assert!(sent <= SENT_MAX, "the registry sent {sent} bytes");
        let requests = stage.liar.lines();
        assert!(requests.len() <= REQUESTS_MAX, "{requests:?}");
    }
}

/// Characters that make text read otherwise than it is written.
const fn is_reordering(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The one that is attacked, and a healthy one beside it in some version.
fn system(stage: &Stage, reference: &str, version: &str, parameters: &str) -> Value {
    let parameters: Value = serde_json::from_str(&stage.named(parameters)).unwrap();
    let healthy = format!("honest.example/shop/zip:{version}");
    live_system(
        SYSTEM,
        &[
            function("victim", &stage.named(reference), &parameters),
            function("healthy", &healthy, &json!({})),
        ],
    )
}

/// A test for each row, by its name.
macro_rules! rows {
    ($($name:ident: $row:expr,)+) => {$(
        #[tokio::test]
        async fn $name() {
            Box::pin($row.run()).await;
        }
    )+};
}
pub(crate) use rows;
