//! SUSE's trees: AutoYaST's, and since SLES 16 and Leap 16 Agama's.

use super::{Recognised, Value, first_of};
use crate::import::Error;
use crate::import::tree::{Tree, has, text};

/// The architectures, with the places of their kernel and initrd.
const BOOTS: &[(&str, &str, &str)] = &[
    ("x86_64", "boot/x86_64/loader/linux", "boot/x86_64/loader/initrd"),
    ("aarch64", "boot/aarch64/linux", "boot/aarch64/initrd"),
    ("aarch64", "boot/aarch64/loader/linux", "boot/aarch64/loader/initrd"),
    ("ppc64le", "boot/ppc64le/linux", "boot/ppc64le/initrd"),
    ("s390x", "boot/s390x/linux", "boot/s390x/initrd"),
    ("i386", "boot/i386/loader/linux", "boot/i386/loader/initrd"),
];

fn boot(tree: &dyn Tree, family: &str, product: &str) -> Result<Option<Recognised>, Error> {
    for (arch, kernel, initrd) in BOOTS {
        if has(tree, kernel)? {
            return Ok(Some(Recognised {
                arch: (*arch).to_owned(),
                ..Recognised::new(family, product, *kernel, *initrd)
            }));
        }
    }
    Ok(None)
}

pub fn autoyast(tree: &dyn Tree) -> Result<Option<Recognised>, Error> {
    let media = text(tree, "media.1/media")?;
    let content = text(tree, "content")?;
    let told = media.as_deref().and_then(from_media).or_else(|| content.as_deref().and_then(from_content));
    let Some((product, version)) = told else { return Ok(None) };
    Ok(boot(tree, "suse", &product)?.map(|found| Recognised { version, ..found }))
}

/// The second line: `openSUSE-Leap-15.5-x86_64-Build491.1-Media`, `SLE-15-SP5-Full-x86_64-…`.
fn from_media(text: &str) -> Option<(String, String)> {
    let words: Vec<&str> = text.lines().nth(1)?.trim().split('-').collect();
    let at = words.iter().position(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let product = words.get(..at)?.join("-");
    let pack = words.get(at.checked_add(1)?).filter(|word| word.starts_with("SP"));
    let version = pack.map_or(words[at].to_owned(), |pack| format!("{}-{pack}", words[at]));
    (!product.is_empty()).then_some((product, version))
}

/// `DISTRO cpe:/o:suse:sles:12:sp5,…`, or `NAME` and `VERSION`.
fn from_content(text: &str) -> Option<(String, String)> {
    let said = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::trim));
    let cpe = said("DISTRO").and_then(|line| line.strip_prefix("cpe:/o:")).and_then(|line| line.split(',').next());
    if let Some(cpe) = cpe {
        let mut words = cpe.split(':').skip(1);
        let (product, version) = (words.next()?, words.next()?);
        return Some((product.to_owned(), [version].into_iter().chain(words).collect::<Vec<_>>().join("-")));
    }
    Some((said("NAME")?.to_owned(), said("VERSION").unwrap_or_default().to_owned()))
}

pub fn agama(tree: &dyn Tree) -> Result<Option<Recognised>, Error> {
    let live = first_of(tree, &["LiveOS/squashfs.img".to_owned()])?;
    let Some(live) = live else { return Ok(None) };
    let Some(mut found) = boot(tree, "agama", "agama")? else { return Ok(None) };
    found.variables.push(("live", Value::File(live)));
    if let Some(told) = text(tree, "media.1/media")?.as_deref().and_then(from_media) {
        (found.product, found.version) = (super::slug(&told.0), told.1);
    }
    if tree.names("install")?.is_empty() {
        found
            .notes
            .push("it holds no packages: set the variable tree to a repository, or the installer finds its own".into());
    }
    Ok(Some(found))
}
