//! What is over is forgotten: in the database by every node, once an hour, and in memory by the same rules.

use super::sql::{Conn, sql};
use super::{Error, World, events};
use crate::model::*;

/// Ended leases and keys of installs: whoever comes back within this time gets the same address.
pub const ENDED_SECS: u32 = 30 * 86400;
/// Holds that count how often an address was declined.
pub const COUNTED_SECS: u32 = 86400;

pub async fn all(db: &mut Conn, now: Time) -> Result<(), Error> {
    events::prune(db, events::KEPT).await?;
    let (ended, counted) = (before(now, ENDED_SECS), before(now, COUNTED_SECS));
    // A reserved address is renewed without writes: its row is how it is known who was ever told of it.
    let leases = "DELETE FROM leases WHERE ends_at <= $1 AND ip NOT IN
        (SELECT ip FROM interfaces WHERE ip IS NOT NULL UNION ALL SELECT ip FROM reservations)";
    sql(leases).int(ended.0).run(db).await?;
    let holds = "DELETE FROM holds WHERE until <= $1 AND (times = 0 OR until <= $2)";
    sql(holds).int(now.0).int(counted.0).run(db).await?;
    // A spent key is remembered as long as it could still be used: who brings it again is told so.
    sql("DELETE FROM install_keys WHERE expires_at <= $1").int(ended.0).run(db).await.map(drop)
}

fn before(now: Time, secs: u32) -> Time {
    Time(now.0 - i64::from(secs) * 1_000_000)
}

impl World {
    pub(super) fn prune(&mut self, now: Time) {
        let (ended, counted) = (before(now, ENDED_SECS), before(now, COUNTED_SECS));
        self.retain_holds(|hold| hold.until > now || (hold.times > 0 && hold.until > counted));
        let over = self.leases().filter(|lease| lease.ends_at <= ended);
        let over = over.filter(|lease| self.reserved(lease.ip).is_none() && self.reservation_at(lease.ip).is_none());
        let over: Vec<_> = over.map(|lease| (lease.network.clone(), lease.holder.clone())).collect();
        over.iter().for_each(|(network, holder)| self.drop_lease(network, holder));
    }
}
