//! Records one run: what it is about to send to each store, with everything that a restore needs, and each verdict.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};

use super::{
    folder::Folder,
    form::{Action, End, Ended, FORM, Head, Line, OfStore, Saved, Source, Unrestorable},
    sums::Sums,
    writer::Writer,
};
use crate::{
    cache::Cache,
    engine::{CLOCKS, Op, Outcome, Session, Target, Verdict},
    error::{Error, Kind, Result},
    image::{Digest, ImageId},
    secrets,
    store::Image,
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
        writer.write(&[Line::Run(head)]).await?;
        // Beside the run, which need not wait for it.
        tokio::task::spawn_blocking(move || folder.tidy(now));
        Ok(Self { run, writer, told: Mutex::default() })
    }

    /// Records the part of the run in one store. Its targets are numbered from `first`.
    pub fn store<'r>(
        &'r self,
        number: usize,
        session: &Session,
        cache: &'r Cache,
        targets: Vec<&'r Target>,
        first: usize,
    ) -> Entries<'r> {
        let state = Mutex::new(State { written: vec![false; targets.len()], ..State::default() });
        let (looks, manifests) = (session.aside(), session.aside());
        Entries { recorder: self, number, looks, manifests, cache, targets, first, state }
    }

    /// Records how an image ended for which nothing was sent.
    pub fn not_sent(&self, n: usize, reference: &impl ToString, verdict: &Verdict) {
        self.told().sums.add(Some(verdict.outcome), || None);
        self.writer.add(&[ended(n, Some(reference.to_string()), verdict)]);
    }

    /// Records stores and images that a restore is about to send.
    pub async fn restoring(&self, stores: Vec<OfStore>, images: Vec<Saved>) -> Result<()> {
        self.told().stores.extend(stores.iter().cloned());
        let stores = stores.into_iter().map(Line::Store);
        let images = images.into_iter().map(|saved| Line::Image(Box::new(saved)));
        self.writer.write(&stores.chain(images).collect::<Vec<_>>()).await
    }

    /// Records the provider's id of a call about these images.
    pub fn answered(&self, images: Vec<usize>, request_id: &str) {
        self.writer.add(&[Line::Answered { request_id: request_id.into(), at: Utc::now(), images }]);
    }

    /// Records how an image ended that a restore sent.
    pub fn restored(&self, n: usize, verdict: &Verdict) {
        self.told().sums.add(Some(verdict.outcome), || None);
        self.writer.add(&[ended(n, None, verdict)]);
    }

    /// Records the end of the run, and what stopped it before.
    pub async fn end(&self, stopped: Option<Error>) -> Result<()> {
        let (sums, stores) = {
            let mut told = self.told();
            (std::mem::take(&mut told.sums), std::mem::take(&mut told.stores))
        };
        self.writer.write(&[Line::End(End { at: Utc::now(), sums, stores, stopped })]).await
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
    /// Two sessions whose errors stop neither the deletion nor each other.
    looks: Session,
    manifests: Session,
    cache: &'r Cache,
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

/// A manifest's text, and its media type where the registry named it.
type Text = (String, Option<String>);

/// The bytes of manifests, with their media types.
type Answers = HashMap<Digest, Result<(Vec<u8>, Option<String>)>>;

/// Why a manifest cannot be restored.
type Why = (&'static str, Option<Error>);

/// What was read of one target.
struct Read {
    /// A look at it, if the run had not looked.
    look: Option<Box<Image>>,
    manifest: Result<Text, Why>,
}

impl Entries<'_> {
    /// Whether images of this store have manifests.
    pub fn reads(&self) -> bool {
        self.manifests.store.limit(Op::Manifests).is_some()
    }

    /// Reads the manifests of these targets, and looks at those that nobody looked at. Tells until when a pull of them may
    /// be this reading.
    pub async fn prepare(&self, places: &[usize]) -> Option<DateTime<Utc>> {
        let new: Vec<usize> = {
            let state = self.state();
            places.iter().copied().filter(|place| !state.written[*place] && !state.read.contains_key(place)).collect()
        };
        if new.is_empty() {
            return None;
        }
        let began = Utc::now();
        let manifests: Vec<(usize, Result<Text, Why>)> = new.iter().copied().zip(self.texts(&new).await).collect();
        // One missing image makes a call that describes many fail; a manifest that is not there tells which is missing.
        let is_missing =
            |manifest: &Result<Text, Why>| matches!(manifest, Err((_, Some(error))) if error.kind == Kind::NotFound);
        let unseen =
            manifests.iter().filter(|(place, manifest)| self.targets[*place].seen.is_none() && !is_missing(manifest));
        let unseen: Vec<usize> = unseen.map(|(place, _)| *place).collect();
        let names: Vec<ImageId> = unseen.iter().map(|place| self.targets[*place].look_up()).collect();
        let mut looks: HashMap<usize, Result<Image>> = unseen.into_iter().zip(self.looks.get(&names).await).collect();
        let reads = manifests.into_iter().map(|(place, manifest)| {
            let mut look = looks.remove(&place).and_then(Result::ok).map(Box::new);
            if let Some(image) = &mut look {
                // This pull may be the reading of the manifest.
                image.pulled_at = image.pulled_at.filter(|pulled_at| *pulled_at < began - CLOCKS);
            }
            (place, Box::new(Read { look, manifest }))
        });
        self.state().read.extend(reads);
        Some(Utc::now() + CLOCKS)
    }

    /// The text and media type of each manifest, from disk or from the registry.
    async fn texts(&self, places: &[usize]) -> Vec<Result<Text, Why>> {
        let digests: Vec<Option<Digest>> = places.iter().map(|place| self.targets[*place].digest()).collect();
        let known: Vec<Digest> = digests.iter().flatten().cloned().collect();
        let mut found = Answers::new();
        let kept = known.iter().zip(self.cache.get(&known).await);
        found.extend(kept.filter_map(|(digest, bytes)| Some((digest.clone(), Ok((bytes?, None))))));
        let mut unknown: Vec<Digest> = known.into_iter().filter(|digest| !found.contains_key(digest)).collect();
        unknown.sort();
        unknown.dedup();
        if !unknown.is_empty() {
            let reference = self.looks.store.home().to_string();
            let line = Line::Read { reference, at: Utc::now(), digests: unknown.clone() };
            self.recorder.writer.add(&[line]);
        }
        let ids: Vec<ImageId> = unknown.iter().cloned().map(ImageId::Digest).collect();
        let answers = self.manifests.manifests(&ids).await;
        let answers = answers.into_iter().map(|answer| answer.map(|manifest| (manifest.bytes, manifest.media_type)));
        found.extend(unknown.into_iter().zip(answers));
        digests.iter().map(|digest| self.text(digest.as_ref(), &found)).collect()
    }

    /// Writes down targets that are about to be sent.
    pub async fn before(&self, places: &[usize]) -> Result<()> {
        if let Some(error) = self.looks.stop.error() {
            return Err(error);
        }
        let mut lines = Vec::with_capacity(places.len() + 1);
        let new: Vec<usize> = {
            let mut state = self.state();
            let new: Vec<usize> = places.iter().copied().filter(|place| !state.written[*place]).collect();
            if !state.is_named && !new.is_empty() {
                let (reference, caller) = (self.looks.store.home().to_string(), self.looks.store.caller());
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
        self.recorder.writer.write(&lines).await?;
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
            reference: self.looks.store.home().image(target.id.clone()).to_string(),
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
        let reference = || self.looks.store.home().image(self.targets[place].id.clone()).to_string();
        let line = ended(self.first + place, (!was_written).then(reference), verdict);
        self.recorder.writer.add(&[line]);
    }

    /// The text of a manifest, checked against its digest.
    fn text(&self, digest: Option<&Digest>, found: &Answers) -> Result<Text, Why> {
        let digest = digest.ok_or(("its digest is unknown", None))?;
        let (bytes, media_type) = match &found[digest] {
            Ok(manifest) => manifest,
            Err(error) => return Err((reason(self.manifests.halted().unwrap_or(error)), Some(error.clone()))),
        };
        if Digest::sha256_of(bytes) != *digest {
            return Err(("its digest cannot be checked", None));
        }
        match std::str::from_utf8(bytes) {
            // Masked, it would no longer have its digest.
            Ok(text) if secrets::masked(text) != text => Err(("its manifest contains a secret of this run", None)),
            Ok(text) => Ok((text.to_owned(), media_type.clone())),
            Err(_) => Err(("its manifest is not text", None)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a manifest could not be read, in the words of the warning that counts such images.
fn reason(error: &Error) -> &'static str {
    match error.kind {
        Kind::NotFound => "the registry has no manifest of it",
        Kind::WrongState => "it is archived",
        Kind::Denied => "the credentials may not read its manifest",
        _ => "its manifest could not be read",
    }
}
