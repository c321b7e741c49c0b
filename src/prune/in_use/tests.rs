//! How words are found and counted.

use super::*;
use crate::prune::{
    Stock, identity,
    sample::{Shelf, digest, machine, store},
};

fn stocks() -> Vec<Stock> {
    vec![
        Shelf::named("team/app").image(1, &["v1", "v1.0"], 1).image(2, &["latest"], 1).image(3, &[], 1).stock(),
        Shelf::named("other").image(1, &["v1"], 1).stock(),
        Stock::new(store(Provider::Cvm, ""), [machine("img-6pb6lrmy", "web", None, 1)]),
        Stock::new(store(Provider::Workspace, ""), [machine("697612196993040384", "web", None, 1)]),
    ]
}

/// What a text protects, as `STORE/NUMBER line`.
fn protected(text: &[u8]) -> (Tally, Vec<String>) {
    let stocks = stocks();
    let mut evidence = Evidence::default();
    let buffer = io::BufReader::with_capacity(7, text);
    let tally = scan("f", buffer, &Known::of(&stocks), &mut evidence).unwrap();
    let mut found = Vec::new();
    for stock in &stocks {
        for image in stock.images() {
            if let Some(why) = evidence.of(&stock.store, image) {
                let why = why.strip_prefix("in use, ").unwrap();
                let id = identity(image).unwrap();
                found.push(format!(
                    "{}/{} {why}",
                    stock.store.name,
                    id.trim_start_matches("sha256:").trim_start_matches('0')
                ));
            }
        }
    }
    (tally, found)
}

const HOST: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

#[test]
fn references_of_every_form_are_recognised() {
    let (one, two, three) = (digest(1), digest(2), digest(3));
    let table: Vec<(String, Vec<&str>)> = vec![
        (format!("{HOST}/team/app:v1"), vec!["team/app/1 f line 1"]),
        (format!("\n\n  \"image\": \"{HOST}/team/app:v1.0\","), vec!["team/app/1 f line 3"]),
        (format!("{HOST}/team/app@{two}"), vec!["team/app/2 f line 1"]),
        (format!("{HOST}/team/app:v1@{three}"), vec!["team/app/1 f line 1", "team/app/3 f line 1"]),
        (format!("{HOST}/team/app"), vec!["team/app/2 f line 1"]),
        (format!("docker-pullable://{HOST}/team/app@{one}"), vec!["team/app/1 f line 1"]),
        ("123456789012.dkr-ecr-fips.eu-west-1.on.aws/team/app:v1".into(), vec!["team/app/1 f line 1"]),
        ("ecr:team/app:v1".into(), vec!["team/app/1 f line 1"]),
        (format!("ecr://123456789012@eu-west-1/team/app@{two}"), vec!["team/app/2 f line 1"]),
        ("team/app:v1".into(), vec!["team/app/1 f line 1"]),
        ("registry.example.com:5000/team/app:v1.".into(), vec!["team/app/1 f line 1"]),
        ("[2001:db8::1]:5000/team/app:v1".into(), vec!["team/app/1 f line 1"]),
        ("\"oci:[::1]/team/app:v1\"".into(), vec!["team/app/1 f line 1"]),
        (format!("mirror.example.com/copies/app@{two}"), vec!["team/app/2 f line 1"]),
        // A bare digest is in use in every store.
        (one.clone(), vec!["team/app/1 f line 1", "other/1 f line 1"]),
        (format!("arn:aws:ecr:eu-west-1:123456789012:repository/team/app/{three}"), vec!["team/app/3 f line 1"]),
        (format!("{{\"image\":\"{}\"}}", "team/app:v1".replace('/', "\\/")), vec!["team/app/1 f line 1"]),
        ("\"{\\\"a\\\":\\\"x\\nteam/app:v1\\n\\\"}\"".into(), vec!["team/app/1 f line 1"]),
        ("team\\u002fapp\\u003av1".into(), vec!["team/app/1 f line 1"]),
        ("IMAGE=team/app:v1;".into(), vec!["team/app/1 f line 1"]),
        ("img-6pb6lrmy".into(), vec!["/img-6pb6lrmy f line 1"]),
        ("cvm://ap-guangzhou/img-6pb6lrmy".into(), vec!["/img-6pb6lrmy f line 1"]),
        ("workspace://p@cn-north-4/697612196993040384".into(), vec!["/697612196993040384 f line 1"]),
        // Images of other registries, and words that only look like references.
        ("999999999999.dkr.ecr.eu-west-1.amazonaws.com/team/app:v1".into(), vec![]),
        (format!("123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app@{one}"), vec![]),
        ("app:v1 v1 team/app:v10 1697612196993040384".into(), vec!["team/app/1 f line 1"]),
        ("app:v1 v1 1697612196993040384".into(), vec![]),
        (format!("{one}0"), vec![]),
    ];
    for (text, expected) in table {
        assert_eq!(protected(text.as_bytes()).1, expected, "{text}");
    }
}

