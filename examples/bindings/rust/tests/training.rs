// SPDX-License-Identifier: MIT
//! Sessions, steps, data, checkpoints.
mod support;
use dirac::{Batches, Checkpoint, Context, Dataset, Net, NetBuilder, Session, Sgd, Split, Status};
use std::ops::ControlFlow;
use support::{close, numbers, refused, small_net, IMAGE};

fn dataset(context: &Context) -> Dataset {
    let mut set = Dataset::floats(context, &[2, 6, 6]).unwrap();
    let labels: Vec<i32> = (0..20).map(|i| i % 3).collect();
    set.add_floats(&numbers(20 * IMAGE, 2), &labels).unwrap();
    set
}

#[test]
fn a_step_is_the_formula() {
    let net = small_net(&Context::new().unwrap(), 3);
    let mut session = Session::training(&net).batch(4).prepare().unwrap();
    let mut sgd = Sgd::new(&net).unwrap();
    sgd.set_learning_rate(0.25).unwrap();
    sgd.set_momentum(0.5).unwrap();
    sgd.set_weight_decay(0.125).unwrap();
    let mut w: Vec<f64> = net.read("fc.weight").unwrap().iter().map(|&x| x.into()).collect();
    let mut v = vec![0.0; w.len()];
    for turn in 0..3 {
        session.forward(&numbers(4 * IMAGE, turn)).unwrap();
        session.cross_entropy(&[0, 1, 2, 0]).unwrap();
        session.backward().unwrap();
        let gradient = session.gradient("fc.weight").unwrap();
        for (i, g) in gradient.iter().enumerate() {
            let d = f64::from(*g) + 0.125 * w[i];
            v[i] = if turn == 0 { d } else { 0.5 * v[i] + d };
            w[i] -= 0.25 * v[i];
        }
        sgd.step(&mut session).unwrap();
        // A few roundings of float32 a step, on numbers of size 1.
        for (found, wanted) in net.read("fc.weight").unwrap().iter().zip(&w) {
            close((*found).into(), *wanted, 1e-5);
        }
    }
    assert_eq!(sgd.steps().unwrap(), 3);
    close(sgd.momentum("fc.weight").unwrap()[0].into(), v[0], 1e-5);
    sgd.schedule_drops(&[1, 9], 0.5, false).unwrap();
    assert_eq!(sgd.learning_rate().unwrap(), 0.125);
}

