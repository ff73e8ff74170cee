//! Runs one command and turns its outcome into words and an exit code.

use std::process::ExitCode;

use kickstand_agent::command;

fn main() -> ExitCode {
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match command::run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kickstand-agent: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
