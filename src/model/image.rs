//! What a file that is to be put on a disk holds, by the ending of its name: the files of a root filesystem, or a whole disk.

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageKind {
    /// A root filesystem, unpacked onto partitions that are made for it.
    Tar,
    /// A disk as it lies there, with partitions and boot loader.
    Raw,
}

/// Who packs and unpacks, as the program is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Packer {
    Gzip,
    Xz,
    Zstd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageFile<'a> {
    /// The name without its endings.
    pub stem: &'a str,
    pub kind: ImageKind,
    pub packer: Option<Packer>,
}

const KINDS: [(&str, ImageKind); 3] = [(".tar", ImageKind::Tar), (".raw", ImageKind::Raw), (".img", ImageKind::Raw)];
const PACKERS: [(&str, Packer); 3] = [(".zst", Packer::Zstd), (".xz", Packer::Xz), (".gz", Packer::Gzip)];

impl ImageFile<'_> {
    /// In the words of the errors that refuse another name.
    pub const ENDINGS: &'static str = ".tar, .raw or .img, each also with .zst, .xz or .gz";

    /// Of a file's name, a path or a URL; none where its ending says neither. What a URL asks with counts for nothing.
    pub fn of(place: &str) -> Option<ImageFile<'_>> {
        let path = match place.contains("://") {
            true => place.split(['?', '#']).next().unwrap_or_default(),
            false => place,
        };
        let name = path.rsplit('/').next().unwrap_or_default();
        let packed = PACKERS.iter().find_map(|(ending, packer)| Some((name.strip_suffix(ending)?, Some(*packer))));
        let (name, packer) = packed.unwrap_or((name, None));
        let (stem, kind) = KINDS.iter().find_map(|(ending, kind)| Some((name.strip_suffix(ending)?, *kind)))?;
        (!stem.is_empty()).then_some(ImageFile { stem, kind, packer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_says_what_it_holds_and_who_unpacks_it() {
        use ImageKind::*;
        use Packer::*;
        for (place, kind, packer) in [
            ("d/root.tar.zst", Tar, Some(Zstd)),
            ("root.tar", Tar, None),
            ("d.1/debian-12-genericcloud-amd64.raw", Raw, None),
            ("jammy-server-cloudimg-amd64.img", Raw, None),
            ("disk.raw.xz", Raw, Some(Xz)),
            ("disk.img.gz", Raw, Some(Gzip)),
            ("https://mirror.example/a/disk.raw.zst?key=a.tar#b.tar.gz", Raw, Some(Zstd)),
        ] {
            let found = ImageFile::of(place).unwrap_or_else(|| panic!("{place}"));
            assert_eq!((found.kind, found.packer), (kind, packer), "{place}");
        }
        for place in
            ["", "d/root", "disk.qcow2", "root.tgz", "disk.raw.zst.asc", "d.raw/disk", ".raw", "d/.img.xz", "disk.raw/"]
        {
            assert_eq!(ImageFile::of(place), None, "{place}");
        }
        assert_eq!(ImageFile::of("d/web-1.2.img.zst").map(|found| found.stem), Some("web-1.2"));
    }
}
