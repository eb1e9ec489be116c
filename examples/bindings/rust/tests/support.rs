// SPDX-License-Identifier: MIT
//! What the tests share.
#![allow(dead_code)]
use dirac::{Context, Net, NetBuilder, Result, Status};

/// Two convolutions of 2x6x6 images.
pub fn small_net(context: &Context, classes: i64) -> Net {
    let net = NetBuilder::new(context).unwrap();
    net.seed(1).unwrap();
    let stem = net.conv2d(net.input(&[2, 6, 6]), 4, 3).set_int("bias", 1).named("stem");
    let x = net.dirac_conv2d(net.relu(net.batch_norm(stem).named("bn")).named("relu"), 4, 3).named("dirac");
    net.output(net.linear(net.global_average_pool(x), classes).named("fc"));
    net.build().unwrap()
}

/// Numbers from -1 to 1.
pub fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2654435761).wrapping_add(12345);
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect()
}

pub const IMAGE: usize = 72;

/// The call failed with that status, and its message holds that text.
pub fn refused<T>(result: Result<T>, status: Status, text: &str) {
    match result {
        Ok(_) => panic!("was not refused"),
        Err(error) => {
            assert_eq!(error.status, status, "{}", error);
            assert!(error.message.contains(text), "{:?} does not hold {:?}", error.message, text);
        }
    }
}

pub fn close(a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance, "{} and {}", a, b);
}
