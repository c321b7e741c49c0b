//! What an answer says of the clock, and whose fault a failure is.

use super::*;

const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

fn heard(seconds_ahead: i64) -> Heard {
    let at: DateTime<Utc> = "2026-01-01T12:00:00Z".parse().unwrap();
    let date = at - TimeDelta::seconds(seconds_ahead);
    Heard { date: Some(date.format("%a, %d %b %Y %H:%M:%S GMT").to_string()), at, took: Duration::from_millis(20) }
}

fn settings() -> Checkup {
    let mut checkup = Checkup::default();
    checkup.unused("OTHER_KEY", "not used because of KEY");
    for subject in [Subject::Credentials, Subject::Region, Subject::Endpoint] {
        checkup.found(subject, "it", "KEY");
    }
    checkup
}

fn states(checkup: &Checkup) -> Vec<(Subject, State)> {
    let checks = checkup.checks.iter().skip(1);
    checks.map(|check| (check.check, check.state)).collect()
}

#[test]
fn a_clock_matches_the_service_or_gets_a_warning_or_fails() {
    for (ahead, state, value) in [
        (0, State::Ok, "matches the service"),
        (2, State::Ok, "matches the service"),
        (-1, State::Ok, "matches the service"),
        (30, State::Ok, "29s ahead"),
        (-30, State::Ok, "30s behind"),
        (75, State::Warning, "1m 14s ahead"),
        (-75, State::Warning, "1m 15s behind"),
        (600, State::Warning, "9m 59s ahead"),
    ] {
        let mut checkup = settings();
        let _ = checkup.tried("read", Some(&heard(ahead)), TOLERANCE, Ok(()));
        let clock = checkup.checks.iter().find(|check| check.check == Subject::Clock);
        let clock = clock.unwrap();
        assert_eq!((clock.state, clock.value.as_deref()), (state, Some(value)), "{ahead}");
        assert_eq!(clock.note.is_some(), state == State::Warning);
    }
    for date in [None, Some("soon".to_owned())] {
        let mut checkup = settings();
        let heard = Heard { date, ..heard(0) };
        let _ = checkup.tried("read", Some(&heard), TOLERANCE, Ok(()));
        assert!(states(&checkup).contains(&(Subject::Clock, State::Unknown)));
    }
}

#[test]
fn a_clock_beyond_what_is_documented_is_at_fault_unless_the_service_minds_nothing() {
    for (answer, state) in [
        (Ok(()), State::Warning),
        (Err(Kind::Denied), State::Warning),
        (Err(Kind::Auth), State::Failed),
        (Err(Kind::Throttled), State::Failed),
    ] {
        for ahead in [302, -301] {
            let mut checkup = settings();
            let answer = answer.map_err(|kind| Error::new(kind, "why"));
            let _ = checkup.tried("read", Some(&heard(ahead)), TOLERANCE, answer);
            assert!(states(&checkup).contains(&(Subject::Clock, state)), "{ahead}");
        }
    }
}

#[test]
fn a_failure_is_noted_where_it_is_to_be_mended() {
    use State::{Failed, Found, Ok as Well};
    use Subject::{Clock, Credentials, Endpoint, Read, Region};
    let table = [
        (None, Kind::Unreachable, [(Credentials, Found), (Region, Found), (Endpoint, Failed)].to_vec()),
        (None, Kind::Lost, [(Credentials, Found), (Region, Found), (Endpoint, Failed)].to_vec()),
        (Some(0), Kind::Config, [(Credentials, Found), (Region, Found), (Endpoint, Failed), (Clock, Well)].to_vec()),
        (Some(0), Kind::Auth, [(Credentials, Failed), (Region, Found), (Endpoint, Well), (Clock, Well)].to_vec()),
        (Some(600), Kind::Auth, [(Credentials, Found), (Region, Found), (Endpoint, Well), (Clock, Failed)].to_vec()),
        (
            Some(0),
            Kind::Denied,
            [(Credentials, Well), (Region, Well), (Endpoint, Well), (Clock, Well), (Read, Failed)].to_vec(),
        ),
        (
            Some(0),
            Kind::NoStore,
            [(Credentials, Well), (Region, Well), (Endpoint, Well), (Clock, Well), (Read, Failed)].to_vec(),
        ),
    ];
    for (ahead, kind, expected) in table {
        let mut checkup = settings();
        let answer: Result<()> = Err(Error::new(kind, "why"));
        let heard = ahead.map(heard);
        let _ = checkup.tried("read", heard.as_ref(), TOLERANCE, answer);
        assert_eq!(states(&checkup), expected, "{kind:?}");
        // Whatever it is, there is something to do about it, unless it is in the message.
        let hint = checkup.error().unwrap().hint.is_some();
        assert_eq!(hint, !matches!(kind, Kind::Config | Kind::NoStore), "{kind:?}");
        assert_eq!(checkup.checks[0].state, State::Unused);
    }
}

#[test]
fn a_service_that_fails_itself_says_nothing_of_the_credentials() {
    for kind in [Kind::Throttled, Kind::Lost] {
        let mut checkup = settings();
        let answer: Result<()> = Err(Error::new(kind, "why"));
        let _ = checkup.tried("read", Some(&heard(0)), TOLERANCE, answer);
        assert!(states(&checkup).contains(&(Subject::Credentials, State::Found)), "{kind:?}");
        assert!(states(&checkup).contains(&(Subject::Read, State::Failed)));
    }
}

#[test]
fn credentials_are_missing_only_where_nothing_was_set_up_to_give_them() {
    for (kind, set_up, state) in [
        (Kind::Auth, false, State::Missing),
        (Kind::Auth, true, State::Failed),
        (Kind::Config, false, State::Failed),
        (Kind::Unreachable, false, State::Failed),
    ] {
        let mut checkup = Checkup::default();
        let nothing: Result<()> = Err(Error::new(kind, "none"));
        assert!(checkup.credentials(nothing, || set_up).is_err());
        assert_eq!(checkup.checks[0].state, state, "{kind:?} {set_up}");
    }
}
