# `just` lists these; each is a plain command that works without just, too.

default:
    @just --list

# the main job, on a local stand-in for the platform
demo:
    cargo run --release -- demo

# everything that CI runs
test:
    ./scripts/test

# what needs no tool besides cargo
quick:
    ./scripts/test --quick
