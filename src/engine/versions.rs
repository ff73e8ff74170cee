//! Templates as operators change them by the API: set, removed, rolled back, with their history.

use super::texts::{From, whole_name};
use super::{Engine, Error};
use crate::model::*;
use crate::store::{Change, Edit};

/// A template as it is in use.
#[derive(Debug, Clone, PartialEq)]
pub struct InUse {
    pub name: String,
    pub text: String,
    pub from: From,
    /// None where it is built in.
    pub version: Option<TemplateVersion>,
}

impl Engine {
    /// All templates that there are, in the order of their names.
    pub fn templates(&self) -> Vec<InUse> {
        let book = self.book();
        book.templates.names().filter_map(|name| self.template(name).ok()).collect()
    }

    /// The one that an operator names.
    pub fn template(&self, name: &str) -> Result<InUse, Error> {
        let name = whole_name(name)?;
        let book = self.book();
        let (text, from) = book.text(&name).ok_or_else(|| no_template(&name))?;
        let (text, folder) = (text.to_owned(), self.folder().map(|place| place.folder));
        let is_it = |version: &&TemplateVersion| match (&version.whence, from) {
            (Whence::Api, From::Api) => true,
            (Whence::File(place), From::File | From::LastGood) => Some(&place.folder) == folder.as_ref(),
            _ => false,
        };
        let world = self.store.world();
        let mut versions = world.templates_named(&name).iter().filter(is_it);
        let version = versions.find(|version| version.text.as_ref() == Some(&text)).cloned();
        Ok(InUse { name, text, from, version })
    }

    /// Every version of it, the oldest first.
    pub async fn template_history(&self, name: &str) -> Result<Vec<TemplateVersion>, Error> {
        let name = whole_name(name)?;
        let history = self.store.template_history(&name).await?;
        match history.is_empty() && !self.book().templates.has(&name) {
            true => Err(no_template(&name)),
            false => Ok(history),
        }
    }

    /// The text of a version.
    pub async fn template_version(&self, name: &str, number: i64) -> Result<TemplateVersion, Error> {
        let mut history = self.template_history(name).await?.into_iter();
        history.find(|version| version.version == number).ok_or_else(|| {
            Error::Missing(format!(
                "template {name} has no version {number}: `kickstand template history {name}` shows which it has"
            ))
        })
    }

    /// Stores a text, which is in use from now on.
    pub async fn set_template(&self, name: &str, text: String, by: &str) -> Result<InUse, Error> {
        let name = whole_name(name)?;
        let files = self.texts.turn().await;
        self.no_file(&name)?;
        self.compiled(&name, &text)?;
        let edit = Edit::SetTemplate { name: name.clone(), text: Some(text), whence: Whence::Api };
        self.store.edit(edit, by, self.now()).await?;
        if self.store.is_shared() {
            // What was in use here may have been older than what was written over.
            self.store.look(vec![Change::Templates]).await?;
        }
        self.refresh(&files);
        self.template(&name)
    }

    /// Stores texts and makes other changes with them: all of it, or nothing; on trial nothing, and whether it could be done is told.
    pub async fn bring_in(
        &self,
        texts: Vec<(String, String)>,
        edits: Vec<Edit>,
        by: &str,
        is_trial: bool,
    ) -> Result<(), Error> {
        let texts: Vec<(String, String)> =
            texts.into_iter().map(|(name, text)| Ok((whole_name(&name)?, text))).collect::<Result<_, Error>>()?;
        let files = self.texts.turn().await;
        self.can_bring_in(&texts)?;
        let texts = texts.into_iter();
        let texts = texts.map(|(name, text)| Edit::SetTemplate { name, text: Some(text), whence: Whence::Api });
        let all = Edit::Many(texts.chain(edits).collect());
        if is_trial {
            return Ok(self.store.try_edit(all, by, self.now()).await?);
        }
        self.store.edit(all, by, self.now()).await?;
        if self.store.is_shared() {
            self.store.look(vec![Change::Templates]).await?;
        }
        self.refresh(&files);
        Ok(())
    }

    /// Whether they compile, all of them together, and none would lie under a file.
    fn can_bring_in(&self, texts: &[(String, String)]) -> Result<(), Error> {
        let mut changes = Vec::new();
        for (name, text) in texts {
            let name = whole_name(name)?;
            self.no_file(&name)?;
            changes.push((name, Some(text.clone())));
        }
        let first = |mut errors: Vec<crate::render::Error>| Error::Template(errors.remove(0));
        self.book().templates.with(changes).map(drop).map_err(first)
    }

    /// Stores the text of an old version again.
    pub async fn roll_back_template(&self, name: &str, number: i64, by: &str) -> Result<InUse, Error> {
        let old = self.template_version(name, number).await?;
        let text = old.text.ok_or_else(|| {
            Error::Invalid(format!(
                "version {number} of template {name} is that it was removed: `kickstand template remove {name}`"
            ))
        })?;
        self.set_template(name, text, by).await
    }

    /// Takes the stored text away: what is built in counts again.
    pub async fn remove_template(&self, name: &str, by: &str) -> Result<(), Error> {
        let name = whole_name(name)?;
        let files = self.texts.turn().await;
        self.without_stored(&name)?;
        let edit = Edit::SetTemplate { name, text: None, whence: Whence::Api };
        self.store.edit(edit, by, self.now()).await?;
        self.refresh(&files);
        Ok(())
    }

    /// What is left of a template without its stored text: none where nothing is built in under this name.
    pub(super) fn without_stored(&self, name: &str) -> Result<Option<String>, Error> {
        self.no_file(name)?;
        match (self.stored_text(name), self.book().templates.has(name)) {
            (Some(_), _) => Ok(self.assets.shipped(name).map(str::to_owned)),
            (None, true) => {
                Err(Error::Invalid(format!("template {name} is built in: there is nothing of yours to remove")))
            }
            (None, false) => Err(no_template(name)),
        }
    }

    fn stored_text(&self, name: &str) -> Option<String> {
        let world = self.store.world();
        let mut versions = world.templates_named(name).iter();
        versions.find(|version| version.whence == Whence::Api).and_then(|version| version.text.clone())
    }

    /// A stored text would not count beside a file: to take it would be a promise that nobody keeps.
    fn no_file(&self, name: &str) -> Result<(), Error> {
        match self.file_of(name) {
            None => Ok(()),
            Some(path) => Err(Error::Conflict(format!(
                "template {name} is the file {}, which counts before anything stored: edit that file, or move it away",
                path.display()
            ))),
        }
    }

    fn compiled(&self, name: &str, text: &str) -> Result<(), Error> {
        let change = [(name.to_owned(), Some(text.to_owned()))];
        let first = |mut errors: Vec<crate::render::Error>| Error::Template(errors.remove(0));
        self.book().templates.with(change).map(drop).map_err(first)
    }
}

pub(super) fn no_template(name: &str) -> Error {
    Error::Missing(format!("there is no template {name}: `kickstand template list` shows those that are"))
}