#[test]
fn outputs_losses_and_gradients() {
    let net = small_net(&Context::new().unwrap(), 3);
    let relu = net.find("relu").unwrap();
    let mut session =
        Session::training(&net).batch(3).keep(relu).input_gradients().strict().seed(4).prepare().unwrap();
    refused(session.output(0), Status::State, "forward");
    refused(session.forward(&numbers(IMAGE + 1, 1)), Status::Shape, "73");
    refused(session.forward(&numbers(4 * IMAGE, 1)), Status::Argument, "3");
    session.forward(&numbers(3 * IMAGE, 1)).unwrap();
    let z: Vec<f64> = session.output(0).unwrap().iter().map(|&x| x.into()).collect();
    assert!(session.activation(relu).unwrap().iter().all(|&x| x >= 0.0));
    assert_eq!(session.activation(relu).unwrap().len(), 3 * 4 * 36);
    let loss = |image: usize, label: usize| {
        let row = &z[3 * image..3 * image + 3];
        row.iter().map(|x| x.exp()).sum::<f64>().ln() - row[label]
    };
    let expected = (loss(0, 2) + loss(1, 0) + loss(2, 1)) / 3.0;
    close(session.cross_entropy(&[2, 0, 1]).unwrap().into(), expected, 1e-6);
    let soft = [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
    close(session.cross_entropy_soft(&soft).unwrap().into(), expected, 1e-6);
    refused(session.cross_entropy(&[2, 0]), Status::Shape, "labels");
    refused(session.cross_entropy(&[2, 0, 3]), Status::Argument, "image 2");
    session.backward().unwrap();
    assert_eq!(session.input_gradient(0).unwrap().len(), 3 * IMAGE);
    assert_eq!(session.gradients().unwrap().len() as i64, net.trained_count());
    session.gradients_mut().unwrap()[0] = 42.0;
    assert_eq!(session.gradient("stem.weight").unwrap()[0], 42.0);
    session.clear_gradients().unwrap();
    // The ReLU's kink lets a difference be far off; tests/callbacks.rs compares a net without one.
    assert!(session.check_gradients(&numbers(3 * IMAGE, 1), 2, 0.0).unwrap().is_finite());
    session.set_net(&net.duplicate().unwrap()).unwrap();
    drop(net);
    session.forward(&numbers(IMAGE, 1)).unwrap();
    assert_eq!(session.output(0).unwrap().len(), 3);
}

#[test]
fn another_size_and_several_inputs() {
    let context = Context::new().unwrap();
    let net = small_net(&context, 3);
    let builder = Session::inference(&net).batch(2).input_size(0, &[9, 7]);
    let bytes = builder.bytes().unwrap();
    let mut session = builder.prepare().unwrap();
    assert_eq!(session.bytes().unwrap(), bytes);
    assert_eq!(session.shape(net.find("relu").unwrap()).unwrap(), [4, 9, 7]);
    session.forward(&numbers(2 * 2 * 63, 1)).unwrap();
    refused(Session::inference(&net).batch(0).prepare().map(|_| ()), Status::Argument, "batch");
    let net = NetBuilder::new(&context).unwrap();
    let (a, b) = (net.input(&[2]), net.input(&[2]));
    net.output(net.add(a, b));
    net.output(net.concat(&[a, b]));
    let mut session = Session::inference(&net.build().unwrap()).batch(2).prepare().unwrap();
    session.forward_inputs(&[&[1.0, 2.0], &[10.0, 20.0]]).unwrap();
    assert_eq!(session.output(0).unwrap(), [11.0, 22.0]);
    assert_eq!(session.output(1).unwrap(), [1.0, 2.0, 10.0, 20.0]);
    refused(session.forward(&[1.0, 2.0]), Status::Shape, "inputs");
    refused(session.forward_inputs(&[&[1.0, 2.0], &[1.0; 4]]), Status::Shape, "input");
}

fn trainer(net: &Net, set: &Dataset) -> (Sgd, Session, Batches) {
    let mut sgd = Sgd::new(net).unwrap();
    sgd.set_momentum(0.9).unwrap();
    let session = Session::training(net).batch(4).prepare().unwrap();
    (sgd, session, set.batches().size(4).shuffle().prefetch(2).build().unwrap())
}

#[test]
fn a_checkpoint_resumes_bit_for_bit() {
    let context = Context::builder().seed(3).build().unwrap();
    let set = dataset(&context);
    let (straight, first, second) = (small_net(&context, 3), small_net(&context, 3), small_net(&context, 3));
    let (mut sgd, mut session, mut batches) = trainer(&straight, &set);
    for _ in 0..2 {
        sgd.epoch(&mut session, &mut batches, None).unwrap();
    }
    let (mut sgd, mut session, mut batches) = trainer(&first, &set);
    sgd.epoch(&mut session, &mut batches, None).unwrap();
    let saved = {
        let checkpoint = Checkpoint::new(&context).unwrap().net("net", &first).unwrap();
        let checkpoint = checkpoint.sgd("sgd", &mut sgd).unwrap().session("session", &mut session).unwrap();
        let mut checkpoint = checkpoint.batches("batches", &mut batches).unwrap();
        checkpoint.set_blob("note", b"after one").unwrap();
        checkpoint.to_bytes().unwrap()
    };
    second.initialize(77).unwrap();
    let (mut sgd, mut session, mut batches) = trainer(&second, &set);
    {
        let checkpoint = Checkpoint::new(&context).unwrap().net("net", &second).unwrap();
        let checkpoint = checkpoint.sgd("sgd", &mut sgd).unwrap().session("session", &mut session).unwrap();
        let mut checkpoint = checkpoint.batches("batches", &mut batches).unwrap();
        checkpoint.load_bytes(&saved).unwrap();
        assert_eq!(checkpoint.blob("note").unwrap(), b"after one");
        refused(checkpoint.blob("nothing").map(|_| ()), Status::NotFound, "nothing");
    }
    sgd.epoch(&mut session, &mut batches, None).unwrap();
    assert_eq!(second.to_bytes().unwrap(), straight.to_bytes().unwrap());
}

#[test]
fn epochs_can_be_stopped() {
    let context = Context::new().unwrap();
    let (net, set) = (small_net(&context, 3), dataset(&context));
    let (mut sgd, mut session, mut batches) = trainer(&net, &set);
    let mut seen = Vec::new();
    let mut progress = |done: i64, total: i64| {
        seen.push((done, total));
        if done == 2 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    refused(sgd.epoch(&mut session, &mut batches, Some(&mut progress)), Status::Cancelled, "");
    assert_eq!((seen, sgd.steps().unwrap(), batches.position().unwrap()), (vec![(1, 5), (2, 5)], 2, (0, 2)));
    let epoch = Session::inference(&net).batch(4).prepare().unwrap().evaluate(&mut batches, None).unwrap();
    assert!(epoch.loss > 0.0 && (0.0..=1.0).contains(&epoch.accuracy));
}

#[test]
fn data() {
    let context = Context::new().unwrap();
    let pixels: Vec<u8> = (0..2 * 3 * 2 * 4).collect();
    let mut planar = Dataset::images(&context, 3, 2, 4).unwrap();
    planar.add_images(&pixels, &[4, 1], false).unwrap();
    planar.set_class_name(4, "four").unwrap();
    assert_eq!((planar.len(), planar.classes(), planar.label(1), planar.label(2)), (2, 5, Some(1), None));
    assert_eq!((planar.class_name(4).as_deref(), planar.class_name(0)), (Some("four"), None));
    assert_eq!(planar.read(1).unwrap(), (24..48).map(|x| x as f32).collect::<Vec<_>>());
    let mut mixed = Dataset::images(&context, 3, 2, 4).unwrap();
    let interleaved: Vec<u8> = (0..24).map(|i| pixels[i % 3 * 8 + i / 3]).collect();
    mixed.add_images(&interleaved, &[0], true).unwrap();
    assert_eq!(mixed.read(0).unwrap(), planar.read(0).unwrap());
    refused(planar.add_images(&pixels, &[4], false), Status::Shape, "48");
    let mut batches = planar.batches().normalization(&[1.0, 2.0, 3.0], &[2.0, 2.0, 2.0]).build().unwrap();
    let batch = batches.next_batch().unwrap().unwrap();
    assert_eq!((batch.samples.len(), batch.labels, batch.samples[8]), (48, &[4, 1][..], 3.0));
    assert!(batches.next_batch().unwrap().is_none());
    refused(planar.add_images(&pixels, &[4, 1], false), Status::State, "");
    refused(planar.batches().normalization(&[1.0], &[1.0, 2.0]).build().map(|_| ()), Status::Shape, "deviation");
    refused(planar.batches().size(0).build().map(|_| ()), Status::Argument, "size");
    let mut record = vec![7u8; 3073];
    record[0] = 3;
    let cifar = Dataset::from_cifar_bytes(&context, &record, 10).unwrap();
    assert_eq!((cifar.label(0), cifar.shape().unwrap()), (Some(3), vec![3, 32, 32]));
    let (head, labels) = (b"\0\0\x08\x03\0\0\0\x01\0\0\0\x02\0\0\0\x02\x01\x02\x03\x04", b"\0\0\x08\x01\0\0\0\x01\x05");
    assert_eq!(Dataset::from_idx_bytes(&context, head, labels).unwrap().read(0).unwrap(), [1.0, 2.0, 3.0, 4.0]);
    refused(Dataset::load_cifar10(&context, "/no/such", Split::Test).map(|_| ()), Status::Io, "/no/such");
}
