// SPDX-License-Identifier: MIT
// error[E0502]: an output is gone with the next forward.
fn main() {
    let net = dirac::Net::load(&dirac::Context::new().unwrap(), "model").unwrap();
    let mut session = dirac::Session::inference(&net).prepare().unwrap();
    let logits = session.output(0).unwrap();
    session.forward(&[0.0]).unwrap();
    println!("{}", logits[0]);
}
