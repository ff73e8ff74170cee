//! What a lab can have beyond its usual images: loaders, live systems that install nothing, and one of another processor.

use crate::rig::{Lab, lab, root};
use std::path::Path;

impl Lab {
    /// Every loader of Debian's packages, as operators import them, and our own GRUBs.
    pub fn import_loaders(&self) {
        let (packaged, own) = (lab("loaders.sh", &["arm64"], &[]), lab("grub.sh", &[], &[]));
        self.import(&["--all", "--root", &packaged]);
        for (file, loader) in [("grubx64.efi", "grub-http-x64"), ("grubaa64.efi", "grub-http-arm64")] {
            self.import(&["--file", &format!("{own}/{file}"), "--into", loader]);
        }
    }

    fn import(&self, what: &[&str]) {
        let settings = self.folder.join("kickstand.toml").display().to_string();
        self.cli(&[&["loader", "import", "--config", &settings], what].concat());
    }

    /// Profile `live`: a live system that shows a login prompt and installs nothing, in half the time.
    pub fn add_live(&self) {
        let template = self.folder.join("etc/templates/image/live.sh");
        copy(&root().join("tests/metal/live.sh"), &template);
        self.cli(&["profile", "add", "live", "--distro", "debian-12", "--template", "image/live.sh"]);
    }

    /// Profile `live-arm64`, once there is `live`. Its initrd is all of it: it fetches neither live system nor image.
    pub fn add_live_of_arm64(&self) {
        let from = lab("arm64.sh", &[], &[]);
        for name in ["vmlinuz", "initrd.gz"] {
            copy(&Path::new(&from).join(name), &self.folder.join("files/arm64").join(name));
        }
        let distro = ["distro", "add", "debian-12-arm64", "--family", "image", "--arguments", "console=ttyAMA0"];
        let files = ["--kernel", "arm64/vmlinuz", "--initrd", "arm64/initrd.gz"];
        let variables = ["--var", "live=arm64/initrd.gz", "--var", "image=debian-12/root.tar.zst"];
        self.cli(&[&distro[..], &files, &variables].concat());
        self.cli(&["profile", "add", "live-arm64", "--distro", "debian-12-arm64", "--template", "image/live.sh"]);
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    std::fs::copy(from, to).unwrap();
}
