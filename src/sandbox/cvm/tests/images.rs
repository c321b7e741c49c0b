use super::*;

#[test]
fn a_deletion_is_done_for_all_or_refused_for_all_with_the_documented_code() {
    for (bad, code) in [
        ("img-absent", "InvalidImageId.NotFound"),
        ("img_1", "InvalidImageId.Malformed"),
        ("img-creating", "InvalidImageId.IncorrectState"),
        ("img-sharing", "InvalidImageId.InShared"),
        ("img-shared", "InvalidParameterValue.InvalidImageIdIsShared"),
        ("img-public", "InvalidParameterValue.InvalidImageId"),
        ("img-busy", "MutexOperation.TaskRunning"),
    ] {
        let mut cvm = world();
        for dry_run in [true, false] {
            cvm.region(GUANGZHOU).images.get_mut("img-busy").unwrap().busy = 1;
            let asked = json!({ "ImageIds": ["img-good1", bad, "img-good2"], "DryRun": dry_run });
            assert_eq!(ask(&mut cvm, "DeleteImages", asked).unwrap_err(), code);
            assert_eq!(cvm.region(GUANGZHOU).images.len(), 7);
        }
    }
    let mut cvm = world();
    let good = json!({ "ImageIds": ["img-good1", "img-good2"], "DryRun": "True" });
    ask(&mut cvm, "DeleteImages", good.clone()).unwrap();
    cvm.dry_run_code = true;
    assert_eq!(ask(&mut cvm, "DeleteImages", good).unwrap_err(), "DryRunOperation");
    assert_eq!(cvm.region(GUANGZHOU).images.len(), 7);
    ask(&mut cvm, "DeleteImages", json!({ "ImageIds": ["img-good1", "img-good2"] })).unwrap();
    assert_eq!(cvm.region(GUANGZHOU).images.len(), 5);
    cvm.most_ids = Some(1);
    let many = json!({ "ImageIds": ["img-busy", "img-creating"] });
    assert_eq!(ask(&mut cvm, "DeleteImages", many).unwrap_err(), "InvalidParameterValue.LimitExceeded");
    for (body, code) in [
        (json!({}), "MissingParameter"),
        (json!({ "ImageIds": "img-busy" }), "InvalidParameter"),
        (json!({ "ImageIds": ["img-busy"], "DryRun": 1 }), "InvalidParameter"),
        (json!({ "ImageIds": ["img-busy"], "DeleteBoundSnap": true }), "UnknownParameter"),
    ] {
        assert_eq!(ask(&mut cvm, "DeleteImages", body).unwrap_err(), code);
    }
}

#[test]
fn snapshots_stay_but_for_the_system_disks_where_asked_and_bound_to_nothing_else() {
    for (asked, system_goes) in [(json!(null), false), (json!(false), false), (json!(true), true)] {
        let mut cvm = world();
        let region = cvm.region(GUANGZHOU);
        let data = region.bind("img-good1", "DATA_DISK", 200);
        let system = region.images["img-good1"].snapshots[0].clone();
        let common = region.images["img-good2"].snapshots[0].clone();
        region.images.get_mut("img-busy").unwrap().snapshots.push(common.clone());
        let body = json!({ "ImageIds": ["img-good1", "img-good2"], "DeleteBindedSnap": asked });
        ask(&mut cvm, "DeleteImages", body).unwrap();
        let left = &cvm.region(GUANGZHOU).snapshots;
        assert_eq!(!left.contains_key(&system), system_goes);
        assert!(left.contains_key(&data) && left.contains_key(&common));
    }
}

#[test]
fn states_change_by_themselves_when_their_time_has_come() {
    let mut cvm = world();
    cvm.deleting_for = Duration::from_secs(30);
    let creating = cvm.region(GUANGZHOU).images.get_mut("img-creating").unwrap();
    creating.change = Some(Change { at: now() + TimeDelta::seconds(60), state: Some("NORMAL".into()) });
    ask(&mut cvm, "DeleteImages", json!({ "ImageIds": ["img-good1"] })).unwrap();
    let mut states = |seconds| {
        let asked = json!({ "ImageIds": ["img-good1", "img-creating"] });
        let at = now() + TimeDelta::seconds(seconds);
        let content = ask_at(&mut cvm, "DescribeImages", asked, at).unwrap();
        let images = content["ImageSet"].as_array().unwrap().clone();
        let states: Vec<_> = images.iter().map(|image| image["ImageState"].as_str().unwrap().to_owned()).collect();
        states.join(" ")
    };
    assert_eq!(states(0), "DELETING CREATING");
    assert_eq!(states(29), "DELETING CREATING");
    assert_eq!(states(30), "CREATING");
    assert_eq!(states(60), "NORMAL");
    let again = json!({ "ImageIds": ["img-good2"] });
    ask(&mut cvm, "DeleteImages", again.clone()).unwrap();
    assert_eq!(ask(&mut cvm, "DeleteImages", again).unwrap_err(), "InvalidImageId.IncorrectState");
}

