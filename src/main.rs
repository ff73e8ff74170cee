//! Parses the command line and runs it.

/// A packet allocates many small things on one thread that another frees: this one is made for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    kickstand::cli::main()
}
