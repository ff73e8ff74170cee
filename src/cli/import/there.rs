//! What lies in the place of a tree that is to be imported: the same one, another one, or what must not be replaced unasked.

use super::progress::Progress;
use super::told::{Outcome, Told};
use super::{Arrival, Work, words};
use crate::http::api::distro::DistroView;
use crate::import::checks::Claims;
use crate::import::folder::Flat;
use crate::import::record::Record;
use crate::import::stage::{DISTROS, Room};
use crate::import::take::{Order, Taken};
use crate::import::verdict::Verdict;
use crate::model::Name;
use anyhow::{Result, bail};
use hyper::Method;

impl Work<'_> {
    /// Whether this tree is in its place already; an error where another one is, and is not to be replaced.
    pub(super) fn is_there(
        &self,
        room: &Room,
        arrival: &Arrival,
        known: Option<&DistroView>,
        progress: &mut Progress,
    ) -> Result<Option<Told>> {
        let place = room.place(&arrival.plan.name);
        let name = &arrival.plan.name;
        // Whatever lies there, the operator wants it anew.
        if self.import.replace {
            return Ok(None);
        }
        let (record, known) = match (Record::read(&place), known) {
            (Some(record), Some(known)) => (record, known),
            (None, Some(known)) => bail!(
                "distro {name} is there, with kernel {}: choose another name with --name, or --replace it",
                known.kernel
            ),
            (Some(_), None) => {
                self.needed_by_none(name)?;
                return Ok(None);
            }
            (None, None) => return Ok(None),
        };
        progress.begin("comparing");
        let order = Order { limit: u64::MAX, ..self.order(room, arrival)? };
        let taken = order.carry_out(None, &mut |gauge| progress.show(gauge))?;
        if taken.id != record.id {
            bail!(
                "distro {name} holds another tree, imported from {}: choose another name with --name, or --replace it",
                record.source
            );
        }
        let (lying, nothing) = (Flat::new(&place), Claims::default());
        let order = Order { tree: &lying, claims: &nothing, ..order };
        // A file that is gone is no error of this tree.
        let still = order.carry_out(None, &mut |gauge| progress.show(gauge)).is_ok_and(|still| still.id == record.id);
        progress.end();
        if !still {
            bail!(
                "distro {name} was imported from this tree, and its files in {} are no longer as they were: --replace them",
                place.display()
            );
        }
        self.told_of_the_same(room, arrival, known, &taken).map(Some)
    }

    /// The tree stays; what an operator gave with it is written down.
    fn told_of_the_same(&self, room: &Room, arrival: &Arrival, known: &DistroView, taken: &Taken) -> Result<Told> {
        let verdict = Verdict::new(taken, &arrival.plan.boot, &arrival.claims, arrival.source.seal.as_ref());
        let (outcome, distro) = match words::given(&arrival.plan, arrival.family, &self.import) {
            None => (Outcome::Same, known.clone()),
            Some(patch) => {
                let path = format!("distros/{}", arrival.plan.name);
                (Outcome::Changed, self.server.send(Method::PATCH, &path, &patch)?)
            }
        };
        Ok(self.told(outcome, distro, room, arrival, taken, verdict))
    }

    /// Files of a distro that was removed may go, but not those that another one boots from.
    fn needed_by_none(&self, name: &Name) -> Result<()> {
        let folder = format!("{DISTROS}/{name}");
        let below =
            |path: &str| path.strip_prefix(&folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        for distro in self.server.distros()? {
            let values = distro.variables.values().filter_map(|value| value.as_str());
            let mut paths = [distro.kernel.as_str(), distro.initrd.as_str()].into_iter().chain(values);
            if let Some(path) = paths.find(|path| below(path)) {
                bail!(
                    "distro {} needs {path}, which this import would replace: choose another name with --name, or --replace it",
                    distro.name
                );
            }
        }
        Ok(())
    }
}
