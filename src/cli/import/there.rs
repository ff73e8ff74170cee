//! What lies in the place of a tree that is to be imported: the same one, another one, or what must not be replaced unasked.

use super::progress::Progress;
use super::told::{Outcome, Told};
use super::{Arrival, Work, words};
use crate::http::api::distro::DistroView;
use crate::import::Error;
use crate::import::checks::Claims;
use crate::import::folder::Flat;
use crate::import::record::Record;
use crate::import::stage::{DISTROS, Room};
use crate::import::take::{Order, Taken};
use crate::import::tree::{Found, Listing, Tree};
use crate::import::verdict::Verdict;
use crate::model::Name;
use anyhow::bail;
use hyper::Method;
use std::io::Read;
use std::path::Path;

type Result<T, E = anyhow::Error> = std::result::Result<T, E>;

/// A server's tree, of which what can be compared here is read here.
struct Nearer<'a> {
    near: &'a Flat,
    far: &'a dyn Tree,
    claims: &'a Claims,
}

impl Tree for Nearer<'_> {
    fn origin(&self) -> &str {
        self.far.origin()
    }

    fn listing(&self) -> Option<&Listing> {
        self.far.listing()
    }

    fn find(&self, path: &str) -> Result<Option<Found>, Error> {
        self.far.find(path)
    }

    fn names(&self, folder: &str) -> Result<Vec<String>, Error> {
        self.far.names(folder)
    }

    fn open(&self, path: &str) -> Result<Box<dyn Read + '_>, Error> {
        match self.claims.is_strong(path) && self.near.find(path)?.is_some() {
            true => self.near.open(path),
            false => self.far.open(path),
        }
    }
}

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
        let taken = self.of_mirror(&order, &place, progress);
        let taken = taken.map_or_else(|| order.carry_out(None, &mut |gauge| progress.show(gauge)), Ok)?;
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

    /// A tree of a server as it would be taken, without all that is in the place already with the sums that its lists say.
    fn of_mirror(&self, order: &Order<'_>, place: &Path, progress: &mut Progress) -> Option<Taken> {
        order.tree.readers().is_some().then_some(())?;
        let tree = Nearer { near: &Flat::new(place), far: order.tree, claims: order.claims };
        let order = Order { tree: &tree, files: order.files.clone(), ..*order };
        order.carry_out(None, &mut |gauge| progress.show(gauge)).ok()
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
