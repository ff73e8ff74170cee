//! What a lab can have beyond its usual images: loaders, live systems that install nothing, and one of another processor.

use crate::rig::{Lab, lab, root};
use std::path::Path;

impl Lab {
    /// Every loader that lab/loaders.sh brings, where the server looks for it.
    pub fn add_loaders(&self) {
        let from = lab("loaders.sh", &[], &[]);
        let catalogue = std::fs::read_to_string(root().join("pxe/loaders.toml")).unwrap();
        let catalogue: toml::Table = catalogue.parse().unwrap();
        for loader in catalogue["loader"].as_array().unwrap() {
            let name = loader["name"].as_str().unwrap();
            for file in loader.get("file").and_then(|files| files.as_array()).into_iter().flatten() {
                let file_name = file["name"].as_str().unwrap();
                let packaged = file.get("path").map(|path| format!("{from}{}", path.as_str().unwrap()));
                let own = name.starts_with("grub-http").then(|| format!("{from}/grub-http/{file_name}"));
                if let Some(path) = packaged.or(own) {
                    copy(Path::new(&path), &self.folder.join("loaders").join(name).join(file_name));
                }
            }
        }
    }

    /// Profile `live`: a live system that shows a login prompt and installs nothing, in half the time.
    pub fn add_live(&self) {
        let template = self.folder.join("etc/templates/image/live.sh");
        copy(&root().join("tests/metal/live.sh"), &template);
        self.cli(&["profile", "add", "live", "--distro", "debian-12", "--template", "image/live.sh"]);
    }

    /// Profile `live-arm64`, once there is `live`: it fetches no live system, since its initrd is all of it.
    pub fn add_live_of_arm64(&self) {
        let from = lab("arm64.sh", &[], &[]);
        for name in ["vmlinuz", "initrd.gz"] {
            copy(&Path::new(&from).join(name), &self.folder.join("files/arm64").join(name));
        }
        let distro = ["distro", "add", "debian-12-arm64", "--family", "image", "--arguments", "console=ttyAMA0"];
        let files = ["--kernel", "arm64/vmlinuz", "--initrd", "arm64/initrd.gz"];
        let variables = ["--var", "live=arm64/none", "--var", "image=arm64/none"];
        self.cli(&[&distro[..], &files, &variables].concat());
        self.cli(&["profile", "add", "live-arm64", "--distro", "debian-12-arm64", "--template", "image/live.sh"]);
    }
}

/// iPXE is not among the packages: the host has it.
fn copy(from: &Path, to: &Path) {
    if from.exists() {
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(from, to).unwrap();
    }
}