#[test]
fn listings_are_filtered_sorted_and_cut_as_documented() {
    let mut cvm = world();
    let image = cvm.region(GUANGZHOU).images.get_mut("img-good2").unwrap();
    image.name = "Nightly-7".into();
    image.platform = "Ubuntu".into();
    image.tags.insert("team".into(), "web".into());
    let filter = |name: &str, values: &[&str]| json!({ "Filters": [{ "Name": name, "Values": values }] });
    for (body, expected) in [
        (json!({ "ImageIds": ["img-good2", "img-absent"] }), "img-good2"),
        (json!({ "Limit": 2 }), "img-good1 img-good2"),
        (json!({ "Limit": 2, "Offset": 6 }), "img-busy"),
        (json!({ "Offset": 7 }), ""),
        (filter("image-type", &["SHARED_IMAGE", "PUBLIC_IMAGE"]), "img-shared img-public"),
        (filter("image-id", &["img-busy"]), "img-busy"),
        (filter("image-name", &["ightly"]), "img-good2"),
        (filter("platform", &["ubuntu"]), "img-good2"),
        (filter("tag-key", &["team"]), "img-good2"),
        (filter("tag-value", &["web"]), "img-good2"),
        (filter("tag:team", &["web"]), "img-good2"),
        (filter("tag:team", &["db"]), ""),
    ] {
        let expected: Vec<_> = expected.split_whitespace().collect();
        assert_eq!(ids(&mut cvm, body.clone()).unwrap(), expected, "{body}");
    }
    let content = ask(&mut cvm, "DescribeImages", json!({ "Limit": 1 })).unwrap();
    assert_eq!(content["TotalCount"], 7);
    let many: Vec<_> = (0..101).map(|number| format!("img-{number}")).collect();
    for (body, code) in [
        (json!({ "Limit": 101 }), "InvalidParameterValue.InvalidParameterValueLimit"),
        (json!({ "Limit": 0 }), "InvalidParameterValue.InvalidParameterValueLimit"),
        (
            json!({ "ImageIds": ["img-1"], "Filters": [{ "Name": "image-id", "Values": [] }] }),
            "InvalidParameter.InvalidParameterCoexistImageIdsFilters",
        ),
        (json!({ "ImageIds": ["ami-1"] }), "InvalidImageId.Malformed"),
        (json!({ "ImageIds": ["img-"] }), "InvalidImageId.Malformed"),
        (json!({ "ImageIds": many }), "InvalidParameterValue.LimitExceeded"),
        (filter("image-state", &["NORMAL"]), "InvalidFilter"),
        (filter("image-id", &["1", "2", "3", "4", "5", "6"]), "InvalidFilterValue.LimitExceeded"),
    ] {
        assert_eq!(ids(&mut cvm, body.clone()).unwrap_err(), code, "{body}");
    }
    let region = cvm.region(GUANGZHOU);
    for number in 0..30 {
        region.add(&format!("img-more{number}"), now());
    }
    assert_eq!(ids(&mut cvm, json!({})).unwrap().len(), 20);
}

#[test]
fn an_image_is_shared_and_not_shared_any_more_and_can_then_be_deleted() {
    let mut cvm = world();
    let sharing = |cvm: &mut Cvm, id: &str| ask(cvm, "DescribeImageSharePermission", json!({ "ImageId": id }));
    let content = sharing(&mut cvm, "img-sharing").unwrap();
    assert_eq!(content["SharePermissionSet"][0]["AccountId"], "100000000002");
    assert_eq!(sharing(&mut cvm, "img-good1").unwrap()["SharePermissionSet"], json!([]));
    assert_eq!(sharing(&mut cvm, "img-absent").unwrap_err(), "InvalidImageId.NotFound");
    assert_eq!(sharing(&mut cvm, "img-public").unwrap_err(), "UnauthorizedOperation.ImageNotBelongToAccount");
    let modify = |cvm: &mut Cvm, id: &str, account: &str, permission: &str| {
        let body = json!({ "ImageId": id, "AccountIds": [account], "Permission": permission });
        ask(cvm, "ModifyImageSharePermission", body).map(drop)
    };
    for (id, account, permission, code) in [
        ("img-good1", "not-a-number", "SHARE", "InvalidAccountId.NotFound"),
        ("img-good1", "100000000001", "SHARE", "FailedOperation.AccountIsYourSelf"),
        ("img-good1", "100000000003", "GIVE", "InvalidParameterValue"),
        ("img-sharing", "100000000002", "SHARE", "FailedOperation.AccountAlreadyExists"),
        ("img-creating", "100000000002", "SHARE", "InvalidParameterValue.InvalidImageState"),
    ] {
        assert_eq!(modify(&mut cvm, id, account, permission).unwrap_err(), code);
    }
    let delete = |cvm: &mut Cvm| ask(cvm, "DeleteImages", json!({ "ImageIds": ["img-sharing"] })).map(drop);
    assert_eq!(delete(&mut cvm).unwrap_err(), "InvalidImageId.InShared");
    modify(&mut cvm, "img-sharing", "100000000002", "CANCEL").unwrap();
    delete(&mut cvm).unwrap();
    let quota = ask(&mut cvm, "DescribeImageQuota", json!({})).unwrap();
    assert_eq!(quota["ImageNumQuota"], 500);
}
