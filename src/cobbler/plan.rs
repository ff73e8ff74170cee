//! From Cobbler's records to ours, as the API takes them, and what is to be said of each that is not the same.

use super::fields::{Fate, fate};
use super::folder::{Folder, Item};
use super::places::Places;
use super::texts::{self, Texts};
use super::wires::{self, Wires, text};
use crate::cheetah::{FOLDER, Known};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// What a line of the report is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// Somebody must do something.
    Todo,
    /// It is not taken.
    Left,
    /// It is taken otherwise.
    Changed,
    Note,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    pub what: What,
    pub place: String,
    pub text: String,
}

impl Line {
    pub fn new(what: What, place: &str, text: &str) -> Line {
        Line { what, place: place.to_owned(), text: text.to_owned() }
    }
}

/// What the server has already.
#[derive(Debug, Default)]
pub struct Server {
    pub networks: Vec<(Ipv4Addr, u8)>,
    pub network_names: BTreeSet<String>,
    /// Distros, whose kernels and initrds are there.
    pub distros: BTreeMap<String, (String, String)>,
}

/// Files that a distro needs below the server's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    pub distro: String,
    /// Where they lie on Cobbler's host.
    pub from: [String; 2],
    /// Where they come to lie below the files of the server.
    pub to: [String; 2],
}

#[derive(Debug, Default)]
pub struct Plan {
    /// By their names here.
    pub templates: BTreeMap<String, String>,
    pub networks: Vec<Value>,
    pub distros: Vec<Value>,
    pub profiles: Vec<Value>,
    pub machines: Vec<Value>,
    pub boots: Vec<Boot>,
    pub lines: Vec<Line>,
    pub converted: usize,
    pub remarked: usize,
}

pub fn plan(folder: &Folder, server: &Server) -> Plan {
    let mut work = Work {
        folder,
        server,
        plan: Plan::default(),
        names: BTreeMap::new(),
        known: Known::default(),
        stops: BTreeMap::new(),
    };
    work.names();
    work.distros();
    work.profiles();
    work.systems();
    work.whole_kinds();
    let Texts { all, lines, converted, remarked, .. } = texts::texts(folder, &mut work.known);
    work.plan.templates = all;
    work.plan.templates.append(&mut work.stops);
    work.plan.lines.extend(lines);
    (work.plan.converted, work.plan.remarked) = (converted, remarked);
    work.missing_templates();
    for (place, why) in &folder.unread {
        work.plan.lines.push(Line::new(What::Left, place, why));
    }
    for trigger in &folder.triggers {
        let why = "a program that Cobbler ran by itself: here events tell of what happens";
        work.plan.lines.push(Line::new(What::Left, &format!("triggers/{trigger}"), why));
    }
    work.plan.lines.sort_by(|a, b| (a.what, &a.place).cmp(&(b.what, &b.place)));
    work.plan.lines.dedup();
    work.plan
}

/// A name as ours are: none where nothing of it can stay.
pub fn named(name: &str) -> Option<String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_');
    let plain: String = name.to_ascii_lowercase().chars().map(|c| if fits(c) { c } else { '-' }).collect();
    let plain: String = plain.trim_start_matches(['.', '-', '_']).chars().take(63).collect();
    (!plain.is_empty()).then_some(plain)
}

