// SPDX-License-Identifier: MIT
// error[E0505]: a node of a builder cannot be used once the net is built.
fn main() {
    let net = dirac::NetBuilder::new(&dirac::Context::new().unwrap()).unwrap();
    let x = net.output(net.input(&[3]));
    let _built = net.build();
    println!("{}", x.name());
}
