//! Has the embedded files built in anew when one of them comes, goes or changes.

fn main() {
    println!("cargo::rerun-if-changed=routes");
    println!("cargo::rerun-if-changed=policies");
}
