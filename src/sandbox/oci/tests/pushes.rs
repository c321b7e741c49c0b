use super::*;

const UPLOADS: &str = "/v2/team/app/blobs/uploads/";

#[test]
fn a_blob_comes_in_one_piece_or_in_several_or_from_another_repository() {
    let mut registry = Fixture::open("distribution");
    let digest = Digest::of("0123456789");
    let begun = registry.send("POST", UPLOADS, &[], b"");
    assert_eq!(begun.status(), 202);
    let place = begun.header("location").to_owned();
    let range = |range| [("content-range", range)];
    let piece = registry.send("PATCH", &place, &range("0-3"), b"0123");
    assert_eq!((piece.status(), piece.header("range")), (202, "0-3"));
    assert_eq!(registry.send("PATCH", &place, &range("9-11"), b"xxx").error(), code(416, "BLOB_UPLOAD_INVALID"));
    assert_eq!(registry.ask("GET", &place).header("range"), "0-3");
    registry.send("PATCH", &place, &range("4-7"), b"4567");
    let done = registry.send("PUT", &format!("{place}?digest={digest}"), &[], b"89");
    assert_eq!((done.status(), done.header("docker-content-digest")), (201, digest.to_string().as_str()));
    assert_eq!(registry.ask("GET", format!("/v2/team/app/blobs/{digest}")).0.body, b"0123456789");

    let mounted = registry.ask("POST", format!("/v2/other/blobs/uploads/?mount={digest}&from=team%2Fapp"));
    assert_eq!(mounted.status(), 201);
    assert_eq!(registry.ask("GET", format!("/v2/other/blobs/{digest}")).0.body, b"0123456789");
    let absent = registry.ask("POST", format!("{UPLOADS}?mount={}&from=other", Digest::of("absent")));
    assert_eq!(absent.status(), 202);

    let whole = registry.send("POST", &format!("{UPLOADS}?digest={}", Digest::of("whole")), &[], b"whole");
    assert_eq!(whole.status(), 201);
    let other = registry.send("POST", &format!("{UPLOADS}?digest={}", Digest::of("whole")), &[], b"other");
    assert_eq!(other.error(), code(400, "DIGEST_INVALID"));
    assert_eq!(registry.ask("GET", format!("{UPLOADS}7")).error(), code(404, "BLOB_UPLOAD_UNKNOWN"));
}

#[test]
fn a_manifest_needs_its_parts_and_its_own_digest() {
    let mut registry = Fixture::open("zot");
    let subject = registry.push("one", &["v1"]);
    let subject = registry.repository().image(&subject).unwrap().manifest.clone();
    let signature = Built::attached("signature", "application/x-signature", &subject).manifest;
    let kind = [("content-type", signature.media_type.as_ref())];
    let (text, digest) = (signature.text.as_bytes(), signature.digest);
    let path = |reference: &str| format!("/v2/team/app/manifests/{reference}");
    let mut put = |reference: &str, body: &[u8]| registry.send("PUT", &path(reference), &kind, body);
    assert_eq!(put("v2", text).error(), code(400, "MANIFEST_BLOB_UNKNOWN"));
    assert_eq!(put("v2", b"{}").error(), code(400, "MANIFEST_INVALID"));
    assert_eq!(put("v2", &vec![b' '; 5 << 20]).error(), code(400, "MANIFEST_INVALID"));
    for blob in ["{}", "signature"] {
        let place = format!("{UPLOADS}?digest={}", Digest::of(blob));
        assert_eq!(registry.send("POST", &place, &[], blob.as_bytes()).status(), 201);
    }
    let mut put = |reference: &str| registry.send("PUT", &path(reference), &kind, text);
    assert_eq!(put(&Digest::of("other").to_string()).error(), code(400, "DIGEST_INVALID"));
    let done = put("signature");
    assert_eq!((done.status(), done.header("oci-subject")), (201, subject.digest.to_string().as_str()));
    assert!(registry.has(digest) && registry.has("signature"));
    let attached = registry.ask("GET", format!("/v2/team/app/referrers/{}", subject.digest)).json();
    assert_eq!(attached["manifests"][0]["digest"], digest.to_string());
    assert_eq!(attached["manifests"][0]["artifactType"], "application/x-signature");
}
