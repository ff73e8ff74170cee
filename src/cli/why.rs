//! `kickstand why`: what would happen if a machine booted now, and which rule says so.

use super::session::{Output, Session, json, print, understood};
use crate::http::api::why::SceneView;
use crate::model::{Arch, Mac};
use anyhow::Result;
use clap::Args;
use hyper::Method;

#[derive(Debug, Args)]
pub struct Why {
    /// The MAC that would boot, for example 52:54:00:12:34:56
    mac: Mac,
    /// As which firmware: bios, uefi, uefi-http, arm64, arm64-http, u-boot, or a number of option 93 like 0x0b
    /// [default: as a stranger was heard, else bios]
    #[arg(long)]
    arch: Option<Arch>,
}

pub async fn run(Why { mac, arch }: Why, session: &Session) -> Result<()> {
    let arch = arch.map(|Arch(code)| format!("?arch={code}")).unwrap_or_default();
    let value = session.client.ask(Method::GET, &format!("why/{}{arch}", mac.dashed()), None).await?;
    match session.output {
        Output::Json => json(&value),
        Output::Table => print(&told(&understood::<Vec<SceneView>>(value)?)),
    }
}

fn told(scenes: &[SceneView]) -> String {
    let scene = |s: &SceneView| {
        let why = s.why.iter().map(|reason| format!("    because  {}: {}\n", reason.rule, reason.text));
        format!("{}\n  → {}\n{}", s.question, s.answer, why.collect::<String>())
    };
    scenes.iter().map(scene).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::api::why::ReasonView;

    #[test]
    fn each_answer_stands_above_its_reasons() {
        let reason = |rule: &str, text: &str| ReasonView { rule: rule.into(), text: text.into() };
        let scene =
            |question: &str, answer: &str, why| SceneView { question: question.into(), answer: answer.into(), why };
        let role = reason("role", "install: machine web1 is armed");
        let address = reason("address", "10.0.0.11, reserved for 52:54:00:12:34:56");
        let scenes = [
            scene("address and first program", "10.0.0.11 for 3600 s, then snponly.efi by TFTP", vec![role, address]),
            scene("script", "the installer of profile web", vec![reason("profile", "web, named by range rack1")]),
        ];
        insta::assert_snapshot!(told(&scenes), @r"
        address and first program
          → 10.0.0.11 for 3600 s, then snponly.efi by TFTP
            because  role: install: machine web1 is armed
            because  address: 10.0.0.11, reserved for 52:54:00:12:34:56

        script
          → the installer of profile web
            because  profile: web, named by range rack1
        ");
    }
}
