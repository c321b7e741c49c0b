use super::*;

#[test]
fn a_fault_is_printed_as_it_is_written() {
    for text in [
        "ecr:BatchDeleteImage:throttle:3",
        "cvm:DeleteImages:lose-answer:1",
        "*:*:status=503:2",
        "workspace:*:drop",
        "*:ListImages:slow=1s 500ms@2:1",
        "ecr:PutImage:truncate@7",
        "ecr:*:throttle=soon:1",
        "cvm:*:status=413,html",
        "*:*:stranger@1",
    ] {
        assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
    }
}

#[test]
fn an_error_points_at_the_bad_part_and_names_the_kinds() {
    for (text, bad, why) in [
        ("", "", "the service is missing"),
        ("ecr", "", "the operation is missing"),
        ("ecr:PutImage", "", "the kind is missing"),
        ("ecr::throttle", "", "the operation is missing"),
        ("ecr:*:throtle:3", "throtle", "did you mean \"throttle\"?"),
        ("ecr:*:explode", "explode", "there is no kind \"explode\""),
        ("ecr:*:status", "status", "needs an HTTP status"),
        ("ecr:*:status=200", "200", "needs an HTTP status"),
        ("ecr:*:status=500,odd", "500,odd", "needs an HTTP status"),
        ("ecr:*:slow=soon:1", "soon", "needs a duration"),
        ("ecr:*:drop=1", "1", "takes no argument"),
        ("ecr:*:drop:0", "0", "TIMES must be a number from 1"),
        ("ecr:*:drop@x:1", "x", "AFTER must be a number from 0"),
        ("ecr:*:drop:1:2", "2", "nothing may follow TIMES"),
    ] {
        let error = text.parse::<Fault>().unwrap_err();
        assert_eq!(&text[error.place.clone()], bad, "{text}");
        let shown = error.to_string();
        assert!(shown.contains(why), "{shown}");
        assert!(names().all(|kind| shown.contains(kind)), "{shown}");
    }
    let shown = "ecr:*:throtle:3".parse::<Fault>().unwrap_err().to_string();
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(lines[1..3], ["    ecr:*:throtle:3", "          ^^^^^^^"]);
}

#[test]
fn a_fault_of_what_is_not_there_is_an_error_that_names_what_is() {
    let services = [("ecr", vec!["BatchDeleteImage", "PutImage"]), ("oci", vec!["HEAD manifest"]), ("any", vec![])];
    let check = |text: &str| text.parse::<Fault>().unwrap().check(&services).map_err(|error| error.to_string());
    for good in ["*:*:drop", "ecr:PutImage:drop", "*:HEAD manifest:drop", "any:thing:drop", "*:thing:drop"] {
        assert_eq!(check(good), Ok(()), "{good}");
    }
    for (bad, marked, why) in [
        ("ecr:BatchDeletImage:drop:1", "    ^^^^^^^^^^^^^^^", "did you mean \"BatchDeleteImage\"?"),
        ("ecr:batchdeleteimage:drop", "    ^^^^", "did you mean \"BatchDeleteImage\"?"),
        ("ecr:HEAD manifest:drop", "    ^^^^", "Operations of ecr:\n  BatchDeleteImage, PutImage"),
        ("ocr:*:drop", "^^^", "did you mean"),
        ("gcp:*:drop", "^^^", "Services: ecr, oci, any"),
    ] {
        let shown = check(bad).unwrap_err();
        let lines: Vec<_> = shown.lines().collect();
        assert!(lines[2].starts_with(&format!("    {marked}")) && shown.contains(why), "{shown}");
    }
}

#[test]
fn faults_strike_in_turn_after_the_calls_that_pass_and_no_more_often_than_said() {
    let mut script = Script::default();
    for fault in ["ecr:Get:throttle@1:2", "ecr:*:drop:1", "cvm:*:hang"] {
        script.add(fault.parse().unwrap());
    }
    let got: Vec<_> = ["Get", "Get", "Put", "Get", "Get"].map(|operation| script.next("ecr", operation)).into();
    use Kind::{Drop, Throttle};
    assert_eq!(got, [Some(Drop), Some(Throttle(None)), None, Some(Throttle(None)), None]);
}
