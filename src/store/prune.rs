//! What is over is forgotten: in the database by every node, once an hour, and in memory by the same rules.

use super::sql::{Conn, sql};
use super::{Error, World, events, revisions};
use crate::model::*;

/// Ended leases and keys of installs: whoever comes back within this time gets the same address.
pub const ENDED_SECS: u32 = 30 * 86400;
/// Holds that count how often an address was declined.
pub const COUNTED_SECS: u32 = 86400;

/// Tells the oldest revision that is left.
pub async fn all(db: &mut Conn, now: Time) -> Result<i64, Error> {
    events::prune(db, events::KEPT).await?;
    revisions::prune(db, revisions::KEPT, revisions::KEPT_BYTES).await?;
    let (ended, counted) = (before(now, ENDED_SECS), before(now, COUNTED_SECS));
    // A reserved address is renewed without writes: its row is how it is known who was ever told of it.
    let leases = "DELETE FROM leases WHERE ends_at <= $1 AND ip NOT IN
        (SELECT ip FROM interfaces WHERE ip IS NOT NULL UNION ALL SELECT ip FROM reservations)";
    sql(leases).int(ended.0).run(db).await?;
    let holds = "DELETE FROM holds WHERE until <= $1 AND (times = 0 OR until <= $2)";
    sql(holds).int(now.0).int(counted.0).run(db).await?;
    // A spent key is remembered as long as it could still be used: who brings it again is told so.
    sql("DELETE FROM install_keys WHERE expires_at <= $1").int(ended.0).run(db).await?;
    sql("DELETE FROM reactivations WHERE expires_at <= $1").int(ended.0).run(db).await?;
    revisions::oldest(db).await
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

#[cfg(test)]
mod tests {
    use super::super::{holds, leases, load, machines, networks, sql::Database};
    use super::*;

    const DAY: u32 = 86_400;

    fn lease(mac: &str, ip: &str, ends_at: Time) -> Lease {
        let holder = mac.parse::<Mac>().unwrap().into();
        let network = "lan".parse().unwrap();
        Lease { network, holder, ip: ip.parse().unwrap(), starts_at: Time::from_secs(0), ends_at, hostname: None }
    }

    fn machine(ip: &str) -> Machine {
        Machine {
            id: MachineId(uuid::Uuid::nil()),
            name: "web-1".parse().unwrap(),
            interfaces: vec![Interface { mac: "52:54:00:00:00:02".parse().unwrap(), ip: Some(ip.parse().unwrap()) }],
            profile: None,
            keys: Names::default(),
            groups: Names::default(),
            arguments: String::new(),
            variables: Variables::new(),
            secrets: Secrets::default(),
            options: OptionSet::default(),
            loader: None,
            disk_boot: None,
            state: State::Ready,
            state_at: Time::from_secs(0),
            install: None,
            inventory: None,
            joined: Names::default(),
            credential: None,
            created_at: Time::from_secs(0),
            revision: 0,
        }
    }

    fn network() -> Network {
        Network {
            name: "lan".parse().unwrap(),
            cidr: "10.0.0.0/24".parse().unwrap(),
            gateway: None,
            dns: vec![],
            domain: None,
            pools: vec![],
            lease_secs: 3600,
            profile: None,
            unknown: Unknown::Ignore,
            variables: Default::default(),
            secrets: Default::default(),
            dhcp: Dhcp::default(),
        }
    }

    #[tokio::test]
    async fn what_is_over_goes_from_the_rows_and_from_memory_alike() {
        let folder = tempfile::tempdir().unwrap();
        let (database, _lock) = Database::at(&format!("sqlite://{}/k.db", folder.path().display())).await.unwrap();
        let mut db = database.connect().await.unwrap();
        load::migrate(&mut db).await.unwrap();
        networks::add(&mut db, &network()).await.unwrap();
        let end = Time::from_secs(1_800_000_000);
        machines::add(&mut db, &[machine("10.0.0.2")]).await.unwrap();
        for lease in [
            lease("52:54:00:00:00:01", "10.0.0.1", end),
            lease("52:54:00:00:00:02", "10.0.0.2", end),
            lease("52:54:00:00:00:03", "10.0.0.3", end.plus_secs(10)),
        ] {
            leases::bind(&mut db, &lease, None).await.unwrap();
        }
        for (ip, why, times) in [("10.0.0.4", HoldWhy::Moved, 0), ("10.0.0.5", HoldWhy::Declined, 2)] {
            let (network, ip) = ("lan".parse().unwrap(), ip.parse().unwrap());
            holds::put(&mut db, &Hold { network, ip, until: end, why, holder: None, times }).await.unwrap();
        }
        let mut memory = load::world(&mut db).await.unwrap();
        let all = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"];
        for (now, left) in [
            (end.plus_secs(DAY - 1), &["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.5"][..]),
            (end.plus_secs(DAY), &["10.0.0.1", "10.0.0.2", "10.0.0.3"]),
            (end.plus_secs(30 * DAY - 1), &["10.0.0.1", "10.0.0.2", "10.0.0.3"]),
            // A reserved address is renewed without writes: its row stays as long as the record.
            (end.plus_secs(30 * DAY), &["10.0.0.2", "10.0.0.3"]),
            (end.plus_secs(30 * DAY + 10), &["10.0.0.2"]),
        ] {
            super::all(&mut db, now).await.unwrap();
            memory.prune(now);
            let rows = load::world(&mut db).await.unwrap();
            for world in [&rows, &memory] {
                let known = |ip: &&&str| {
                    let (lan, ip) = ("lan".parse().unwrap(), ip.parse().unwrap());
                    world.lease_at(&lan, ip).is_some() || world.hold(ip).is_some()
                };
                assert_eq!(all.iter().filter(known).copied().collect::<Vec<_>>(), left, "{now}");
            }
        }
    }
}
