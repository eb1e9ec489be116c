// SPDX-License-Identifier: MIT
// error[E0505]: an output is gone with its session.
fn main() {
    let net = dirac::Net::load(&dirac::Context::new().unwrap(), "model").unwrap();
    let session = dirac::Session::inference(&net).prepare().unwrap();
    let logits = session.output(0).unwrap();
    drop(session);
    println!("{}", logits[0]);
}
