use chrono::TimeDelta;

use super::*;
use crate::sandbox::iam::{REGION, TOKEN};

fn now() -> DateTime<Utc> {
    "2026-11-21T01:02:03Z".parse().unwrap()
}

/// A workspace with these servers, the same number of seconds old.
fn with(ids: &[&str]) -> Workspace {
    let mut workspace = Workspace::default();
    for id in ids {
        workspace.region(REGION).add(id, now());
    }
    workspace
}

/// Sends a request with the sandbox's ready token, so many seconds later.
fn send(workspace: &mut Workspace, method: &str, path: &str, body: &str, later: i64) -> (u16, Value) {
    let project = workspace.iam.project_id(REGION).unwrap();
    let path = format!("/v1/{project}/{path}");
    let (path, query) = path.split_once('?').unwrap_or((&path, ""));
    let mut headers = hyper::HeaderMap::new();
    headers.insert("x-auth-token", TOKEN.parse().unwrap());
    headers.insert("content-type", "application/json".parse().unwrap());
    let request = Received {
        method: method.into(),
        path: path.into(),
        query: query.into(),
        headers,
        body: body.to_owned().into(),
        now: now() + TimeDelta::seconds(later),
        to_registry: false,
    };
    assert!(workspace.operation(&request).is_some(), "{method} {path}");
    let reply = workspace.answer(&request);
    assert!(reply.headers.iter().any(|(name, _)| name == "X-Request-Id"));
    (reply.status, serde_json::from_slice(&reply.body).unwrap())
}

fn delete(workspace: &mut Workspace, body: &Value) -> (u16, Value) {
    let path = "image-servers/actions/batch-delete";
    send(workspace, "PATCH", path, &body.to_string(), 0)
}

fn job(workspace: &mut Workspace, id: &Value, later: i64) -> Value {
    let path = format!("image-server-jobs/{}", id.as_str().unwrap());
    let (status, job) = send(workspace, "GET", &path, "", later);
    assert_eq!(status, 200);
    job
}

fn listed(workspace: &mut Workspace, query: &str) -> (u64, Vec<String>) {
    let (status, body) = send(workspace, "GET", &format!("image-servers{query}"), "", 0);
    assert_eq!(status, 200, "{body}");
    let items = body["items"].as_array().unwrap();
    let ids = items.iter().map(|item| item["id"].as_str().unwrap().to_owned());
    (body["count"].as_u64().unwrap(), ids.collect())
}

#[test]
fn a_list_shows_ten_unless_asked_for_up_to_a_hundred() {
    let ids: Vec<_> = (0..120).map(|number| format!("{number:03}")).collect();
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let mut workspace = with(&ids);
    for (query, first, length) in
        [("", "000", 10), ("?limit=100", "000", 100), ("?limit=100&offset=100", "100", 20), ("?offset=115", "115", 5)]
    {
        let (count, page) = listed(&mut workspace, query);
        assert_eq!((count, page.len(), page[0].as_str()), (120, length, first), "{query}");
    }
    assert_eq!(listed(&mut workspace, "?offset=500"), (120, Vec::new()));
    for query in ["?limit=0", "?limit=101", "?limit=x", "?offset=-1"] {
        let (status, body) = send(&mut workspace, "GET", &format!("image-servers{query}"), "", 0);
        assert_eq!((status, &body["error_code"]), (400, &json!("WKS.00211102")), "{query}");
    }
}

#[test]
fn a_list_is_narrowed_by_part_of_a_name_by_id_and_by_enterprise_project() {
    let mut workspace = with(&["1", "2", "12"]);
    let project = workspace.region(REGION);
    project.server_mut("2").unwrap().enterprise_project_id = "finance".into();
    project.server_mut("12").unwrap().name = "a b".into();
    for (query, expected) in [
        ("?server_name=server-", &["1", "2"][..]),
        ("?server_name=a%20b", &["12"]),
        ("?server_id=1", &["1"]),
        ("?server_id=3", &[]),
        ("?enterprise_project_id=finance", &["2"]),
        ("?enterprise_project_id=0", &["1", "12"]),
        ("?enterprise_project_id=", &["1", "12"]),
    ] {
        assert_eq!(listed(&mut workspace, query).1, expected, "{query}");
    }
}

