//! Finds images in use in any text: pods, task definitions, lists. The text is read as a stream of words, whatever quotes
//! and brackets surround them, so neither a huge file nor an endless line fills the memory. An ambiguous word protects
//! every image that it may name.

use std::{
    collections::{BTreeMap, HashMap, HashSet, hash_map::RandomState},
    hash::BuildHasher,
    io::{self, BufRead},
};

use super::{Evidence, Stock, inventory::identity, whole::Whole, words::Words};
use crate::image::{Located, Provider, StoreRef};

/// How many images a text names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Distinct references, digests and ids in the text.
    pub recognised: usize,
    /// Images of these stores that they name.
    pub protected: usize,
    /// Repositories that the text names without saying which image, with the line.
    pub unpinned: Vec<(usize, StoreRef)>,
    /// It opens as JSON, but does not end as JSON.
    pub cut: bool,
}

/// Finds images of some stores by name.
pub struct Known<'s> {
    stocks: Vec<&'s Stock>,
    /// Digests and provider ids, with the stores that have them.
    ids: HashMap<&'s str, Vec<usize>>,
    repositories: HashMap<&'s str, Vec<usize>>,
    tags: HashMap<(usize, &'s str), &'s str>,
    /// The stores and images that have a tag.
    tagged: HashMap<&'s str, Vec<(usize, &'s str)>>,
    /// The digits of all digests, sorted, with their stores.
    digits: Vec<(&'s str, usize, &'s str)>,
}

impl<'s> Known<'s> {
    pub fn of(stocks: impl IntoIterator<Item = &'s Stock>) -> Self {
        let mut known = Self {
            stocks: stocks.into_iter().collect(),
            ids: HashMap::new(),
            repositories: HashMap::new(),
            tags: HashMap::new(),
            tagged: HashMap::new(),
            digits: Vec::new(),
        };
        for (place, stock) in known.stocks.iter().enumerate() {
            if stock.store.provider.has_containers() {
                known.repositories.entry(&stock.store.name).or_default().push(place);
            }
            for image in stock.images() {
                let Some(id) = identity(image) else { continue };
                known.ids.entry(id).or_default().push(place);
                known.tags.extend(image.tags.iter().map(|tag| ((place, tag.as_str()), id)));
                for tag in &image.tags {
                    known.tagged.entry(tag).or_default().push((place, id));
                }
                known.digits.extend(id.strip_prefix("sha256:").map(|digits| (digits, place, id)));
            }
        }
        known.digits.sort_unstable();
        known
    }

    fn has(&self, place: usize, id: &str) -> bool {
        self.ids.get(id).is_some_and(|places| places.contains(&place))
    }
}

/// Reads text and records the images that it names, with the source's name and the line.
pub fn scan(source: &str, mut text: impl BufRead, known: &Known, evidence: &mut Evidence) -> io::Result<Tally> {
    let mut scan = Scan {
        source,
        known,
        evidence,
        seen: HashSet::new(),
        protected: HashSet::new(),
        hash: RandomState::new(),
        before: (0, String::new()),
        unpinned: BTreeMap::new(),
        possible: HashMap::new(),
        looked_up: HashSet::new(),
    };
    let (mut words, mut whole) = (Words::default(), Whole::default());
    loop {
        let bytes = text.fill_buf()?;
        if bytes.is_empty() {
            break;
        }
        for byte in bytes {
            whole.byte(*byte);
            words.byte(*byte, |word, line| scan.word(word, line));
        }
        let length = bytes.len();
        text.consume(length);
    }
    // Ends the last word.
    words.byte(b'\n', |word, line| scan.word(word, line));
    let unpinned = scan.pin();
    Ok(Tally { recognised: scan.seen.len(), protected: scan.protected.len(), unpinned, cut: whole.is_cut() })
}

