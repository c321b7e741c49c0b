//! Records one run: what it is about to send to each store, with everything that a restore needs, and each verdict.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};

use super::{
    folder::Folder,
    form::{Action, End, Ended, FORM, Head, Line, OfStore, Saved, Source, Unrestorable},
    reading::{Read, Reading},
    sums::Sums,
    writer::Writer,
};
use crate::{
    cache::Cache,
    engine::{CLOCKS, Outcome, Session, Target, Verdict},
    error::{Error, Result},
};

/// What a run is, for its record.
#[derive(Clone, Debug)]
pub struct About {
    pub command: &'static str,
    pub action: Action,
    pub command_line: Vec<String>,
    pub plan: Option<Source>,
    pub policy: Option<Source>,
}

pub struct Recorder {
    pub run: String,
    writer: Writer,
    told: Mutex<Told>,
}

/// What the record says so far.
#[derive(Default)]
struct Told {
    sums: Sums,
    stores: Vec<OfStore>,
    /// Deleted images that the record cannot bring back, by reason.
    lost: BTreeMap<&'static str, usize>,
}

impl Recorder {
    /// Creates the record of a run, and removes old ones.
    pub async fn begin(folder: Folder, about: About) -> Result<Self> {
        let now = Utc::now();
        let create = move || folder.create(now).map(|(run, file)| (folder, run, file));
        let (folder, run, file) = tokio::task::spawn_blocking(create).await.expect("creating a file does not panic")?;
        let head = Head {
            form: FORM.into(),
            run: run.clone(),
            began_at: now,
            version: env!("CARGO_PKG_VERSION").into(),
            command: about.command.into(),
            action: about.action,
            command_line: about.command_line,
            plan: about.plan,
            policy: about.policy,
        };
        let writer = Writer::new(file, folder.path(&run), false);
        writer.write(vec![Line::Run(head)]).await?;
        // Beside the run, which need not wait for it.
        tokio::task::spawn_blocking(move || folder.tidy(now));
        Ok(Self { run, writer, told: Mutex::default() })
    }

    /// Records the part of the run in one store. Its targets are numbered from `first`.
    pub fn store<'r>(
        &'r self,
        number: usize,
        session: &'r Session,
        cache: &'r Cache,
        targets: Vec<&'r Target>,
        first: usize,
    ) -> Entries<'r> {
        let state = Mutex::new(State { written: vec![false; targets.len()], ..State::default() });
        let reading = Reading::new(session, cache, &self.writer);
        Entries { recorder: self, number, session, reading, targets, first, state }
    }

    /// Records how an image ended for which nothing was sent.
    pub fn not_sent(&self, n: usize, reference: &impl ToString, verdict: &Verdict) {
        self.told().sums.add(Some(verdict.outcome), || None);
        self.writer.add(ended(n, Some(reference.to_string()), verdict));
    }

    /// Records stores and images that a restore is about to send.
    pub async fn restoring(&self, stores: Vec<OfStore>, images: Vec<Saved>) -> Result<()> {
        self.told().stores.extend(stores.iter().cloned());
        let stores = stores.into_iter().map(Line::Store);
        let images = images.into_iter().map(|saved| Line::Image(Box::new(saved)));
        self.writer.write(stores.chain(images).collect()).await
    }

    /// Records the provider's id of a call about these images.
    pub fn answered(&self, images: Vec<usize>, request_id: &str) {
        self.writer.add(Line::Answered { request_id: request_id.into(), at: Utc::now(), images });
    }

    /// Records how an image ended that a restore sent.
    pub fn restored(&self, n: usize, verdict: &Verdict) {
        self.told().sums.add(Some(verdict.outcome), || None);
        self.writer.add(ended(n, None, verdict));
    }

    /// Records the end of the run, and what stopped it before.
    pub async fn end(&self, stopped: Option<Error>) -> Result<()> {
        let (sums, stores) = {
            let mut told = self.told();
            (std::mem::take(&mut told.sums), std::mem::take(&mut told.stores))
        };
        self.writer.write(vec![Line::End(End { at: Utc::now(), sums, stores, stopped })]).await
    }

    /// Whether images ended in any of these ways.
    pub fn has_any(&self, outcomes: &[Outcome]) -> bool {
        let told = self.told();
        outcomes.iter().any(|outcome| told.sums.counts.contains_key(outcome.word()))
    }

    /// How many deleted images the record cannot bring back, by reason.
    pub fn lost(&self) -> BTreeMap<&'static str, usize> {
        self.told().lost.clone()
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ended(n: usize, reference: Option<String>, verdict: &Verdict) -> Line {
    let Verdict { outcome, error, job } = verdict.clone();
    let job = job.map(|job| job.id);
    Line::Ended(Ended { n, at: Utc::now(), outcome, reference, job, error, checked: false })
}

