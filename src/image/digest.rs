//! Digests. An image's digest is checked strictly. A layer's digest may have an algorithm that is not known
//! here: the service checks it.

use std::{
    fmt,
    io::{self, Read},
    str::FromStr,
    sync::Arc,
};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

use super::place::{ALGORITHMS, ParseError, Part};

/// The longest layer digest that ECR takes.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchCheckLayerAvailability.html>
const LONGEST: usize = 1000;

/// How a digest that is not of another algorithm begins.
const SHA256: &str = "sha256:";

/// `algorithm:hex`, well-formed. A run may hold a million, so those of SHA-256 are kept as bytes.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(Form);

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Form {
    /// With lower-case digits.
    Sha256([u8; 32]),
    Other(Arc<str>),
}

impl Digest {
    pub fn of_sha256(bytes: [u8; 32]) -> Self {
        Self(Form::Sha256(bytes))
    }

    /// The bytes of a SHA-256 digest.
    pub fn sha256(&self) -> Option<&[u8; 32]> {
        match &self.0 {
            Form::Sha256(bytes) => Some(bytes),
            Form::Other(_) => None,
        }
    }

    /// Whether its digits begin like this.
    pub fn begins(&self, digits: &str) -> bool {
        self.to_string().split_once(':').is_some_and(|(_, own)| own.starts_with(digits))
    }

    /// Whether a text is this digest.
    pub fn is(&self, text: &str) -> bool {
        match &self.0 {
            Form::Sha256(bytes) => sha256(text).as_ref() == Some(bytes),
            Form::Other(digest) => **digest == *text,
        }
    }

    /// The digest of these bytes.
    pub fn sha256_of(bytes: &[u8]) -> Self {
        Self(Form::Sha256(Sha256::digest(bytes).into()))
    }

    /// Reads the digest of a layer: of any algorithm. Of one that is not known here, the service decides what is valid.
    pub fn layer(text: &str) -> Result<Self, ParseError> {
        if let Some(bytes) = sha256(text) {
            return Ok(Self::of_sha256(bytes));
        }
        let part = Part::whole(text);
        let (algorithm, digits) = halves(part)?;
        if text.len() > LONGEST {
            return Err(part.wrong(format!("a digest has at most {LONGEST} characters")));
        }
        if let Some((_, place)) = algorithm.first(|c| !c.is_ascii_alphanumeric() && !"-_+.".contains(c)) {
            return Err(place.wrong("this cannot be in the name of an algorithm"));
        }
        if let Some((_, place)) = digits.first(|c| !c.is_ascii_hexdigit()) {
            return Err(place.wrong("a digest has hexadecimal digits: 0 to 9 and a to f"));
        }
        if let Some((name, length)) = ALGORITHMS.iter().find(|(name, _)| *name == algorithm.as_str()) {
            length_of(digits, name, *length)?;
        }
        Ok(Self(Form::Other(text.into())))
    }

    /// Reads the digest of an image.
    pub(super) fn image(part: Part) -> Result<Self, ParseError> {
        // Nearly all are of this form, and a listing may have a million.
        if let Some(bytes) = sha256(part.as_str()) {
            return Ok(Self::of_sha256(bytes));
        }
        let (algorithm, digits) = halves(part)?;
        let Some((_, length)) = ALGORITHMS.iter().find(|(name, _)| *name == algorithm.as_str()) else {
            let known = ALGORITHMS.map(|(name, _)| name).join(", ");
            return Err(algorithm.wrong("not a digest algorithm of images").or(format!("the algorithms are {known}")));
        };
        if let Some((found, place)) = digits.first(|c| !matches!(c, '0'..='9' | 'a'..='f')) {
            return Err(if found.is_ascii_hexdigit() {
                place
                    .wrong("a digest is written in lower case")
                    .or(format!("write {}", part.as_str().to_ascii_lowercase()))
            } else {
                place.wrong("a digest has hexadecimal digits: 0 to 9 and a to f")
            });
        }
        length_of(digits, algorithm.as_str(), *length)?;
        Ok(Self(Form::Other(part.as_str().into())))
    }
}

/// Checks the number of digits that an algorithm has.
fn length_of(digits: Part, algorithm: &str, length: usize) -> Result<(), ParseError> {
    let has = digits.as_str().len();
    if has == length {
        return Ok(());
    }
    Err(digits.wrong(format!("a {algorithm} digest has {length} hexadecimal digits, this one has {has}")))
}

