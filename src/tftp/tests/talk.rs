//! A transfer and its file: what it does as packets, block by block.

use crate::tftp::Limits;
use crate::tftp::packet::{Packet, Read};
use crate::tftp::transfer::{Action, Transfer, on_the_wire};
use bytes::Bytes;
use std::time::Instant;

pub struct Talk {
    transfer: Transfer,
    content: Bytes,
}

impl Talk {
    pub fn start(read: &Read, content: Bytes, limits: Limits, now: Instant) -> (Talk, Vec<Action>) {
        let (transfer, actions) = Transfer::start(read, content.len() as u64, limits, now);
        let talk = Talk { transfer, content };
        let packets = talk.packets(actions);
        (talk, packets)
    }

    pub fn on_packet(&mut self, packet: &Packet, now: Instant) -> Vec<Action> {
        let actions = self.transfer.on_packet(packet, now);
        self.packets(actions)
    }

    pub fn on_timeout(&mut self, now: Instant) -> Vec<Action> {
        let actions = self.transfer.on_timeout(now);
        self.packets(actions)
    }

    pub fn on_repeat(&mut self, now: Instant) -> Vec<Action> {
        let actions = self.transfer.on_repeat(now);
        self.packets(actions)
    }

    pub fn deadline(&self) -> Instant {
        self.transfer.deadline()
    }

    pub fn bytes_acknowledged(&self) -> u64 {
        self.transfer.bytes_acknowledged()
    }

    fn packets(&self, actions: Vec<Action>) -> Vec<Action> {
        let single = |action| match action {
            Action::Blocks { first, count } => {
                (first..first + u64::from(count)).map(|block| self.data(block)).collect()
            }
            other => vec![other],
        };
        actions.into_iter().flat_map(single).collect()
    }

    fn data(&self, block: u64) -> Action {
        let span = self.transfer.span(block);
        let payload = self.content.slice(span.from as usize..span.to as usize);
        Action::Send(Packet::Data { block: on_the_wire(block), payload })
    }
}
