//! Who calls, shown in each of the ways that there are.

use futures_util::future::join_all;

use super::*;

#[tokio::test]
async fn each_way_to_show_who_calls_is_believed_and_leads_to_the_project() {
    let asked = ["KeystoneValidateToken 200", LOGIN, "KeystoneListProjects 200"];
    let callers = [None, Some(USER.to_owned()), Some("SAND…0001".to_owned())];
    for ((variables, asked), caller) in WAYS.into_iter().zip(asked).zip(callers) {
        let sandbox = start_with(&["1"]).await;
        let project = sandbox.world().workspace.iam.project_id(REGION);
        let store = open_with(&sandbox, variables).await.unwrap();
        let home = store.home();
        assert_eq!((home.owner.clone(), home.region.as_deref()), (project, Some(REGION)));
        assert_eq!(store.caller(), caller);
        let page = store.list(None).await.unwrap();
        assert_eq!((page.items.len(), page.total, page.next), (1, Some(1), None));
        assert_eq!(page.items[0].id, Some(ImageId::Named("1".into())));
        assert_eq!(seen(&sandbox), [asked, LISTED]);
    }
}

#[tokio::test]
async fn temporary_keys_bring_their_token_and_a_given_project_needs_no_look_up() {
    let sandbox = start_with(&[]).await;
    let project = {
        let mut world = sandbox.world();
        world.workspace.iam.add_key("temporary", "secret", Some("session"));
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
    let without = open_with(&sandbox, &[keys[0], keys[1], keys[3]]).await.unwrap();
    assert_eq!(without.list(None).await.unwrap_err().kind, Kind::Auth);
}

#[tokio::test]
async fn a_wrong_password_or_token_stops_everything_before_any_other_call() {
    let wrong_password = [WITH_PASSWORD[0], ("HW_USER_PASSWORD", "guess"), WITH_PASSWORD[2]];
    let cases: [(Variables, &str, &str); 2] = [
        (&wrong_password, "KeystoneCreateUserTokenByPassword 401", "HW_USER_PASSWORD"),
        (&[("OS_AUTH_TOKEN", "guess")], "KeystoneValidateToken 401", "OS_AUTH_TOKEN"),
    ];
    for (variables, call, source) in cases {
        let sandbox = start_with(&["1"]).await;
        let clients = Clients::default();
        let settings = settings(&sandbox, variables);
        for _ in 0..3 {
            let opened = open(&settings, &clients, &anywhere()).await;
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
        assert_eq!((error.kind, error.code.as_deref()), (Kind::Auth, Some("APIGW.0301")));
    }
    assert_eq!(seen(&sandbox)[1..], ["BatchDeleteImageServer 401"]);
    assert!(sandbox.world().workspace.region(REGION).has("1"));
}

#[tokio::test]
async fn calls_at_the_same_time_share_one_login() {
    let sandbox = start_with(&["1"]).await;
    // The login at the opening fails in passing, so the calls themselves have to.
    sandbox.add_fault("workspace:KeystoneCreateUserTokenByPassword:drop:1".parse().unwrap());
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
async fn a_token_whose_renewal_fails_is_used_until_its_end() {
    for fault in ["drop", "status=401"] {
        let sandbox = start_with(&["1"]).await;
        sandbox.world().workspace.iam.token_lifetime = Duration::from_secs(3);
        let store = open_with(&sandbox, WITH_PASSWORD).await.unwrap();
        store.list(None).await.unwrap();
        sandbox.add_fault(format!("workspace:KeystoneCreateUserTokenByPassword:{fault}:1").parse().unwrap());
        tokio::time::sleep(Duration::from_millis(2100)).await;
        store.list(None).await.unwrap();
    }
}

#[tokio::test]
async fn a_refused_token_is_renewed_exactly_once_for_all_calls_under_way() {
    let sandbox = start_with(&["1"]).await;
    let store = open_with(&sandbox, WITH_PASSWORD).await.unwrap();
    sandbox.world().workspace.iam.revoke_tokens();
    let answers = join_all((0..6).map(|_| store.list(None))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(sandbox.world().workspace.iam.logins(), 2);
    let refused = seen(&sandbox).iter().filter(|call| call.ends_with("401")).count();
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
        let refused = calls.iter().filter(|call| *call == "ListImageServers 401").count();
        assert_eq!(refused, logins.max(1));
        assert_eq!(calls.iter().filter(|call| *call == LOGIN).count(), logins);
    }
}

#[tokio::test]
async fn another_project_than_the_credentials_is_an_error_and_nothing_is_asked_of_workspace() {
    let other = StoreRef { owner: Some("other".into()), region: Some(REGION.into()), ..anywhere() };
    let sandbox = start_with(&["1"]).await;
    let project = sandbox.world().workspace.iam.project_id(REGION).unwrap();
    let given = [WITH_KEYS, &[("HW_PROJECT_ID", project.as_str())]].concat();
    for (variables, calls) in [(WITH_TOKEN, 1), (WITH_PASSWORD, 1), (WITH_KEYS, 1), (&given, 0)] {
        let before = seen(&sandbox).len();
        let opened = open(&settings(&sandbox, variables), &Default::default(), &other).await;
        let error = opened.map(|_| ()).unwrap_err();
        assert_eq!(error.kind, Kind::Config);
        assert!(error.message.contains("other") && error.message.contains(&project));
        let new = seen(&sandbox).split_off(before);
        assert_eq!(new.len(), calls);
        assert!(new.iter().all(|call| call.starts_with("Keystone")));
    }
    let mistaken = [WITH_TOKEN, &[("HW_PROJECT_ID", "other")]].concat();
    let error = open_with(&sandbox, &mistaken).await.map(|_| ()).unwrap_err();
    assert_eq!(error.kind, Kind::Config);
    assert!(error.message.contains("HW_PROJECT_ID names the project other"));
}

#[tokio::test]
async fn a_region_without_a_project_is_said_to_have_none() {
    let sandbox = start_with(&[]).await;
    let mars = StoreRef { region: Some("mars-1".into()), ..anywhere() };
    let opened = open(&settings(&sandbox, WITH_KEYS), &Default::default(), &mars).await;
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
        assert!(seen(&sandbox).iter().all(|call| call.starts_with("Keystone")));
    }
}

#[tokio::test]
async fn an_answer_of_iam_does_not_print_its_token() {
    let sandbox = start_with(&[]).await;
    let huawei = Huawei::load(&settings(&sandbox, WITH_PASSWORD), None).unwrap();
    let service = Service::new(&huawei.iam, Duration::from_secs(5)).unwrap();
    let headers = call::Proof::Itself(TOKEN.into());
    let path = ["v3", "auth", "tokens"];
    let answer = service.send(&get("KeystoneValidateToken", &path), &headers).await.unwrap();
    assert_eq!(answer.header("x-subject-token"), Some(TOKEN));
    assert!(!format!("{answer:?}").contains(TOKEN));
}
