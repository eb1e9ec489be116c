// SPDX-License-Identifier: MIT
//! Closures that the library calls: errors and panics come out of the call; everything is given back; threads.
mod support;
use dirac::{
    Allocator, Backward, Context, CustomLayer, Dataset, Error, Forward, Init, LayerKind, Net, NetBuilder, Result,
    Session, Setup, Sgd, Status,
};
use std::alloc::{alloc, dealloc, Layout};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use support::{close, numbers, refused, small_net, IMAGE};

/// The panic that `body` ends with, as text.
fn panic_of<T>(body: impl FnOnce() -> T) -> String {
    let payload = catch_unwind(AssertUnwindSafe(body)).err().expect("no panic");
    payload.downcast_ref::<&str>().map(|text| text.to_string()).or_else(|| payload.downcast_ref().cloned()).unwrap()
}

/// y = w[c] x^2 with the running mean of x as state, and w x kept for backward.
struct Square {
    dropped: Arc<AtomicUsize>,
}

impl Drop for Square {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

impl CustomLayer for Square {
    fn setup(&self, layer: &mut Setup<'_>) -> Result<()> {
        let shape = layer.input_shape(0)?;
        layer.set_output_shape(&shape)?;
        layer.add_parameter("weight", &shape[..1], false, Init::Uniform(0.5, 1.5))?;
        layer.add_state("mean", &shape[..1], 0.25)?;
        layer.keep(shape.iter().product(), 1)
    }

    fn forward(&self, layer: &mut Forward<'_>) -> Result<()> {
        let (weight, x, scale) = (layer.parameters.get("weight")?, layer.inputs[0], layer.float("scale") as f32);
        let area = x.len() / layer.batch / weight.len();
        for (i, y) in layer.output.iter_mut().enumerate() {
            *y = weight[i / area % weight.len()] * x[i] * x[i] * scale;
        }
        assert_eq!(layer.kept.len(), if layer.training { x.len() + 1 } else { 0 });
        if let Some(mean) = layer.new_states.get("mean")? {
            mean[0] += 1.0;
            layer.kept[..x.len()].copy_from_slice(x);
        }
        Ok(())
    }

    fn backward(&self, layer: &mut Backward<'_>) -> Result<()> {
        let (weight, dy, scale) = (layer.parameters.get("weight")?, layer.output_gradient, layer.float("scale") as f32);
        let x = &layer.kept[..dy.len()];
        let area = dy.len() / layer.batch / weight.len();
        if let Some(dw) = layer.gradients.get("weight")? {
            for i in 0..dy.len() {
                dw[i / area % weight.len()] += dy[i] * x[i] * x[i] * scale;
            }
        }
        assert!(layer.gradients.get("mean")?.is_none() && layer.gradients.get("none").is_err());
        if let Some(dx) = &mut layer.input_gradients[0] {
            for i in 0..dy.len() {
                dx[i] = dy[i] * 2.0 * weight[i / area % weight.len()] * x[i] * scale;
            }
        }
        Ok(())
    }
}

#[test]
fn a_layer_in_rust() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let context = Context::new().unwrap();
    let square = Square { dropped: dropped.clone() };
    let kind = LayerKind::register(&context, "square", 1, &[], &[("scale", 0.0, 9.0, 1.0)], square).unwrap();
    let net = NetBuilder::new(&context).unwrap();
    let x = net.input(&[3, 2, 2]);
    net.output(net.custom(&kind, &[x]).set_float("scale", 2.0).named("mine"));
    let net = net.build().unwrap();
    drop((kind, context));
    let mut session = Session::training(&net).batch(2).input_gradients().prepare().unwrap();
    let (x, r, w) = (numbers(24, 1), numbers(24, 2), net.read("mine.weight").unwrap());
    session.forward(&x).unwrap();
    for (i, y) in session.output(0).unwrap().iter().enumerate() {
        close((*y).into(), 2.0 * f64::from(w[i / 4 % 3]) * f64::from(x[i]).powi(2), 1e-6);
    }
    session.set_output_gradient(0, &r).unwrap();
    session.backward().unwrap();
    for (c, found) in session.gradient("mine.weight").unwrap().iter().enumerate() {
        let of_channel = (0..24).filter(|i| i / 4 % 3 == c);
        let wanted: f64 = of_channel.map(|i| 2.0 * f64::from(r[i]) * f64::from(x[i]).powi(2)).sum();
        close((*found).into(), wanted, 1e-5);
    }
    for (i, found) in session.input_gradient(0).unwrap().iter().enumerate() {
        close((*found).into(), 4.0 * f64::from(r[i] * w[i / 4 % 3] * x[i]), 1e-5);
    }
    session.commit_statistics().unwrap();
    assert_eq!(net.read("mine.mean").unwrap(), [1.25, 0.25, 0.25]);
    assert!(session.check_gradients(&x, 3, 0.0).unwrap() < 1e-2);
    let again = net.duplicate().unwrap();
    refused(Net::from_bytes(&Context::new().unwrap(), &again.to_bytes().unwrap()), Status::NotFound, "square");
    drop((net, session));
    assert_eq!(dropped.load(Ordering::SeqCst), 0, "a net still needs it");
    drop(again);
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}