/// The bytes of a SHA-256 digest that is written with lower-case digits.
fn sha256(text: &str) -> Option<[u8; 32]> {
    let digits = text.strip_prefix(SHA256)?;
    let mut bytes = [0; 32];
    let lower = digits.bytes().all(|digit| !digit.is_ascii_uppercase());
    (lower && hex::decode_to_slice(digits, &mut bytes).is_ok()).then_some(bytes)
}

/// Reads bytes, and computes their digest meanwhile.
pub struct Hashed<R> {
    source: R,
    hash: Sha256,
}

impl<R: Read> Hashed<R> {
    pub fn new(source: R) -> Self {
        Self { source, hash: Sha256::new() }
    }

    /// The digest of all bytes, read or not.
    pub fn digest(mut self) -> io::Result<Digest> {
        io::copy(&mut self, &mut io::sink())?;
        Ok(Digest(Form::Sha256(self.hash.finalize().into())))
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}

fn halves(part: Part) -> Result<(Part, Part), ParseError> {
    const SHAPE: &str = "a digest looks like sha256: and 64 hexadecimal digits";
    if part.is_empty() {
        return Err(part.wrong("the digest is missing").or(SHAPE));
    }
    match part.split_once(':') {
        Some((algorithm, digits)) if !algorithm.is_empty() && !digits.is_empty() => Ok((algorithm, digits)),
        _ => Err(part.wrong("not a valid digest").or(SHAPE)),
    }
}

impl FromStr for Digest {
    type Err = ParseError;

    /// Reads the digest of an image.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::image(Part::whole(text))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match &self.0 {
            Form::Sha256(bytes) => {
                let mut digits = [0; 64];
                hex::encode_to_slice(bytes, &mut digits).map_err(|_| fmt::Error)?;
                f.write_str(SHA256)?;
                f.write_str(std::str::from_utf8(&digits).map_err(|_| fmt::Error)?)
            }
            Form::Other(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Digest {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Digest".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }

    fn inline_schema() -> bool {
        true
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error: ParseError| de::Error::custom(error.wrong()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

    #[test]
    fn the_digest_of_nothing_is_the_well_known_one() {
        assert_eq!(
            Digest::sha256_of(b"").to_string(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn bytes_are_hashed_whether_or_not_they_were_read() {
        let mut hashed = Hashed::new(&b"abcdef"[..]);
        hashed.read_exact(&mut [0; 2]).unwrap();
        assert_eq!(hashed.digest().unwrap(), Digest::sha256_of(b"abcdef"));
    }

    #[test]
    fn an_image_digest_is_complete_and_in_lower_case() {
        let good = [format!("sha256:{ZEROS}"), format!("sha512:{ZEROS}{ZEROS}"), format!("blake3:{ZEROS}")];
        for text in &good {
            assert_eq!(text.parse::<Digest>().unwrap().to_string(), *text);
        }
        let bad = [
            String::new(),
            "sha256".into(),
            "sha256:".into(),
            format!(":{ZEROS}"),
            "sha256:00".into(),
            format!("sha256:{ZEROS}0"),
            format!("SHA256:{ZEROS}"),
            format!("md5:{}", &ZEROS[..32]),
            format!("sha256:{}A", &ZEROS[1..]),
            format!("sha256:{}g", &ZEROS[1..]),
            format!("sha256:{} ", &ZEROS[1..]),
        ];
        for text in &bad {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_layer_digest_of_an_unknown_algorithm_only_needs_the_documented_shape() {
        for good in ["md5:00", "tarsum.v1+sha256:ABCdef", "a-b_c:1"] {
            assert_eq!(Digest::layer(good).unwrap().to_string(), good);
        }
        let long = format!("sha256:{}", "0".repeat(1000));
        for bad in ["", "sha256", "sha256:", ":00", "sha256:xyz", "sha256:00", "a b:00", "sha256:00:00", &long] {
            assert!(Digest::layer(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn json_holds_only_well_formed_digests() {
        let text = format!("\"sha256:{ZEROS}\"");
        let digest: Digest = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&digest).unwrap(), text);
        assert!(serde_json::from_str::<Digest>("\"sha256:00\"").is_err());
    }
}