/// The part of a record about one store.
pub struct Entries<'r> {
    recorder: &'r Recorder,
    number: usize,
    session: &'r Session,
    reading: Reading<'r>,
    targets: Vec<&'r Target>,
    /// The number of the first target within the record.
    first: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The store has its line.
    is_named: bool,
    /// What was read of targets that are not written yet.
    read: HashMap<usize, Box<Read>>,
    written: Vec<bool>,
    /// The bytes that the deletion of written targets frees.
    freed: HashMap<usize, u64>,
    /// Why written targets cannot be restored.
    lost: HashMap<usize, &'static str>,
}

impl Entries<'_> {
    /// Whether images of this store have manifests.
    pub fn reads(&self) -> bool {
        self.reading.has_manifests()
    }

    /// Reads what [`Entries::before`] writes down of these targets. Tells until when a pull of them may be this reading.
    pub async fn prepare(&self, places: &[usize]) -> Option<DateTime<Utc>> {
        let new: Vec<usize> = {
            let state = self.state();
            places.iter().copied().filter(|place| !state.written[*place] && !state.read.contains_key(place)).collect()
        };
        if new.is_empty() {
            return None;
        }
        let targets: Vec<&Target> = new.iter().map(|place| self.targets[*place]).collect();
        let reads = self.reading.read(&targets).await.into_iter().map(Box::new);
        self.state().read.extend(new.into_iter().zip(reads));
        Some(Utc::now() + CLOCKS)
    }

    /// Writes down targets that are about to be sent.
    pub async fn before(&self, places: &[usize]) -> Result<()> {
        if let Some(error) = self.session.stop.error() {
            return Err(error);
        }
        let mut lines = Vec::with_capacity(places.len() + 1);
        let new: Vec<usize> = {
            let mut state = self.state();
            let new: Vec<usize> = places.iter().copied().filter(|place| !state.written[*place]).collect();
            if !state.is_named && !new.is_empty() {
                let (reference, caller) = (self.session.store.home().to_string(), self.session.store.caller());
                let store = OfStore { store: self.number, reference, caller };
                self.recorder.told().stores.push(store.clone());
                lines.push(Line::Store(store));
                state.is_named = true;
            }
            for place in &new {
                let read = state.read.remove(place);
                if let Some(Err((why, _))) = read.as_ref().map(|read| &read.manifest) {
                    state.lost.insert(*place, why);
                }
                let saved = self.saved(*place, read);
                state.freed.insert(*place, saved.freed());
                lines.push(Line::Image(Box::new(saved)));
            }
            new
        };
        if new.is_empty() {
            return Ok(());
        }
        self.recorder.writer.write(lines).await?;
        let mut state = self.state();
        new.iter().for_each(|place| state.written[*place] = true);
        Ok(())
    }

    fn saved(&self, place: usize, read: Option<Box<Read>>) -> Saved {
        let target = self.targets[place];
        let (look, manifest) = read.map_or((None, None), |read| (read.look, Some(read.manifest)));
        let mut image = target.seen.as_deref().cloned().map(Box::new).or(look).unwrap_or_default();
        if image.digest.is_none() {
            image.digest = target.digest().map(|digest| digest.to_string());
        }
        let (text, manifest_type, unrestorable) = match manifest {
            Some(Ok((text, media_type))) => (Some(text), media_type, None),
            Some(Err((why, error))) => (None, None, Some(Unrestorable { why: why.into(), error })),
            None => (None, None, None),
        };
        Saved {
            n: self.first + place,
            store: self.number,
            at: Utc::now(),
            reference: self.session.store.home().image(target.id.clone()).to_string(),
            takes_along: std::mem::take(&mut image.takes_along),
            left_behind: std::mem::take(&mut image.leaves_behind),
            image,
            manifest: text,
            manifest_type,
            unrestorable,
        }
    }

    /// Records the provider's id of a call about these targets.
    pub fn answered(&self, places: &[usize], request_id: &str) {
        self.recorder.answered(places.iter().map(|place| self.first + place).collect(), request_id);
    }

    /// Records the verdict on a target.
    pub fn ended(&self, place: usize, verdict: &Verdict) {
        let (was_written, lost, freed) = {
            let mut state = self.state();
            state.read.remove(&place);
            (state.written[place], state.lost.remove(&place), state.freed.remove(&place))
        };
        {
            let mut told = self.recorder.told();
            let digest = self.targets[place].digest();
            told.sums.add(Some(verdict.outcome), || Some((self.number, digest, freed?)));
            use Outcome::{Failed, Missing, Refused, Skipped};
            if let Some(why) = lost
                && !matches!(verdict.outcome, Failed | Missing | Refused | Skipped)
            {
                *told.lost.entry(why).or_default() += 1;
            }
        }
        let reference = || self.session.store.home().image(self.targets[place].id.clone()).to_string();
        let line = ended(self.first + place, (!was_written).then(reference), verdict);
        self.recorder.writer.add(line);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
