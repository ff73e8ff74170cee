//! Systems that announce themselves: a record in state discovered, which boots nothing until an operator takes it in.

use crate::boot::Tale;
use crate::boot::announce::{AnnounceFacts, Announced, No};
use crate::compat::cobbler::wording;
use crate::engine::{Engine, Error};
use crate::model::*;
use crate::store::{self, Edit};
use std::net::Ipv4Addr;
use uuid::Uuid;

impl Engine {
    /// The inner error is a refusal, in Cobbler's words.
    pub async fn announce(&self, said: &Announced, from: Ipv4Addr) -> Result<Result<Name, String>, Error> {
        let _alone = self.changing().await;
        let machine = match self.announced(said, from) {
            Ok(machine) => machine,
            Err(no) => {
                let text = wording::announced(&no);
                self.tell_of(
                    from,
                    Tale::new(self.now(), Kind::Refused, format!("a system at {from} was not registered: {text}")),
                );
                return Ok(Err(text));
            }
        };
        let (id, name) = (machine.id, machine.name.clone());
        let by = format!("cobbler-register at {from}");
        match self.store.edit(Edit::AddMachines(vec![machine]), &by, self.now()).await.map_err(store::Error::alone) {
            Ok(()) => {}
            Err(error @ (store::Error::Duplicate { .. } | store::Error::Contradiction { .. })) => {
                return Ok(Err(error.to_string()));
            }
            Err(error) => return Err(error.into()),
        }
        let text = format!("{name} announced itself and is discovered: `kickstand machine adopt` takes it in");
        self.tell(Tale::new(self.now(), Kind::State, text).of(id).from(from));
        Ok(Ok(name))
    }

    fn announced(&self, said: &Announced, from: Ipv4Addr) -> Result<Machine, No> {
        let world = self.store.world();
        let network = world.network_of(from);
        let facts = AnnounceFacts {
            is_open: self.cobbler().is_some_and(|cobbler| cobbler.settings.register),
            from,
            is_on_net: network.is_some(),
            lease: network.and_then(|network| world.lease_at(&network.name, from)),
            records: &*world,
            is_taken: &|name| world.machine_named(name).is_some(),
            is_known: &|mac| world.machine_with_mac(mac).is_some() || world.tombstone(mac).is_some(),
            ids: [Uuid::now_v7(), Uuid::now_v7()],
        };
        said.record(&facts, self.now())
    }
}
