//! `/cblr/svc/op/…`: answer files and scripts for a machine's own address, reports, and a few words for everybody.

use super::calls::subject;
use super::lists::List;
use crate::boot::report::Stage;
use crate::compat::cobbler::{Asked, Subject};
use crate::compat::xmlrpc::Value;
use crate::engine::{Engine, Error};
use crate::http::auth::Peer;
use crate::http::files::decoded;
use crate::http::machine::{failed, from, not_found, plain};
use crate::model::{Mac, Name};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use serde_json::json;
use std::net::Ipv4Addr;
use std::sync::Arc;

type Text = Result<Option<String>, Error>;

pub(super) async fn answer(
    State(engine): State<Arc<Engine>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
) -> Response {
    let path = request.uri().path().strip_prefix("/cblr/svc/op/").unwrap_or_default();
    let (Some(asked), Some(from)) = (Asked::of(path, decoded), from(&peer)) else { return not_found() };
    match given(&engine, &asked, request.headers(), from).await {
        Ok(Some(text)) => plain(text),
        Ok(None) => not_found(),
        Err(error) => failed(&error, "answer"),
    }
}

async fn given(engine: &Engine, asked: &Asked, headers: &HeaderMap, from: Ipv4Addr) -> Text {
    let subject = asked.subject();
    let file = asked.rest.as_deref();
    match (asked.op.as_str(), &subject) {
        // koan reads it before it starts anything, from wherever it runs; what it looks for is no secret.
        ("ks", Some(subject)) if is_koan(headers) => engine.source_of_install(subject, from),
        ("ks" | "autoinstall", Some(subject)) => engine.answer_by_name(subject, file, from).await,
        ("findks" | "find_autoinstall", _) => found(engine, subject, headers, from).await,
        ("bootcfg", Some(subject)) => engine.answer_by_name(subject, Some("boot.cfg"), from).await,
        ("ipxe" | "gpxe", _) => script(engine, subject.as_ref(), asked, from).await,
        ("trig", Some(subject)) => {
            let mode = asked.field("mode").unwrap_or_default();
            trigger(engine, Some(subject), mode, from).await.map(truth)
        }
        ("nopxe", Some(subject)) => engine.report_by_name(subject, from, Stage::Done).await.map(truth),
        ("template", Some(subject)) => match asked.file() {
            Some(path) => engine.template_file(subject, &path, from).await,
            None => Ok(None),
        },
        ("yum", Some(subject)) => engine.repositories(subject, from),
        ("list", _) => Ok(listed(engine, asked.field("what").unwrap_or("systems"))),
        ("autodetect", _) => Ok(Some(detected(engine, headers, from).unwrap_or_else(|said| said))),
        ("settings", _) => Ok(Some(as_json(&settings(engine, from)).to_string())),
        ("events", _) => Ok(Some("[]".into())),
        _ => Ok(None),
    }
}

/// It says so itself, and who lies gets less than is his.
fn is_koan(headers: &HeaderMap) -> bool {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    agent.is_some_and(|agent| agent.starts_with("Python-urllib"))
}

/// As Python says it.
fn truth(done: bool) -> Option<String> {
    Some(if done { "True" } else { "False" }.into())
}

/// Before the install, at its end, and at the first start of what was installed, which changes nothing.
pub(super) async fn trigger(
    engine: &Engine,
    subject: Option<&Subject>,
    mode: &str,
    from: Ipv4Addr,
) -> Result<bool, Error> {
    let Some(subject) = subject else { return Ok(false) };
    match mode {
        "pre" => engine.report_by_name(subject, from, Stage::Started).await,
        "post" => engine.report_by_name(subject, from, Stage::Done).await,
        "firstboot" => Ok(engine.tell_of_install(subject, from, "its first start was announced")),
        _ => Ok(false),
    }
}

/// The boot script of a machine, as at its own address.
async fn script(engine: &Engine, subject: Option<&Subject>, asked: &Asked, from: Ipv4Addr) -> Text {
    let by_card = || asked.field("mac").and_then(|mac| mac.parse::<Mac>().ok());
    let mac = match subject {
        Some(Subject::System(name)) => {
            let world = engine.store.world();
            world.machine_named(name).and_then(|machine| machine.interfaces.first()).map(|card| card.mac)
        }
        Some(Subject::Profile(_)) => None,
        None => by_card(),
    };
    match mac {
        Some(mac) => engine.script(mac, from).await,
        None => Ok(None),
    }
}

/// Which machine asks: by the cards that its installer names, else by its address.
fn detected(engine: &Engine, headers: &HeaderMap, from: Ipv4Addr) -> Result<String, String> {
    let named = |name: &str| name.to_ascii_lowercase().starts_with("x-rhn-provisioning-mac-");
    let said = headers.iter().filter(|(name, _)| named(name.as_str())).filter_map(|(_, value)| value.to_str().ok());
    let macs: Vec<Mac> = said.filter_map(|said| said.split_whitespace().next_back()?.parse().ok()).take(64).collect();
    match engine.detect(&macs, from).as_slice() {
        [] => Err(format!("FAILED: no match ({from},{:?})", macs.iter().map(ToString::to_string).collect::<Vec<_>>())),
        [one] => Ok(one.to_string()),
        _ => Err("FAILED: multiple matches".into()),
    }
}

async fn found(engine: &Engine, named: Option<Subject>, headers: &HeaderMap, from: Ipv4Addr) -> Text {
    let subject = match named {
        Some(subject) => Some(subject),
        None => detected(engine, headers, from).ok().and_then(|name| subject("system", &name)),
    };
    match subject {
        Some(subject) => engine.answer_by_name(&subject, None, from).await,
        None => Ok(None),
    }
}

fn listed(engine: &Engine, what: &str) -> Option<String> {
    let names: Vec<Name> = List::named(what)?.names(&engine.store.world());
    Some(names.iter().map(|name| format!("{name}\n")).collect())
}

/// What of our settings a client could need.
pub(super) fn settings(engine: &Engine, from: Ipv4Addr) -> Value {
    let mut all: Vec<(String, Value)> = Vec::new();
    let mut put = |name: &str, value: Value| all.push((name.to_owned(), value));
    if let Ok(here) = engine.url_for(from) {
        ["server", "next_server_v4"].into_iter().for_each(|name| put(name, here.ip.to_string().into()));
        put("http_port", Value::Int(here.http_port.into()));
    }
    let set = engine.cobbler().map(|cobbler| &cobbler.settings);
    put("register_new_installs", set.is_some_and(|set| set.register).into());
    put("anamon_enabled", set.is_some_and(|set| set.logs.is_some()).into());
    put("pxe_just_once", true.into());
    put("run_install_triggers", true.into());
    Value::Struct(all)
}

fn as_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Bool(truth) => json!(truth),
        Value::Int(number) => json!(number),
        Value::Double(number) => json!(number),
        Value::Text(text) => json!(text),
        Value::List(all) => all.iter().map(as_json).collect(),
        Value::Struct(members) => members.iter().map(|(name, held)| (name.clone(), as_json(held))).collect(),
        Value::Nil | Value::Bytes(_) => serde_json::Value::Null,
    }
}
