use super::*;

fn repository() -> (Repository, DateTime<Utc>) {
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    (Repository::new(now), now)
}

#[test]
fn a_tag_is_on_one_image_at_a_time() {
    let (mut repository, now) = repository();
    let [first, second] = ["one", "two"].map(|name| repository.push(&Manifest::image(name, 1), &["v1"], now));
    assert_eq!(repository.find("v1").unwrap().manifest.digest, second);
    assert!(repository.image(&first).unwrap().tags.is_empty());
    repository.remove(&second);
    assert!(!repository.has("v1") && repository.has(&first.to_string()));
    assert_eq!(repository.snapshot(), [(first.to_string(), vec![])].into());
}

#[test]
fn layers_are_shared_archived_with_their_last_image_and_swept_when_nothing_has_them() {
    let (mut repository, now) = repository();
    let base = crate::sandbox::ecr::manifest::Blob::layer("base");
    let images = ["one", "two"].map(|name| Manifest::of_layers(name, vec![base.clone()]));
    let [first, second] = images.each_ref().map(|image| repository.push(image, &[], now));
    let archived = |repository: &Repository| repository.layer(&base.digest).unwrap().archived();
    repository.archive(&first, now);
    assert!(!archived(&repository));
    repository.archive(&second, now);
    assert!(archived(&repository));
    repository.push(&images[0], &[], now);
    assert!(!archived(&repository), "a push brings an archived image back");
    repository.remove(&first);
    assert!(archived(&repository), "what is left of its images is archived");
    repository.remove(&second);
    assert!(repository.layer(&base.digest).is_some());
    repository.sweep();
    assert!(repository.layer(&base.digest).is_none());
}

#[test]
fn an_index_is_as_large_as_its_largest_image_and_tied_to_all() {
    let (mut repository, now) = repository();
    let [small, large] = [Manifest::image("s", 1), Manifest::image("l", 9)];
    let index = Manifest::index(&[(&small, "linux/arm64"), (&large, "linux/amd64")]);
    let sbom = Manifest::attached("sbom", "application/spdx+json", &index);
    for manifest in [&small, &large, &index, &sbom] {
        repository.push(manifest, &[], now);
    }
    let size = |manifest: &Manifest| repository.size(repository.image(&manifest.digest).unwrap());
    assert_eq!(size(&index), size(&large));
    assert!(repository.parents(&small.digest).eq([&index.digest]));
    assert!(repository.referrers(&index.digest).map(|image| image.manifest.digest).eq([sbom.digest]));
    repository.remove(&index.digest);
    repository.remove(&sbom.digest);
    assert_eq!(repository.parents(&small.digest).count() + repository.referrers(&index.digest).count(), 0);
}
