// SPDX-License-Identifier: MIT
//! Building, looking, files, errors.
mod support;
use dirac::{Context, Form, Init, Names, Net, NetBuilder, Quantity, Session, Status};
use std::sync::{Arc, Mutex};
use support::{numbers, refused, small_net, IMAGE};

#[test]
fn every_status_has_a_name() {
    for (index, status) in Status::ALL.iter().enumerate() {
        assert_eq!(status.code(), -(index as i32) - 1);
        assert!(status.name().starts_with("DIRAC_ERR_") && status.name() != "DIRAC_ERR_UNKNOWN");
        assert!(!status.meaning().is_empty());
    }
    assert_eq!(Status::Shape.name(), "DIRAC_ERR_SHAPE");
    // The code after the last one is unknown to the library too.
    let next = Status::Other(-(Status::ALL.len() as i32) - 1);
    assert_eq!(next.name(), "DIRAC_ERR_UNKNOWN");
}

#[test]
fn versions() {
    assert_eq!(dirac::version(), env!("DIRAC_VERSION"));
    assert_eq!(dirac::abi_version(), dirac::sys::ABI_VERSION);
    assert!(dirac::version_number() > 0 && dirac::build_features().contains("kernels:"));
}

#[test]
fn options_and_tensors() {
    let context = Context::builder().threads(2).seed(5).build().unwrap();
    assert_eq!(context.threads(), 2);
    let net = NetBuilder::new(&context).unwrap();
    let conv = net
        .scope("body", || {
            net.conv2d(net.input(&[3, 9, 8]), 4, 3)
                .set_ints("stride", &[2, 1])
                .set_int("padding", 1)
                .form(Form::Delta)
                .initializer("weight", Init::Constant(0.5))
                .named("c")
        })
        .unwrap();
    let x = net.elu(conv).set_float("alpha", 2.0).named("elu");
    let twin = net.conv2d(x, 4, 3);
    net.output(net.conv2d(twin, 4, 3).share_parameters(twin).named("shared"));
    let net = net.build().unwrap();
    let conv = net.find("body.c").unwrap();
    assert_eq!((conv.ints("stride").unwrap(), conv.int("form").unwrap()), (vec![2, 1], 1));
    assert_eq!(conv.shape().unwrap(), [4, 5, 8]);
    assert_eq!(net.find("elu").unwrap().float("alpha").unwrap(), 2.0);
    assert!(net.find("elu").unwrap().inputs()[0] == conv && net.find("nothing").is_none());
    assert_eq!(net.find("shared").unwrap().trained_count(), 0);
    assert!(net.read("body.c.weight").unwrap().iter().all(|&w| w == 0.5));
    assert_eq!(net.tensor_shape("body.c.weight").unwrap(), [4, 3, 3, 3]);
    let version = net.version();
    net.write("body.c.alpha", &[0.0, 1.0, 2.0, 3.0]).unwrap();
    assert_eq!(net.read("body.c.alpha").unwrap(), [0.0, 1.0, 2.0, 3.0]);
    assert_eq!(conv.filters(Quantity::Alpha).unwrap(), [0.0, 1.0, 2.0, 0.0]); // the fourth filter has no input of its own
    let summary = conv.filter_summary(Quantity::Alpha).unwrap();
    assert_eq!((summary.mean, summary.least, summary.largest, summary.filters), (1.0, 0.0, 2.0, 3));
    refused(net.find("elu").unwrap().filters(Quantity::Norm), Status::Argument, "no filters");
    assert!(net.version() > version && net.is_trained("body.c.alpha").unwrap());
    refused(net.write("body.c.alpha", &[0.0]), Status::Shape, "must be 4");
    refused(net.read("nothing"), Status::NotFound, "nothing");
    refused(conv.int("size"), Status::NotFound, "size");
    net.initialize(9).unwrap();
    net.set_trainable("*.alpha", false).unwrap();
    assert_eq!(net.multiply_adds(), net.nodes().iter().map(|node| node.multiply_adds()).sum::<i64>());
}

