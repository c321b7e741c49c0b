//! The calls against the emulator, which checks them with code of its own.

use std::time::Duration;

use futures_util::future::join_all;

use super::*;
use crate::{
    image::Provider,
    sandbox::{
        Fault, Options, Received, Reply, Sandbox, Service as Emulated, World,
        iam::{self, ACCESS_KEY, PASSWORD, REGION, SECRET_KEY, TOKEN, USER},
        workspace::{Failing, Workspace as Emulator},
    },
    settings::Env,
    store::Hold,
};

type Variables<'v> = &'v [(&'v str, &'v str)];

const WITH_TOKEN: Variables = &[("HW_AUTH_TOKEN", TOKEN)];
const WITH_PASSWORD: Variables = &[
    ("HW_USER_NAME", USER),
    ("HW_USER_PASSWORD", PASSWORD),
    ("HW_DOMAIN_NAME", iam::DOMAIN),
];
const WITH_KEYS: Variables = &[
    ("HUAWEICLOUD_SDK_AK", ACCESS_KEY),
    ("HUAWEICLOUD_SDK_SK", SECRET_KEY),
];
const WAYS: [Variables; 3] = [WITH_TOKEN, WITH_PASSWORD, WITH_KEYS];

async fn start(workspace: Emulator) -> Sandbox {
    let world = World {
        workspace,
        ..World::default()
    };
    Sandbox::start(world, Options::default()).await.unwrap()
}

/// An emulator with these servers, whose jobs end at once.
async fn start_with(ids: &[&str]) -> Sandbox {
    let mut workspace = Emulator::default();
    workspace.job_time = Duration::ZERO;
    for id in ids {
        workspace.region(REGION).add(id, Utc::now());
    }
    start(workspace).await
}

fn settings(sandbox: &Sandbox, variables: Variables<'_>) -> Settings {
    let url = sandbox.url();
    let endpoints = [
        ("IMGCTL_WORKSPACE_ENDPOINT", url.as_str()),
        ("IMGCTL_IAM_ENDPOINT", &url),
        ("HW_REGION_NAME", REGION),
    ];
    Settings {
        // What a test says comes last, and so wins.
        env: Env::of(endpoints.iter().chain(variables).copied(), None),
        timeout: Duration::from_secs(5),
        ..Settings::default()
    }
}

fn anywhere() -> StoreRef {
    StoreRef::new(Provider::Workspace, "")
}

async fn open_with(sandbox: &Sandbox, variables: Variables<'_>) -> Result<Workspace> {
    open(&settings(sandbox, variables), &anywhere()).await
}

fn named(ids: &[&str]) -> Vec<ImageId> {
    ids.iter().map(|id| ImageId::Named((*id).into())).collect()
}

/// The operations that the emulator saw, each with its HTTP status.
fn seen(sandbox: &Sandbox) -> Vec<String> {
    let calls = sandbox.calls().into_iter();
    calls
        .map(|call| format!("{} {}", call.operation, call.status.unwrap_or_default()))
        .collect()
}

const LOGIN: &str = "KeystoneCreateUserTokenByPassword 201";
const LISTED: &str = "ListImageServers 200";

#[tokio::test]
async fn each_way_to_show_who_calls_is_believed_and_leads_to_the_project() {
    let asked = [
        "KeystoneValidateToken 200",
        LOGIN,
        "KeystoneListProjects 200",
    ];
    let callers = [None, Some(USER.to_owned()), Some("SAND…0001".to_owned())];
    for ((variables, asked), caller) in WAYS.into_iter().zip(asked).zip(callers) {
        let sandbox = start_with(&["1"]).await;
        let project = sandbox.world().workspace.iam.project_id(REGION);
        let store = open_with(&sandbox, variables).await.unwrap();
        let home = store.home();
        assert_eq!(
            (home.owner, home.region.as_deref()),
            (project, Some(REGION))
        );
        assert_eq!(store.caller(), caller);
        let page = store.list(None).await.unwrap();
        assert_eq!(
            (page.items.len(), page.total, page.next),
            (1, Some(1), None)
        );
        assert_eq!(page.items[0].id, Some(ImageId::Named("1".into())));
        assert_eq!(seen(&sandbox), [asked, LISTED]);
    }
}

