//! The fault script: what fails, in which calls, how often. A fault is written
//! `SERVICE:OPERATION:KIND[=ARGUMENT][@AFTER][:TIMES]`, for example `ecr:BatchDeleteImage:lose-answer@2:1` for the
//! third such call only. Names may be `*`; without TIMES it strikes every time. What a fault does to a connection is
//! in `server`.

use std::{fmt, ops::Range, str::FromStr, time::Duration};

use super::spoil::Spoil;

/// One line of the fault script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// `ecr`, `cvm`, `workspace`; `None` is any.
    pub service: Option<String>,
    /// As the provider writes it; `None` is any.
    pub operation: Option<String>,
    pub kind: Kind,
    /// How many matching calls pass first.
    pub after: u32,
    /// How many calls it strikes; `None` is all.
    pub times: Option<u32>,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing is done; the service fails with this HTTP status, in its own way or with a body of somebody else.
    Status(u16, Option<&'static str>),
    /// Nothing is done; the service says that it has been called too often, perhaps with this `Retry-After`.
    Throttle(Option<String>),
    /// Nothing is done; the answer sends the client elsewhere.
    Redirect,
    /// Nothing is done; the connection closes.
    Drop,
    /// It is done; the connection closes.
    LoseAnswer,
    /// Nothing is done, and the connection stays open without a word.
    Hang,
    /// It is done; half of the answer comes, then the connection closes.
    Truncate,
    /// It is done; the answer comes byte by byte.
    Trickle,
    /// It is done; the answer is 256 MiB of spaces.
    Huge,
    /// Nothing is done; the service fails and repeats the request in its message.
    Echo,
    /// It is done at once; the answer comes so much later.
    Slow(Duration),
    /// It is done; the answer is 200 and not what it should be.
    Spoil(Spoil),
}

/// The kinds that take no argument.
const PLAIN: [(&str, Kind); 19] = [
    ("echo", Kind::Echo),
    ("redirect", Kind::Redirect),
    ("drop", Kind::Drop),
    ("lose-answer", Kind::LoseAnswer),
    ("hang", Kind::Hang),
    ("truncate", Kind::Truncate),
    ("trickle", Kind::Trickle),
    ("huge", Kind::Huge),
    ("garble", Kind::Spoil(Spoil::Garble)),
    ("empty", Kind::Spoil(Spoil::Empty)),
    ("null", Kind::Spoil(Spoil::Null)),
    ("retype", Kind::Spoil(Spoil::Retype)),
    ("twice", Kind::Spoil(Spoil::Twice)),
    ("stranger", Kind::Spoil(Spoil::Stranger)),
    ("deep", Kind::Spoil(Spoil::Deep)),
    ("other", Kind::Spoil(Spoil::Other)),
    ("repeat", Kind::Spoil(Spoil::Repeat)),
    ("endless", Kind::Spoil(Spoil::Endless)),
    ("bomb", Kind::Spoil(Spoil::Bomb)),
];