pub fn is_variable(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && name.chars().all(fits) && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// Nobody said anything: nothing, Cobbler's word for inherited, or its word for nothing.
fn is_silent(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => matches!(text.as_str(), "" | "~" | "<<inherit>>"),
        Value::Array(all) => all.is_empty(),
        Value::Object(all) => all.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Options as words: `{"console": ["ttyS0", "tty0"], "quiet": "~"}`, or the words themselves.
pub fn options(value: &Value) -> String {
    let word = |key: &str, value: &Value| match value {
        Value::Null => key.to_owned(),
        Value::String(text) if text.is_empty() || text == "~" => key.to_owned(),
        Value::String(text) if text.contains(' ') => format!("{key}=\"{text}\""),
        Value::String(text) => format!("{key}={text}"),
        other => format!("{key}={other}"),
    };
    match value {
        Value::String(text) if !removed(value).is_empty() => {
            text.split_whitespace().filter(|word| !word.starts_with('!')).collect::<Vec<_>>().join(" ")
        }
        Value::String(text) if text != "<<inherit>>" && text != "~" => text.trim().to_owned(),
        Value::Object(all) => {
            let words = all.iter().filter(|(key, _)| !key.starts_with('!')).flat_map(|(key, value)| match value {
                Value::Array(several) => several.iter().map(|one| word(key, one)).collect::<Vec<_>>(),
                one => vec![word(key, one)],
            });
            words.collect::<Vec<_>>().join(" ")
        }
        _ => String::new(),
    }
}

/// Options that are taken away from what is inherited: `{"!quiet": "~"}`.
fn removed(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => text.split_whitespace().filter_map(|word| word.strip_prefix('!')).collect(),
        Value::Object(all) => all.keys().filter_map(|key| key.strip_prefix('!')).collect(),
        _ => Vec::new(),
    }
}

/// `ks_meta`: a map, or `a=b c=d` in one text.
pub fn meta(value: &Value) -> Map<String, Value> {
    match value {
        Value::Object(all) => all.clone(),
        Value::String(text) if text != "<<inherit>>" && text != "~" => {
            let pair = |word: &str| {
                let (key, value) = word.split_once('=').unwrap_or((word, ""));
                (key.to_owned(), Value::String(value.trim_matches(['"', '\'']).to_owned()))
            };
            text.split_whitespace().map(pair).collect()
        }
        _ => Map::new(),
    }
}

fn list(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(text)) if !is_silent(&Value::String(text.clone())) => {
            text.split([',', ' ']).filter(|one| !one.is_empty()).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// Variables and secrets of one record.
#[derive(Default)]
struct Words {
    variables: Map<String, Value>,
    secrets: Map<String, Value>,
}

struct Work<'a> {
    folder: &'a Folder,
    server: &'a Server,
    plan: Plan,
    /// Kind and name there, name here.
    names: BTreeMap<(&'static str, String), String>,
    known: Known,
    /// Templates that only say what is to be done.
    stops: BTreeMap<String, String>,
}

impl Work<'_> {
    fn say(&mut self, what: What, item: &Item, text: &str) {
        self.plan.lines.push(Line::new(what, &item.place, text));
    }

    fn names(&mut self) {
        for kind in ["distro", "profile", "system"] {
            let mut taken = BTreeSet::new();
            for item in self.folder.all(kind) {
                let Some(mut name) = named(&item.name) else {
                    self.say(What::Left, item, &format!("{:?} is no name here", item.name));
                    continue;
                };
                while !taken.insert(name.clone()) {
                    name = format!("{}-2", name.chars().take(60).collect::<String>());
                }
                if name != item.name {
                    self.say(What::Changed, item, &format!("{kind} {} is called {name} here", item.name));
                }
                self.names.insert((kind, item.name.clone()), name);
            }
        }
    }

    fn name(&self, kind: &'static str, name: &str) -> Option<String> {
        self.names.get(&(kind, name.to_owned())).cloned()
    }

    fn know(&mut self, name: &str, always: bool) {
        let known = self.known.names.entry(name.to_owned()).or_insert(always);
        *known |= always;
    }

    fn words(&mut self, kind: &'static str, item: &Item) -> Words {
        let mut words = Words::default();
        for (field, value) in &item.fields {
            let Some(fate) = fate(kind, field) else {
                self.say(What::Left, item, &format!("{field}: this field is not known here"));
                continue;
            };
            if is_silent(value) {
                continue;
            }
            match fate {
                Fate::Variable => {
                    words.variables.insert(field.clone(), value.clone());
                    self.know(field, false);
                }
                Fate::Secret => {
                    words.secrets.insert(field.clone(), json!(value.as_str().unwrap_or_default()));
                    self.know(field, false);
                }
                Fate::Left(why) if is_worth_telling(field, value) => {
                    self.say(What::Left, item, &format!("{field}: {why}"))
                }
                Fate::Left(_) | Fate::Inner | Fate::Kept(_) => {}
            }
        }
        let given =
            item.fields.get("autoinstall_meta").filter(|value| !is_silent(value)).or(item.fields.get("ks_meta"));
        for (name, value) in given.map(meta).unwrap_or_default() {
            self.given(item, &mut words, &name, value);
        }
        for field in ["kernel_options", "kernel_options_post"] {
            for gone in item.fields.get(field).map(removed).unwrap_or_default() {
                self.say(What::Todo, item, &format!("{field} !{gone}: it takes {gone} away from what is inherited: set {gone} here to what it shall be"));
            }
        }
        let post = item.fields.get("kernel_options_post").map(options).unwrap_or_default();
        if !post.is_empty() {
            words.variables.insert("kernel_options_post".into(), json!(post));
            words.variables.insert("kernel_arguments".into(), json!(post));
        }
        words
    }

    /// A word of `ks_meta`.
    fn given(&mut self, item: &Item, words: &mut Words, name: &str, value: Value) {
        if let Some(gone) = name.strip_prefix('!') {
            self.say(
                What::Todo,
                item,
                &format!(
                    "ks_meta {name}: it takes {gone} away from what is inherited: set {gone} here to what it shall be"
                ),
            );
            return;
        }
        if !is_variable(name) {
            self.say(What::Left, item, &format!("ks_meta {name}: no template can name it"));
            return;
        }
        let value = if is_silent(&value) { json!("") } else { self.addressed(value) };
        self.know(name, false);
        if is_secret(name) {
            words
                .secrets
                .insert(name.to_owned(), json!(value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
        } else {
            words.variables.insert(name.to_owned(), value);
        }
    }

    /// Cobbler fills in its own address at the end.
    fn addressed(&self, value: Value) -> Value {
        let Value::String(text) = value else { return value };
        let server = self.folder.settings.get("server").and_then(Value::as_str).unwrap_or("127.0.0.1");
        Value::String(text.replace("@@http_server@@", server).replace("@@server@@", server))
    }

    /// What templates name of Cobbler's settings: below all else, so on each distro.
    fn settings(&mut self) -> (Words, String) {
        let mut words = Words::default();
        let settings = &self.folder.settings;
        for (field, value) in settings {
            if is_silent(value) {
                continue;
            }
            match fate("settings", field) {
                Some(Fate::Variable) => drop(words.variables.insert(field.clone(), value.clone())),
                Some(Fate::Secret) => {
                    drop(words.secrets.insert(field.clone(), json!(value.as_str().unwrap_or_default())))
                }
                _ => {}
            }
        }
        for (field, name) in
            [("default_name_servers", "name_servers"), ("default_name_servers_search", "name_servers_search")]
        {
            let all = list(settings.get(field));
            if !all.is_empty() {
                words.variables.insert(name.into(), json!(all));
            }
        }
        if let Some(hash) = words.secrets.get("default_password_crypted").cloned() {
            // What our own templates name.
            words.secrets.insert("root_password_hash".into(), hash);
        }
        let all: Vec<String> = words.variables.keys().chain(words.secrets.keys()).cloned().collect();
        all.iter().for_each(|name| self.know(name, true));
        let left = settings
            .iter()
            .filter(|(field, value)| !is_silent(value) && matches!(fate("settings", field), Some(Fate::Left(_))));
        let left: Vec<&str> = left.map(|(field, _)| field.as_str()).collect();
        if !left.is_empty() {
            self.plan.lines.push(Line::new(
                What::Left,
                "settings",
                &format!("how Cobbler itself runs: {}", left.join(", ")),
            ));
        }
        (words, settings.get("kernel_options").map(options).unwrap_or_default())
    }

    fn distros(&mut self) {
        let (below, arguments) = self.settings();
        for item in self.folder.all("distro") {
            let Some(name) = self.name("distro", &item.name) else { continue };
            let breed = field(item, "breed");
            let Some(family) = family(breed) else {
                self.say(
                    What::Left,
                    item,
                    &format!("distro {}: {breed:?} is nothing that is installed here", item.name),
                );
                self.names.remove(&("distro", item.name.clone()));
                continue;
            };
            let mut words = self.words("distro", item);
            for (name, value) in below.variables.clone() {
                words.variables.entry(name).or_insert(value);
            }
            for (name, value) in below.secrets.clone() {
                words.secrets.entry(name).or_insert(value);
            }
            if breed == "ubuntu" {
                self.say(What::Note, item, "Ubuntu with a preseed file is of the family debian; for its newer installer import it as a distro of its own, family ubuntu");
            }
            words.variables.insert("breed".into(), json!(breed));
            let version = field(item, "os_version");
            if !version.is_empty() {
                words.variables.insert("os_version".into(), json!(version));
            }
            if let Some(release) = release(version) {
                words.variables.insert("release".into(), json!(release));
            }
            if words
                .variables
                .get("tree")
                .is_some_and(|tree| tree.as_str().is_some_and(|tree| tree.starts_with("nfs:")))
            {
                self.say(
                    What::Todo,
                    item,
                    "its tree is on NFS: Cobbler wrote an nfs line in the place of url; write it in the template",
                );
            } else if words.variables.contains_key("tree") {
                self.say(What::Todo, item, "its tree is still that of Cobbler's host: `kickstand distro import` takes one in, or set the variable tree");
            }
            let (kernel, initrd) = self.boot(item, &name);
            let own = item.fields.get("kernel_options").map(options).unwrap_or_default();
            let arguments = [arguments.as_str(), own.as_str()]
                .into_iter()
                .filter(|one| !one.is_empty())
                .collect::<Vec<_>>()
                .join(" ");
            for name in words.variables.keys().cloned().collect::<Vec<_>>() {
                self.know(&name, false);
            }
            self.plan.distros.push(json!({
                "name": name, "family": family, "kernel": kernel, "initrd": initrd, "arguments": arguments,
                "variables": words.variables, "secrets": words.secrets,
            }));
        }
    }

    /// Those that the server has, or where they will lie.
    fn boot(&mut self, item: &Item, name: &str) -> (String, String) {
        if let Some((kernel, initrd)) = self.server.distros.get(name) {
            return (kernel.clone(), initrd.clone());
        }
        let from = [field(item, "kernel").to_owned(), field(item, "initrd").to_owned()];
        let to = ["kernel", "initrd"].map(|file| format!("distros/{name}/{file}"));
        self.plan.boots.push(Boot { distro: name.to_owned(), from, to: to.clone() });
        let [kernel, initrd] = to;
        (kernel, initrd)
    }

    fn profiles(&mut self) {
        let repos = self.repos();
        let all = self.folder.all("profile");
        // Parents first; a circle is told.
        let mut left: Vec<&Item> = all.iter().filter(|item| self.name("profile", &item.name).is_some()).collect();
        let mut done = BTreeSet::new();
        while !left.is_empty() {
            let is_ready = |item: &Item| field(item, "parent").is_empty() || done.contains(field(item, "parent"));
            let (ready, rest): (Vec<&Item>, Vec<&Item>) = left.iter().partition(|item| is_ready(item));
            if ready.is_empty() {
                for item in rest {
                    self.say(
                        What::Left,
                        item,
                        &format!("profile {}: its parent {:?} is not there", item.name, field(item, "parent")),
                    );
                    self.names.remove(&("profile", item.name.clone()));
                }
                break;
            }
            for item in ready {
                done.insert(field(item, "name").to_owned());
                self.profile(item, &repos);
            }
            left = rest;
        }
    }

    fn profile(&mut self, item: &Item, repos: &BTreeMap<String, Value>) {
        let Some(name) = self.name("profile", &item.name) else { return };
        let mut words = self.words("profile", item);
        let named: Vec<Value> =
            list(item.fields.get("repos")).iter().filter_map(|repo| repos.get(repo)).cloned().collect();
        if !named.is_empty() {
            words.variables.insert("yum_repo_stanza".into(), json!(stanza(&named)));
            words.variables.insert("repo_data".into(), Value::Array(named));
        }
        let parent = field(item, "parent");
        let distro = field(item, "distro");
        let distro_here = self.name("distro", distro);
        if !distro.is_empty() && distro_here.is_none() && parent.is_empty() {
            self.say(
                What::Todo,
                item,
                &format!(
                    "profile {}: its distro {distro:?} is not taken in: `kickstand profile set {name} --distro …`",
                    item.name
                ),
            );
        }
        let template = self.template_of(item).or_else(|| self.usual_template(item, parent.is_empty()));
        self.plan.profiles.push(json!({
            "name": name,
            "parent": if parent.is_empty() { None } else { self.name("profile", parent) },
            "distro": distro_here.filter(|_| parent.is_empty()),
            "template": template,
            "arguments": item.fields.get("kernel_options").map(options).unwrap_or_default(),
            "variables": words.variables,
            "secrets": words.secrets,
        }));
    }

    fn template_of(&mut self, item: &Item) -> Option<String> {
        let first = [field(item, "autoinstall"), field(item, "kickstart")].into_iter().find(|said| !said.is_empty())?;
        self.answer(item, first)
    }

    /// That of the settings, where a profile without a parent leaves it to them.
    fn usual_template(&mut self, item: &Item, is_root: bool) -> Option<String> {
        let said = item.fields.get("autoinstall").or(item.fields.get("kickstart")).and_then(Value::as_str);
        if !is_root {
            return None;
        }
        if said.is_some_and(|said| said.is_empty() || said == "~") {
            return Some(self.stopped(item, "it has no answer file: Cobbler's installer asks, and nothing here does: write a template and `kickstand profile set` it"));
        }
        let settings = &self.folder.settings;
        let usual = settings.get("autoinstall").or(settings.get("default_kickstart")).and_then(Value::as_str)?;
        self.answer(item, usual)
    }

    /// What lies on another server must not become the family's own, which wipes disks.
    fn answer(&mut self, item: &Item, said: &str) -> Option<String> {
        let Some((scheme, rest)) = said.split_once("://") else { return template(said) };
        // Who may fetch it is no one else's business.
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
        let why = format!(
            "its answer file {scheme}://{rest} lies on another server: fetch it, `kickstand template set` it and name it in the profile"
        );
        Some(self.stopped(item, &why))
    }

    /// A template in which rendering stops.
    fn stopped(&mut self, item: &Item, why: &str) -> String {
        let plain = named(&item.name).unwrap_or_default();
        let kind = if item.fields.contains_key("interfaces") { "system" } else { "profile" };
        let name = format!("{FOLDER}/answer-of-{kind}-{plain}");
        let quoted = why.replace(['"', '\\'], "'");
        self.say(What::Todo, item, why);
        let text = format!("{{% do not_converted(\"{kind} {plain}: {quoted}\") %}}\n");
        self.stops.insert(name.clone(), text);
        name
    }

    fn repos(&mut self) -> BTreeMap<String, Value> {
        let mut all = BTreeMap::new();
        let used: BTreeSet<String> =
            self.folder.all("profile").iter().flat_map(|item| list(item.fields.get("repos"))).collect();
        for item in self.folder.all("repo") {
            let kept = item
                .fields
                .iter()
                .filter(|(field, _)| matches!(fate("repo", field), Some(Fate::Kept(_) | Fate::Variable)));
            let kept: Map<String, Value> = kept.map(|(field, value)| (field.clone(), value.clone())).collect();
            for field in item.fields.keys().filter(|field| fate("repo", field).is_none()) {
                self.plan.lines.push(Line::new(
                    What::Left,
                    &item.place,
                    &format!("{field}: this field is not known here"),
                ));
            }
            match used.contains(&item.name) {
                false => self.say(What::Left, item, &format!("repo {}: no profile names it", item.name)),
                true if kept.get("mirror_locally").is_some_and(|is| is == &json!(true)) => {
                    self.say(
                        What::Note,
                        item,
                        &format!("repo {}: Cobbler's copy is not taken: the profiles name its mirror", item.name),
                    );
                }
                true => {}
            }
            all.insert(item.name.clone(), Value::Object(kept));
        }
        all
    }

    fn systems(&mut self) {
        let mut places = Places::of(&self.server.networks);
        let (mut macs, mut ips): (BTreeMap<String, String>, BTreeMap<Ipv4Addr, String>) = Default::default();
        for item in self.folder.all("system") {
            let Some(name) = self.name("system", &item.name) else { continue };
            self.system(item, &name, &mut places, &mut macs, &mut ips);
        }
        for (record, told) in places.records(&self.server.network_names) {
            let place = format!("network {}", record.get("name").and_then(Value::as_str).unwrap_or_default());
            self.plan.lines.push(Line::new(What::Todo, &place, &told));
            self.plan.networks.push(record);
        }
    }

    fn system(
        &mut self,
        item: &Item,
        name: &str,
        places: &mut Places,
        macs: &mut BTreeMap<String, String>,
        ips: &mut BTreeMap<Ipv4Addr, String>,
    ) {
        let mut words = self.words("system", item);
        let nothing = Map::new();
        let interfaces = item.fields.get("interfaces").and_then(Value::as_object).unwrap_or(&nothing);
        for (nic, of) in interfaces {
            for field in of.as_object().into_iter().flat_map(|of| of.keys()) {
                match fate("interface", field) {
                    None => self.say(What::Left, item, &format!("{nic}: {field}: this field is not known here")),
                    Some(_) => self.know(&format!("{field}_{nic}"), false),
                }
            }
        }
        if !field(item, "gateway").is_empty() {
            words.variables.insert("gateway".into(), json!(field(item, "gateway")));
        }
        let profile = self.name("profile", field(item, "profile"));
        let breed = self.breed_of(field(item, "profile"));
        let Wires { mut cards, told, variables, remarks } =
            wires::wires(interfaces, field(item, "gateway"), breed == "vmware");
        remarks.iter().for_each(|remark| self.say(What::Note, item, remark));
        let dns: Vec<Ipv4Addr> =
            list(item.fields.get("name_servers")).iter().filter_map(|ip| ip.parse().ok()).collect();
        cards.retain(|card| match macs.get(&card.mac) {
            _ if !is_mac(&card.mac) => {
                self.plan.lines.push(Line::new(
                    What::Left,
                    &item.place,
                    &format!("{}: {:?} is no MAC", card.nic, card.mac),
                ));
                false
            }
            Some(holder) => {
                let text =
                    format!("{}: its MAC {} is that of system {holder}, too: it stays that one's", card.nic, card.mac);
                self.plan.lines.push(Line::new(What::Todo, &item.place, &text));
                false
            }
            None => true,
        });
        if cards.is_empty() {
            self.say(
                What::Left,
                item,
                &format!("system {}: no card with a MAC of its own: a machine is known by it", item.name),
            );
            return;
        }
        for card in &mut cards {
            macs.insert(card.mac.clone(), item.name.clone());
            let Some(ip) = card.ip else { continue };
            if let Some(holder) = ips.get(&ip) {
                let text = format!("{}: its address {ip} is that of system {holder}, too: it has none now", card.nic);
                self.say(What::Todo, item, &text);
                card.ip = None;
                continue;
            }
            match places.take(card, &dns) {
                Ok(remark) => {
                    remark.iter().for_each(|remark| self.say(What::Note, item, remark));
                    ips.insert(ip, item.name.clone());
                }
                Err(why) => {
                    self.say(What::Todo, item, &format!("{}: {why}", card.nic));
                    card.ip = None;
                }
            }
        }
        for (name, value) in variables {
            words.variables.insert(name, value);
        }
        if cards.first().is_some_and(|card| card.ip.is_none()) {
            words.variables.remove("addressing");
        }
        if !told.is_empty() {
            words.variables.insert("interfaces".into(), Value::Object(told));
        }
        let profile = self.own_profile(item, name, profile);
        let cards: Vec<Value> = cards.iter().map(|card| json!({"mac": card.mac, "ip": card.ip})).collect();
        self.plan.machines.push(json!({
            "name": name,
            "interfaces": cards,
            "profile": profile,
            "arguments": item.fields.get("kernel_options").map(options).unwrap_or_default(),
            "variables": words.variables,
            "secrets": words.secrets,
        }));
    }

    /// A system with an answer file of its own needs a profile that says so.
    fn own_profile(&mut self, item: &Item, name: &str, profile: Option<String>) -> Option<String> {
        let Some(template) = self.template_of(item) else {
            if profile.is_none() {
                self.say(
                    What::Todo,
                    item,
                    &format!("machine {name} has no profile: its profile or image is not taken in"),
                );
            }
            return profile;
        };
        let parent = profile?;
        let of_profile =
            self.plan.profiles.iter().find(|one| one.get("name").and_then(Value::as_str) == Some(parent.as_str()));
        if of_profile.is_some_and(|one| one.get("template").and_then(Value::as_str) == Some(template.as_str())) {
            return Some(parent);
        }
        let mut own = format!("of-{}", name.chars().take(56).collect::<String>());
        while self.plan.profiles.iter().any(|one| one.get("name").and_then(Value::as_str) == Some(own.as_str())) {
            own.push_str("-2");
        }
        self.say(What::Changed, item, &format!("its own answer file is that of profile {own}, a child of {parent}"));
        self.plan.profiles.push(json!({"name": own, "parent": parent, "template": template}));
        Some(own)
    }

    fn breed_of(&self, profile: &str) -> String {
        let find = |kind: &str, name: &str| self.folder.all(kind).iter().find(|item| item.name == name);
        let mut profile = find("profile", profile);
        for _ in 0..64 {
            let Some(item) = profile else { break };
            if let Some(distro) = find("distro", field(item, "distro")) {
                return field(distro, "breed").to_owned();
            }
            profile = find("profile", field(item, "parent"));
        }
        String::new()
    }

    /// Kinds of which nothing becomes a record.
    fn whole_kinds(&mut self) {
        for (kind, why) in [
            ("image", "an image is nothing that is installed here: its file boots by a distro of the family image"),
            ("menu", "there is no menu at boot"),
            ("mgmtclass", "what is configured after an install is not this server's"),
            ("package", "what is configured after an install is not this server's"),
            ("file", "what is configured after an install is not this server's"),
        ] {
            for item in self.folder.all(kind) {
                let fields: Vec<&str> = item
                    .fields
                    .iter()
                    .filter(|(field, value)| !is_silent(value) && !is_inner(field))
                    .map(|(field, _)| field.as_str())
                    .collect();
                self.say(What::Left, item, &format!("{kind} {}: {why}; it has {}", item.name, fields.join(", ")));
            }
        }
    }

    /// A profile names a template that was not there.
    fn missing_templates(&mut self) {
        for profile in &mut self.plan.profiles {
            let Some(name) = profile.get("template").and_then(Value::as_str).map(str::to_owned) else { continue };
            if !self.plan.templates.contains_key(&name) {
                let of = profile.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
                let text = format!("its answer file {name} is not among the templates: the family's own is taken");
                self.plan.lines.push(Line::new(What::Todo, &format!("profile {of}"), &text));
                if let Some(profile) = profile.as_object_mut() {
                    profile.remove("template");
                }
            }
        }
    }
}

fn is_inner(field: &str) -> bool {
    field == "name" || matches!(fate("distro", field), Some(Fate::Inner))
}

/// What Cobbler writes into every record by itself is no decision of anybody's.
fn is_worth_telling(field: &str, value: &Value) -> bool {
    let usual = match field {
        "owners" => value == &json!(["admin"]),
        "netboot_enabled" => value == &json!(false),
        "enable_menu" => value == &json!(true),
        "enable_gpxe" | "enable_ipxe" | "template_remote_kickstarts" => value == &json!(false) || value == &json!(0),
        "dhcp_tag" => value == &json!("default"),
        _ => false,
    };
    !usual
}

fn field<'i>(item: &'i Item, name: &str) -> &'i str {
    let said = item.fields.get(name).and_then(Value::as_str).unwrap_or_default();
    if matches!(said, "~" | "<<inherit>>") { "" } else { said }
}

fn template(said: &str) -> Option<String> {
    let file = said.split_once("/kickstarts/").or(said.split_once("/templates/")).map_or(said, |(_, file)| file);
    let file = file.trim_start_matches('/');
    (!file.is_empty()).then(|| format!("{FOLDER}/{}", texts::plain_name(file)))
}

fn family(breed: &str) -> Option<&'static str> {
    Some(match breed {
        "redhat" => "redhat",
        "debian" | "ubuntu" => "debian",
        "suse" => "suse",
        "vmware" => "esxi",
        _ => return None,
    })
}

/// `rhel8`, `fedora39`.
fn release(version: &str) -> Option<&str> {
    let number = version.strip_prefix("rhel").or(version.strip_prefix("fedora"))?;
    let number = number.split('.').next().unwrap_or_default();
    (!number.is_empty() && number.chars().all(|c| c.is_ascii_digit())).then_some(number)
}

/// Names of secrets by their endings, as everywhere here, and those that Cobbler's templates have by habit.
fn is_secret(name: &str) -> bool {
    crate::model::is_secret(name)
        || name.ends_with("password_crypted")
        || name.ends_with("_pass")
        || name.ends_with("passwd")
}

fn is_mac(text: &str) -> bool {
    let mut count = 0_usize;
    let all = text.split(':').all(|part| {
        count = count.saturating_add(1);
        part.len() == 2 && part.chars().all(|c| c.is_ascii_hexdigit())
    });
    all && count == 6
}

/// Repositories as lines of a kickstart, by their mirrors.
fn stanza(repos: &[Value]) -> String {
    let line = |repo: &Value| format!("repo --name={} --baseurl={}\n", text(repo, "name"), text(repo, "mirror"));
    repos.iter().map(line).collect()
}
