//! What the agent of a running system posts: that it is there, and that it installs itself anew.

use super::agent::{bearer, unauthorized};
use super::auth::Peer;
use super::machine::{failed, from};
use crate::boot::reinstall::{AGAIN_SECS, Wish};
use crate::engine::{Anew, Engine, Granted, Part};
use crate::model::{Carried, Way};
use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ipnetwork::Ipv4Network;
use kickstand_agent::kit;
use std::sync::Arc;

type Asked = (State<Arc<Engine>>, ConnectInfo<Peer>, HeaderMap);

pub async fn check_in(
    (State(engine), ConnectInfo(peer), headers): Asked,
    Json(check_in): Json<kit::CheckIn>,
) -> Response {
    let (Some(from), Some(credential)) = (from(&peer), bearer(&headers)) else { return unauthorized() };
    let Ok(life) = check_in.boot_id.parse() else { return misread("boot_id is not a UUID") };
    match engine.heard(credential, (life, check_in.up_secs), from).await {
        Ok(Some(told)) => Json(kit::Orders {
            wish: match told.wish {
                Wish::Nothing => kit::Wish::Nothing,
                Wish::Reinstall => kit::Wish::Reinstall,
            },
            inventory: kit::digest(&told.inventory.unwrap_or_default()) != check_in.inventory_sha256,
            again_secs: AGAIN_SECS,
        })
        .into_response(),
        Ok(None) => unauthorized(),
        Err(error) => failed(&error, "check-in"),
    }
}

pub async fn reinstall(
    (State(engine), ConnectInfo(peer), headers): Asked,
    Json(wanted): Json<kit::Reinstall>,
) -> Response {
    let (Some(from), Some(credential)) = (from(&peer), bearer(&headers)) else { return unauthorized() };
    let anew = match anew(wanted) {
        Ok(anew) => anew,
        Err(text) => return misread(&text),
    };
    match engine.reinstall(credential, anew, from).await {
        Ok(Granted::Kit(kit)) => {
            let crate::engine::Kit { machine, profile, kernel, initrd, command_line, memory_mib } = *kit;
            let (machine, profile) = (machine.to_string(), profile.to_string());
            let (kernel, initrds) = (part(kernel), vec![part(initrd)]);
            let kit = kit::Kit { machine, profile, kernel, initrds, command_line, memory_mib };
            ([(header::CACHE_CONTROL, "no-store")], Json(kit)).into_response()
        }
        // It has the machine's credential: it may know why, and what to do.
        Ok(Granted::Refused(text)) => (StatusCode::FORBIDDEN, format!("{text}\n")).into_response(),
        Ok(Granted::Nobody) => unauthorized(),
        Err(error) => failed(&error, "installer"),
    }
}

pub async fn starts((State(engine), ConnectInfo(peer), headers): Asked, Json(starts): Json<kit::Starts>) -> Response {
    let (Some(from), Some(credential)) = (from(&peer), bearer(&headers)) else { return unauthorized() };
    let Ok(life) = starts.boot_id.parse() else { return misread("boot_id is not a UUID") };
    let way = match (starts.way, starts.failed) {
        (Some(way), None) => match way.parse::<Way>() {
            Ok(way) => Ok(way),
            Err(error) => return misread(&error.to_string()),
        },
        (None, Some(text)) => Err(kit::shortened(text)),
        _ => return misread("one of way and failed is needed"),
    };
    match engine.starts(credential, life, way, from).await {
        Ok(Some(true)) => StatusCode::NO_CONTENT.into_response(),
        Ok(Some(false)) => (StatusCode::CONFLICT, "this boot is over: nothing may be started\n").into_response(),
        Ok(None) => unauthorized(),
        Err(error) => failed(&error, "way"),
    }
}

/// From the wire's words to the core's.
fn anew(wanted: kit::Reinstall) -> Result<Anew, String> {
    let kit::Reinstall { boot_id, mac, profile, network } = wanted;
    Ok(Anew {
        life: boot_id.parse().map_err(|_| "boot_id is not a UUID".to_owned())?,
        mac: mac.parse().map_err(|error: crate::model::Malformed| format!("mac: {error}"))?,
        profile: profile.map(|name| name.parse()).transpose().map_err(|error| format!("profile: {error}"))?,
        carried: network.map(carried).transpose()?,
    })
}

fn carried(network: kit::Carried) -> Result<Carried, String> {
    let kit::Carried { address, gateway, dns } = network;
    let wrong = |what: &str, text: &str| format!("network: {what} {text:?} is not IPv4");
    let own: Ipv4Network = address.parse().map_err(|_| wrong("address", &address))?;
    let ip = |what: &str, text: String| text.parse().map_err(|_| wrong(what, &text));
    Ok(Carried {
        ip: own.ip(),
        prefix: own.prefix(),
        gateway: gateway.map(|text| ip("gateway", text)).transpose()?,
        dns: dns.into_iter().map(|text| ip("name server", text)).collect::<Result<_, _>>()?,
    })
}

fn part(part: Part) -> kit::Part {
    kit::Part { path: format!("/files/{}", part.path), size_bytes: part.size_bytes, sha256: part.sha256.to_string() }
}

fn misread(text: &str) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, format!("{text}\n")).into_response()
}
