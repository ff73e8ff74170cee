//! What would happen now, step by step, and which rule says so: `kickstand why`.

use super::kitchen::Dish;
use super::paper::Played;
use super::{Engine, Error, fresh_secret, served};
use crate::boot::keys::{self, Comer};
use crate::boot::recipe::Origin;
use crate::boot::{Reason, Words, paper};
use crate::model::*;

/// One question of a boot, its answer and the rules behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    pub question: String,
    pub answer: String,
    pub why: Vec<Reason>,
    /// What would be told without one of the words that counted.
    pub without: Vec<Instead>,
    /// What the machine would be given, whole: no secret is in it, and its token opens nothing.
    pub text: Option<String>,
}

/// Another answer, and the word that must be gone for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Instead {
    pub what: String,
    pub answer: String,
}

impl Scene {
    fn new(question: impl Into<String>, answer: impl Into<String>, why: Vec<Reason>) -> Scene {
        Scene { question: question.into(), answer: answer.into(), why, without: Vec::new(), text: None }
    }
}

impl From<paper::Scene> for Scene {
    fn from(scene: paper::Scene) -> Scene {
        Scene::new(scene.question, scene.answer, scene.why)
    }
}

/// Whose boot is asked about.
#[derive(Debug, Clone, PartialEq)]
pub enum Whom {
    Mac(Mac),
    /// It boots from its first card.
    Machine(Name),
}

impl From<Mac> for Whom {
    fn from(mac: Mac) -> Whom {
        Whom::Mac(mac)
    }
}

impl std::str::FromStr for Whom {
    type Err = Malformed;

    /// What can be a MAC is one.
    fn from_str(text: &str) -> Result<Whom, Malformed> {
        let name = || text.parse().map(Whom::Machine);
        let neither = |_| Malformed::new(text, "a MAC or the name of a machine");
        text.parse().map(Whom::Mac).or_else(|_: Malformed| name()).map_err(neither)
    }
}

impl std::fmt::Display for Whom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Whom::Mac(mac) => f.write_str(&mac.dashed()),
            Whom::Machine(name) => write!(f, "{name}"),
        }
    }
}

impl Engine {
    /// What somebody would get now, question by question, and which rule says so; or what he would if his machine were
    /// armed.
    pub async fn why(&self, whom: &Whom, arch: Option<Arch>, if_armed: bool) -> Result<Vec<Scene>, Error> {
        let (mac, machine) = self.found(whom)?;
        let instead = match (if_armed, machine) {
            (true, Some(machine)) => Some(self.as_if_armed(machine)?),
            (true, None) => return Err(Error::Invalid(format!("{mac} is no machine's, so nothing could be armed"))),
            (false, _) => None,
        };
        let heard = || self.store.world().sighting(mac).and_then(|seen| seen.arch);
        let arch = arch.or_else(heard).unwrap_or(Arch::BIOS);
        let (mut scenes, install) = self.play(mac, arch, instead.as_ref())?;
        let dish = install.as_ref().and_then(|install| install.dish.as_ref().ok());
        let others = self.play_without(mac, arch, instead.as_ref(), dish)?;
        if let Some(install) = install {
            let way = install.way;
            match self.check_dish(install).await {
                Ok(dish) => self.show(&dish, way, &mut scenes).await?,
                Err(e) => scenes.push(unserved(&e)),
            }
        }
        others.into_iter().for_each(|(what, played)| self.compare_with(&mut scenes, &what, played));
        let inside = self.store.world().machine_with_mac(mac).filter(|_| !if_armed).and_then(inside);
        scenes.extend(inside);
        Ok(scenes)
    }

