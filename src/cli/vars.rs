//! `kickstand machine vars`: each variable of a machine's answer file, and where its value comes from.

use super::session::{Output, Session, json, print, understood, width};
use super::table;
use crate::http::api::variables::{OverView, VariableView};
use crate::model::Name;
use anyhow::Result;
use clap::Args;
use hyper::Method;
use serde_json::Value;

#[derive(Debug, Args)]
pub struct Vars {
    /// Its name
    name: Name,
    /// Show what each value overrides, too
    #[arg(long)]
    all: bool,
}

pub async fn run(Vars { name, all }: Vars, session: &Session) -> Result<()> {
    let value = session.client.ask(Method::GET, &format!("machines/{name}/variables"), None).await?;
    match session.output {
        Output::Json => json(&value),
        Output::Table => {
            let rows: Vec<_> = understood::<Vec<VariableView>>(value)?.iter().flat_map(|v| rows(v, all)).collect();
            print(&table::table(&["variable", "value", "from"], &rows, width()))
        }
    }
}

/// The value that counts, and under it what it overrides.
fn rows(variable: &VariableView, all: bool) -> Vec<Vec<String>> {
    let counts = vec![variable.name.clone(), text(&variable.value, variable.secret), variable.from.clone()];
    let over = |over: &OverView| vec![String::new(), text(&over.value, over.secret), format!("over {}", over.from)];
    let over = variable.over.iter().filter(|_| all).map(over);
    std::iter::once(counts).chain(over).collect()
}

fn text(value: &Option<Value>, secret: bool) -> String {
    match value {
        _ if secret => "(secret)".into(),
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.replace(['\n', '\r'], " "),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_overridden_stands_below_and_secrets_have_no_value() {
        let view = |text: &str| serde_json::from_str::<VariableView>(text).unwrap();
        let disk = view(
            r#"{"name":"disk","value":"/dev/vda","secret":false,"from":"machine web1","over":[
            {"value":"/dev/sda","secret":false,"from":"distro d"}]}"#,
        );
        let hash = view(r#"{"name":"root_password_hash","value":null,"secret":true,"from":"profile web","over":[]}"#);
        let rows: Vec<_> = [disk, hash].iter().flat_map(|v| rows(v, true)).collect();
        insta::assert_snapshot!(table::table(&["variable", "value", "from"], &rows, None), @r"
        VARIABLE            VALUE     FROM
        disk                /dev/vda  machine web1
                            /dev/sda  over distro d
        root_password_hash  (secret)  profile web
        ");
    }
}
