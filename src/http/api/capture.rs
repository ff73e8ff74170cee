//! The last DHCP packets of a MAC as a pcap file: `/api/v1/captures/{mac}`.

use super::body::Named;
use crate::engine::Engine;
use crate::http::problem::{Kind, Problem};
use crate::model::Mac;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

pub const CONTENT_TYPE: &str = "application/vnd.tcpdump.pcap";

pub async fn show(State(engine): State<Arc<Engine>>, Named(mac): Named<Mac>) -> Result<Response, Problem> {
    let file = engine.captures.pcap(mac).ok_or_else(|| nothing(mac))?;
    let name = format!("attachment; filename=\"{}.pcap\"", mac.dashed());
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE.to_owned()), (header::CONTENT_DISPOSITION, name)], file).into_response())
}

fn nothing(mac: Mac) -> Problem {
    let text = format!(
        "no DHCP packet of {mac} is remembered: none came since the server started, or others came after it; look for it on the wire with tcpdump"
    );
    Problem::new(Kind::Missing, text)
}
