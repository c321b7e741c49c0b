//! Each call, its answers and faults.

use super::*;
use crate::{
    sandbox::{Fault, Received, Reply, Service as Emulated, workspace::state::Failing},
    store::Hold,
};

#[tokio::test]
async fn a_deletion_starts_a_job_that_tells_what_became_of_each() {
    let sandbox = start_with(&["1", "2", "3"]).await;
    let failing = Failing::new("FAILED", "WKS.00211401", "The server group has changed.");
    sandbox.world().workspace.region(REGION).failing.insert("2".into(), failing);
    let store = open_with(&sandbox, WITH_PASSWORD).await.unwrap();
    let Answer::All(Deletion::Accepted(job)) = store.delete(&named(&["1", "2", "absent"])).await.unwrap().said else {
        panic!("a job was started");
    };
    let Some(Answer::Each(answers)) = store.poll(&job).await.unwrap() else {
        panic!("the job has ended");
    };
    let [(first, Ok(Deletion::Deleted)), (second, Err(error))] = &answers[..] else {
        panic!("{answers:?}");
    };
    assert_eq!([first.clone(), second.clone()], named(&["1", "2"])[..]);
    assert_eq!((error.kind, error.code.as_deref()), (Kind::Failed, Some("WKS.00211401")));
    assert_eq!(error.message, "The server group has changed.");
    assert!(error.request_id.is_some());
    let report = store.job(&job.id).await.unwrap();
    assert_eq!((report.id, report.status.as_str()), (job.id, "FAILED"));
    let resources: Vec<_> = report.sub_jobs.iter().flatten().map(SubJob::resource).collect();
    assert_eq!(resources, [Some("1"), Some("2")]);
}

#[tokio::test]
async fn a_running_job_has_no_result_and_an_unknown_one_is_not_found() {
    let sandbox = start_with(&["1"]).await;
    sandbox.world().workspace.job_time = Duration::from_secs(600);
    let store = open_with(&sandbox, WITH_KEYS).await.unwrap();
    let Answer::All(Deletion::Accepted(job)) = store.delete(&named(&["1"])).await.unwrap().said else {
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
async fn the_recursive_flag_is_sent_as_set_and_an_answer_without_a_job_means_look() {
    for recursive in [false, true] {
        let sandbox = start_with(&["1"]).await;
        sandbox.world().workspace.names_job = false;
        let deletion = DeletionFlags { recursive, ..DeletionFlags::default() };
        let options = settings::Options { deletion, ..settings::Options::default() };
        let settings = Settings { options, ..settings(&sandbox, WITH_KEYS) };
        let store = open(&settings, &Default::default(), &anywhere()).await.unwrap();
        let answer = store.delete(&named(&["1"])).await.unwrap().said;
        assert!(matches!(answer, Answer::All(Deletion::Requested)));
        let jobs: Vec<_> = sandbox.world().workspace.region(REGION).jobs.values().cloned().collect();
        assert_eq!((jobs.len(), jobs[0].recursive), (1, recursive));
    }
}

#[tokio::test]
async fn ids_that_no_call_may_carry_are_not_sent() {
    let sandbox = start_with(&["1"]).await;
    let store = open_with(&sandbox, WITH_TOKEN).await.unwrap();
    let many: Vec<_> = (0..21).map(|number| ImageId::Named(number.to_string())).collect();
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
        assert_eq!(store.get(&named(&[id])).await.unwrap_err().kind, Kind::Invalid);
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
    assert_eq!((error.kind, error.code.as_deref()), (Kind::NotFound, Some("WKS.00211902")));
    sandbox.add_fault("workspace:ShowImageServer:status=404:1".parse().unwrap());
    let error = store.get(&named(&["1"])).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_deref()), (Kind::Config, Some("APIGW.0101")));
}

