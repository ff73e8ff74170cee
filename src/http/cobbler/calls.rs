//! The methods of `/cobbler_api`: what everybody may know, two that bring something, and a no to all that would change.

use super::Reply;
use super::lists::{List, streamed};
use super::ops;
use crate::boot::announce::{Announced, Card};
use crate::boot::report::Stage;
use crate::compat::cobbler::{self, Subject, wording};
use crate::compat::xmlrpc::{Call, Value};
use crate::engine::Engine;
use crate::engine::cobbler::Piece;
use crate::model::{Mac, Name};
use std::net::Ipv4Addr;
use std::sync::Arc;

pub(super) async fn answer(engine: &Arc<Engine>, call: Call, from: Ipv4Addr) -> Reply {
    let Call { method, params } = call;
    let params = params.as_slice();
    if let Some(reply) = told(engine, &method, params, from) {
        return reply;
    }
    match (method.as_str(), params) {
        ("register_new_system", [said, ..]) => register(engine, said, from).await,
        ("upload_log_data", [machine, file, size, offset, Value::Bytes(data), ..]) => {
            let piece = piece((machine, file), (size, offset), data);
            said(
                async {
                    Ok(match piece {
                        Some(piece) => engine.keep_log(piece, from).await?,
                        None => false,
                    })
                }
                .await,
            )
        }
        ("upload_log_data", _) => Reply::Said(false.into()),
        ("disable_netboot", [Value::Text(name), ..]) => match subject("system", name) {
            Some(subject) => said(engine.report_by_name(&subject, from, Stage::Done).await),
            None => Reply::Said(false.into()),
        },
        ("run_install_triggers", [Value::Text(mode), Value::Text(kind), Value::Text(name), ..]) => {
            said(ops::trigger(engine, subject(kind, name).as_ref(), mode, from).await)
        }
        (
            "get_template_file_for_system" | "get_template_file_for_profile",
            [Value::Text(name), Value::Text(path), ..],
        ) => {
            let kind = method.trim_start_matches("get_template_file_for_");
            match subject(kind, name) {
                Some(subject) => text(engine.template_file(&subject, path, from).await),
                None => text(Ok(None)),
            }
        }
        _ => refused(&method, params),
    }
}

/// What changes nothing and waits for nothing.
fn told(engine: &Arc<Engine>, method: &str, params: &[Value], from: Ipv4Addr) -> Option<Reply> {
    let first = params.first().and_then(Value::text);
    let name = || first.and_then(|name| name.parse::<Name>().ok());
    if let Some(list) = method.strip_prefix("get_").and_then(|what| List::named(what.trim_end_matches("_since"))) {
        return Some(Reply::Many(streamed(engine.clone(), list)));
    }
    if let Some(kind) = method.strip_prefix("get_").and_then(|rest| rest.strip_suffix("_as_rendered")) {
        return Some(rendered(engine, kind, first, from));
    }
    Some(Reply::Said(match method {
        "ping" => true.into(),
        "version" => Value::Double(cobbler::VERSION.1),
        "extended_version" => Value::Struct(vec![
            ("version".into(), cobbler::VERSION.0.into()),
            ("version_tuple".into(), Value::from(cobbler::VERSION.2.to_vec())),
        ]),
        // It rises with each change of the configuration, which is all that is asked of it.
        "last_modified_time" => {
            #[allow(clippy::cast_precision_loss)]
            let revision = engine.store.world().revision() as f64;
            Value::Double(revision)
        }
        "get_settings" => ops::settings(engine, from),
        "get_events" => Value::Struct(vec![]),
        "token_check" => false.into(),
        "check_access_no_fail" => Value::Int(0),
        "get_item_names" => names(engine, &format!("{}s", first?)),
        "has_item" => has_item(engine, first?, params.get(1)).into(),
        "get_system" | "get_profile" | "get_distro" | "get_image" | "get_repo" => {
            let list = List::named(&format!("{}s", method.trim_start_matches("get_")))?;
            name().and_then(|name| list.one(&engine.store.world(), &name)).unwrap_or(Value::Nil)
        }
        "find_system" => found(engine, params.first()),
        "find_system_by_dns_name" => {
            let known =
                |name: &&str| name.parse().is_ok_and(|name| engine.store.world().machine_named(&name).is_some());
            let whole = first.filter(known);
            return Some(rendered(engine, "system", whole.or_else(|| first?.split('.').next()), from));
        }
        "get_config_data" => config_data(),
        "get_repo_config_for_system" | "get_repo_config_for_profile" => {
            let subject = subject(method.trim_start_matches("get_repo_config_for_"), first?)?;
            return Some(text(engine.repositories(&subject, from)));
        }
        _ => return None,
    }))
}

/// One record with all that installing takes; an empty one where there is none.
fn rendered(engine: &Engine, kind: &str, name: Option<&str>, from: Ipv4Addr) -> Reply {
    let empty = || Reply::Said(Value::Struct(vec![]));
    let Some(name) = name else { return empty() };
    if kind == "distro" {
        let one = name.parse().ok().and_then(|name| List::Distros.one(&engine.store.world(), &name));
        return one.map_or_else(empty, Reply::Said);
    }
    let Some(subject) = subject(kind, name) else { return empty() };
    match engine.sheet(&subject, from) {
        Ok(Some(sheet)) => Reply::Said(cobbler::rendered(&sheet)),
        Ok(None) => empty(),
        // Why may quote what only operators know.
        Err(error) => {
            tracing::warn!(%error, name, "nothing was told of it to a client of Cobbler");
            Reply::Fault(wording::refused(&wording::not_installable(name)))
        }
    }
}

