//! Property tests: whatever repositories, tags and forms there are, no image that a source names is left without a reason
//! to keep it.

use proptest::prelude::*;

use super::{Known, Scan};
use crate::{
    image::ImageId,
    prune::{
        Evidence, Stock,
        sample::{Shelf, digest, repository},
    },
    store::Image,
};

const HOST: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

/// Forms of files that name an image: `R` is the repository, `F` its folder and `N` its name in it, `T` a tag, `D` a digest.
/// Each comes with whether it needs a folder.
const FORMS: [(&str, bool); 34] = [
    ("HOST/R:T", false),
    ("image: HOST/R:T # build 12", false),
    ("HOST/R@D", false),
    ("HOST/R:T@D", false),
    ("D", false),
    ("ecr:R:T ecr://eu-west-1/R@D", false),
    ("image:\n  repository: HOST/R\n  pullPolicy: IfNotPresent\n  tag: \"T\"\n", false),
    ("image:\n  repository: R\n  tag: 'T'\n", false),
    ("image:\n  tag: T\n  registry: HOST\n  repository: R\n", false),
    ("web:\n  image: {registry: HOST, repository: R, tag: T}\n", false),
    ("global:\n  registry: HOST/F\nweb:\n  image:\n    repository: N\n    tag: T\n", true),
    ("{\"image\":{\"repository\":\"HOST/R\",\"tag\":\"T\"}}", false),
    ("{\"image\":{\"tag\":\"T\",\"repository\":\"R\"}}", false),
    ("images:\n- name: R\n  newTag: T\n", false),
    ("images:\n- name: web\n  newName: HOST/R\n  newTag: T\n", false),
    ("images:\n- name: HOST/R\n  digest: D\n", false),
    ("repository_url = \"HOST/R\"\nimage_tag      = \"T\"\n", false),
    (
        "variable \"tag\" {\n  type    = string\n  default = \"T\"\n}\nlocals {\n  image = \"HOST/R:${var.tag}\"\n}\n",
        false,
    ),
    ("{\"resources\":[{\"type\":\"aws_ecr_repository\",\"repository_url\":\"HOST/R\"},{\"image_tag\":\"T\"}]}", false),
    ("services:\n  web:\n    image: \"${REGISTRY:-HOST}/R:${TAG:-T}\"\n", false),
    ("services:\n  web:\n    image: ${IMAGE:-R:T}\n", false),
    ("IMAGE=HOST/R\nIMAGE_TAG=T\n", false),
    ("job \"web\" {\n  image = \"HOST/R:T\"\n}\n", false),
    ("kind: OCIRepository\nspec:\n  url: oci://HOST/R\n  ref:\n    tag: T\n", false),
    ("repoURL: HOST/F\nchart: N\ntargetRevision: T\n", true),
    ("dependencies:\n- name: N\n  version: T\n  repository: oci://HOST/F\n", true),
    ("HOST/R   T   1fda25b4d2c1   2 weeks ago   7MB\n", false),
    ("{\"Repository\":\"R\",\"Tag\":\"T\",\"ID\":\"1fda25b4d2c1\"}\n", false),
    ("{\"repoTags\":[\"HOST/R:T\"],\"repoDigests\":[\"HOST/R@D\"]}", false),
    ("mirror.example.com/proxy/R:T", false),
    ("repository: mirror.example.com/proxy/R\ntag: T\n", false),
    ("{\"a\":\"image: {\\\"repository\\\":\\\"HOST\\/R\\\",\\\"tag\\\":\\\"T\\\"}\\n\"}", false),
    ("HOST/R:T\0", false),
    ("docker://HOST/R:T,https://HOST/R:T", false),
];

const NAMES: [&str; 8] = ["app", "web", "team/app", "team/web", "charts/web", "a/b/c", "tag", "repository/image"];
const TAGS: [&str; 9] = ["v1", "v1.2.3", "latest", "1", "main", "2025-01-31", "feature-x.", "sha-0a1b2c3", "app"];

