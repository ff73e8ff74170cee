//! Records by the thousand: written one after the other while the client reads, so that memory stays flat.

use crate::compat::cobbler;
use crate::compat::xmlrpc::{self, Value};
use crate::engine::Engine;
use crate::model::Name;
use crate::store::World;
use axum::body::{Body, Bytes};
use std::convert::Infallible;
use std::sync::Arc;

/// So many are written at a time: the World's lock is held that long.
const AT_ONCE: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Systems,
    Profiles,
    Distros,
    /// What Cobbler has and we have not: images, repositories, menus.
    Nothing,
}

impl List {
    /// By the plural of what it lists.
    pub fn named(what: &str) -> Option<List> {
        match what {
            "systems" => Some(List::Systems),
            "profiles" => Some(List::Profiles),
            "distros" => Some(List::Distros),
            "images" | "repos" | "menus" | "mgmtclasses" | "packages" | "files" => Some(List::Nothing),
            _ => None,
        }
    }

    pub fn names(self, world: &World) -> Vec<Name> {
        match self {
            List::Systems => world.machines().map(|machine| machine.name.clone()).collect(),
            List::Profiles => world.profiles.keys().cloned().collect(),
            List::Distros => world.distros.keys().cloned().collect(),
            List::Nothing => Vec::new(),
        }
    }

    /// One of them; none where it went meanwhile.
    pub fn one(self, world: &World, name: &Name) -> Option<Value> {
        match self {
            List::Systems => world.machine_named(name).map(cobbler::system),
            List::Profiles => world.profiles.get(name).map(cobbler::profile),
            List::Distros => world.distros.get(name).map(cobbler::distro),
            List::Nothing => None,
        }
    }
}

/// What is left to write.
enum Stage {
    Start,
    From(usize),
    Done,
}

/// The whole answer to a call.
pub(super) fn streamed(engine: Arc<Engine>, list: List) -> Body {
    let names = list.names(&engine.store.world());
    let next = move |stage| {
        let written = written(&engine, list, &names, stage);
        async move { written.map(|(text, stage)| (Ok::<_, Infallible>(Bytes::from(text)), stage)) }
    };
    Body::from_stream(futures_util::stream::unfold(Stage::Start, next))
}

fn written(engine: &Engine, list: List, names: &[Name], stage: Stage) -> Option<(String, Stage)> {
    let from = match stage {
        Stage::Start => return Some((format!("{}{}", xmlrpc::START, xmlrpc::LIST_START), Stage::From(0))),
        Stage::From(from) => from,
        Stage::Done => return None,
    };
    let some = names.get(from..names.len().min(from.saturating_add(AT_ONCE))).unwrap_or_default();
    if some.is_empty() {
        return Some((format!("{}{}", xmlrpc::LIST_END, xmlrpc::END), Stage::Done));
    }
    let mut text = String::new();
    let world = engine.store.world();
    some.iter().filter_map(|name| list.one(&world, name)).for_each(|record| xmlrpc::value(&mut text, &record));
    Some((text, Stage::From(from.saturating_add(some.len()))))
}
