//! What every command receives: the settings, the printer, the switch that stops the run, and opened stores.

mod emulated;
pub mod lookup;

use std::{
    collections::HashMap,
    future::Future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use self::emulated::Emulated;
use crate::{
    cache::Cache,
    engine::{Asking, Calls, Line, Session, Stop, StopCause, Wish},
    error::{Error, Kind, Result},
    exit::Exit,
    flags,
    image::{Provider, StoreRef},
    output::{Look, Printer},
    settings::Settings,
    store::{self, Clients},
};

/// How often progress is updated.
const TICK: Duration = Duration::from_millis(200);

/// Stores of one region share their pace: a run uses one account of each provider, whether or not a reference names it.
type Account = (Provider, Option<String>);

pub struct Context {
    pub settings: Settings,
    pub printer: Printer,
    pub stop: Stop,
    pub cache: Arc<Cache>,
    /// The name of the command, and the whole command line, for the record of the run.
    pub command: &'static str,
    pub command_line: Vec<String>,
    clients: Clients,
    emulated: Emulated,
    lines: Mutex<HashMap<Account, Arc<Line>>>,
    calls: Arc<AtomicUsize>,
    started: Instant,
}

impl Context {
    pub fn new(settings: Settings, look: Look, command: &'static str, dry_run: bool) -> Self {
        let cache = Arc::new(Cache::new(settings.env.cache()));
        let step_summary = settings.env.get("GITHUB_STEP_SUMMARY").map(Into::into);
        Self {
            settings,
            printer: Printer::new(look, command, dry_run, step_summary),
            stop: Stop::default(),
            cache: Arc::clone(&cache),
            command,
            command_line: flags::command_line(),
            clients: Clients::keeping(cache),
            emulated: Emulated::default(),
            lines: Mutex::default(),
            calls: Arc::default(),
            started: Instant::now(),
        }
    }

    /// Runs a command to its end, its interruption or its deadline.
    pub async fn run(&self, command: impl Future<Output = Result<Exit>>) -> Exit {
        let result = tokio::select! {
            biased;
            never = self.watch() => match never {},
            result = command => result,
        };
        let exit = result.unwrap_or_else(|error| {
            self.printer.error(&error);
            Exit::of_error(error.kind)
        });
        // An error may have left something in the buffer.
        self.printer.flush();
        self.printer.close();
        if self.stop.interrupted() { Exit::Interrupted } else { exit }
    }

    /// Refuses a profile for several providers at once: each provider's tools have their own.
    pub fn one_profile(&self, providers: impl IntoIterator<Item = Provider>) -> Result<()> {
        let mut providers = providers.into_iter();
        let first = providers.next();
        match providers.find(|provider| Some(*provider) != first) {
            Some(other) if self.settings.profile.is_some() => {
                let first = first.map_or("", Provider::title);
                Err(Error::new(
                    Kind::Usage,
                    format!("--profile works with one provider, but {first} and {} are named", other.title()),
                )
                .hint("set each provider's own variable for its profile, or run imgctl once for each provider"))
            }
            _ => Ok(()),
        }
    }

    /// Opens a store with the credentials of this run.
    pub async fn open(&self, store: &StoreRef) -> Result<Arc<Session>> {
        let store = tokio::select! {
            biased;
            // Nothing was sent to this store.
            () = self.stop.asked() => return Err(Error::new(Kind::StoreStopped, "interrupted")),
            store = Box::pin(store::open(&self.settings, &self.clients, store)) => store?,
        };
        let home = store.home();
        let line = {
            let mut lines = self.lines.lock().expect("no holder of this lock panics");
            let account = (home.provider, home.region.clone());
            let line = || Arc::new(Line::new(&*store, self.wish()));
            Arc::clone(lines.entry(account).or_insert_with(line))
        };
        let sandbox = self.emulated.is(&self.settings.env, store.endpoint().as_deref()).await;
        self.printer.reached(sandbox);
        Ok(Arc::new(Session::new(store, line, self.calls()).marked(sandbox)))
    }

    /// For the calls to one source.
    pub fn asking(&self) -> Asking<'_> {
        Asking::new(self.calls(), self.wish(), &self.cache)
    }

    fn calls(&self) -> Calls {
        Calls::new(self.stop.clone(), self.settings.attempts, Arc::clone(&self.calls))
    }

    /// Runs work that may block, such as reading standard input, on a thread of its own.
    pub async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        tokio::select! {
            biased;
            () = self.stop.asked() => Err(Error::new(Kind::Stopped, "stopped; nothing was sent")),
            done = tokio::task::spawn_blocking(work) => done.expect("reading does not panic"),
        }
    }

    fn wish(&self) -> Wish {
        let Settings { concurrency, rate, patience, .. } = self.settings;
        Wish { in_flight: concurrency, per_second: rate, patience }
    }

    /// Asks for confirmation. Anything but yes is an error, and nothing is `done`.
    pub async fn agreed(&self, question: &str, done: &str) -> Result<()> {
        let agreed = tokio::select! {
            agreed = self.printer.agreed(question) => agreed,
            () = self.stop.asked() => false,
        };
        if agreed {
            return Ok(());
        }
        Err(Error::new(Kind::Guard, format!("Cancelled. Nothing was {done}.")))
    }

    /// Counts calls that were sent outside of a session.
    pub fn count(&self, calls: usize) {
        self.calls.fetch_add(calls, Ordering::Relaxed);
    }

    /// Warns if a listing of this store said less than the store could.
    pub fn warn_of_less(&self, session: &Session) {
        if let Some(error) = session.store.reduced() {
            self.printer.warn(&format!("{}: {error}", session.store.home()));
        }
    }

    /// Ends the output of a run.
    pub fn finish(&self) {
        self.printer.finish(self.calls.load(Ordering::Relaxed), self.started.elapsed().as_secs_f64());
    }

    /// Turns signals and the deadline into a stop.
    async fn watch(&self) -> std::convert::Infallible {
        let deadline = async {
            match self.settings.deadline {
                Some(time) => tokio::time::sleep(time.saturating_sub(self.started.elapsed())).await,
                None => std::future::pending().await,
            }
        };
        let mut signals = Signals::new();
        let signals = async {
            loop {
                signals.next().await;
                if self.stop.cause().is_none() {
                    self.printer
                        .note("\ninterrupted: waiting for answers to calls in flight; press Ctrl-C again to stop now");
                }
                self.stop.stop(StopCause::Interrupt);
            }
        };
        let deadline = async {
            deadline.await;
            if self.stop.cause().is_none() {
                self.stop.stop(StopCause::Deadline);
            }
            std::future::pending::<std::convert::Infallible>().await
        };
        let progress = async {
            let mut ticks = tokio::time::interval(TICK);
            loop {
                ticks.tick().await;
                let calls = self.calls.load(Ordering::Relaxed);
                self.printer.progress.show(calls, self.started.elapsed(), TICK);
            }
        };
        tokio::select! {
            never = signals => never,
            never = deadline => never,
            never = progress => never,
        }
    }
}

/// The signals that end a run: Ctrl-C, the end of a CI job, and a closed terminal. Once this exists, they no longer kill
/// the process.
struct Signals {
    #[cfg(unix)]
    unix: Vec<tokio::signal::unix::Signal>,
}

impl Signals {
    fn new() -> Self {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
            Self { unix: kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect() }
        }
        #[cfg(not(unix))]
        Self {}
    }

    /// Waits for the next of them.
    async fn next(&mut self) {
        #[cfg(unix)]
        std::future::poll_fn(|context| {
            let came = self.unix.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
            if came { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}