/// One image of each tag, and one without.
fn stock(name: &'static str) -> Stock {
    let tagged = TAGS.iter().enumerate();
    tagged.fold(Shelf::named(name).image(100, &[], 1), |shelf, (place, tag)| shelf.image(place + 1, &[tag], 1)).stock()
}

fn fill(form: &str, name: &str, tag: &str, digest: &str) -> String {
    let (folder, last) = name.rsplit_once('/').unwrap_or(("", name));
    let letters = |text: &str, letter: char, by: &str| {
        // Only where it stands alone.
        let letters: Vec<char> = text.chars().collect();
        let alone = |at: usize| {
            let is_word =
                |at: Option<usize>| at.and_then(|at| letters.get(at)).is_some_and(char::is_ascii_alphanumeric);
            !is_word(at.checked_sub(1)) && !is_word(Some(at + 1))
        };
        let parts = letters.iter().enumerate();
        parts
            .map(|(at, found)| if *found == letter && alone(at) { by.to_owned() } else { found.to_string() })
            .collect::<String>()
    };
    let text = letters(form, 'R', "\u{1}");
    let text = letters(&text, 'F', "\u{2}");
    let text = letters(&text, 'N', "\u{3}");
    let text = letters(&text, 'T', "\u{4}");
    let text = letters(&text, 'D', "\u{5}").replace("HOST", HOST);
    [name, folder, last, tag, digest]
        .iter()
        .zip(["\u{1}", "\u{2}", "\u{3}", "\u{4}", "\u{5}"])
        .fold(text, |text, (by, mark)| text.replace(mark, by))
}

/// Of each image: the form, the repository and the tag.
type Written = Vec<(usize, usize, usize)>;

fn written() -> impl Strategy<Value = Written> {
    proptest::collection::vec((0..FORMS.len(), 0..NAMES.len(), 0..TAGS.len()), 1..8)
}

fn check(written: &Written, files: bool) {
    let stocks: Vec<Stock> = NAMES.iter().map(|name| stock(name)).collect();
    let known = Known::of(&stocks);
    let mut evidence = Evidence::default();
    let (mut named, mut texts) = (Vec::new(), Vec::new());
    for (form, name, tag) in written {
        let (form, needs_folder) = FORMS[*form];
        let (name, tag) = (NAMES[*name], TAGS[*tag]);
        if needs_folder && !name.contains('/') {
            continue;
        }
        texts.push(fill(form, name, tag, &digest(100)));
        let has = |letter: char| fill(form, "", "\u{6}", "\u{7}").contains(letter);
        named.extend(has('\u{6}').then_some((name, Some(tag))));
        named.extend(has('\u{7}').then_some((name, None)));
    }
    let mut scan = Scan::new(&known, &mut evidence);
    if files {
        for (number, text) in texts.iter().enumerate() {
            scan.file(&format!("file-{number}"), text.as_bytes()).unwrap();
        }
    } else {
        scan.file("list", texts.join("\n").as_bytes()).unwrap();
    }
    let tally = scan.end();
    assert!(named.is_empty() || tally.protected > 0);
    for (name, tag) in named {
        let store = repository(name);
        let number = tag.map_or(100, |tag| TAGS.iter().position(|known| *known == tag).unwrap() + 1);
        let image = Image {
            digest: Some(digest(number)),
            id: digest(number).parse().ok().map(ImageId::Digest),
            ..Image::default()
        };
        let why = evidence.of(&store, &image);
        assert!(why.is_some(), "{name} {tag:?} is not kept by\n{}", texts.join("\n---\n"));
    }
}

#[test]
fn every_form_keeps_every_image() {
    for form in 0..FORMS.len() {
        for name in 0..NAMES.len() {
            for tag in 0..TAGS.len() {
                check(&vec![(form, name, tag)], false);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn many_forms_in_one_file_keep_every_image(written in written()) {
        check(&written, false);
    }

    #[test]
    fn many_files_of_a_folder_keep_every_image(written in written()) {
        check(&written, true);
    }
}
