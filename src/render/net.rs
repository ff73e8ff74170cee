//! Filters on addresses and networks, of IPv4 and IPv6: `10.0.0.5/24`, or an address and the length of its prefix.

use ipnetwork::{IpNetwork, Ipv4Network, Ipv6Network};
use minijinja::{Environment, Error, ErrorKind, Value};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub fn add_to(env: &mut Environment<'static>) {
    env.add_filter("netmask", |value: Value, prefix: Option<u8>| told(netmask(&value, prefix)));
    env.add_filter("prefix", |value: Value| prefix(&value).map(Value::from).map_err(refused));
    env.add_filter("network", |value: Value, prefix: Option<u8>| {
        told(net(&value, prefix).map(|net| net.network().to_string()))
    });
    env.add_filter("broadcast", |value: Value, prefix: Option<u8>| told(net(&value, prefix).and_then(broadcast)));
    env.add_filter("host", |value: Value, number: i64, prefix: Option<u8>| {
        told(net(&value, prefix).and_then(|net| host(net, number)))
    });
    env.add_filter("reverse_dns", |value: Value| told(reverse_dns(&value)));
}

fn told(said: Result<String, String>) -> Result<Value, Error> {
    said.map(Value::from).map_err(refused)
}

/// Without the value, as with quoting: the error names the expression.
fn refused(why: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, why)
}

/// An address with the prefix that it is written with, or that is given.
fn net(value: &Value, prefix: Option<u8>) -> Result<IpNetwork, String> {
    let text = value.as_str().ok_or("is no text with an address")?;
    let wrong = |_| "is no network: write it like 10.0.0.0/24".to_owned();
    match (prefix, text.contains('/')) {
        (Some(prefix), false) => {
            let ip: IpAddr = text.parse().map_err(|_| "is no address: write it like 10.0.0.5".to_owned())?;
            IpNetwork::new(ip, prefix).map_err(|_| format!("has no prefix of {prefix} bits"))
        }
        (None, true) => text.parse().map_err(wrong),
        (Some(_), true) => Err("has a prefix already: leave the argument out".into()),
        (None, false) => Err("has no prefix: write it like 10.0.0.5/24, or give its length as argument".into()),
    }
}

/// Of a network, or of the length of an IPv4 prefix.
fn netmask(value: &Value, prefix: Option<u8>) -> Result<String, String> {
    match value.as_i64() {
        Some(bits) => {
            let bits = u8::try_from(bits).map_err(|_| format!("{bits} is no length of a prefix"))?;
            let net = Ipv4Network::new(Ipv4Addr::UNSPECIFIED, bits);
            net.map(|net| net.mask().to_string()).map_err(|_| format!("{bits} is no length of an IPv4 prefix"))
        }
        None => net(value, prefix).map(|net| net.mask().to_string()),
    }
}

/// Of a network, or of a netmask.
fn prefix(value: &Value) -> Result<u8, String> {
    let text = value.as_str().ok_or("is no text with an address")?;
    if text.contains('/') {
        return net(value, None).map(|net| net.prefix());
    }
    let mask: IpAddr = text.parse().map_err(|_| "is neither a network nor a netmask".to_owned())?;
    ipnetwork::ip_mask_to_prefix(mask).map_err(|_| "is no netmask: its ones are not all in front".to_owned())
}

fn broadcast(net: IpNetwork) -> Result<String, String> {
    match net {
        IpNetwork::V4(net) => Ok(net.broadcast().to_string()),
        IpNetwork::V6(_) => Err("is IPv6, which has no broadcast address".into()),
    }
}

/// The address of this number in a network; -1 is the last. Of IPv4 neither the network's own nor its broadcast address.
fn host(net: IpNetwork, number: i64) -> Result<String, String> {
    let outside = || format!("has no host {number}");
    let place = |first: u128, bits: u8| {
        let size = 1u128.checked_shl(u32::from(bits)).map_or(u128::MAX, |size| size.saturating_sub(1));
        let offset = u128::from(number.unsigned_abs());
        let at = if number < 0 { size.checked_sub(offset.checked_sub(1)?)? } else { offset };
        (at <= size).then(|| first.checked_add(at)).flatten()
    };
    match net {
        IpNetwork::V4(net) => {
            let first = u128::from(u32::from(net.network()));
            let at = place(first, 32u8.saturating_sub(net.prefix())).and_then(|ip| u32::try_from(ip).ok());
            let ip = Ipv4Addr::from(at.ok_or_else(outside)?);
            let reserved = net.prefix() < 31 && (ip == net.network() || ip == net.broadcast());
            if reserved { Err(outside()) } else { Ok(ip.to_string()) }
        }
        IpNetwork::V6(net) => {
            let at = place(u128::from(net.network()), 128u8.saturating_sub(net.prefix()));
            Ok(Ipv6Addr::from(at.ok_or_else(outside)?).to_string())
        }
    }
}

/// The name of an address below `in-addr.arpa` or `ip6.arpa`; of a network its zone, where a zone ends there.
fn reverse_dns(value: &Value) -> Result<String, String> {
    let text = value.as_str().ok_or("is no text with an address")?;
    let net: IpNetwork = text.parse().map_err(|_| "is neither an address nor a network".to_owned())?;
    let (labels, bits, end) = match net {
        IpNetwork::V4(net) => (octets(net), 8, "in-addr.arpa"),
        IpNetwork::V6(net) => (nibbles(net), 4, "ip6.arpa"),
    };
    let said = net.prefix().checked_div(bits).unwrap_or_default();
    if said.saturating_mul(bits) != net.prefix() {
        return Err(format!("has no zone of its own: a prefix of {} bits ends between two labels", net.prefix()));
    }
    let mut name: Vec<String> = labels.into_iter().take(usize::from(said)).collect();
    name.reverse();
    name.push(end.to_owned());
    Ok(name.join("."))
}

fn octets(net: Ipv4Network) -> Vec<String> {
    net.network().octets().iter().map(ToString::to_string).collect()
}

fn nibbles(net: Ipv6Network) -> Vec<String> {
    net.network().octets().iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|nibble| format!("{nibble:x}")).collect()
}