#[test]
fn a_deletion_needs_both_fields_and_one_to_twenty_different_ids() {
    let many: Vec<_> = (0..21).map(|number| number.to_string()).collect();
    for body in [
        json!({"items": ["1"]}),
        json!({"recursive": false}),
        json!({"items": ["1"], "recursive": "false"}),
        json!({"items": "1", "recursive": false}),
        json!({"items": [], "recursive": false}),
        json!({"items": ["1", "1"], "recursive": false}),
        json!({"items": ["1", ""], "recursive": false}),
        json!({"items": ["1", "x".repeat(129)], "recursive": false}),
        json!({"items": ["1", 2], "recursive": false}),
        json!({"items": many, "recursive": false}),
        json!("no object"),
    ] {
        let mut workspace = with(&["1"]);
        let (status, answer) = delete(&mut workspace, &body);
        assert_eq!((status, &answer["error_code"]), (400, &json!("WKS.00211102")), "{body}");
        assert_eq!(workspace.region(REGION).servers[0].status, "BUILT");
    }
}

#[test]
fn one_busy_server_refuses_the_whole_call() {
    for status in ["CREATING", "BUILDING"] {
        let mut workspace = with(&["1", "2"]);
        workspace.region(REGION).server_mut("2").unwrap().status = status.into();
        let (refused, _) = delete(&mut workspace, &json!({"items": ["1", "2"], "recursive": false}));
        assert_eq!(refused, 400);
        assert_eq!(workspace.region(REGION).server("1").unwrap().status, "BUILT");
    }
}

#[test]
fn a_job_waits_runs_and_ends_and_tells_of_each_server_that_was_there() {
    let mut workspace = with(&["1", "2", "3"]);
    workspace.job_time = Duration::from_secs(30);
    let failing = Failing::new("ROLLBACK", "WKS.1", "changed");
    workspace.region(REGION).failing.insert("2".into(), failing);
    let body = json!({"items": ["1", "2", "absent"], "recursive": false});
    let (status, answer) = delete(&mut workspace, &body);
    assert_eq!(status, 200);
    let id = &answer["job_id"];
    for (later, of_job, of_first) in [(1, "WAITING", "WAITING"), (15, "RUNNING", "RUNNING")] {
        let job = job(&mut workspace, id, later);
        assert_eq!((&job["status"], &job["sub_jobs"][0]["status"]), (&json!(of_job), &json!(of_first)));
        assert_eq!(workspace.region(REGION).server("1").unwrap().status, "DELETING");
    }
    let job = job(&mut workspace, id, 31);
    assert_eq!(job["status"], "FAILED");
    let sub_jobs: Vec<_> = job["sub_jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sub_job| {
            let text = |place: &str| sub_job.pointer(place).unwrap().as_str().unwrap().to_owned();
            [text("/job_resource_info/resource_id"), text("/status"), text("/job_execute_info/error_code")]
        })
        .collect();
    assert_eq!(sub_jobs, [["1", "SUCCESS", ""], ["2", "ROLLBACK", "WKS.1"]]);
    let project = workspace.region(REGION);
    assert!(!project.has("1"));
    assert_eq!(project.server("2").unwrap().status, "BUILT");
    assert!(project.has("3"));
}

