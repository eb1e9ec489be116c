// SPDX-License-Identifier: MIT
// error[E0499]: what a checkpoint restores cannot be in use.
fn main() {
    let context = dirac::Context::new().unwrap();
    let net = dirac::Net::load(&context, "model").unwrap();
    let mut session = dirac::Session::training(&net).prepare().unwrap();
    let mut checkpoint = dirac::Checkpoint::new(&context).unwrap().session("s", &mut session).unwrap();
    let gradients = session.gradients_mut().unwrap();
    checkpoint.load("run").unwrap();
    gradients[0] = 1.0;
}
