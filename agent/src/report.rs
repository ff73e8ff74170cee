//! Tells the server how the install goes.

use crate::client::{Client, Error};
use crate::retry::{Failure, Patience, retry};
use crate::wire::Report;

/// Posts `report` to `url`, as long as this report is worth waiting for.
pub fn send(client: &Client, url: &str, report: &Report) -> Result<(), Failure<Error>> {
    send_with(client, patience_for(report), url, report)
}

fn send_with(client: &Client, patience: Patience, url: &str, report: &Report) -> Result<(), Failure<Error>> {
    retry(patience, || client.post(url, None, report)).map(|_| ())
}

fn patience_for(report: &Report) -> Patience {
    match report {
        // The next one overtakes it anyway, and the install waits meanwhile.
        Report::Progress { .. } => Patience::SHORT,
        Report::Started | Report::Inventory { .. } => Patience::NORMAL,
        Report::Done | Report::Failed { .. } => Patience::LONG,
    }
}

/// A report that may be lost: an install never fails because nobody watched it.
pub fn send_or_warn(client: &Client, url: &str, report: &Report) {
    if let Err(failure) = send(client, url, report) {
        eprintln!("kickstand-agent: progress not reported: {}", failure.into_inner());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::tests::{ScriptedServer, answer, plain};
    use crate::retry::tests::BRISK;

    #[test]
    fn done_outlives_a_restart_of_the_server() {
        let server = ScriptedServer::start(vec![
            answer("503 Starting", ""),
            Vec::new(), // hangs up without a word
            answer("204 No Content", ""),
        ]);
        send_with(&plain(), BRISK, &server.url, &Report::Done).unwrap();
        assert_eq!(server.asked().len(), 3);
        assert!(server.asked()[2].ends_with(r#"{"stage":"done"}"#));
    }

    #[test]
    fn a_refused_report_is_not_repeated() {
        let server = ScriptedServer::start(vec![answer("410 Gone", "this boot is over")]);
        let failure = send_with(&plain(), BRISK, &server.url, &Report::Started).unwrap_err();
        assert!(matches!(&failure, Failure::Final(error) if error.status() == Some(410)));
    }

    #[test]
    fn done_waits_longest_because_it_prevents_a_loop() {
        let progress = Report::Progress { percent: 1, message: String::new() };
        let (done, progress) = (patience_for(&Report::Done), patience_for(&progress));
        assert!(done.total.as_secs() >= 600 && progress.total.as_secs() <= 10);
    }
}
