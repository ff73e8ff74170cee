//! Of what an edit is a change: the records that it names, as they are before it and as it leaves them.

use super::super::edit::Edit;
use super::super::sql::Conn;
use super::super::writer::Outcome;
use super::super::{
    Error, classes, distros, keys, machines, networks, options, profiles, ranges, reservations, templates,
};
use crate::model::*;

/// What an edit is about to change, as it is now: one for each record that it may turn. Those that it adds are not there.
pub async fn before(db: &mut Conn, edit: &Edit) -> Result<Vec<Option<Record>>, Error> {
    let record = match edit {
        Edit::SetNetwork(Network { name, .. }) | Edit::RemoveNetwork(name) => {
            networks::one(db, name).await?.map(Record::Network)
        }
        Edit::SetRange(Range { name, .. }) | Edit::RemoveRange(name) => ranges::one(db, name).await?.map(Record::Range),
        Edit::SetClass(Class { name, .. }) | Edit::RemoveClass(name) => {
            classes::one(db, name).await?.map(Record::Class)
        }
        Edit::SetReservation { was: ip, .. } | Edit::RemoveReservation(ip) => {
            reservations::one(db, *ip).await?.map(Record::Reservation)
        }
        Edit::SetOptions(_) => Some(Record::Options(options::read(db).await?)),
        Edit::SetDistro(Distro { name, .. }) | Edit::RemoveDistro(name) => {
            distros::one(db, name).await?.map(Record::Distro)
        }
        Edit::SetProfile(Profile { name, .. }) | Edit::RemoveProfile(name) => {
            profiles::one(db, name).await?.map(Record::Profile)
        }
        Edit::SetKey(ActivationKey { name, .. }) | Edit::RemoveKey(name) => keys::one(db, name).await?.map(Record::Key),
        Edit::SetMachine(Machine { id, .. }) | Edit::Replace { machine: id, .. } => {
            machines::one(db, *id).await?.map(|machine| Record::Machine(Wish::of(&machine)))
        }
        Edit::RemoveMachine(name) => {
            machines::named(db, name).await?.map(|machine| Record::Machine(Wish::of(&machine)))
        }
        Edit::SetTemplate { name, whence, .. } => templates::last(db, name, whence).await?.map(Record::Template),
        _ => return Ok(Vec::new()),
    };
    Ok(vec![record])
}

/// What an edit turned.
pub fn turns(edit: &Edit, before: Vec<Option<Record>>, outcome: &Outcome) -> Vec<Turn> {
    let mut was = before.into_iter().flatten();
    let mut one = |after: Option<Record>| vec![Turn::new(was.next(), after)];
    match edit {
        Edit::AddNetwork(network) | Edit::SetNetwork(network) => one(Some(Record::Network(network.clone()))),
        Edit::AddRange(range) | Edit::SetRange(range) => one(Some(Record::Range(range.clone()))),
        Edit::AddClass(class) | Edit::SetClass(class) => one(Some(Record::Class(class.clone()))),
        Edit::AddReservation(kept) => one(Some(Record::Reservation(kept.clone()))),
        Edit::SetReservation { was: ip, reservation } => {
            let after = Some(Record::Reservation(reservation.clone()));
            match *ip == reservation.ip {
                true => one(after),
                false => one(None).into_iter().chain([Turn::new(None, after)]).collect(),
            }
        }
        Edit::SetOptions(patch) => {
            let Some(Record::Options(before)) = was.next() else { return Vec::new() };
            let mut after = before.clone();
            after.patch(patch.clone());
            vec![Turn::new(Some(Record::Options(before)), Some(Record::Options(after)))]
        }
        Edit::AddDistro(distro) | Edit::SetDistro(distro) => one(Some(Record::Distro(distro.clone()))),
        Edit::AddProfile(profile) | Edit::SetProfile(profile) => one(Some(Record::Profile(profile.clone()))),
        Edit::AddKey(key) | Edit::SetKey(key) => one(Some(Record::Key(key.clone()))),
        Edit::AddMachines(list) => {
            list.iter().map(|machine| Turn::new(None, Some(Record::Machine(Wish::of(machine))))).collect()
        }
        Edit::SetMachine(machine) => {
            // Since when it is there is nobody's word.
            let before = was.next();
            let mut wish = Wish::of(machine);
            if let Some(Record::Machine(old)) = &before {
                wish.created_at = old.created_at;
            }
            vec![Turn::new(before, Some(Record::Machine(wish)))]
        }
        Edit::Replace { old, new, .. } => {
            let Some(Record::Machine(before)) = was.next() else { return Vec::new() };
            let mut after = before.clone();
            after.interfaces.iter_mut().filter(|card| card.mac == *old).for_each(|card| card.mac = *new);
            let (before, after) = (Some(Record::Machine(before)), Some(Record::Machine(after)));
            vec![Turn { before, after, card: Some((*old, *new)) }]
        }
        // It said so already.
        Edit::SetTemplate { text: Some(_), .. } if outcome.templates.is_empty() => Vec::new(),
        Edit::SetTemplate { .. } => {
            let kept = outcome.templates.iter().find(|version| version.text.is_some());
            one(kept.map(|version| Record::Template(Text::of(version))))
        }
        Edit::RemoveNetwork(_)
        | Edit::RemoveRange(_)
        | Edit::RemoveClass(_)
        | Edit::RemoveReservation(_)
        | Edit::RemoveDistro(_)
        | Edit::RemoveProfile(_)
        | Edit::RemoveKey(_)
        | Edit::RemoveMachine(_) => one(None),
        // What they turned they say themselves, or it is no configuration.
        Edit::RollBack(_)
        | Edit::Many(_)
        | Edit::Announce(_)
        | Edit::KeepCa(_)
        | Edit::AcceptCa { .. }
        | Edit::AddToken { .. }
        | Edit::JoinBy { .. }
        | Edit::RemoveToken(_)
        | Edit::ForgetCard(_)
        | Edit::ReleaseLease { .. } => Vec::new(),
    }
}
