//! Output that cannot be written, secrets that come back in an answer, and what a report contains where little is known.

use std::io::{Read as _, Write as _};

use imgctl::sandbox::World as Clouds;

use crate::{
    prune::{has, push, world},
    world::World,
};

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_reported_and_ends_with_1() {
    for line in [
        "--help",
        "delete --help",
        "help delete",
        "help exit-codes",
        "schema",
        "man",
        "completions bash",
        "list ecr:team/app",
        "list ecr:team/app -o json",
        "list ecr:team/app -o ndjson",
        "get --manifest ecr:team/app:v1",
        "prune ecr:team/app --older-than 30d -n -o json --allow-empty --max-percent 100",
        "delete ecr:team/app:v1 -y -o json",
    ] {
        let world = world(|repository| drop(push(repository, "one", &["v1"], 90)));
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = world.program(env!("CARGO_BIN_EXE_imgctl"));
        let output = command.args(line.split(' ')).stdin(std::process::Stdio::null()).stdout(full).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{line}: {stderr}");
        assert!(stderr.contains("cannot write the output: No space left"), "{line}: {stderr}");
        assert_eq!(has(&world, "v1"), !line.starts_with("delete ecr"), "{line}");
    }
}

#[test]
fn a_table_counts_skipped_images_in_one_line() {
    let world = World::new(Clouds::default()).fault("cvm:*:hang");
    let list: String = (0..300).map(|number| format!("cvm:img-{number:08}\n")).collect();
    let run = world.run_with(&["delete", "-", "--yes", "--deadline", "1s"], &list);
    assert!(run.stdout.lines().count() < 10, "{}", run.transcript());
    assert!(run.stdout.contains("skipped  300 images: not tried"), "{}", run.transcript());
    let run = world.run_with(&["delete", "-", "--yes", "--deadline", "1s", "-o", "json"], &list);
    run.lists(300);
}

#[test]
fn every_item_of_a_read_has_a_state() {
    let fill = || world(|repository| drop(push(repository, "one", &["v1"], 90)));
    let run = fill().fault("ecr:DescribeImages:status=403").run(&["get", "ecr:team/app:v1", "-o", "json"]);
    run.ends(3, ["unknown"]);
    let run = fill().fault("ecr:BatchGetImage:status=403").run(&["check-layers", "ecr:team/app:v1", "-o", "json"]);
    run.ends(3, ["unknown"]);
}

#[test]
fn a_list_that_is_denied_on_its_second_page_shows_the_first_and_ends_with_1() {
    let world = world(|repository| {
        (0..1100).for_each(|number| drop(push(repository, &format!("i{number}"), &[], 90)));
    });
    let run = world.fault("ecr:DescribeImages:status=403@1").run(&["list", "ecr:team/app", "-o", "json"]);
    run.exits(1);
    assert!(run.words().len() >= 100, "{}", run.words().len());
}

#[test]
fn a_secret_that_a_service_sends_back_is_masked() {
    const SECRET: &str = "marked/\"secret+of=a~test";
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let error = serde_json::json!({"Code": "FailedOperation", "Message": format!("no: {SECRET}")});
            let body = serde_json::json!({"Response": {"Error": error, "RequestId": SECRET}}).to_string();
            let _ =
                write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
        }
    });
    let world = World::new(Clouds::default())
        .set("IMGCTL_CVM_ENDPOINT", &format!("http://{address}"))
        .set("TENCENTCLOUD_SECRET_KEY", SECRET);
    for arguments in [&["-vvv"][..], &["-o", "json"], &["-o", "ndjson"]] {
        let run = world.run(&[&["get", "cvm:img-00000001"], arguments].concat());
        let all = run.stdout.clone() + &run.stderr;
        assert!(all.contains("***"), "{}", run.transcript());
        assert!(!all.contains("secret+of"), "{}", run.transcript());
    }
}