pub(super) fn subject(kind: &str, name: &str) -> Option<Subject> {
    match kind {
        "system" => name.parse().ok().map(Subject::System),
        "profile" => name.parse().ok().map(Subject::Profile),
        _ => None,
    }
}

fn names(engine: &Engine, what: &str) -> Value {
    let names = List::named(what).map(|list| list.names(&engine.store.world())).unwrap_or_default();
    Value::List(names.iter().map(|name| name.as_str().into()).collect())
}

fn has_item(engine: &Engine, what: &str, name: Option<&Value>) -> bool {
    let list = List::named(&format!("{what}s"));
    let name = name.and_then(Value::text).and_then(|name| name.parse::<Name>().ok());
    list.zip(name).is_some_and(|(list, name)| list.one(&engine.store.world(), &name).is_some())
}

/// Names of the machines that are all of what was said; of what we do not know of them, none is.
fn found(engine: &Engine, criteria: Option<&Value>) -> Value {
    let Some(Value::Struct(criteria)) = criteria else { return Value::List(vec![]) };
    let world = engine.store.world();
    let fits = |machine: &crate::model::Machine| {
        criteria.iter().all(|(name, value)| {
            let value = value.text().unwrap_or_default();
            match name.as_str() {
                "name" | "hostname" => machine.name.as_str() == value,
                "profile" => machine.profile.as_ref().is_some_and(|profile| profile.as_str() == value),
                "mac_address" => value.parse::<Mac>().is_ok_and(|mac| machine.has(mac)),
                "ip_address" => {
                    value.parse().is_ok_and(|ip: Ipv4Addr| machine.interfaces.iter().any(|c| c.ip == Some(ip)))
                }
                _ => false,
            }
        })
    };
    Value::List(world.machines().filter(|machine| fits(machine)).map(|machine| machine.name.as_str().into()).collect())
}

/// For `koan --update-config`, whose objects Cobbler itself has given up: nothing is to be changed.
fn config_data() -> Value {
    Value::from(r#"{"repo_data": "", "repos_enabled": false, "packages": {}, "files": {}, "directories": {}}"#)
}

async fn register(engine: &Engine, said: &Value, from: Ipv4Addr) -> Reply {
    let text = |of: &Value, name: &str| of.get(name).and_then(Value::text).unwrap_or_default().trim().to_owned();
    let card = |(name, held): &(String, Value)| Card {
        name: name.clone(),
        mac: text(held, "mac_address"),
        ip: text(held, "ip_address"),
        is_bridge: held.get("bridge").and_then(Value::int) == Some(1),
    };
    let cards = match said.get("interfaces") {
        Some(Value::Struct(cards)) => cards.iter().map(card).collect(),
        _ => Vec::new(),
    };
    let announced =
        Announced { name: text(said, "name"), profile: text(said, "profile"), hostname: text(said, "hostname"), cards };
    match engine.announce(&announced, from).await {
        Ok(Ok(_)) => Reply::Said(Value::Int(0)),
        Ok(Err(text)) => Reply::Fault(wording::refused(&text)),
        Err(error) => failed(&error),
    }
}

fn piece((machine, file): (&Value, &Value), (size, offset): (&Value, &Value), data: &[u8]) -> Option<Piece> {
    Some(Piece {
        machine: machine.text()?.to_owned(),
        file: file.text()?.to_owned(),
        size: size.int()?,
        offset: offset.int()?,
        data: data.to_vec(),
    })
}

fn said(done: Result<bool, crate::engine::Error>) -> Reply {
    match done {
        Ok(done) => Reply::Said(done.into()),
        Err(error) => failed(&error),
    }
}

/// A text, or Cobbler's words for none.
fn text(done: Result<Option<String>, crate::engine::Error>) -> Reply {
    match done {
        Ok(text) => Reply::Said(text.unwrap_or_else(|| "# object not found".into()).into()),
        Err(error) => failed(&error),
    }
}

/// Why is in the log and the events: who asks is nobody in particular.
fn failed(error: &crate::engine::Error) -> Reply {
    tracing::warn!(%error, "a call to /cobbler_api failed");
    Reply::Fault(wording::refused("it could not be done: see the log of the server"))
}

/// Beginnings of methods that take a token.
const CHANGING: &[&str] = &[
    "new_",
    "modify_",
    "save_",
    "remove_",
    "rename_",
    "copy_",
    "background_",
    "sync",
    "power_system",
    "xapi_object_edit",
    "write_",
    "read_",
    "clear_",
    "auto_add_repos",
    "logout",
    "check_access",
    "get_user_from_token",
    "get_task_status",
    "get_event_log",
    "get_autoinstall_",
    "update",
];

fn refused(method: &str, params: &[Value]) -> Reply {
    let user = || params.first().and_then(Value::text).unwrap_or_default();
    // Whatever is given, for there is nobody who could be let in.
    if method == "login" {
        return Reply::Fault(wording::refused(&wording::login_failed(user())));
    }
    let is_handle = method.starts_with("get_") && method.ends_with("_handle");
    if is_handle || CHANGING.iter().any(|start| method.starts_with(start)) {
        return Reply::Fault(wording::refused(wording::CHANGED_ELSEWHERE));
    }
    Reply::Fault(wording::unknown(method))
}