#[tokio::test]
async fn temporary_keys_bring_their_token_and_a_given_project_needs_no_look_up() {
    let sandbox = start_with(&[]).await;
    let project = {
        let mut world = sandbox.world();
        world
            .workspace
            .iam
            .add_key("temporary", "secret", Some("session"));
        world.workspace.iam.project_id(REGION).unwrap()
    };
    let keys = [
        ("HW_ACCESS_KEY", "temporary"),
        ("HW_SECRET_KEY", "secret"),
        ("HW_SECURITY_TOKEN", "session"),
        ("HW_PROJECT_ID", &project),
    ];
    let store = open_with(&sandbox, &keys).await.unwrap();
    store.list(None).await.unwrap();
    assert_eq!(seen(&sandbox), [LISTED]);
    let without = open_with(&sandbox, &[keys[0], keys[1], keys[3]])
        .await
        .unwrap();
    assert_eq!(without.list(None).await.unwrap_err().kind, Kind::Auth);
}

#[tokio::test]
async fn a_wrong_password_or_token_stops_everything_before_any_other_call() {
    let wrong_password = [
        WITH_PASSWORD[0],
        ("HW_USER_PASSWORD", "guess"),
        WITH_PASSWORD[2],
    ];
    let cases: [(Variables, &str, &str); 2] = [
        (
            &wrong_password,
            "KeystoneCreateUserTokenByPassword 401",
            "HW_USER_PASSWORD",
        ),
        (
            &[("OS_AUTH_TOKEN", "guess")],
            "KeystoneValidateToken 401",
            "OS_AUTH_TOKEN",
        ),
    ];
    for (variables, call, source) in cases {
        let sandbox = start_with(&["1"]).await;
        let clients = Clients::default();
        let settings = settings(&sandbox, variables);
        for _ in 0..3 {
            let opened = clients.open(&settings, &anywhere()).await;
            let error = opened.map(|_| ()).unwrap_err();
            assert_eq!(error.kind, Kind::Auth);
            assert!(error.hint.unwrap().contains(source));
        }
        assert_eq!(seen(&sandbox), [call]);
    }
}

#[tokio::test]
async fn a_wrong_key_is_tried_once() {
    let sandbox = start_with(&["1"]).await;
    let project = sandbox.world().workspace.iam.project_id(REGION).unwrap();
    let keys = [WITH_KEYS[0], ("HUAWEICLOUD_SDK_SK", "guess")];
    let error = open_with(&sandbox, &keys).await.map(|_| ()).unwrap_err();
    assert_eq!(error.kind, Kind::Auth);
    assert_eq!(seen(&sandbox), ["KeystoneListProjects 401"]);
    let keys = [keys[0], keys[1], ("HW_PROJECT_ID", &project)];
    let store = open_with(&sandbox, &keys).await.unwrap();
    for _ in 0..3 {
        let error = store.delete(&named(&["1"])).await.unwrap_err();
        assert_eq!(
            (error.kind, error.code.as_deref()),
            (Kind::Auth, Some("APIGW.0301"))
        );
    }
    assert_eq!(seen(&sandbox)[1..], ["BatchDeleteImageServer 401"]);
    assert!(sandbox.world().workspace.region(REGION).has("1"));
}