/// Copies, and fails or panics when it sees certain numbers.
struct Picky;

impl CustomLayer for Picky {
    fn setup(&self, layer: &mut Setup<'_>) -> Result<()> {
        let shape = layer.input_shape(0)?;
        layer.set_output_shape(&shape)
    }
    fn forward(&self, layer: &mut Forward<'_>) -> Result<()> {
        match layer.inputs[0][0] {
            x if x == 1.0 => Err(Error::new(Status::Unsupported, "no ones")),
            x if x == 2.0 => panic!("no twos"),
            _ => Ok(layer.output.copy_from_slice(layer.inputs[0])),
        }
    }
    fn backward(&self, _layer: &mut Backward<'_>) -> Result<()> {
        Err(Error::not_trainable())
    }
}

#[test]
fn errors_and_panics_of_a_layer() {
    let context = Context::new().unwrap();
    let kind = LayerKind::register(&context, "picky", 1, &[], &[], Picky).unwrap();
    refused(LayerKind::register(&context, "picky", 1, &[], &[], Picky).map(|_| ()), Status::Argument, "picky");
    let net = NetBuilder::new(&context).unwrap();
    net.output(net.custom(&kind, &[net.input(&[2])]));
    let net = net.build().unwrap();
    let mut session = Session::training(&net).input_gradients().prepare().unwrap();
    refused(session.forward(&[1.0, 0.0]), Status::Unsupported, "no ones");
    assert_eq!(panic_of(|| session.forward(&[2.0, 0.0])), "no twos");
    session.forward(&[3.0, 0.0]).unwrap();
    assert_eq!(session.output(0).unwrap(), [3.0, 0.0]);
    session.cross_entropy(&[0]).unwrap();
    refused(session.backward(), Status::Unsupported, "no backward");
}

#[test]
fn samples() {
    for prefetch in [0, 2] {
        let context = Context::new().unwrap();
        let set = Dataset::callback(&context, &[1, 2], 8, |index, values| {
            values.fill(index as f32);
            match index {
                5 => Err(Error::new(Status::Io, "sample 5 is broken")),
                7 => panic!("sample 7 panics"),
                _ => Ok(index as i32 % 3),
            }
        })
        .unwrap();
        let mut batches = set.batches().size(2).prefetch(prefetch).build().unwrap();
        assert_eq!(set.read(6).unwrap(), [6.0, 6.0]);
        refused(set.read(5), Status::Io, "sample 5");
        drop((set, context)); // the stream keeps them
        let batch = batches.next_batch().unwrap().unwrap();
        assert_eq!((batch.samples, batch.labels), (&[0.0, 0.0, 1.0, 1.0][..], &[0, 1][..]));
        batches.next_batch().unwrap();
        refused(batches.next_batch().map(|_| ()), Status::Io, "sample 5 is broken");
        batches.seek(0, 3).unwrap();
        assert_eq!(panic_of(|| batches.next_batch().map(|_| ())), "sample 7 panics");
    }
}

