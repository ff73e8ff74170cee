//! `kickstand why`: what would happen if a machine booted now, and which rule says so.

use super::session::{Output, Session, json, print, understood};
use crate::engine::Whom;
use crate::http::api::why::SceneView;
use crate::model::Arch;
use anyhow::{Result, bail};
use clap::Args;
use hyper::Method;

#[derive(Debug, Args)]
pub struct Why {
    /// The machine, or the MAC that would boot, for example web1 or 52:54:00:12:34:56
    #[arg(value_name = "NAME|MAC")]
    whom: Whom,
    /// As which firmware: bios, uefi, uefi-http, arm64, arm64-http, u-boot, or a number of option 93 like 0x0b
    /// [default: as a stranger was heard, else bios]
    #[arg(long, visible_alias = "arch", value_name = "FIRMWARE")]
    firmware: Option<Arch>,
    /// As if the machine were armed
    #[arg(long)]
    armed: bool,
    /// Only this step, with the whole text that the machine would be given: part of its name, such as script, kernel or
    /// answer
    #[arg(long, value_name = "STEP")]
    at: Option<String>,
}

pub async fn run(Why { whom, firmware, armed, at }: Why, session: &Session) -> Result<()> {
    let arch = firmware.map(|Arch(code)| format!("&arch={code}")).unwrap_or_default();
    let value = session.client.ask(Method::GET, &format!("why/{whom}?armed={armed}{arch}"), None).await?;
    let scenes = understood::<Vec<SceneView>>(value.clone())?;
    let Some(at) = at else {
        return match session.output {
            Output::Json => json(&value),
            Output::Table => print(&told(&scenes)),
        };
    };
    let asked: Vec<_> = scenes.iter().filter(|scene| scene.question.contains(&at)).collect();
    if asked.is_empty() {
        let steps: Vec<_> = scenes.iter().map(|scene| scene.question.as_str()).collect();
        bail!("this boot has no step {at:?}: it has {}", steps.join(", "));
    }
    match session.output {
        Output::Json => json(&serde_json::to_value(&asked)?),
        Output::Table => print(&asked.into_iter().map(whole).collect::<Vec<_>>().join("\n")),
    }
}

fn told(scenes: &[SceneView]) -> String {
    scenes.iter().map(scene).collect::<Vec<_>>().join("\n")
}

fn scene(scene: &SceneView) -> String {
    let why = scene.why.iter().map(|reason| format!("    because  {}: {}\n", reason.rule, reason.text));
    let without = scene.without.iter().map(|other| format!("    without  {}: {}\n", other.what, other.answer));
    format!("{}\n  → {}\n{}", scene.question, scene.answer, why.chain(without).collect::<String>())
}

/// With its text, as it would go out.
fn whole(one: &SceneView) -> String {
    match &one.text {
        Some(text) => format!("{}\n{}\n", scene(one), text.trim_end_matches('\n')),
        None => scene(one),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::api::why::ReasonView;

    #[test]
    fn each_answer_stands_above_its_reasons() {
        let reason = |rule: &str, text: &str| ReasonView { rule: rule.into(), text: text.into(), records: Vec::new() };
        let scene = |question: &str, answer: &str, why| SceneView {
            question: question.into(),
            answer: answer.into(),
            why,
            without: Vec::new(),
            text: None,
        };
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