#[test]
fn the_first_mistake_is_reported_by_build() {
    let context = Context::new().unwrap();
    let net = NetBuilder::new(&context).unwrap();
    let x = net.conv2d(net.input(&[3, 8, 8]), 4, 3).set_int("stride", 0);
    net.output(net.add(x, net.input(&[2])));
    refused(net.build(), Status::Argument, "stride");
    let net = NetBuilder::new(&context).unwrap();
    net.output(net.relu(net.input(&[3])).named("zero\0byte"));
    refused(net.build(), Status::Argument, "");
    let net = NetBuilder::new(&context).unwrap();
    net.output(net.input(&[]));
    refused(net.build(), Status::Argument, "");
    // A node of another net that is being built: the types allow it, the library does not.
    let (one, other) = (NetBuilder::new(&context).unwrap(), NetBuilder::new(&context).unwrap());
    one.output(one.relu(other.input(&[3])));
    refused(one.build(), Status::Argument, "");
}

#[test]
fn files() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = seen.clone();
    let context = Context::builder()
        .progress(move |done, total| {
            told.lock().unwrap().push((done, total));
            std::ops::ControlFlow::Continue(())
        })
        .build()
        .unwrap();
    let net = small_net(&context, 3);
    net.set_note("classes", Some("kite\nüber")).unwrap();
    net.set_note("gone", Some("x")).unwrap();
    net.set_note("gone", None).unwrap();
    let path = std::env::temp_dir().join(format!("dirac-rust-{}.safetensors", std::process::id()));
    net.save(&path, Names::Own).unwrap();
    let size = std::fs::metadata(&path).unwrap().len() as i64;
    assert_eq!(seen.lock().unwrap().last(), Some(&(size, size)));
    let loaded = Net::load(&context, &path).unwrap();
    assert_eq!(loaded.to_bytes().unwrap(), std::fs::read(&path).unwrap());
    assert_eq!((loaded.note("classes").as_deref(), loaded.note("gone")), (Some("kite\nüber"), None));
    let head = small_net(&context, 5);
    refused(head.load_weights(&path, false), Status::Mismatch, "fc.weight");
    assert!(head.load_report().contains("fc.weight"));
    assert!(head.load_weights_from(&loaded.to_bytes().unwrap(), true).unwrap().contains("fc.weight"));
    assert_eq!(head.read("stem.weight").unwrap(), net.read("stem.weight").unwrap());
    std::fs::remove_file(&path).unwrap();
    refused(Net::load(&context, &path), Status::Io, "dirac-rust");
    refused(Net::from_bytes(&context, b"12345678 nonsense"), Status::Format, "");

    let cifar = NetBuilder::new(&context).unwrap();
    cifar.output(cifar.diracnet_cifar(cifar.input(&[3, 32, 32]), 34, 1.0, 10, Form::NormalizedDelta));
    let cifar = cifar.build().unwrap();
    assert_eq!(cifar.trained_count(), 466394); // the number of models.h
    cifar.save(&path, Names::Published).unwrap();
    let other = cifar.duplicate().unwrap();
    other.initialize(9).unwrap();
    assert_eq!(other.load_weights(&path, false).unwrap(), "");
    assert_eq!(other.to_bytes().unwrap(), cifar.to_bytes().unwrap());
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn folding() {
    let net = small_net(&Context::new().unwrap(), 3);
    let (folded, input, mut rows) = (net.fold().unwrap(), numbers(2 * IMAGE, 1), Vec::new());
    let mut each = |node: &str, difference: f64, largest: f64| rows.push((node.to_owned(), difference, largest));
    let worst = net.compare(&folded, &input, Some(&mut each)).unwrap();
    assert!(worst < 1e-4 && rows.iter().any(|row| row.0 == "dirac" && row.1 < 1e-4 && row.2 > 0.0));
    refused(net.compare(&folded, &input[1..], None), Status::Shape, "143");
    let mut session = Session::inference(&folded).batch(2).prepare().unwrap();
    session.forward(&input).unwrap();
    assert_eq!(session.output(0).unwrap().len(), 6);
}

#[test]
fn options_of_a_context_are_checked() {
    refused(Context::builder().threads(65).build().map(|_| ()), Status::Argument, "threads");
    refused(Context::builder().kernels("none").build().map(|_| ()), Status::Argument, "none");
    let context = Context::builder().load_limit(4096).blas(false).build().unwrap();
    let bytes = small_net(&Context::new().unwrap(), 3).to_bytes().unwrap();
    refused(Net::from_bytes(&context, &bytes), Status::Limit, "");
}