#[test]
fn each_reference_counts_once_and_other_words_do_not_count() {
    let text = format!("{HOST}/team/app:v1 {HOST}/team/app:v1 {HOST}/gone:v2 img-00000000 team/app:nope");
    let (tally, _) = protected(text.as_bytes());
    assert_eq!((tally.recognised, tally.protected, tally.elsewhere), (4, 1, 2));
    for text in ["", "{}", "{\"items\":[]}", "time 12:30:45 at 10.0.0.1:80 docker.io/library/nginx:1.25", "\0\0"] {
        assert_eq!(protected(text.as_bytes()).0, Tally::default(), "{text}");
    }
}

// Issue 16
#[test]
fn a_repository_that_is_named_without_its_image_is_pinned_by_words_or_reported() {
    let (one, three) = (digest(1), digest(3));
    let table: [(String, &[&str], &[usize]); 12] = [
        ("image:\n  repository: team/app\n  tag: v1.0\n".into(), &["team/app/1 f line 3"], &[]),
        (format!("image: {{repository: {HOST}/team/app, tag: v1}}"), &["team/app/1 f line 1"], &[]),
        (format!("repository_url = \"{HOST}/team/app\"\nimage_tag = \"v1\""), &["team/app/1 f line 2"], &[]),
        (format!("newName: team/app\ndigest: {three}"), &["team/app/3 f line 2"], &[]),
        (
            format!("{HOST}/team/app  <none>  {}", &one[7..]),
            &["team/app/2 f line 1", "team/app/1 f line 1", "other/1 f line 1"],
            &[],
        ),
        ("TEAM=team/app:${TAG:-v1}".into(), &["team/app/1 f line 1"], &[]),
        // An image is `latest`, a repository is not.
        (format!("image: {HOST}/team/app"), &["team/app/2 f line 1"], &[]),
        (format!("\nrepository: {HOST}/team/app"), &[], &[2]),
        ("repository: team/app\ntag: v9".into(), &[], &[1]),
        ("team/app:gone".into(), &[], &[1]),
        ("repository: other".into(), &[], &[1]),
        // The name of anything.
        ("name: other".into(), &[], &[]),
    ];
    for (text, expected, lines) in table {
        let (tally, mut found) = protected(text.as_bytes());
        let mut expected = expected.to_vec();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{text}");
        let unpinned: Vec<_> = tally.unpinned.iter().map(|(place, _)| place.as_str()).collect();
        assert_eq!(unpinned, lines.iter().map(|line| format!("f:{line}")).collect::<Vec<_>>(), "{text}");
    }
}

#[test]
fn utf_16_files_of_powershell_are_read() {
    let wide: Vec<u8> = "\u{feff}x\nteam/app:v1\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(protected(&wide).1, ["team/app/1 f line 2"]);
}
