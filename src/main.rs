//! The `pintle` binary: hands its arguments to the library.

fn main() -> std::process::ExitCode {
    pintle::cli::main()
}