#[tokio::test]
async fn calls_at_the_same_time_share_one_login() {
    let sandbox = start_with(&["1"]).await;
    // The login at the opening fails in passing, so the calls themselves have to.
    sandbox.add_fault(
        "workspace:KeystoneCreateUserTokenByPassword:drop:1"
            .parse()
            .unwrap(),
    );
    let store = open_with(&sandbox, WITH_PASSWORD).await.unwrap();
    assert_eq!(store.home().owner, None);
    let answers = join_all((0..8).map(|_| store.list(None))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(sandbox.world().workspace.iam.logins(), 1);
}

#[tokio::test]
async fn a_token_is_renewed_before_its_end_even_if_it_lives_for_a_second_only() {
    let sandbox = start_with(&["1"]).await;
    sandbox.world().workspace.iam.token_lifetime = Duration::from_secs(1);
    let store = open_with(&sandbox, WITH_PASSWORD).await.unwrap();
    store.list(None).await.unwrap();
    tokio::time::sleep(Duration::from_millis(700)).await;
    store.list(None).await.unwrap();
    assert_eq!(seen(&sandbox), [LOGIN, LISTED, LOGIN, LISTED]);
}

#[tokio::test]
async fn a_refused_token_is_renewed_exactly_once_for_all_calls_under_way() {
    let sandbox = start_with(&["1"]).await;
    let store = open_with(&sandbox, WITH_PASSWORD).await.unwrap();
    sandbox.world().workspace.iam.revoke_tokens();
    let answers = join_all((0..6).map(|_| store.list(None))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(sandbox.world().workspace.iam.logins(), 2);
    let refused = seen(&sandbox)
        .iter()
        .filter(|call| call.ends_with("401"))
        .count();
    assert!((1..=6).contains(&refused));
}

#[tokio::test]
async fn a_deletion_whose_token_was_refused_is_sent_once_more_and_works() {
    let sandbox = start_with(&["1"]).await;
    let store = open_with(&sandbox, WITH_PASSWORD).await.unwrap();
    sandbox.world().workspace.iam.revoke_tokens();
    store.delete(&named(&["1"])).await.unwrap();
    let [refused, done] = [401, 200].map(|status| format!("BatchDeleteImageServer {status}"));
    assert_eq!(seen(&sandbox), [LOGIN, refused.as_str(), LOGIN, &done]);
}

#[tokio::test]
async fn a_service_that_refuses_every_token_is_not_asked_for_ever() {
    let sandbox = start_with(&["1"]).await;
    sandbox.add_fault("workspace:ListImageServers:status=401".parse().unwrap());
    for (variables, logins) in [(WITH_TOKEN, 0), (WITH_PASSWORD, 2)] {
        let before = seen(&sandbox).len();
        let store = open_with(&sandbox, variables).await.unwrap();
        for _ in 0..3 {
            assert_eq!(store.list(None).await.unwrap_err().kind, Kind::Auth);
        }
        let calls = seen(&sandbox).split_off(before);
        let refused = calls
            .iter()
            .filter(|call| *call == "ListImageServers 401")
            .count();
        assert_eq!(refused, logins.max(1));
        assert_eq!(calls.iter().filter(|call| *call == LOGIN).count(), logins);
    }
}

#[tokio::test]
async fn another_project_than_the_credentials_is_an_error_and_nothing_is_asked_of_workspace() {
    let other = StoreRef {
        owner: Some("other".into()),
        region: Some(REGION.into()),
        ..anywhere()
    };
    let sandbox = start_with(&["1"]).await;
    let project = sandbox.world().workspace.iam.project_id(REGION).unwrap();
    let given = [WITH_KEYS, &[("HW_PROJECT_ID", project.as_str())]].concat();
    for (variables, calls) in [
        (WITH_TOKEN, 1),
        (WITH_PASSWORD, 1),
        (WITH_KEYS, 1),
        (&given, 0),
    ] {
        let before = seen(&sandbox).len();
        let opened = open(&settings(&sandbox, variables), &other).await;
        let error = opened.map(|_| ()).unwrap_err();
        assert_eq!(error.kind, Kind::Config);
        assert!(error.message.contains("other") && error.message.contains(&project));
        let new = seen(&sandbox).split_off(before);
        assert_eq!(new.len(), calls);
        assert!(new.iter().all(|call| call.starts_with("Keystone")));
    }
    let mistaken = [WITH_TOKEN, &[("HW_PROJECT_ID", "other")]].concat();
    let error = open_with(&sandbox, &mistaken)
        .await
        .map(|_| ())
        .unwrap_err();
    assert_eq!(error.kind, Kind::Config);
    assert!(
        error
            .message
            .contains("HW_PROJECT_ID names the project other")
    );
}

#[tokio::test]
async fn a_region_without_a_project_is_said_to_have_none() {
    let sandbox = start_with(&[]).await;
    let mars = StoreRef {
        region: Some("mars-1".into()),
        ..anywhere()
    };
    let opened = open(&settings(&sandbox, WITH_KEYS), &mars).await;
    let error = opened.map(|_| ()).unwrap_err();
    assert_eq!(error.kind, Kind::Config);
    assert!(error.message.contains("has no project mars-1"), "{error}");
}

#[tokio::test]
async fn trouble_at_the_login_that_may_pass_is_no_doubt_about_a_deletion() {
    for (fault, kind) in [
        ("status=503", Kind::Unreachable),
        ("lose-answer", Kind::Unreachable),
        ("throttle", Kind::Throttled),
        ("garble", Kind::Unreadable),
        ("status=404", Kind::Config),
        ("status=400", Kind::Config),
        ("status=403", Kind::Denied),
    ] {
        let sandbox = start_with(&["1"]).await;
        let fault = format!("workspace:KeystoneCreateUserTokenByPassword:{fault}");
        sandbox.add_fault(fault.parse().unwrap());
        let error = match open_with(&sandbox, WITH_PASSWORD).await {
            Ok(store) => store.delete(&named(&["1"])).await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.kind, kind, "{fault}: {error}");
        assert!(
            seen(&sandbox)
                .iter()
                .all(|call| call.starts_with("Keystone"))
        );
    }
}

#[tokio::test]
async fn a_deletion_starts_a_job_that_tells_what_became_of_each() {
    let sandbox = start_with(&["1", "2", "3"]).await;
    let failing = Failing::new("FAILED", "WKS.00211401", "The server group has changed.");
    sandbox
        .world()
        .workspace
        .region(REGION)
        .failing
        .insert("2".into(), failing);
    let store = open_with(&sandbox, WITH_PASSWORD).await.unwrap();
    let Answer::All(Deletion::Accepted(job)) =
        store.delete(&named(&["1", "2", "absent"])).await.unwrap()
    else {
        panic!("a job was started");
    };
    let Some(Answer::Each(answers)) = store.poll(&job).await.unwrap() else {
        panic!("the job has ended");
    };
    let [(first, Ok(Deletion::Deleted)), (second, Err(error))] = &answers[..] else {
        panic!("{answers:?}");
    };
    assert_eq!([first.clone(), second.clone()], named(&["1", "2"])[..]);
    assert_eq!(
        (error.kind, error.code.as_deref()),
        (Kind::Failed, Some("WKS.00211401"))
    );
    assert_eq!(error.message, "The server group has changed.");
    assert!(error.request_id.is_some());
    let report = store.job(&job.id).await.unwrap();
    assert_eq!((report.id, report.status.as_str()), (job.id, "FAILED"));
    let resources: Vec<_> = report
        .sub_jobs
        .iter()
        .flatten()
        .map(SubJob::resource)
        .collect();
    assert_eq!(resources, [Some("1"), Some("2")]);
}

#[tokio::test]
async fn a_job_that_runs_says_nothing_yet_and_one_that_never_was_is_not_found() {
    let sandbox = start_with(&["1"]).await;
    sandbox.world().workspace.job_time = Duration::from_secs(600);
    let store = open_with(&sandbox, WITH_KEYS).await.unwrap();
    let Answer::All(Deletion::Accepted(job)) = store.delete(&named(&["1"])).await.unwrap() else {
        panic!("a job was started");
    };
    assert!(store.poll(&job).await.unwrap().is_none());
    let Answer::Each(going) = store.get(&named(&["1"])).await.unwrap() else {
        panic!("one answer an id");
    };
    assert_eq!(going[0].1.as_ref().unwrap().hold, Some(Hold::Going));
    let never = Job { id: "1".into() };
    assert_eq!(store.poll(&never).await.unwrap_err().kind, Kind::NotFound);
}

#[tokio::test]
async fn recursion_goes_as_it_is_set_and_a_missing_job_means_look() {
    for recursive in [false, true] {
        let sandbox = start_with(&["1"]).await;
        sandbox.world().workspace.names_job = false;
        let settings = Settings {
            recursive,
            ..settings(&sandbox, WITH_KEYS)
        };
        let store = open(&settings, &anywhere()).await.unwrap();
        let answer = store.delete(&named(&["1"])).await.unwrap();
        assert!(matches!(answer, Answer::All(Deletion::Requested)));
        let jobs: Vec<_> = sandbox
            .world()
            .workspace
            .region(REGION)
            .jobs
            .values()
            .cloned()
            .collect();
        assert_eq!((jobs.len(), jobs[0].recursive), (1, recursive));
    }
}

#[tokio::test]
async fn ids_that_no_call_may_carry_are_not_sent() {
    let sandbox = start_with(&["1"]).await;
    let store = open_with(&sandbox, WITH_TOKEN).await.unwrap();
    let many: Vec<_> = (0..21)
        .map(|number| ImageId::Named(number.to_string()))
        .collect();
    for (ids, kind) in [
        (many, Kind::TooMany),
        (Vec::new(), Kind::TooMany),
        (named(&["1", "1"]), Kind::TooMany),
        (named(&[""]), Kind::Invalid),
        (named(&["a/b"]), Kind::Invalid),
        (named(&[&"x".repeat(129)]), Kind::Invalid),
        (vec![ImageId::Tag("v1".into())], Kind::Invalid),
    ] {
        assert_eq!(store.delete(&ids).await.unwrap_err().kind, kind, "{ids:?}");
    }
    for id in ["", ".", "..", "a/b"] {
        assert_eq!(
            store.get(&named(&[id])).await.unwrap_err().kind,
            Kind::Invalid
        );
        let job = Job { id: id.into() };
        assert_eq!(store.poll(&job).await.unwrap_err().kind, Kind::Invalid);
    }
    assert_eq!(seen(&sandbox), ["KeystoneValidateToken 200"]);
}

#[tokio::test]
async fn an_id_with_odd_characters_arrives_as_it_is() {
    let odd = "a b+c%2F(d)é~";
    let sandbox = start_with(&[odd]).await;
    for variables in WAYS {
        let store = open_with(&sandbox, variables).await.unwrap();
        let Answer::Each(found) = store.get(&named(&[odd])).await.unwrap() else {
            panic!("one answer an id");
        };
        assert!(found[0].1.is_ok(), "{found:?}");
    }
}

#[tokio::test]
async fn only_the_service_itself_can_say_that_a_server_is_not_there() {
    let sandbox = start_with(&["1"]).await;
    let store = open_with(&sandbox, WITH_KEYS).await.unwrap();
    let Answer::Each(found) = store.get(&named(&["absent"])).await.unwrap() else {
        panic!("one answer an id");
    };
    let error = found[0].1.as_ref().unwrap_err();
    assert_eq!(
        (error.kind, error.code.as_deref()),
        (Kind::NotFound, Some("WKS.00211902"))
    );
    sandbox.add_fault("workspace:ShowImageServer:status=404:1".parse().unwrap());
    let error = store.get(&named(&["1"])).await.unwrap_err();
    assert_eq!(
        (error.kind, error.code.as_deref()),
        (Kind::Config, Some("APIGW.0101"))
    );
}

#[tokio::test]
async fn a_listing_goes_on_to_its_end_in_pages_of_a_hundred() {
    for (there, pages) in [(0, 1), (99, 1), (100, 1), (101, 2), (250, 3)] {
        let ids: Vec<_> = (0..there).map(|number| number.to_string()).collect();
        let ids: Vec<_> = ids.iter().map(String::as_str).collect();
        let sandbox = start_with(&ids).await;
        let store = open_with(&sandbox, WITH_KEYS).await.unwrap();
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = store.list(after.as_deref()).await.unwrap();
            assert_eq!(page.total, Some(there));
            found.extend(page.items.into_iter().filter_map(|image| image.id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, named(&ids));
        assert_eq!(seen(&sandbox).len(), 1 + pages, "{there}");
    }
}

#[tokio::test]
async fn a_listing_is_narrowed_to_the_enterprise_project_that_is_set() {
    let sandbox = start_with(&["1", "2"]).await;
    sandbox
        .world()
        .workspace
        .region(REGION)
        .server_mut("2")
        .unwrap()
        .enterprise_project_id = "finance".into();
    for (variables, expected) in [
        (&[][..], 2),
        (&[("HW_ENTERPRISE_PROJECT_ID", "finance")], 1),
    ] {
        let store = open_with(&sandbox, &[WITH_KEYS, variables].concat())
            .await
            .unwrap();
        assert_eq!(store.list(None).await.unwrap().items.len(), expected);
    }
}

#[tokio::test]
async fn each_fault_is_what_it_proves() {
    for (fault, of_delete, of_list, of_get) in [
        (
            "throttle",
            Kind::Throttled,
            Kind::Throttled,
            Kind::Throttled,
        ),
        ("status=400", Kind::Invalid, Kind::Invalid, Kind::Invalid),
        ("status=403", Kind::Denied, Kind::Denied, Kind::Denied),
        (
            "status=409",
            Kind::WrongState,
            Kind::WrongState,
            Kind::WrongState,
        ),
        ("status=413", Kind::TooMany, Kind::TooMany, Kind::TooMany),
        ("status=500", Kind::Lost, Kind::Lost, Kind::Lost),
        ("status=503", Kind::Lost, Kind::Lost, Kind::Lost),
        ("drop", Kind::Lost, Kind::Lost, Kind::Lost),
        ("lose-answer", Kind::Lost, Kind::Lost, Kind::Lost),
        ("truncate", Kind::Lost, Kind::Lost, Kind::Lost),
        (
            "garble",
            Kind::Unreadable,
            Kind::Unreadable,
            Kind::Unreadable,
        ),
    ] {
        let sandbox = start_with(&["1"]).await;
        let store = open_with(&sandbox, WITH_KEYS).await.unwrap();
        let fault: Fault = format!("workspace:*:{fault}").parse().unwrap();
        sandbox.add_fault(fault.clone());
        let found = [
            store.delete(&named(&["1"])).await.unwrap_err().kind,
            store.list(None).await.unwrap_err().kind,
            store.get(&named(&["1"])).await.unwrap_err().kind,
        ];
        assert_eq!(found, [of_delete, of_list, of_get], "{fault}");
    }
    let sandbox = start_with(&["1"]).await;
    let store = open_with(&sandbox, WITH_KEYS).await.unwrap();
    sandbox.add_fault("workspace:*:empty".parse().unwrap());
    let job = Job { id: "1".into() };
    assert_eq!(store.list(None).await.unwrap_err().kind, Kind::Unreadable);
    assert_eq!(
        store.get(&named(&["1"])).await.unwrap_err().kind,
        Kind::Unreadable
    );
    assert_eq!(store.poll(&job).await.unwrap_err().kind, Kind::Unreadable);
}

/// Answers everything below `/elsewhere` in one way.
struct Always(Reply);

impl Emulated for Always {
    fn operation(&self, request: &Received) -> Option<String> {
        request
            .path
            .starts_with("/elsewhere/")
            .then(|| request.path.clone())
    }

    fn answer(&mut self, _: &Received) -> Reply {
        self.0.clone()
    }

    fn throttled(&self) -> Reply {
        self.0.clone()
    }

    fn broken(&self, _: u16) -> Reply {
        self.0.clone()
    }

    fn environment(&self, _: &str) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// A store whose every call is answered like this.
async fn answered(status: u16, body: &str) -> (Workspace, Sandbox) {
    let reply = Reply {
        status,
        headers: vec![("location".into(), "http://127.0.0.1:9/".into())],
        body: body.into(),
    };
    let world = World {
        others: vec![("other", Box::new(Always(reply)))],
        ..World::default()
    };
    let sandbox = Sandbox::start(world, Options::default()).await.unwrap();
    let endpoint = format!("{}/elsewhere", sandbox.url());
    let variables = [("IMGCTL_WORKSPACE_ENDPOINT", endpoint.as_str())];
    let variables = [WITH_TOKEN, &variables].concat();
    (open_with(&sandbox, &variables).await.unwrap(), sandbox)
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (store, sandbox) = answered(307, "").await;
    let error = store.list(None).await.unwrap_err();
    assert_eq!(
        (error.kind, error.code.as_deref()),
        (Kind::Config, Some("HTTP 307"))
    );
    assert!(error.hint.unwrap().contains("redirect"));
    let project = store.home().owner.unwrap();
    let path = format!("/elsewhere/v1/{project}/image-servers 307");
    assert_eq!(seen(&sandbox)[1..], [path]);
}

#[tokio::test]
async fn a_short_page_is_the_last_whatever_the_count_says() {
    for (body, items) in [
        (r#"{"count":500,"items":[{"id":"1"}]}"#, 1),
        (r#"{"count":500,"items":[]}"#, 0),
        (r#"{"items":[{"id":"1"}]}"#, 1),
    ] {
        let (store, _sandbox) = answered(200, body).await;
        let page = store.list(Some("100")).await.unwrap();
        assert_eq!((page.items.len(), page.next), (items, None), "{body}");
    }
}

#[tokio::test]
async fn an_empty_answer_to_a_deletion_means_look() {
    for body in ["", "{}", r#"{"job_id":""}"#, r#"{"job_id":null}"#] {
        let (store, _sandbox) = answered(200, body).await;
        let answer = store.delete(&named(&["1"])).await.unwrap();
        assert!(matches!(answer, Answer::All(Deletion::Requested)), "{body}");
    }
}

#[tokio::test]
async fn the_description_of_another_server_is_not_believed() {
    let (store, _sandbox) = answered(200, r#"{"id":"2"}"#).await;
    let error = store.get(&named(&["1"])).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unreadable);
}

#[tokio::test]
async fn an_answer_of_iam_does_not_print_its_token() {
    let sandbox = start_with(&[]).await;
    let huawei = Huawei::load(&settings(&sandbox, WITH_PASSWORD), None).unwrap();
    let service = Service::new(&huawei.iam, Duration::from_secs(5)).unwrap();
    let headers = call::Proof::Itself(TOKEN.into());
    let path = ["v3", "auth", "tokens"];
    let answer = service
        .send(&get("KeystoneValidateToken", &path), &headers)
        .await
        .unwrap();
    assert_eq!(answer.header("x-subject-token"), Some(TOKEN));
    assert!(!format!("{answer:?}").contains(TOKEN));
}