/// Bodies that a status can have instead of the service's own.
const BODIES: [(&str, &str); 3] =
    [("blank", ""), ("html", "<html><body><h1>Proxy</h1></body></html>"), ("json", r#"[{"unexpected":null}]"#)];

fn names() -> impl Iterator<Item = &'static str> {
    ["status", "throttle", "slow"].into_iter().chain(PLAIN.map(|(name, _)| name))
}

/// What `imgctl sandbox --help` says too.
const GRAMMAR: &str = "a fault is SERVICE:OPERATION:KIND[=ARGUMENT][@AFTER][:TIMES]; AFTER lets that many calls succeed \
     first, and * matches any name.\n\
     Kinds that fail before the call has an effect: status=N (status=N,blank, status=N,html and status=N,json replace \
     the body), throttle (throttle=VALUE sets Retry-After), redirect, echo (repeats the request in an \
     error), drop (closes the connection), hang (never answers).\n\
     Kinds that fail after it: lose-answer, truncate (half an answer), trickle (byte by byte), huge (256 MiB), bomb (1 \
     GiB in gzip), slow=DURATION.\n\
     Kinds that answer wrongly after it: garble (HTML), empty ({}), null (all values), retype (wrong types), twice \
     (every member), stranger (ids that were not asked for), deep (nested lists), other (the answer of another \
     operation), repeat (the answer to the first call), endless (more pages follow).";

/// Why a text is not a fault, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultError {
    text: String,
    place: Range<usize>,
    why: String,
    /// What can be written there.
    help: String,
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let parts = split(text);
        let wrong = |place: &Range<usize>, why: String| FaultError {
            text: text.into(),
            place: place.clone(),
            why,
            help: GRAMMAR.into(),
        };
        let end = text.len()..text.len();
        let [service, operation, kind] = [0, 1, 2].map(|index| parts.get(index).cloned());
        let part = |part: Option<Range<usize>>, what: &str| match part {
            Some(place) if !place.is_empty() => Ok(place),
            place => Err(wrong(&place.unwrap_or(end.clone()), format!("{what} is missing"))),
        };
        let service = part(service, "the service")?;
        let operation = part(operation, "the operation")?;
        let kind = part(kind, "the kind")?;
        if let Some(extra) = parts.get(4) {
            return Err(wrong(&(extra.start..text.len()), "nothing may follow TIMES".into()));
        }
        let count = |place: Range<usize>, least: u32, what: &str| {
            text[place.clone()]
                .parse()
                .ok()
                .filter(|count| *count >= least)
                .ok_or_else(|| wrong(&place, format!("{what} must be a number from {least}")))
        };
        let times = parts.get(3).map(|place| count(place.clone(), 1, "TIMES")).transpose()?;
        let (kind, after) = match text[kind.clone()].find('@') {
            Some(at) => {
                let at = kind.start + at;
                (kind.start..at, count(at + 1..kind.end, 0, "AFTER")?)
            }
            None => (kind, 0),
        };
        let name = |place: Range<usize>| Some(&text[place]).filter(|name| *name != "*").map(Into::into);
        Ok(Self {
            service: name(service),
            operation: name(operation),
            kind: parse_kind(text, kind).map_err(|(place, why)| wrong(&place, why))?,
            after,
            times,
        })
    }
}

/// Where the parts between colons are.
fn split(text: &str) -> Vec<Range<usize>> {
    let mut start = 0;
    text.split(':')
        .map(|part| {
            let place = start..start + part.len();
            start = place.end + 1;
            place
        })
        .collect()
}

fn parse_kind(text: &str, place: Range<usize>) -> Result<Kind, (Range<usize>, String)> {
    let name_end = text[place.clone()].find('=').map_or(place.end, |at| place.start + at);
    let name = &text[place.start..name_end];
    let argument = (name_end < place.end).then_some(name_end + 1..place.end);
    let needs = |what: &str| {
        let place = argument.clone().unwrap_or(place.clone());
        (place, format!("{name} needs {what}"))
    };
    let given = argument.clone().map(|place| &text[place]);
    let kind = match (name, given) {
        ("status", given) => {
            let (status, body) = given.map_or(("", None), |given| match given.split_once(',') {
                Some((status, body)) => (status, Some(BODIES.iter().find(|(name, _)| *name == body))),
                None => (given, None),
            });
            let status = status.parse().ok().filter(|status| (400..600).contains(status));
            match (status, body) {
                (Some(status), None) => Some(Kind::Status(status, None)),
                (Some(status), Some(Some((name, _)))) => Some(Kind::Status(status, Some(name))),
                _ => None,
            }
            .ok_or_else(|| needs("an HTTP status from 400 to 599, as in status=503 or status=503,html"))?
        }
        ("slow", given) => given
            .and_then(|duration| humantime::parse_duration(duration).ok())
            .map(Kind::Slow)
            .ok_or_else(|| needs("a duration, as in slow=1500ms"))?,
        ("throttle", given) => Kind::Throttle(given.map(Into::into)),
        (name, given) => match PLAIN.into_iter().find(|(plain, _)| *plain == name) {
            Some((_, kind)) if given.is_none() => kind,
            Some(_) => return Err((argument.unwrap_or(place), format!("{name} takes no argument"))),
            None => {
                let near = near(name, names());
                return Err((place.start..name_end, format!("there is no kind \"{name}\"{near}")));
            }
        },
    };
    Ok(kind)
}

/// The known name that was probably meant, as the end of a sentence.
fn near<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> String {
    let distance = |known: &str| strsim::damerau_levenshtein(&known.to_lowercase(), &name.to_lowercase());
    let nearest = known.map(|known| (distance(known), known)).min();
    let near = nearest.filter(|(distance, known)| *distance <= 2.max(known.len() / 4));
    near.map_or(String::new(), |(_, known)| format!("; did you mean \"{known}\"?"))
}

