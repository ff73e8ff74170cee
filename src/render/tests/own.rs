//! Whose snippet is taken, and which templates had a part in a text.

use super::{Templates, Whose};
use crate::model::Name;
use serde_json::json;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn whose() -> Whose {
    Whose::new(&name("web1"), &[name("web"), name("base")], &name("debian-12"))
}

const PLACES: [&str; 5] = ["machine/web1/", "profile/web/", "profile/base/", "distro/debian-12/", ""];

#[test]
fn the_nearest_snippet_is_taken() {
    let mut texts: Vec<_> = PLACES.map(|place| (format!("templates/snippets/{place}x.sh"), place.to_owned())).to_vec();
    texts.push(("templates/t".into(), "{% include 'snippets/x.sh' %}".into()));
    for place in PLACES {
        let templates = Templates::of(texts.clone()).unwrap();
        let (text, used) = templates.render_telling("templates/t", &json!({}), &whose());
        assert_eq!(text.unwrap(), place);
        let wanted = ["templates/t".to_owned(), format!("templates/snippets/{place}x.sh")];
        assert!(used.len() == 2 && wanted.iter().all(|name| used.contains(name)), "{used:?}");
        texts.retain(|(_, text)| text != place);
    }
}

#[test]
fn what_somebody_else_owns_is_not_taken() {
    let texts = [
        ("templates/t", "{% include 'snippets/x.sh' %}"),
        ("templates/snippets/machine/web2/x.sh", "other"),
        ("templates/snippets/x.sh", "all"),
        ("templates/snippets/machine/web1/profile/web/x.sh", "odd"),
        ("templates/named", "{% include 'snippets/machine/web2/x.sh' %}{% include 'templates/snippets/x.sh' %}"),
    ];
    let templates = Templates::of(texts).unwrap();
    assert_eq!(templates.render("templates/t", &json!({}), &whose()).unwrap(), "all");
    assert_eq!(templates.render("templates/named", &json!({}), &whose()).unwrap(), "otherall");
}

#[test]
fn no_name_leads_out_of_the_templates() {
    for way in ["../../etc/passwd", "/etc/passwd", "snippets/../t2", "", "snippets/machine/../x.sh"] {
        let text = format!("\n{{% include '{way}' %}}");
        let templates = Templates::of([("templates/t", text.as_str()), ("templates/t2", "x")]).unwrap();
        let error = templates.render("templates/t", &json!({}), &whose()).unwrap_err();
        assert_eq!(
            (error.line, error.text.contains("such template") || error.text.contains("does not exist")),
            (Some(2), true),
            "{error}"
        );
    }
}

#[test]
fn a_set_that_was_taken_stays_as_it_is() {
    let old = Templates::of([("templates/t", "{% include 'p' %}"), ("templates/p", "old")]).unwrap();
    let new = old.with([("templates/p".to_owned(), Some("new".to_owned()))]).unwrap();
    let gone = new.with([("templates/p".to_owned(), None)]).unwrap();
    let text = |templates: &Templates| templates.render("templates/t", &json!({}), &Whose::default());
    assert_eq!((text(&old).unwrap(), text(&new).unwrap()), ("old".into(), "new".into()));
    assert!(text(&gone).is_err() && !gone.has("templates/p") && new.has("templates/p"));
    let broken = [("templates/p", "{% if %}"), ("templates/q", "{{ x|nope }}"), ("templates/r", "fine")];
    let errors = old.with(broken.map(|(name, text)| (name.to_owned(), Some(text.to_owned())))).map(drop).unwrap_err();
    assert_eq!(errors.iter().map(|error| error.place.as_str()).collect::<Vec<_>>(), ["templates/p", "templates/q"]);
}

#[test]
fn an_include_takes_its_name_from_a_variable() {
    let texts = [("templates/t", "{% include part %}{% include ['none', 'p'] %}"), ("templates/p", "p")];
    let templates = Templates::of(texts).unwrap();
    assert_eq!(templates.render("templates/t", &json!({"part": "p"}), &Whose::default()).unwrap(), "pp");
}
