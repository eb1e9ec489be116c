// SPDX-License-Identifier: MIT
//! Says where libdirac is, if it is not where the linker looks: LIBDIRAC_DIR is the folder that holds libdirac.so.
fn main() {
    println!("cargo:rerun-if-env-changed=LIBDIRAC_DIR");
    if let Ok(folder) = std::env::var("LIBDIRAC_DIR") {
        println!("cargo:rustc-link-search=native={}", folder);
    }
}