/// Names, as many on a line as fit.
fn lines(names: &[&str]) -> String {
    let (mut text, mut room) = (String::new(), 0);
    for (number, name) in (1..).zip(names) {
        let name = if number < names.len() { format!("{name},") } else { (*name).to_owned() };
        if room < name.len() + 1 {
            text.push_str("\n  ");
            room = 75;
        } else {
            text.push(' ');
        }
        room = room.saturating_sub(name.len() + 1);
        text.push_str(&name);
    }
    text
}

impl Fault {
    /// Refuses a service, or an operation, that none of these has: such a fault would test nothing. A service without
    /// operations takes any.
    pub fn check(&self, services: &[(&str, Vec<&str>)]) -> Result<(), FaultError> {
        let text = self.to_string();
        let wrong = |place, why, help| Err(FaultError { text: text.clone(), place, why, help });
        let named = |(name, _): &&(&str, Vec<&str>)| self.service.as_deref().is_none_or(|service| service == *name);
        let meant: Vec<_> = services.iter().filter(named).collect();
        let service = self.service.as_deref().unwrap_or("*");
        if meant.is_empty() {
            let near = near(service, services.iter().map(|(name, _)| *name));
            let known: Vec<_> = services.iter().map(|(name, _)| *name).collect();
            let why = format!("there is no service \"{service}\"{near}");
            return wrong(0..service.len(), why, format!("Services: {}", known.join(", ")));
        }
        let Some(operation) = self.operation.as_deref() else { return Ok(()) };
        if meant.iter().any(|(_, known)| known.is_empty() || known.contains(&operation)) {
            return Ok(());
        }
        let near = near(operation, meant.iter().flat_map(|(_, known)| known.iter().copied()));
        let start = service.len() + 1;
        let of = |(name, known): &&(&str, Vec<&str>)| format!("Operations of {name}:{}", lines(known));
        let help: Vec<_> = meant.iter().map(of).collect();
        let why = format!("there is no operation \"{operation}\"{near}");
        wrong(start..start + operation.len(), why, help.join("\n"))
    }
}

impl fmt::Display for FaultError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { text, place, why, help } = self;
        let before = text[..place.start].chars().count();
        let marks = text[place.clone()].chars().count().max(1);
        writeln!(f, "\"{text}\" is not a fault: {why}")?;
        writeln!(f, "    {text}\n    {:before$}{:^<marks$}", "", "")?;
        f.write_str(help)
    }
}

impl std::error::Error for FaultError {}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Status(status, None) => write!(f, "status={status}"),
            Self::Status(status, Some(body)) => write!(f, "status={status},{body}"),
            Self::Slow(duration) => write!(f, "slow={}", humantime::format_duration(*duration)),
            Self::Throttle(None) => f.write_str("throttle"),
            Self::Throttle(Some(after)) => write!(f, "throttle={after}"),
            plain => f.write_str(PLAIN.iter().find(|(_, kind)| kind == plain).map_or("", |(name, _)| name)),
        }
    }
}

/// The body of this name.
pub(super) fn body(name: &str) -> &'static str {
    BODIES.iter().find(|(known, _)| *known == name).map_or("", |(_, body)| body)
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let name = |name: &Option<String>| name.clone().unwrap_or("*".into());
        write!(f, "{}:{}:{}", name(&self.service), name(&self.operation), self.kind)?;
        if self.after > 0 {
            write!(f, "@{}", self.after)?;
        }
        self.times.map_or(Ok(()), |times| write!(f, ":{times}"))
    }
}

/// The faults of a sandbox, with a count of what each has done.
#[derive(Default)]
pub(super) struct Script(Vec<Line>);

struct Line {
    fault: Fault,
    /// Matching calls so far.
    seen: u32,
    /// Calls struck so far.
    struck: u32,
}

impl Script {
    pub fn add(&mut self, fault: Fault) {
        self.0.push(Line { fault, seen: 0, struck: 0 });
    }

    /// The fault of this call: the first that is due. Later ones wait until it is used up.
    pub fn next(&mut self, service: &str, operation: &str) -> Option<Kind> {
        let named = |name: &Option<String>, is: &str| name.as_deref().is_none_or(|name| name == is);
        let mut due = None;
        for line in &mut self.0 {
            if !named(&line.fault.service, service) || !named(&line.fault.operation, operation) {
                continue;
            }
            line.seen = line.seen.saturating_add(1);
            let spent = line.fault.times.is_some_and(|times| line.struck >= times);
            if due.is_none() && line.seen > line.fault.after && !spent {
                line.struck = line.struck.saturating_add(1);
                due = Some(line.fault.kind.clone());
            }
        }
        due
    }
}

#[cfg(test)]
mod tests;