struct Scan<'a, 's> {
    source: &'a str,
    known: &'a Known<'s>,
    evidence: &'a mut Evidence,
    /// Hashes of what was recognised, which take less memory than the words.
    seen: HashSet<u64>,
    protected: HashSet<(usize, &'s str)>,
    hash: RandomState,
    /// The word before, and its line.
    before: (usize, String),
    /// Repositories that are named without an image of theirs, with the first line.
    unpinned: BTreeMap<usize, usize>,
    /// By store, images with a tag or digest that some word equals, with the line.
    possible: HashMap<usize, Vec<(&'s str, usize)>>,
    looked_up: HashSet<u64>,
}

/// Keys, without case and `_`, whose value is a repository; its tag stands elsewhere.
const REPOSITORY_KEYS: [&str; 7] =
    ["repository", "repositoryurl", "repositoryuri", "repo", "repourl", "newname", "url"];

impl<'s> Scan<'_, 's> {
    fn word(&mut self, word: &str, line: usize) {
        // Punctuation after a reference.
        let word = word.trim_end_matches(['.', ':', '/', '@']);
        let (path, digest) = match find_digest(word) {
            Some(at) => (word[..at].trim_end_matches(['@', '/', ':']), Some(&word[at..at + DIGEST])),
            None => (word, None),
        };
        let located = Located::of(path);
        if let Some(digest) = digest {
            self.recognised(word);
            self.digest(&located, digest, line);
        }
        self.tag(&located, word, digest, line);
        self.ids(word, line);
        self.note(word, line);
        self.before.0 = line;
        self.before.1.clear();
        self.before.1.push_str(word);
    }

    /// Notes the images that a word may mean: one of its parts equals a tag, or begins a digest.
    fn note(&mut self, word: &str, line: usize) {
        for part in word.split(['/', ':', '@']).map(|part| part.trim_matches(['-', '.'])) {
            // Docker shows twelve digits of a digest, Git seven of a commit.
            let is_digits = (7..=64).contains(&part.len()) && part.bytes().all(is_hex);
            let tagged = self.known.tagged.get(part);
            if tagged.is_none() && !is_digits || !self.looked_up.insert(self.hash.hash_one(part)) {
                continue;
            }
            for (place, id) in tagged.into_iter().flatten() {
                self.possible.entry(*place).or_default().push((id, line));
            }
            if is_digits {
                let first = self.known.digits.partition_point(|(digits, ..)| *digits < part);
                for (_, place, id) in self.known.digits[first..].iter().take_while(|known| known.0.starts_with(part)) {
                    self.possible.entry(*place).or_default().push((id, line));
                }
            }
        }
    }

    /// Protects what the text may mean in repositories that it names without an image of theirs; returns those in which
    /// it protects nothing.
    fn pin(&mut self) -> Vec<(usize, StoreRef)> {
        let unpinned = std::mem::take(&mut self.unpinned);
        for place in unpinned.keys() {
            for (id, line) in self.possible.remove(place).unwrap_or_default() {
                self.protect(*place, id, line);
            }
        }
        let pinned: HashSet<usize> = self.protected.iter().map(|(place, _)| *place).collect();
        let open = unpinned.into_iter().filter(|(place, _)| !pinned.contains(place));
        open.map(|(place, line)| (line, (*self.known.stocks[place].store).clone())).collect()
    }

    /// Whether the word before, on the same line, is a key whose value is a repository.
    fn follows_repository_key(&self, line: usize) -> bool {
        let key: String = self.before.1.chars().filter(|letter| *letter != '_').collect();
        self.before.0 == line && REPOSITORY_KEYS.iter().any(|known| key.eq_ignore_ascii_case(known))
    }

    /// A digest with a repository of these stores names that one. Any other repository may be a mirror.
    fn digest(&mut self, located: &Located, digest: &str, line: usize) {
        let Some(places) = self.known.ids.get(digest) else {
            return;
        };
        let exact = self.stocks(located);
        let elsewhere = located.provider.is_some();
        for place in places {
            if exact.contains(place) || exact.is_empty() && !elsewhere {
                self.protect(*place, digest, line);
            }
        }
    }

    fn tag(&mut self, located: &Located, word: &str, digest: Option<&str>, line: usize) {
        let places = self.stocks(located);
        let is_value = self.follows_repository_key(line);
        // An image without a tag, with its registry, is `latest`.
        let latest = located.provider.is_some() && digest.is_none() && !is_value;
        let tag = located.tag.or(latest.then_some("latest"));
        if tag.is_some() && (located.provider.is_some() || !places.is_empty()) {
            self.recognised(word);
        }
        // A word without a slash may be anything.
        let is_repository = located.provider.is_some() || is_value || located.repository.contains('/');
        for place in places {
            let by_digest = digest.is_some_and(|digest| self.known.has(place, digest));
            let tagged = tag.and_then(|tag| self.known.tags.get(&(place, tag)));
            if let Some(id) = tagged {
                self.protect(place, id, line);
            }
            // Even what may be `latest` can have its tag elsewhere, as in the table of `docker images`.
            if is_repository && !by_digest && (tagged.is_none() || located.tag.is_none()) {
                self.unpinned.entry(place).or_insert(line);
            }
        }
    }

    /// Provider ids, alone or as part of a path. They are opaque: a word is an id if a store has it, or if its form is
    /// unmistakable.
    fn ids(&mut self, word: &str, line: usize) {
        let parts = word.split(['/', ':', '@']).filter(|part| part.len() < word.len());
        for part in parts.chain([word]) {
            let known = self.known.ids.get_key_value(part);
            let known = known.filter(|(id, _)| !id.starts_with("sha256:"));
            if known.is_some() || Provider::ALL.into_iter().any(|provider| provider.is_id(part)) {
                self.recognised(part);
            }
            if let Some((_, places)) = known {
                for place in places {
                    self.protect(*place, part, line);
                }
            }
        }
    }

    /// The repositories of these stores that a word may name.
    fn stocks(&self, located: &Located) -> Vec<usize> {
        let places = self.known.repositories.get(located.repository).into_iter().flatten().copied();
        places.filter(|place| located.may_be_in(&self.known.stocks[*place].store)).collect()
    }

    fn recognised(&mut self, what: &str) {
        self.seen.insert(self.hash.hash_one(what));
    }

    fn protect(&mut self, place: usize, id: &str, line: usize) {
        let Some((id, _)) = self.known.ids.get_key_value(id) else {
            return;
        };
        if self.protected.insert((place, id)) {
            let why = format!("in use, {} line {line}", self.source);
            self.evidence.id_in(&self.known.stocks[place].store, id, why);
        }
    }
}

/// The length of `sha256:` and 64 digits.
const DIGEST: usize = 7 + 64;

fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// The position of a whole digest in a word.
fn find_digest(word: &str) -> Option<usize> {
    let whole = |at: &usize| {
        let rest = &word.as_bytes()[*at + 7..];
        rest.iter().take_while(|byte| is_hex(**byte)).count() == 64
    };
    word.match_indices("sha256:").map(|(at, _)| at).find(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::sample::{Shelf, digest, machine, store};

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
        assert_eq!(tally, Tally { recognised: 4, protected: 1, ..Tally::default() });
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
            (format!("{HOST}/team/app  <none>  {}", &one[7..]), &["team/app/2 f line 1", "team/app/1 f line 1"], &[]),
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
            assert_eq!(tally.unpinned.iter().map(|(line, _)| *line).collect::<Vec<_>>(), lines, "{text}");
        }
    }

    #[test]
    fn utf_16_files_of_powershell_are_read() {
        let wide: Vec<u8> = "\u{feff}x\nteam/app:v1\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(protected(&wide).1, ["team/app/1 f line 2"]);
    }
}