#[test]
fn progress_log_and_runner() {
    let messages = Arc::new(Mutex::new(Vec::new()));
    let told = messages.clone();
    let context = Context::builder()
        .log(dirac::LogLevel::Info, move |level, text| told.lock().unwrap().push((level, text.to_owned())))
        .progress(|_, _| ControlFlow::Break(()))
        .build()
        .unwrap();
    let net = small_net(&context, 3);
    let path = std::env::temp_dir().join(format!("dirac-rust-stopped-{}", std::process::id()));
    refused(net.save(&path, dirac::Names::Own), Status::Cancelled, "");
    assert!(!path.exists());
    let mut session = Session::inference(&net).batch(8).prepare().unwrap();
    let (level, text) = messages.lock().unwrap()[0].clone();
    assert!(level == dirac::LogLevel::Info && text.contains("batch 8"));
    session.forward(&numbers(8 * IMAGE, 1)).unwrap();

    let jobs = Arc::new(AtomicUsize::new(0));
    let counted = jobs.clone();
    let context = Context::builder()
        .runner(3, move |task, count| {
            counted.fetch_add(1, Ordering::SeqCst);
            std::thread::scope(|scope| {
                for index in 0..count / 2 {
                    scope.spawn(move || task(index)); // the rest is run for us
                }
            });
            task(0); // was run: is not run again
        })
        .build()
        .unwrap();
    assert_eq!(context.threads(), 3);
    let mut same = Session::inference(&small_net(&context, 3)).batch(8).prepare().unwrap();
    same.forward(&numbers(8 * IMAGE, 1)).unwrap();
    assert_eq!(same.output(0).unwrap(), session.output(0).unwrap());
    assert!(jobs.load(Ordering::SeqCst) > 0);

    let context = Context::builder().runner(2, |_, _| panic!("the runner panics")).build().unwrap();
    let mut session = Session::inference(&small_net(&context, 3)).batch(8).prepare().unwrap();
    assert_eq!(panic_of(|| session.forward(&numbers(8 * IMAGE, 1))), "the runner panics");
    assert_eq!(session.output(0).unwrap(), same.output(0).unwrap());
    let mut stop = |_: i64, _: i64| -> ControlFlow<()> { panic!("progress panics") };
    let net = small_net(&context, 3);
    let mut set = Dataset::floats(&context, &[2, 6, 6]).unwrap();
    set.add_floats(&numbers(2 * IMAGE, 1), &[0, 1]).unwrap();
    let (mut sgd, mut batches) = (Sgd::new(&net).unwrap(), set.batches().size(2).build().unwrap());
    // This context's runner panics too; one of the two comes out, and nothing is lost.
    let mut session = Session::training(&net).batch(2).prepare().unwrap();
    assert!(panic_of(|| sgd.epoch(&mut session, &mut batches, Some(&mut stop))).contains("panics"));
}

/// An allocator that knows what is out.
#[derive(Clone, Default)]
struct Counting {
    blocks: Arc<Mutex<HashMap<usize, Layout>>>,
}

unsafe impl Allocator for Counting {
    fn allocate(&self, layout: Layout) -> *mut u8 {
        let pointer = unsafe { alloc(layout) };
        self.blocks.lock().unwrap().insert(pointer as usize, layout);
        pointer
    }
    unsafe fn release(&self, pointer: *mut u8, size: usize) {
        let layout = self.blocks.lock().unwrap().remove(&(pointer as usize)).unwrap();
        assert_eq!(layout.size(), size);
        dealloc(pointer, layout)
    }
}

#[test]
fn everything_is_given_back() {
    let counting = Counting::default();
    let context = Context::builder().allocator(counting.clone()).build().unwrap();
    let net = small_net(&context, 3);
    let mut set = Dataset::floats(&context, &[2, 6, 6]).unwrap();
    set.add_floats(&numbers(4 * IMAGE, 1), &[0, 1, 2, 0]).unwrap();
    let mut batches = set.batches().size(2).prefetch(1).build().unwrap();
    let (mut sgd, mut session) = (Sgd::new(&net).unwrap(), Session::training(&net).batch(2).prepare().unwrap());
    sgd.epoch(&mut session, &mut batches, None).unwrap();
    Net::from_bytes(&context, &net.fold().unwrap().to_bytes().unwrap()).unwrap();
    drop((context, set, net)); // the others keep them
    sgd.epoch(&mut session, &mut batches, None).unwrap();
    assert!(counting.blocks.lock().unwrap().len() > 5);
    drop((batches, session, sgd));
    assert_eq!(counting.blocks.lock().unwrap().len(), 0);
}

#[test]
fn threads() {
    let net = small_net(&Context::new().unwrap(), 3);
    let inputs: Vec<_> = (0..2).map(|seed| numbers(16 * IMAGE, seed)).collect();
    let run = |input: &[f32]| {
        let mut session = Session::inference(&net).batch(16).prepare().unwrap();
        session.forward(input).unwrap();
        (session.output(0).unwrap().to_vec(), session)
    };
    let expected: Vec<_> = inputs.iter().map(|input| run(input).0).collect();
    std::thread::scope(|scope| {
        for (input, wanted) in inputs.iter().zip(&expected) {
            let run = &run;
            scope.spawn(move || (0..50).for_each(|_| assert_eq!(&run(input).0, wanted)));
        }
    });
    let (_, mut session) = run(&inputs[0]); // a session may move to another thread
    std::thread::spawn(move || session.forward(&numbers(IMAGE, 1)).unwrap()).join().unwrap();
}