#[tokio::test]
async fn a_listing_reads_all_pages_of_a_hundred() {
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
    sandbox.world().workspace.region(REGION).server_mut("2").unwrap().enterprise_project_id = "finance".into();
    for (variables, expected) in [(&[][..], 2), (&[("HW_ENTERPRISE_PROJECT_ID", "finance")], 1)] {
        let store = open_with(&sandbox, &[WITH_KEYS, variables].concat()).await.unwrap();
        assert_eq!(store.list(None).await.unwrap().items.len(), expected);
    }
}

#[tokio::test]
async fn each_fault_is_what_it_proves() {
    for (fault, of_delete, of_list, of_get) in [
        ("throttle", Kind::Throttled, Kind::Throttled, Kind::Throttled),
        ("status=400", Kind::Invalid, Kind::Invalid, Kind::Invalid),
        ("status=403", Kind::Denied, Kind::Denied, Kind::Denied),
        ("status=409", Kind::WrongState, Kind::WrongState, Kind::WrongState),
        ("status=413", Kind::TooMany, Kind::TooMany, Kind::TooMany),
        ("status=500", Kind::Lost, Kind::Lost, Kind::Lost),
        ("status=503", Kind::Lost, Kind::Lost, Kind::Lost),
        ("drop", Kind::Lost, Kind::Lost, Kind::Lost),
        ("lose-answer", Kind::Lost, Kind::Lost, Kind::Lost),
        ("truncate", Kind::Lost, Kind::Lost, Kind::Lost),
        ("garble", Kind::Unreadable, Kind::Unreadable, Kind::Unreadable),
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
    assert_eq!(store.get(&named(&["1"])).await.unwrap_err().kind, Kind::Unreadable);
    assert_eq!(store.poll(&job).await.unwrap_err().kind, Kind::Unreadable);
}

/// Answers everything below `/elsewhere` in one way.
struct Always(Reply);

impl Emulated for Always {
    fn operation(&self, request: &Received) -> Option<String> {
        request.path.starts_with("/elsewhere/").then(|| request.path.clone())
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
    let reply = Reply { status, headers: vec![("location".into(), "http://127.0.0.1:9/".into())], body: body.into() };
    let world = World { others: vec![("other", Box::new(Always(reply)))], ..World::default() };
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
    assert_eq!((error.kind, error.code.as_deref()), (Kind::Config, Some("HTTP 307")));
    assert!(error.hint.unwrap().contains("redirect"));
    let project = store.home().owner.clone().unwrap();
    let path = format!("/elsewhere/v1/{project}/image-servers 307");
    assert_eq!(seen(&sandbox)[1..], [path]);
}

#[tokio::test]
async fn a_short_page_is_the_last_only_if_the_count_agrees() {
    for (body, items, next) in [
        (r#"{"count":500,"items":[{"id":"1"}]}"#, 1, Some("101")),
        (r#"{"count":101,"items":[{"id":"1"}]}"#, 1, None),
        (r#"{"count":100,"items":[]}"#, 0, None),
        (r#"{"items":[{"id":"1"}]}"#, 1, None),
    ] {
        let (store, _sandbox) = answered(200, body).await;
        let page = store.list(Some("100")).await.unwrap();
        assert_eq!((page.items.len(), page.next.as_deref()), (items, next), "{body}");
    }
    let (store, _sandbox) = answered(200, r#"{"count":500,"items":[]}"#).await;
    assert_eq!(store.list(Some("100")).await.unwrap_err().kind, Kind::Unreadable);
}

#[tokio::test]
async fn an_empty_answer_to_a_deletion_means_look() {
    for body in ["", "{}", r#"{"job_id":""}"#, r#"{"job_id":null}"#] {
        let (store, _sandbox) = answered(200, body).await;
        let answer = store.delete(&named(&["1"])).await.unwrap().said;
        assert!(matches!(answer, Answer::All(Deletion::Requested)), "{body}");
    }
}

#[tokio::test]
async fn the_description_of_another_server_is_not_believed() {
    let (store, _sandbox) = answered(200, r#"{"id":"2"}"#).await;
    let error = store.get(&named(&["1"])).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unreadable);
}
