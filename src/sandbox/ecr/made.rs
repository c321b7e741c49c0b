//! The bytes of the sample data's configs and layers. A recipe is kept, not the bytes: they are made when somebody pulls.
//! Layers with realistic sizes are padding whose digests are known beforehand, so that no start has to hash it.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::digest::Digest;

/// MiB of zeros in each padding; the digest of the layer, that of its tar file, and the tar file's CRC-32.
const PADDINGS: [(u64, &str, &str, u32); 8] = [
    (
        2,
        "a92a1e0396c5634d88a8bf8adab1dff7adb06662cffcc35979f78ecf8a54ca3d",
        "ae3dc02e95f4bc8bb96715778f69c5fe949b440d8dac4d12993f1aa6ee84097f",
        0x57ba_5135,
    ),
    (
        5,
        "3a724be1d099e5b16b2d22986ab9b932923133f7273519a3a3aed05e7a82a338",
        "77737d96a87ca664cabac005867c5366dd714084e5789a0a4882a3dccc52e6a5",
        0x078a_d5c8,
    ),
    (
        9,
        "1337ce5fe99a66b1f8adac09bb5512ed9925a6589a325c4b390d681455962296",
        "bef9657b2356a6a25b58003e80c15101bf99fb2208a6066341eaa6a4781440cb",
        0x3315_68a1,
    ),
    (
        14,
        "077171e4058cbb6e57ed51c89b8bba4018530c859e191fd0ede5b6eab43616db",
        "5eed9549fb9245cb22ee161611ce9a6d7e97d06b93b10d47418dd7617e00d010",
        0x2664_ef1c,
    ),
    (
        23,
        "b55d257b914168ad5945949f793e08265c9d46ad5328062b0d31cc27b6118116",
        "d4eb176d01592780905c4ebc4209ea93e83aa660073ed70ab03a336fcd7d19f0",
        0xab11_5ed3,
    ),
    (
        38,
        "0c059c323405c44f22f3fd9ee352bbc5858672c04c614ed71b23e19bc0efabed",
        "ac2142a1ee314a96cddfa06c3d9661c93ef3363c41b3ad5771640f5beb4c0581",
        0x29fa_dfa3,
    ),
    (
        61,
        "19c3110be06beae2ca67f60d3dc232f2bfe4a2f8b3b41d0e4d08cc934e8bbcd7",
        "3598914031211ea7d3fa9a923ba5c3f40653f8a3d16b8f6baa723ad481e27d3a",
        0x1812_82f9,
    ),
    (
        99,
        "4495b26126a8037e11febf59b7ce010b66b1db36f7700f23547fb184290a1f31",
        "2baf3ce952e1aa994f910875c6b7670944fd888ded155256ddc3678982a35f87",
        0x8836_9d82,
    ),
];

/// How a blob is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recipe {
    /// A layer of so many MiB: one of [`Recipe::paddings`].
    Padding(u8),
    /// A small layer with one file of this text.
    File(Box<str>),
    /// An image's config.
    Config { platform: Box<str>, created: DateTime<Utc>, layers: Box<[Recipe]> },
    /// The text itself: a signature, an SBOM.
    Text(Box<str>),
}

impl Recipe {
    /// All paddings, the smallest first.
    pub fn paddings() -> [Self; 8] {
        [0, 1, 2, 3, 4, 5, 6, 7].map(Self::Padding)
    }

    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Padding(number) => {
                let (_, _, _, crc) = padding(*number);
                gzip(&self.tar(), crc)
            }
            Self::File(_) => {
                let tar = self.tar();
                gzip(&tar, crc32(&tar))
            }
            Self::Config { platform, created, layers } => config(platform, *created, layers).into_bytes(),
            Self::Text(text) => text.as_bytes().into(),
        }
    }

    /// The digest and the size of its bytes.
    pub fn measure(&self) -> (Digest, u64) {
        match self {
            Self::Padding(number) => {
                let (mib, digest, ..) = padding(*number);
                let tar = (mib << 20) + 3 * BLOCK as u64;
                (known(digest), tar + 18 + 5 * tar.div_ceil(STORED as u64))
            }
            made => {
                let bytes = made.bytes();
                (Digest::of(&bytes), bytes.len() as u64)
            }
        }
    }

    /// The digest of a layer's tar file, by which configs name it.
    fn unpacked(&self) -> Digest {
        match self {
            Self::Padding(number) => known(padding(*number).2),
            made => Digest::of(made.tar()),
        }
    }

    /// The tar file in a layer; empty for what is not one.
    fn tar(&self) -> Vec<u8> {
        match self {
            Self::Padding(number) => {
                let (mib, ..) = padding(*number);
                tar(&format!("usr/lib/sandbox/{mib}-mib"), &vec![0; (mib as usize) << 20])
            }
            Self::File(text) => tar("etc/sandbox-release", text.as_bytes()),
            Self::Config { .. } | Self::Text(_) => Vec::new(),
        }
    }
}

