// SPDX-License-Identifier: MIT
// error[E0277]: a session has one caller at a time.
fn shared<T: Sync>(_: &T) {}
fn main() {
    let net = dirac::Net::load(&dirac::Context::new().unwrap(), "model").unwrap();
    shared(&net);
    shared(&dirac::Session::inference(&net).prepare().unwrap());
}
