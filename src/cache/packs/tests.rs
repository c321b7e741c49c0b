use tempfile::TempDir;

use super::*;

fn is_manifest(digest: &Digest, bytes: &[u8]) -> bool {
    Digest::sha256_of(bytes) == *digest
}

fn packs(folder: &TempDir) -> Packs {
    Packs::new(folder.path().join("manifests"), is_manifest)
}

fn manifest(number: usize) -> (Digest, Vec<u8>) {
    let bytes = format!("{{\"number\":{number}}}").into_bytes();
    (Digest::sha256_of(&bytes), bytes)
}

/// Which of these many manifests a new run finds.
fn kept(folder: &TempDir, count: usize) -> Vec<usize> {
    let digests: Vec<_> = (0..count).map(|number| manifest(number).0).collect();
    let found = packs(folder).get(&digests);
    let right = |number: &usize| found[*number].as_ref().is_some_and(|bytes| *bytes == manifest(*number).1);
    assert!(found.iter().enumerate().all(|(number, bytes)| bytes.is_none() || right(&number)));
    (0..count).filter(right).collect()
}

fn files(folder: &TempDir) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.path().join("manifests")).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn each_run_finds_what_it_and_others_kept() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(kept(&folder, 3), [0; 0]);
    let (mut one, mut other) = (packs(&folder), packs(&folder));
    one.put(&[manifest(0)]);
    other.put(&[manifest(1), manifest(1)]);
    one.put(&[manifest(2)]);
    assert_eq!(one.get(&[manifest(2).0, manifest(0).0]), [Some(manifest(2).1), Some(manifest(0).1)]);
    assert_eq!(kept(&folder, 4), [0, 1, 2]);
    assert_eq!(files(&folder).len(), 2, "a file a run");
}

#[test]
fn a_file_that_was_cut_holds_what_is_before_the_cut() {
    let folder = tempfile::tempdir().unwrap();
    packs(&folder).put(&[manifest(0), manifest(1)]);
    let path = files(&folder).remove(0);
    let whole = fs::read(&path).unwrap();
    for length in (0..whole.len()).rev() {
        fs::write(&path, &whole[..length]).unwrap();
        assert_eq!(kept(&folder, 2), (0..length / (whole.len() / 2)).collect::<Vec<_>>(), "{length}");
    }
}

#[test]
fn bytes_of_another_digest_are_not_believed_and_their_file_goes() {
    let folder = tempfile::tempdir().unwrap();
    packs(&folder).put(&[manifest(0)]);
    packs(&folder).put(&[manifest(1)]);
    let path = files(&folder).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(kept(&folder, 2), [1]);
    assert!(!path.exists());
    packs(&folder).put(&[manifest(0)]);
    assert_eq!(kept(&folder, 2), [0, 1]);
}

#[test]
fn garbage_of_any_kind_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    packs(&folder).put(&[manifest(0)]);
    let path = files(&folder).remove(0);
    for garbage in [&[0xff; 500][..], &[0; 500], b"short", b""] {
        fs::write(&path, garbage).unwrap();
        assert_eq!(kept(&folder, 1), [0; 0]);
    }
}

#[test]
fn it_does_not_grow_beyond_its_bound_and_the_oldest_go_first() {
    let folder = tempfile::tempdir().unwrap();
    let record = 36 + manifest(0).1.len() as u64;
    for number in 0..10 {
        packs(&folder).put(&[manifest(number)]);
    }
    let mut bounded = packs(&folder);
    bounded.most_bytes = 8 * record;
    bounded.get(&[]);
    assert_eq!(kept(&folder, 10), [4, 5, 6, 7, 8, 9]);
}

#[test]
fn many_small_files_become_one() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..=MOST_FILES {
        packs(&folder).put(&[manifest(number)]);
    }
    assert_eq!(kept(&folder, MOST_FILES + 1).len(), MOST_FILES + 1);
    assert_eq!(files(&folder).len(), 1);
    assert_eq!(kept(&folder, MOST_FILES + 1).len(), MOST_FILES + 1);
}

#[cfg(unix)]
#[test]
fn what_is_not_its_own_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    packs(&folder).put(&[manifest(0)]);
    let elsewhere = folder.path().join("elsewhere");
    fs::rename(files(&folder).remove(0), &elsewhere).unwrap();
    let below = folder.path().join("manifests");
    std::os::unix::fs::symlink(&elsewhere, below.join("00000000000000000001-0000000001.pack")).unwrap();
    for name in ["notes.txt", "1-1.pack", "00000000000000000001-0000000001.pack.bak"] {
        fs::copy(&elsewhere, below.join(name)).unwrap();
    }
    let mut bounded = packs(&folder);
    bounded.most_bytes = 0;
    assert_eq!(bounded.get(&[manifest(0).0]), [None]);
    assert_eq!((files(&folder).len(), elsewhere.exists()), (4, true));
}

#[test]
fn where_nothing_can_be_written_there_is_no_cache() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    let mut packs = Packs::new(file, is_manifest);
    packs.put(&[manifest(0)]);
    assert_eq!(packs.get(&[manifest(0).0]), [None]);
}