#[test]
fn recursion_takes_all_around_a_server_but_the_image_built_on_it() {
    for (recursive, stays) in [(false, 5), (true, 1)] {
        let mut workspace = with(&["1"]);
        let (_, answer) = delete(&mut workspace, &json!({"items": ["1"], "recursive": recursive}));
        job(&mut workspace, &answer["job_id"], 60);
        let project = workspace.region(REGION);
        assert!(!project.has("1"));
        assert_eq!(project.resources.len(), stays);
        assert!(project.resources.contains("image-of-1"));
    }
}

#[test]
fn the_answer_can_leave_out_the_job_and_the_job_its_servers() {
    let mut workspace = with(&["1"]);
    workspace.names_servers = false;
    let (_, answer) = delete(&mut workspace, &json!({"items": ["1"], "recursive": false}));
    let job = job(&mut workspace, &answer["job_id"], 60);
    assert_eq!((&job["status"], &job["sub_jobs"]), (&json!("SUCCESS"), &json!([])));
    workspace.names_job = false;
    workspace.region(REGION).add("2", now());
    let answer = delete(&mut workspace, &json!({"items": ["2"], "recursive": false}));
    assert_eq!(answer, (200, json!({})));
}

#[test]
fn states_change_as_time_goes_by() {
    let mut workspace = with(&["1"]);
    let server = &mut workspace.region(REGION).servers[0];
    server.status = "CREATING".into();
    server.changes.push(Change { at: now() + TimeDelta::seconds(10), status: "ACTIVE".into() });
    for (later, expected) in [(9, "CREATING"), (10, "ACTIVE")] {
        let (_, server) = send(&mut workspace, "GET", "image-servers/1", "", later);
        assert_eq!(server["status"], expected);
    }
}

#[test]
fn an_absent_server_or_job_is_a_404_of_the_service() {
    let mut workspace = with(&[]);
    for path in ["image-servers/1", "image-server-jobs/1"] {
        let (status, body) = send(&mut workspace, "GET", path, "", 0);
        assert_eq!((status, &body["error_code"]), (404, &json!("WKS.00211902")), "{path}");
    }
}

#[test]
fn another_project_is_forbidden() {
    let mut workspace = with(&["1"]);
    workspace.iam.projects[0].id = "another".into();
    let (status, _) = send(&mut workspace, "GET", "image-servers", "", 0);
    assert_eq!(status, 403);
}

#[test]
fn calls_beyond_the_rate_are_refused_until_the_next_second() {
    let mut workspace = with(&[]);
    workspace.most_calls = Some(2);
    let statuses = [0, 0, 0, 1].map(|later| send(&mut workspace, "GET", "image-servers", "", later).0);
    assert_eq!(statuses, [200, 200, 429, 200]);
}

#[test]
fn a_hook_runs_before_its_operation() {
    let mut workspace = with(&["1"]);
    workspace.before("ListImageServers", |workspace| workspace.region(REGION).servers.clear());
    let (status, _) = send(&mut workspace, "GET", "image-servers/1", "", 0);
    assert_eq!(status, 200);
    assert_eq!(listed(&mut workspace, ""), (0, Vec::new()));
}

#[test]
fn the_state_survives_being_written_and_read() {
    let mut workspace = with(&["1", "2"]);
    let (_, answer) = delete(&mut workspace, &json!({"items": ["1"], "recursive": false}));
    let text = serde_json::to_string(&workspace).unwrap();
    let mut read: Workspace = serde_json::from_str(&text).unwrap();
    let job = job(&mut read, &answer["job_id"], 60);
    assert_eq!(job["status"], "SUCCESS");
    assert_eq!(listed(&mut read, "").1, ["2"]);
}

#[test]
fn a_seed_gives_the_same_world_every_time() {
    let world = |seed| serde_json::to_string(&Workspace::seeded(seed, 50, now())).unwrap();
    assert_eq!(world(1), world(1));
    assert_ne!(world(1), world(2));
    let workspace = Workspace::seeded(1, 50, now());
    let servers: usize = workspace.projects.values().map(|project| project.servers.len()).sum();
    assert_eq!(servers, 50);
}
