//! Tickets: promises that decisions are committed. The reply waits for one, the loop does not.

use super::Error;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::oneshot;

pub type Ended = Vec<Result<(), Error>>;

/// The promises of several decisions.
#[derive(Default)]
pub struct Tickets {
    /// In their order; what is still to come stands as done.
    pub(super) ended: Ended,
    /// The places of those that the database must take.
    pub(super) late: Vec<usize>,
    pub(super) answer: Option<oneshot::Receiver<Ended>>,
}

impl Tickets {
    /// How each of them ended, in their order.
    pub async fn settled(mut self) -> Vec<Result<(), Error>> {
        if let Some(answer) = self.answer.take() {
            let ended = answer.await.unwrap_or_default();
            self.settle(ended);
        }
        self.ended
    }

    pub(super) fn refuse(&mut self, error: &Error) {
        for place in std::mem::take(&mut self.late) {
            self.ended[place] = Err(error.clone());
        }
    }

    fn settle(&mut self, ended: Ended) {
        let mut ended = ended.into_iter();
        for place in std::mem::take(&mut self.late) {
            self.ended[place] = ended.next().unwrap_or(Err(Error::Closed));
        }
    }
}

/// The promise of one.
pub struct Ticket(pub(super) Tickets);

impl Future for Ticket {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(answer) = &mut self.0.answer {
            match Pin::new(answer).poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(ended) => {
                    self.0.answer = None;
                    self.0.settle(ended.unwrap_or_default());
                }
            }
        }
        Poll::Ready(self.0.ended.pop().unwrap_or(Err(Error::Closed)))
    }
}
