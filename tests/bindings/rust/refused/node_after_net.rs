// SPDX-License-Identifier: MIT
// error[E0505]: a node cannot outlive its net.
fn main() {
    let net = dirac::Net::load(&dirac::Context::new().unwrap(), "model").unwrap();
    let x = net.find("x").unwrap();
    drop(net);
    println!("{}", x.name());
}
