// SPDX-License-Identifier: MIT
//! The whole story of libdirac on small images, as examples/digits.c tells it: build a DiracNet, train it to read
//! handwritten digits, test it, fold it, compare the two, save, load, classify.
//!
//! Usage: digits DIGITS.csv [MODEL]
use dirac::{Batches, Context, Dataset, Names, Net, NetBuilder, Session, Sgd};
use std::error::Error;

const SIDE: usize = 8;
const PIXELS: usize = SIDE * SIDE;
const CLASSES: i64 = 10;
const BATCH: i64 = 32;
const EPOCHS: i64 = 30;
const HELD_OUT: usize = 5;

/// One line: 64 grey values 0 to 16, row by row, then the digit.
fn parse_digit(line: &str) -> Option<([u8; PIXELS], i32)> {
    let numbers: Option<Vec<u8>> = line.split(',').map(|number| number.parse().ok()).collect();
    let numbers = numbers.filter(|numbers| numbers.len() == PIXELS + 1)?;
    let (pixels, label) = (&numbers[..PIXELS], numbers[PIXELS]);
    if pixels.iter().any(|&pixel| pixel > 16) || i64::from(label) >= CLASSES {
        return None;
    }
    Some((pixels.try_into().ok()?, i32::from(label)))
}

/// Every fifth digit goes to the test set; the others are for training.
fn read_digits(path: &str, training: &mut Dataset, test: &mut Dataset) -> Result<(), Box<dyn Error>> {
    for (number, line) in std::fs::read_to_string(path)?.lines().enumerate() {
        let (pixels, label) = parse_digit(line)
            .ok_or_else(|| format!("{}, line {}: not 64 grey values from 0 to 16 and a digit", path, number + 1))?;
        let set = if number % HELD_OUT == 0 { &mut *test } else { &mut *training };
        set.add_images(&pixels, &[label], false)?;
    }
    Ok(())
}

/// Eleven layers without a single skip connection.
fn build(context: &Context) -> dirac::Result<Net> {
    let net = NetBuilder::new(context)?;
    let mut x = net.batch_norm(net.conv2d(net.input(&[1, SIDE as i64, SIDE as i64]), 16, 3));
    for group in 0..3 {
        if group > 0 {
            x = net.max_pool2d(x, 2);
        }
        for _ in 0..3 {
            x = net.batch_norm(net.dirac_conv2d(net.relu(x), 16 << group, 3));
        }
    }
    net.output(net.linear(net.global_average_pool(net.relu(x)), CLASSES));
    net.build() // reports the first mistake of the whole chain
}

fn train(net: &Net, training: &Dataset) -> dirac::Result<()> {
    let mut batches = training
        .batches()
        .size(BATCH)
        .normalization(&[4.88], &[6.02]) // grey values brought to mean 0 and deviation 1
        .shuffle()
        .crop(1, false)
        .build()?;
    let mut session = Session::training(net).batch(BATCH).prepare()?;
    let mut sgd = Sgd::new(net)?;
    let steps = batches.per_epoch() * EPOCHS;
    sgd.set_learning_rate(0.1)?;
    sgd.set_momentum(0.9)?;
    sgd.set_weight_decay(5e-4)?;
    sgd.schedule_drops(&[steps * 6 / 10, steps * 85 / 100], 0.2, false)?;
    for _ in 0..EPOCHS {
        while let Some(batch) = batches.next_batch()? {
            session.forward(batch.samples)?;
            session.cross_entropy(batch.labels)?;
            session.backward()?;
            sgd.step(&mut session)?;
        }
    }
    Ok(())
}

/// The part of the images, in percent, whose largest logit is their label's.
fn accuracy(net: &Net, images: &[f32], labels: &[i32]) -> dirac::Result<f64> {
    let mut session = Session::inference(net).batch(labels.len() as i64).prepare()?;
    session.forward(images)?;
    Ok(100.0 * session.count_correct(labels)? as f64 / labels.len() as f64)
}

/// The class of one image, from a model file alone.
fn classify(context: &Context, path: &str, image: &[f32]) -> dirac::Result<usize> {
    let mut session = Session::inference(&Net::load(context, path)?).prepare()?;
    session.forward(image)?;
    let logits = session.output(0)?;
    Ok((1..logits.len()).fold(0, |best, class| if logits[class] > logits[best] { class } else { best }))
}

/// The whole test set as one batch.
fn all_at_once(test: &Dataset) -> dirac::Result<Batches> {
    test.batches().size(test.len()).normalization(&[4.88], &[6.02]).build()
}

/// As C's %.1e writes it.
fn scientific(value: f64) -> String {
    let text = format!("{:.1e}", value);
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    format!("{}e{}{:02}", digits, if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let csv = arguments.next().ok_or("usage: digits DIGITS.csv [MODEL]")?;
    let model = arguments.next().unwrap_or_else(|| "digits.safetensors".to_owned());
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get().min(64));
    let context = Context::builder().threads(threads as i32).seed(1).build()?;
    let mut training = Dataset::images(&context, 1, SIDE as i64, SIDE as i64)?;
    let mut test = Dataset::images(&context, 1, SIDE as i64, SIDE as i64)?;
    read_digits(&csv, &mut training, &mut test)?;

    let net = build(&context)?;
    let counts = (net.trained_count(), training.len(), test.len());
    println!("{} parameters, {} digits to train on, {} to test", counts.0, counts.1, counts.2);
    train(&net, &training)?;

    let mut held_out = all_at_once(&test)?;
    let batch = held_out.next_batch()?.ok_or("the test set is empty")?;
    let folded = net.fold()?;
    let difference = net.compare(&folded, batch.samples, None)?;
    folded.save(&model, Names::Own)?;
    let class = classify(&context, &model, &batch.samples[..PIXELS])?;
    println!("saved {}; it takes the first test image, a {}, for a {}", model, batch.labels[0], class);
    println!("test accuracy {:.2} %", accuracy(&net, batch.samples, batch.labels)?);
    println!("folded accuracy {:.2} %", accuracy(&folded, batch.samples, batch.labels)?);
    println!("fold difference {}", scientific(difference));
    Ok(())
}