    /// Notes at each scene how its answer would differ.
    fn compare_with(&self, scenes: &mut [Scene], what: &str, (mut others, install): Played) {
        match install.map(|install| (install.dish, install.way)) {
            Some((Ok(dish), way)) => others.extend(self.outline(&dish, way).unwrap_or_else(|e| vec![unserved(&e)])),
            Some((Err(e), _)) => others.push(unserved(&e)),
            None => {}
        }
        for scene in scenes {
            let other = others.iter().find(|other| other.question == scene.question);
            let Some(other) = other.filter(|other| other.answer != scene.answer) else { continue };
            scene.without.push(Instead { what: what.to_owned(), answer: other.answer.clone() });
        }
    }

    fn found(&self, whom: &Whom) -> Result<(Mac, Option<Machine>), Error> {
        match whom {
            Whom::Mac(mac) => Ok((*mac, self.store.world().machine_with_mac(*mac).cloned())),
            Whom::Machine(name) => {
                let machine = self.named(name)?;
                let none = || Error::Invalid(format!("machine {name} has no interface to boot from"));
                Ok((machine.interfaces.first().ok_or_else(none)?.mac, Some(machine)))
            }
        }
    }

    /// All that the installer would be given, and what becomes of it.
    async fn show(&self, dish: &Dish, way: (Language, By), scenes: &mut Vec<Scene>) -> Result<(), Error> {
        let token = fresh_secret()?;
        let script = self.install_script(dish, &token, way.0, way.1).await?;
        if let Some(scene) = scenes.last_mut() {
            scene.text = Some(self.without_tokens(script, &token));
        }
        let mut outline = self.outline(dish, way)?;
        for file in dish.files() {
            let question = about(file);
            let text = self.masked(dish, &token, file).await?.map(|text| self.without_tokens(text, &token));
            outline.iter_mut().filter(|scene| scene.question == question).for_each(|scene| scene.text = text.clone());
        }
        scenes.extend(outline);
        Ok(())
    }

    /// The same in a few words each, from the kernel on.
    fn outline(&self, dish: &Dish, (language, by): (Language, By)) -> Result<Vec<Scene>, Error> {
        let token = fresh_secret()?;
        let line = self.script_context(dish, &token, language, by)?;
        let line = line.get("arguments").and_then(|line| line.as_str()).unwrap_or_default().to_owned();
        let mut scenes = vec![Scene::new("kernel", self.without_tokens(line, &token), arguments(dish))];
        for file in dish.files() {
            let template = dish.template_of(file).unwrap_or_default();
            let answer = format!("{template}, for distro {}", dish.recipe.distro.name);
            scenes.push(Scene::new(about(file), answer, self.sources(dish, file)));
        }
        scenes.push(self.registration(dish));
        Ok(scenes)
    }

    /// The answer file with «name» for every secret; none where its template can do nothing with that.
    pub(super) async fn masked(
        &self,
        dish: &Dish,
        token: &Secret,
        file: Option<&str>,
    ) -> Result<Option<String>, Error> {
        let Some(template) = dish.template_of(file) else { return Ok(None) };
        let context = served::masked(self.answer_words(dish, token, file)?, dish);
        Ok(self.rendered(&template, context, dish.whose()).await.ok())
    }

    /// They open nothing, and look as if they did.
    pub(super) fn without_tokens(&self, text: String, token: &Secret) -> String {
        let derived = ["report", "key"].map(|purpose| (purpose, self.derived(purpose, token)));
        let text = text.replace(token.expose(), "«token»");
        derived.iter().fold(text, |text, (purpose, secret)| text.replace(secret.expose(), &format!("«{purpose}»")))
    }

    /// The template, and each variable that somebody set.
    fn sources(&self, dish: &Dish, file: Option<&str>) -> Vec<Reason> {
        let recipe = &dish.recipe;
        let template = dish.template_of(file).unwrap_or_default();
        let place = self.book().place(&template, self.assets.operator.as_deref());
        let by = recipe.named.template.as_ref().filter(|_| recipe.template.as_ref() == Some(&template));
        let place =
            self.stored(&template).into_iter().fold(Words::from(place), |place, key| place.naming(Noun::Template, key));
        let named = |profile: &Name| Words::from(", named by ").then(Words::record(Noun::Profile, profile));
        let place = by.map_or(place.clone(), |profile| place.then(named(profile)));
        let distro = Words::from(recipe.distro.name.to_string()).naming(Noun::Distro, &recipe.distro.name);
        let distro = distro.then(named(&recipe.named.distro));
        let mut why = vec![Reason::new("distro", distro), Reason::new("template", place)];
        if file.is_none() {
            why.extend(recipe.reasons());
        }
        why
    }

