//! The revisions of the configuration as operators ask for them: which there are, what each changed, and the way back.

use super::{Engine, Error};
use crate::model::*;
use crate::render;
use crate::store::{Edit, Plan};
use std::sync::Arc;

impl Engine {
    /// What a revision changed, with the texts of templates: a row says only which version.
    pub async fn revision(&self, number: i64) -> Result<(Revision, Vec<TemplateVersion>), Error> {
        let revision = self.store.revision(number).await?;
        let mut texts = Vec::new();
        let mut named: Vec<Text> = Vec::new();
        for turn in &revision.turns {
            named.extend([&turn.before, &turn.after].into_iter().flatten().filter_map(template).cloned());
        }
        for text in named {
            let history = self.store.template_history(&text.name).await?;
            texts.extend(history.into_iter().filter(|version| version.version == text.version));
        }
        Ok((revision, texts))
    }

    /// Restores the configuration as it was at a revision, whole, as a new revision: its number. What a template of then
    /// would break today is said first.
    pub async fn roll_back(&self, to: i64, from: Option<i64>, by: &str) -> Result<(i64, Arc<Plan>), Error> {
        // Planning may take long, so nobody waits for it: a plan that is not of the newest revision any more is not written.
        let plan = Arc::new(self.store.plan(to, from).await?);
        let _alone = self.changing().await;
        let files = self.texts.turn().await;
        let texts = self.texts_of(&plan).await?;
        let first = |mut errors: Vec<render::Error>| Error::Template(errors.remove(0));
        self.book().templates.with(texts).map_err(first)?;
        self.store.edit(Edit::RollBack(plan.clone()), by, self.now()).await?;
        self.refresh(&files);
        Ok((self.newest().await?, plan))
    }

    async fn newest(&self) -> Result<i64, Error> {
        Ok(self.store.revisions(1).await?.first().map_or(0, |line| line.number))
    }

    /// What a rollback makes of stored templates: those that a file hides change nothing in use.
    pub(super) async fn texts_of(&self, plan: &Plan) -> Result<Vec<(String, Option<String>)>, Error> {
        let mut texts = Vec::new();
        for turn in &plan.turns {
            let Some(named) = turn.after.as_ref().or(turn.before.as_ref()).and_then(template) else { continue };
            if self.file_of(&named.name).is_some() {
                continue;
            }
            let text = match turn.after.as_ref().and_then(template) {
                Some(then) => {
                    let history = self.store.template_history(&then.name).await?;
                    history.into_iter().find(|version| version.version == then.version).and_then(|version| version.text)
                }
                None => self.assets.shipped(&named.name).map(str::to_owned),
            };
            texts.push((named.name.clone(), text));
        }
        Ok(texts)
    }
}

fn template(record: &Record) -> Option<&Text> {
    match record {
        Record::Template(text) => Some(text),
        _ => None,
    }
}
