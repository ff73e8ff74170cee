//! What would happen now, step by step, and which rule says so: `kickstand why`.

use super::kitchen::Dish;
use super::operate::stepped;
use super::{Engine, Error, compare, fresh_secret};
use crate::boot::Reason;
use crate::model::*;

/// One question of a boot, its answer and the rules behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    pub question: String,
    pub answer: String,
    pub why: Vec<Reason>,
    /// What the machine would be given, whole: no secret is in it, and its token opens nothing.
    pub text: Option<String>,
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
            (true, Some(machine)) => Some(stepped(&machine, self.armed(&machine)?)),
            (true, None) => return Err(Error::Invalid(format!("{mac} is no machine's, so nothing could be armed"))),
            (false, _) => None,
        };
        let heard = || self.store.world().sighting(mac).and_then(|seen| seen.arch);
        let arch = arch.or_else(heard).unwrap_or(Arch::BIOS);
        let (mut scenes, install) = self.play(mac, arch, instead.as_ref())?;
        let Some(install) = install else { return Ok(scenes) };
        let way = install.way;
        match self.check_dish(install).await {
            Ok(dish) => self.show(&dish, way, &mut scenes).await?,
            Err(e) => scenes.push(Scene {
                question: "answer file".into(),
                answer: "none: its own disk instead".into(),
                why: vec![Reason::new("answer file", e.to_string())],
                text: None,
            }),
        }
        Ok(scenes)
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
    async fn show(&self, dish: &Dish, (language, by): (Language, By), scenes: &mut Vec<Scene>) -> Result<(), Error> {
        let token = fresh_secret()?;
        let script = self.install_script(dish, &token, language, by).await?;
        if let Some(scene) = scenes.last_mut() {
            scene.text = Some(self.without_tokens(script, &token));
        }
        let line = self.script_context(dish, &token, language, by)?;
        let line = line.get("arguments").and_then(|line| line.as_str()).unwrap_or_default().to_owned();
        let line = self.without_tokens(line, &token);
        scenes.push(Scene { question: "kernel".into(), answer: line, why: arguments(dish), text: None });
        for file in dish.files() {
            let text = self.masked(dish, &token, file).await?.map(|text| self.without_tokens(text, &token));
            let answer = match file {
                None => format!("renders, from distro {}", dish.recipe.distro.name),
                Some(_) => "renders".to_owned(),
            };
            let question = file.map_or("answer file".to_owned(), |file| format!("answer file {file}"));
            scenes.push(Scene { question, answer, why: self.sources(dish, file), text });
        }
        scenes.push(self.registration(dish));
        Ok(())
    }

    /// The answer file with «name» for every secret; none where its template can do nothing with that.
    async fn masked(&self, dish: &Dish, token: &Secret, file: Option<&str>) -> Result<Option<String>, Error> {
        let Some(template) = dish.template_of(file) else { return Ok(None) };
        let (mut context, given) = self.answer_context(dish, token, file)?;
        compare::mask(&mut context, dish, &given);
        Ok(self.rendered(&template, context, dish.whose()).await.ok())
    }

    /// They open nothing, and look as if they did.
    fn without_tokens(&self, text: String, token: &Secret) -> String {
        let derived = ["report", "key"].map(|purpose| (purpose, self.derived(purpose, token)));
        let text = text.replace(token.expose(), "«token»");
        derived.iter().fold(text, |text, (purpose, secret)| text.replace(secret.expose(), &format!("«{purpose}»")))
    }

    /// The template, and each variable that somebody set.
    fn sources(&self, dish: &Dish, file: Option<&str>) -> Vec<Reason> {
        let recipe = &dish.recipe;
        let distro = format!("{}, named by profile {}", recipe.distro.name, recipe.profile);
        let template = dish.template_of(file).unwrap_or_default();
        let place = self.book().place(&template, self.assets.operator.as_deref());
        let mut why = vec![Reason::new("distro", distro), Reason::new("template", place)];
        for (name, layers) in recipe.layers.iter().filter(|_| file.is_none()) {
            let Some((first, over)) = layers.split_first() else { continue };
            let value = match &first.value {
                Some(value) if !is_secret(name) => value.to_string(),
                _ => "(secret)".to_owned(),
            };
            let over: Vec<_> = over.iter().map(|layer| layer.origin.to_string()).collect();
            let over = if over.is_empty() { String::new() } else { format!(", over {}", over.join(", ")) };
            why.push(Reason::new("variable", format!("{name} = {value}, from {}{over}", first.origin)));
        }
        why
    }

    fn registration(&self, dish: &Dish) -> Scene {
        let question = "registration".to_owned();
        let Some(name) = &dish.recipe.key else {
            let why = vec![Reason::new("key", "neither the machine nor its profile names an activation key")];
            return Scene { question, answer: "none".into(), why, text: None };
        };
        let whose = match &dish.machine.key {
            Some(_) => format!("machine {}", dish.machine.name),
            None => format!("profile {} or its parents", dish.recipe.profile),
        };
        let groups = self.store.world().keys.get(name).map(|key| key.groups.clone()).unwrap_or_default();
        let groups: Vec<_> = groups.iter().map(ToString::to_string).collect();
        let joins = if groups.is_empty() { "no group".to_owned() } else { groups.join(", ") };
        let answer = format!("with a single-use key of {name}, into {joins}");
        Scene { question, answer, why: vec![Reason::new("key", format!("{name}, named by {whose}"))], text: None }
    }
}

/// Whose words the kernel's arguments are, in their order.
fn arguments(dish: &Dish) -> Vec<Reason> {
    let (recipe, machine) = (&dish.recipe, &dish.machine);
    let mut why = vec![Reason::new("family", format!("{}, whose own words come first", recipe.distro.family))];
    let mut rest = recipe.arguments.iter().map(String::as_str).collect::<Vec<_>>();
    let own = rest.pop_if(|_| !machine.arguments.trim().is_empty());
    let of_distro = usize::from(!recipe.distro.arguments.trim().is_empty()).min(rest.len());
    let of_profiles = rest.split_off(of_distro);
    let said = |text: &str, who: String| Reason::new("arguments", format!("{text}, of {who}"));
    why.extend(rest.first().map(|text| said(text, format!("distro {}", recipe.distro.name))));
    why.extend(of_profiles.into_iter().map(|text| said(text, format!("profile {} or a parent", recipe.profile))));
    why.extend(own.map(|text| said(text, format!("machine {}", machine.name))));
    why
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