    /// The record of a template that operators wrote.
    fn stored(&self, template: &str) -> Option<String> {
        let version = self.template(template).ok()?.version?;
        Some(Record::Template(Text::of(&version)).key().1)
    }

    fn registration(&self, dish: &Dish) -> Scene {
        let question = "registration";
        let Some(by) = &dish.recipe.named.keys else {
            let why = Reason::new("key", "neither the machine nor its profile names an activation key");
            return Scene::new(question, "none", vec![why]);
        };
        let names = &dish.recipe.keys;
        let mut key = Words::from("");
        for (place, name) in names.iter().enumerate() {
            key =
                key.then(if place == 0 { "" } else { "," }).then(Words::from(name.to_string()).naming(Noun::Key, name));
        }
        let key = Reason::new(
            "key",
            match by {
                Origin::Key(_) => {
                    key.then(", the default one, since neither the machine nor its profile names another")
                }
                by => key.then(", named by ").then(by),
            },
        );
        let comer = Comer { machine: Some(&dish.machine), from: Some(dish.ip) };
        match keys::grant(names, &self.store.world().keys, comer, self.now()) {
            Ok(grant) => {
                let groups: Vec<_> = grant.groups.iter().map(ToString::to_string).collect();
                let joins = if groups.is_empty() { "no group".to_owned() } else { groups.join(", ") };
                Scene::new(question, format!("with a single-use key of {names}, into {joins}"), vec![key])
            }
            Err(why) => Scene::new(question, "refused, as the key is now", vec![key, why]),
        }
    }
}

fn about(file: Option<&str>) -> String {
    file.map_or("answer file".to_owned(), |file| format!("answer file {file}"))
}

fn unserved(e: &Error) -> Scene {
    Scene::new(about(None), "none: its own disk instead", vec![Reason::new("answer file", e.to_string())])
}

/// What a boot does not show: an arming that the running system carries out.
fn inside(machine: &Machine) -> Option<Scene> {
    let install = machine.install.as_ref().filter(|install| install.inside_only && machine.state == State::Armed)?;
    let answer = match &install.boot {
        None => "starts the installer at its next check-in",
        Some(_) => "has taken its installer, and starts it by itself",
    };
    let why =
        format!("armed at {} for its running system alone; its network boots lead to its own disk", install.armed_at);
    Some(Scene::new("its running system", answer, vec![Reason::new("arming", why)]))
}

/// Whose words the kernel's arguments are, in their order.
fn arguments(dish: &Dish) -> Vec<Reason> {
    let family = Reason::new("family", format!("{}, whose own words come first", dish.recipe.distro.family));
    let said = |(by, text): &(_, String)| Reason::new("arguments", Words::from(format!("{text}, of ")).then(by));
    let said = dish.recipe.arguments.iter().map(said);
    std::iter::once(family).chain(said).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_a_mac_is_one_and_the_rest_is_a_name() {
        let mac = Mac([0x52, 0x54, 0, 0, 0, 1]);
        for text in ["52:54:00:00:00:01", "52-54-00-00-00-01"] {
            assert_eq!(text.parse(), Ok(Whom::Mac(mac)), "{text}");
        }
        assert_eq!("web-1".parse(), Ok(Whom::Machine("web-1".parse().unwrap())));
        let error = "web 1".parse::<Whom>().unwrap_err().to_string();
        assert!(error.contains("a MAC or the name of a machine"), "{error}");
    }
}