fn padding(number: u8) -> (u64, &'static str, &'static str, u32) {
    PADDINGS[usize::from(number) % PADDINGS.len()]
}

fn known(hex: &str) -> Digest {
    // A test reads every one of them.
    format!("sha256:{hex}").parse().unwrap_or_else(|_| Digest::of(""))
}

fn config(platform: &str, created: DateTime<Utc>, layers: &[Recipe]) -> String {
    let (os, architecture) = platform.split_once('/').unwrap_or(("linux", platform));
    let created = created.to_rfc3339_opts(SecondsFormat::Secs, true);
    let layers: Vec<_> = layers.iter().map(Recipe::unpacked).collect();
    let history: Vec<_> = layers.iter().map(|_| json!({ "created": created })).collect();
    json!({
        "architecture": architecture, "os": os, "created": created, "config": {},
        "rootfs": { "type": "layers", "diff_ids": layers }, "history": history,
    })
    .to_string()
}

const BLOCK: usize = 512;

/// A tar file of one file, dated 1970.
/// <https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_06>
fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000644\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{:011o}\0", content.len()));
    put(136, "00000000000\0");
    put(148, "        0");
    put(257, "ustar\u{0}00");
    let sum: u32 = header.iter().copied().map(u32::from).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let fill = content.len().next_multiple_of(BLOCK) - content.len();
    [&header, content, &vec![0; fill + 2 * BLOCK]].concat()
}

/// The most that a stored block holds.
const STORED: usize = 65_535;

/// Gzip that stores and does not compress, so that every version of imgctl makes the same bytes.
/// <https://www.rfc-editor.org/rfc/rfc1951#section-3.2.4>
fn gzip(content: &[u8], crc: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(content.len() + content.len() / 10_000 + 32);
    bytes.extend([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
    let mut blocks = content.chunks(STORED).peekable();
    while let Some(block) = blocks.next() {
        let length = block.len() as u16;
        bytes.push(u8::from(blocks.peek().is_none()));
        bytes.extend(length.to_le_bytes());
        bytes.extend((!length).to_le_bytes());
        bytes.extend(block);
    }
    bytes.extend(crc.to_le_bytes());
    bytes.extend((content.len() as u32).to_le_bytes());
    bytes
}

/// What each byte does to a sum.
const CRC: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = sum >> 1 ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 };
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
};

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum: u32, byte| sum >> 8 ^ CRC[usize::from(sum as u8 ^ byte)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_beforehand_of_a_padding_is_so() {
        // The larger ones are made in the same way, and skopeo checks them when it copies.
        let smallest = Recipe::Padding(0);
        let bytes = smallest.bytes();
        assert_eq!(smallest.measure(), (Digest::of(&bytes), bytes.len() as u64));
        assert_eq!(smallest.unpacked(), Digest::of(smallest.tar()));
        assert_eq!(padding(0).3, crc32(&smallest.tar()));
        let digests: std::collections::BTreeSet<_> = PADDINGS.iter().flat_map(|it| [it.1, it.2].map(known)).collect();
        assert!(digests.len() == 16 && !digests.contains(&Digest::of("")));
    }

    #[test]
    fn a_config_names_the_unpacked_layers() {
        let file = Recipe::File("app 1".into());
        let created = "2026-01-01T00:00:00Z".parse().unwrap();
        let layers = [Recipe::Padding(3), file.clone()].into();
        let config = Recipe::Config { platform: "linux/arm64".into(), created, layers };
        let read: serde_json::Value = serde_json::from_slice(&config.bytes()).unwrap();
        assert_eq!(read["architecture"], "arm64");
        assert_eq!(read["rootfs"]["diff_ids"][1], Digest::of(file.tar()).to_string());
        // The check value of this CRC.
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
