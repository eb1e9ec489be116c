// SPDX-License-Identifier: MIT
// Made from the public headers by tools/api/generate.py; do not edit.
//! The C interface of libdirac as it is: opaque types, callback types, constants and functions.
#![allow(non_camel_case_types)]
use std::os::raw::{c_char, c_void};

pub const ABI_VERSION: i32 = 0;

#[repr(C)]
pub struct dirac_context {
    _opaque: [u8; 0],
}

#[repr(C)]
pub struct dirac_net {
    _opaque: [u8; 0],
}

#[repr(C)]
pub struct dirac_node {
    _opaque: [u8; 0],
}

#[repr(C)]
pub struct dirac_dataset {
    _opaque: [u8; 0],
}

#[repr(C)]
pub struct dirac_batches {
    _opaque: [u8; 0],
}

#[repr(C)]
pub struct dirac_session {
    _opaque: [u8; 0],
}

#[repr(C)]
pub struct dirac_sgd {
    _opaque: [u8; 0],
}

#[repr(C)]
pub struct dirac_checkpoint {
    _opaque: [u8; 0],
}

#[repr(C)]
pub struct dirac_layer_kind {
    _opaque: [u8; 0],
}

#[repr(C)]
pub struct dirac_layer {
    _opaque: [u8; 0],
}

pub type dirac_alloc_fn = unsafe extern "C" fn(user: *mut c_void, size: usize, alignment: usize) -> *mut c_void;
pub type dirac_free_fn = unsafe extern "C" fn(user: *mut c_void, pointer: *mut c_void, size: usize);
pub type dirac_task_fn = unsafe extern "C" fn(task_data: *mut c_void, index: i32);
pub type dirac_runner_fn = unsafe extern "C" fn(
    user: *mut c_void,
    task: Option<dirac_task_fn>,
    task_data: *mut c_void,
    count: i32,
) -> i32;
pub type dirac_log_fn = unsafe extern "C" fn(user: *mut c_void, level: i32, message: *const c_char);
pub type dirac_progress_fn = unsafe extern "C" fn(user: *mut c_void, done: i64, total: i64) -> i32;
pub type dirac_compare_fn = unsafe extern "C" fn(user: *mut c_void, node: *const c_char, difference: f64, largest: f64);
pub type dirac_sample_fn = unsafe extern "C" fn(
    user: *mut c_void,
    index: i64,
    values: *mut f32,
    label: *mut i32,
) -> i32;
pub type dirac_layer_fn = unsafe extern "C" fn(user: *mut c_void, layer: *mut dirac_layer) -> i32;
pub type dirac_destroy_fn = unsafe extern "C" fn(user: *mut c_void);

pub const DIRAC_OK: i32 = 0;
pub const DIRAC_ERR_ARGUMENT: i32 = -1;
pub const DIRAC_ERR_MEMORY: i32 = -2;
pub const DIRAC_ERR_SHAPE: i32 = -3;
pub const DIRAC_ERR_STATE: i32 = -4;
pub const DIRAC_ERR_BUSY: i32 = -5;
pub const DIRAC_ERR_IO: i32 = -6;
pub const DIRAC_ERR_FORMAT: i32 = -7;
pub const DIRAC_ERR_NOT_FOUND: i32 = -8;
pub const DIRAC_ERR_MISMATCH: i32 = -9;
pub const DIRAC_ERR_NOT_FINITE: i32 = -10;
pub const DIRAC_ERR_CANCELLED: i32 = -11;
pub const DIRAC_ERR_CALLBACK: i32 = -12;
pub const DIRAC_ERR_UNSUPPORTED: i32 = -13;
pub const DIRAC_ERR_LIMIT: i32 = -14;
pub const DIRAC_ERR_THREAD: i32 = -15;
pub const DIRAC_LOG_WARNING: i32 = 1;
pub const DIRAC_LOG_INFO: i32 = 2;
pub const DIRAC_LOG_DEBUG: i32 = 3;
pub const DIRAC_MAX_RANK: i32 = 5;
pub const DIRAC_FORM_PLAIN: i32 = 0;
pub const DIRAC_FORM_DELTA: i32 = 1;
pub const DIRAC_FORM_NORMALIZED_DELTA: i32 = 2;
pub const DIRAC_FORM_FIXED_DELTA: i32 = 3;
pub const DIRAC_INIT_ZEROS: i32 = 0;
pub const DIRAC_INIT_CONSTANT: i32 = 1;
pub const DIRAC_INIT_NORMAL: i32 = 2;
pub const DIRAC_INIT_KAIMING_NORMAL: i32 = 3;
pub const DIRAC_INIT_UNIFORM: i32 = 4;
pub const DIRAC_INIT_ORTHOGONAL: i32 = 5;
pub const DIRAC_INIT_DELTA: i32 = 6;
pub const DIRAC_ROLE_TRAINED: i32 = 0;
pub const DIRAC_ROLE_STATE: i32 = 1;
pub const DIRAC_FILTER_ALPHA: i32 = 0;
pub const DIRAC_FILTER_BETA: i32 = 1;
pub const DIRAC_FILTER_NORM: i32 = 2;
pub const DIRAC_FILTER_IDENTITY: i32 = 3;
pub const DIRAC_SPLIT_TRAIN: i32 = 0;
pub const DIRAC_SPLIT_TEST: i32 = 1;
pub const DIRAC_LAYOUT_PLANAR: i32 = 0;
pub const DIRAC_LAYOUT_INTERLEAVED: i32 = 1;
pub const DIRAC_PAD_ZERO: i32 = 0;
pub const DIRAC_PAD_REFLECT: i32 = 1;
pub const DIRAC_INFER: i32 = 0;
pub const DIRAC_TRAIN: i32 = 1;
pub const DIRAC_NAMES_OWN: i32 = 0;
pub const DIRAC_NAMES_PUBLISHED: i32 = 1;
pub const DIRAC_NAMES_FOLDED: i32 = 2;
pub const DIRAC_LOAD_STRICT: i32 = 0;
pub const DIRAC_LOAD_PARTIAL: i32 = 1;

#[link(name = "dirac")]
extern "C" {
    pub fn dirac_version_string() -> *const c_char;
    pub fn dirac_version_number() -> i32;
    pub fn dirac_abi_version() -> i32;
    pub fn dirac_build_features() -> *const c_char;
    pub fn dirac_status_name(status: i32) -> *const c_char;
    pub fn dirac_status_string(status: i32) -> *const c_char;
    pub fn dirac_error_message() -> *const c_char;
    pub fn dirac_context_create(out: *mut *mut dirac_context) -> i32;
    pub fn dirac_context_create_with_allocator(
        out: *mut *mut dirac_context,
        allocate: Option<dirac_alloc_fn>,
        release: Option<dirac_free_fn>,
        user: *mut c_void,
    ) -> i32;
    pub fn dirac_context_destroy(context: *mut dirac_context);
    pub fn dirac_context_set_threads(context: *mut dirac_context, threads: i32) -> i32;
    pub fn dirac_context_set_runner(
        context: *mut dirac_context,
        runner: Option<dirac_runner_fn>,
        user: *mut c_void,
        width: i32,
    ) -> i32;
    pub fn dirac_context_set_log(
        context: *mut dirac_context,
        log: Option<dirac_log_fn>,
        user: *mut c_void,
        level: i32,
    ) -> i32;
    pub fn dirac_context_set_progress(
        context: *mut dirac_context,
        progress: Option<dirac_progress_fn>,
        user: *mut c_void,
    ) -> i32;
    pub fn dirac_context_set_seed(context: *mut dirac_context, seed: u64) -> i32;
    pub fn dirac_context_set_kernels(context: *mut dirac_context, name: *const c_char) -> i32;
    pub fn dirac_context_set_blas(context: *mut dirac_context, allowed: i32) -> i32;
    pub fn dirac_context_set_load_limit(context: *mut dirac_context, bytes: u64) -> i32;
    pub fn dirac_context_threads(context: *const dirac_context) -> i32;
    pub fn dirac_context_kernels(context: *const dirac_context) -> *const c_char;
    pub fn dirac_buffer_free(context: *mut dirac_context, buffer: *mut c_void, size: usize);
    pub fn dirac_net_create(out: *mut *mut dirac_net, context: *mut dirac_context) -> i32;
    pub fn dirac_net_destroy(net: *mut dirac_net);
    pub fn dirac_net_set_seed(net: *mut dirac_net, seed: u64) -> i32;
    pub fn dirac_net_build(net: *mut dirac_net) -> i32;
    pub fn dirac_net_clone(out: *mut *mut dirac_net, net: *const dirac_net) -> i32;
    pub fn dirac_net_fold(out: *mut *mut dirac_net, net: *const dirac_net) -> i32;
    pub fn dirac_net_compare(
        net: *mut dirac_net,
        folded: *mut dirac_net,
        input: *const f32,
        n: i64,
        each: Option<dirac_compare_fn>,
        user: *mut c_void,
        difference: *mut f64,
    ) -> i32;
    pub fn dirac_net_input(net: *mut dirac_net, channels: i64) -> *mut dirac_node;
    pub fn dirac_net_input1d(net: *mut dirac_net, channels: i64, length: i64) -> *mut dirac_node;
    pub fn dirac_net_input2d(net: *mut dirac_net, channels: i64, height: i64, width: i64) -> *mut dirac_node;
    pub fn dirac_net_input3d(
        net: *mut dirac_net,
        channels: i64,
        depth: i64,
        height: i64,
        width: i64,
    ) -> *mut dirac_node;
    pub fn dirac_net_output(net: *mut dirac_net, x: *mut dirac_node) -> *mut dirac_node;
    pub fn dirac_net_push_scope(net: *mut dirac_net, name: *const c_char) -> i32;
    pub fn dirac_net_pop_scope(net: *mut dirac_net) -> i32;
    pub fn dirac_node_set_name(node: *mut dirac_node, name: *const c_char) -> i32;
    pub fn dirac_net_conv1d(net: *mut dirac_net, x: *mut dirac_node, channels: i64, kernel: i64) -> *mut dirac_node;
    pub fn dirac_net_conv2d(net: *mut dirac_net, x: *mut dirac_node, channels: i64, kernel: i64) -> *mut dirac_node;
    pub fn dirac_net_conv3d(net: *mut dirac_net, x: *mut dirac_node, channels: i64, kernel: i64) -> *mut dirac_node;
    pub fn dirac_net_dirac_conv1d(
        net: *mut dirac_net,
        x: *mut dirac_node,
        channels: i64,
        kernel: i64,
    ) -> *mut dirac_node;
    pub fn dirac_net_dirac_conv2d(
        net: *mut dirac_net,
        x: *mut dirac_node,
        channels: i64,
        kernel: i64,
    ) -> *mut dirac_node;
    pub fn dirac_net_dirac_conv3d(
        net: *mut dirac_net,
        x: *mut dirac_node,
        channels: i64,
        kernel: i64,
    ) -> *mut dirac_node;
    pub fn dirac_net_linear(net: *mut dirac_net, x: *mut dirac_node, channels: i64) -> *mut dirac_node;
    pub fn dirac_net_dirac_linear(net: *mut dirac_net, x: *mut dirac_node, channels: i64) -> *mut dirac_node;
    pub fn dirac_net_batch_norm(net: *mut dirac_net, x: *mut dirac_node) -> *mut dirac_node;
    pub fn dirac_net_relu(net: *mut dirac_net, x: *mut dirac_node) -> *mut dirac_node;
    pub fn dirac_net_ncrelu(net: *mut dirac_net, x: *mut dirac_node) -> *mut dirac_node;
    pub fn dirac_net_elu(net: *mut dirac_net, x: *mut dirac_node) -> *mut dirac_node;
    pub fn dirac_net_max_pool1d(net: *mut dirac_net, x: *mut dirac_node, kernel: i64) -> *mut dirac_node;
    pub fn dirac_net_max_pool2d(net: *mut dirac_net, x: *mut dirac_node, kernel: i64) -> *mut dirac_node;
    pub fn dirac_net_max_pool3d(net: *mut dirac_net, x: *mut dirac_node, kernel: i64) -> *mut dirac_node;
    pub fn dirac_net_average_pool1d(net: *mut dirac_net, x: *mut dirac_node, kernel: i64) -> *mut dirac_node;
    pub fn dirac_net_average_pool2d(net: *mut dirac_net, x: *mut dirac_node, kernel: i64) -> *mut dirac_node;
    pub fn dirac_net_average_pool3d(net: *mut dirac_net, x: *mut dirac_node, kernel: i64) -> *mut dirac_node;
    pub fn dirac_net_global_average_pool(net: *mut dirac_net, x: *mut dirac_node) -> *mut dirac_node;
    pub fn dirac_net_dropout(net: *mut dirac_net, x: *mut dirac_node, rate: f32) -> *mut dirac_node;
    pub fn dirac_net_local_response_norm(net: *mut dirac_net, x: *mut dirac_node, size: i64) -> *mut dirac_node;
    pub fn dirac_net_add(net: *mut dirac_net, a: *mut dirac_node, b: *mut dirac_node) -> *mut dirac_node;
    pub fn dirac_net_concat(net: *mut dirac_net, inputs: *const *mut dirac_node, count: i32) -> *mut dirac_node;
    pub fn dirac_net_flatten(net: *mut dirac_net, x: *mut dirac_node) -> *mut dirac_node;
    pub fn dirac_net_softmax(net: *mut dirac_net, x: *mut dirac_node) -> *mut dirac_node;
    pub fn dirac_node_set_int(node: *mut dirac_node, attribute: *const c_char, value: i64) -> i32;
    pub fn dirac_node_set_ints(node: *mut dirac_node, attribute: *const c_char, values: *const i64, count: i32) -> i32;
    pub fn dirac_node_set_float(node: *mut dirac_node, attribute: *const c_char, value: f64) -> i32;
    pub fn dirac_node_set_initializer(
        node: *mut dirac_node,
        parameter: *const c_char,
        init: i32,
        a: f64,
        b: f64,
    ) -> i32;
    pub fn dirac_node_share_parameters(node: *mut dirac_node, owner: *mut dirac_node) -> i32;
    pub fn dirac_node_set_frozen(node: *mut dirac_node, frozen: i32) -> i32;
    pub fn dirac_net_node_count(net: *const dirac_net) -> i64;
    pub fn dirac_net_node(net: *const dirac_net, index: i64) -> *mut dirac_node;
    pub fn dirac_net_find(net: *const dirac_net, name: *const c_char) -> *mut dirac_node;
    pub fn dirac_net_input_count(net: *const dirac_net) -> i32;
    pub fn dirac_net_input_node(net: *const dirac_net, index: i32) -> *mut dirac_node;
    pub fn dirac_net_output_count(net: *const dirac_net) -> i32;
    pub fn dirac_net_output_node(net: *const dirac_net, index: i32) -> *mut dirac_node;
    pub fn dirac_node_name(node: *const dirac_node) -> *const c_char;
    pub fn dirac_node_kind(node: *const dirac_node) -> *const c_char;
    pub fn dirac_node_input_count(node: *const dirac_node) -> i32;
    pub fn dirac_node_input(node: *const dirac_node, index: i32) -> *mut dirac_node;
    pub fn dirac_node_shape(node: *const dirac_node, dims: *mut i64, rank: *mut i32) -> i32;
    pub fn dirac_node_get_int(node: *const dirac_node, attribute: *const c_char, value: *mut i64) -> i32;
    pub fn dirac_node_get_ints(
        node: *const dirac_node,
        attribute: *const c_char,
        values: *mut i64,
        count: *mut i32,
    ) -> i32;
    pub fn dirac_node_get_float(node: *const dirac_node, attribute: *const c_char, value: *mut f64) -> i32;
    pub fn dirac_node_trained_count(node: *const dirac_node) -> i64;
    pub fn dirac_node_multiply_adds(node: *const dirac_node) -> i64;
    pub fn dirac_node_filters(node: *const dirac_node, quantity: i32, values: *mut f32, count: usize) -> i32;
    pub fn dirac_node_filter_summary(
        node: *const dirac_node,
        quantity: i32,
        mean: *mut f64,
        least: *mut f64,
        largest: *mut f64,
        filters: *mut i64,
    ) -> i32;
    pub fn dirac_net_tensor_count(net: *const dirac_net) -> i64;
    pub fn dirac_net_tensor_name(net: *const dirac_net, index: i64) -> *const c_char;
    pub fn dirac_net_tensor_shape(
        net: *const dirac_net,
        name: *const c_char,
        dims: *mut i64,
        rank: *mut i32,
        role: *mut i32,
    ) -> i32;
    pub fn dirac_net_tensor_read(net: *const dirac_net, name: *const c_char, values: *mut f32, count: usize) -> i32;
    pub fn dirac_net_tensor_write(net: *mut dirac_net, name: *const c_char, values: *const f32, count: usize) -> i32;
    pub fn dirac_net_initialize(net: *mut dirac_net, seed: u64) -> i32;
    pub fn dirac_net_set_trainable(net: *mut dirac_net, pattern: *const c_char, trainable: i32) -> i32;
    pub fn dirac_net_trained_count(net: *const dirac_net) -> i64;
    pub fn dirac_net_multiply_adds(net: *const dirac_net) -> i64;
    pub fn dirac_net_version(net: *const dirac_net) -> u64;
    pub fn dirac_net_set_note(net: *mut dirac_net, key: *const c_char, value: *const c_char) -> i32;
    pub fn dirac_net_note(net: *const dirac_net, key: *const c_char) -> *const c_char;
    pub fn dirac_dataset_create_images(
        out: *mut *mut dirac_dataset,
        context: *mut dirac_context,
        channels: i64,
        height: i64,
        width: i64,
    ) -> i32;
    pub fn dirac_dataset_create_floats(
        out: *mut *mut dirac_dataset,
        context: *mut dirac_context,
        dims: *const i64,
        rank: i32,
    ) -> i32;
    pub fn dirac_dataset_create_callback(
        out: *mut *mut dirac_dataset,
        context: *mut dirac_context,
        dims: *const i64,
        rank: i32,
        count: i64,
        sample: Option<dirac_sample_fn>,
        user: *mut c_void,
    ) -> i32;
    pub fn dirac_dataset_destroy(dataset: *mut dirac_dataset);
    pub fn dirac_dataset_add_images(
        dataset: *mut dirac_dataset,
        pixels: *const u8,
        layout: i32,
        labels: *const i32,
        n: i64,
    ) -> i32;
    pub fn dirac_dataset_add_floats(dataset: *mut dirac_dataset, values: *const f32, labels: *const i32, n: i64) -> i32;
    pub fn dirac_dataset_set_class_name(dataset: *mut dirac_dataset, label: i32, name: *const c_char) -> i32;
    pub fn dirac_dataset_load_cifar10(
        out: *mut *mut dirac_dataset,
        context: *mut dirac_context,
        directory: *const c_char,
        split: i32,
    ) -> i32;
    pub fn dirac_dataset_load_cifar100(
        out: *mut *mut dirac_dataset,
        context: *mut dirac_context,
        directory: *const c_char,
        split: i32,
    ) -> i32;
    pub fn dirac_dataset_load_idx(
        out: *mut *mut dirac_dataset,
        context: *mut dirac_context,
        images: *const c_char,
        labels: *const c_char,
    ) -> i32;
    pub fn dirac_dataset_load_idx_memory(
        out: *mut *mut dirac_dataset,
        context: *mut dirac_context,
        images: *const c_void,
        images_size: usize,
        labels: *const c_void,
        labels_size: usize,
    ) -> i32;
    pub fn dirac_dataset_load_cifar_memory(
        out: *mut *mut dirac_dataset,
        context: *mut dirac_context,
        records: *const c_void,
        size: usize,
        classes: i32,
    ) -> i32;
    pub fn dirac_dataset_count(dataset: *const dirac_dataset) -> i64;
    pub fn dirac_dataset_classes(dataset: *const dirac_dataset) -> i32;
    pub fn dirac_dataset_class_name(dataset: *const dirac_dataset, label: i32) -> *const c_char;
    pub fn dirac_dataset_label(dataset: *const dirac_dataset, index: i64) -> i32;
    pub fn dirac_dataset_shape(dataset: *const dirac_dataset, dims: *mut i64, rank: *mut i32) -> i32;
    pub fn dirac_dataset_read(dataset: *const dirac_dataset, index: i64, values: *mut f32, count: usize) -> i32;
    pub fn dirac_batches_create(out: *mut *mut dirac_batches, dataset: *mut dirac_dataset) -> i32;
    pub fn dirac_batches_destroy(batches: *mut dirac_batches);
    pub fn dirac_batches_set_size(batches: *mut dirac_batches, n: i64) -> i32;
    pub fn dirac_batches_set_seed(batches: *mut dirac_batches, seed: u64) -> i32;
    pub fn dirac_batches_set_shuffle(batches: *mut dirac_batches, shuffle: i32) -> i32;
    pub fn dirac_batches_set_drop_last(batches: *mut dirac_batches, drop: i32) -> i32;
    pub fn dirac_batches_set_crop(batches: *mut dirac_batches, pixels: i64, mode: i32) -> i32;
    pub fn dirac_batches_set_flip(batches: *mut dirac_batches, flip: i32) -> i32;
    pub fn dirac_batches_set_normalization(
        batches: *mut dirac_batches,
        mean: *const f32,
        deviation: *const f32,
        channels: i64,
    ) -> i32;
    pub fn dirac_batches_set_prefetch(batches: *mut dirac_batches, batches_ahead: i32) -> i32;
    pub fn dirac_batches_next(
        batches: *mut dirac_batches,
        samples: *mut *const f32,
        labels: *mut *const i32,
        n: *mut i64,
    ) -> i32;
    pub fn dirac_batches_seek(batches: *mut dirac_batches, epoch: i64, batch: i64) -> i32;
    pub fn dirac_batches_position(batches: *const dirac_batches, epoch: *mut i64, batch: *mut i64) -> i32;
    pub fn dirac_batches_per_epoch(batches: *const dirac_batches) -> i64;
    pub fn dirac_session_create(out: *mut *mut dirac_session, net: *mut dirac_net, mode: i32) -> i32;
    pub fn dirac_session_destroy(session: *mut dirac_session);
    pub fn dirac_session_set_batch(session: *mut dirac_session, n: i64) -> i32;
    pub fn dirac_session_set_input_size(session: *mut dirac_session, index: i32, size: *const i64, rank: i32) -> i32;
    pub fn dirac_session_keep(session: *mut dirac_session, node: *const dirac_node) -> i32;
    pub fn dirac_session_set_input_gradients(session: *mut dirac_session, wanted: i32) -> i32;
    pub fn dirac_session_set_seed(session: *mut dirac_session, seed: u64) -> i32;
    pub fn dirac_session_set_strict(session: *mut dirac_session, strict: i32) -> i32;
    pub fn dirac_session_set_lean(session: *mut dirac_session, lean: i32) -> i32;
    pub fn dirac_session_bytes(session: *mut dirac_session, bytes: *mut usize) -> i32;
    pub fn dirac_session_prepare(session: *mut dirac_session) -> i32;
    pub fn dirac_session_forward(session: *mut dirac_session, input: *const f32, n: i64) -> i32;
    pub fn dirac_session_forward_inputs(
        session: *mut dirac_session,
        inputs: *const *const f32,
        count: i32,
        n: i64,
    ) -> i32;
    pub fn dirac_session_output(
        session: *const dirac_session,
        index: i32,
        values: *mut *const f32,
        count: *mut usize,
    ) -> i32;
    pub fn dirac_session_activation(
        session: *const dirac_session,
        node: *const dirac_node,
        values: *mut *const f32,
        count: *mut usize,
    ) -> i32;
    pub fn dirac_session_set_label_smoothing(session: *mut dirac_session, epsilon: f32) -> i32;
    pub fn dirac_session_set_class_weights(session: *mut dirac_session, weights: *const f32, classes: i64) -> i32;
    pub fn dirac_session_cross_entropy(session: *mut dirac_session, labels: *const i32, loss: *mut f32) -> i32;
    pub fn dirac_session_cross_entropy_soft(session: *mut dirac_session, targets: *const f32, loss: *mut f32) -> i32;
    pub fn dirac_session_count_correct(session: *const dirac_session, labels: *const i32, correct: *mut i64) -> i32;
    pub fn dirac_session_evaluate(
        session: *mut dirac_session,
        batches: *mut dirac_batches,
        progress: Option<dirac_progress_fn>,
        user: *mut c_void,
        loss: *mut f64,
        accuracy: *mut f64,
    ) -> i32;
    pub fn dirac_session_set_output_gradient(
        session: *mut dirac_session,
        index: i32,
        values: *const f32,
        count: usize,
    ) -> i32;
    pub fn dirac_session_backward(session: *mut dirac_session) -> i32;
    pub fn dirac_session_clear_gradients(session: *mut dirac_session) -> i32;
    pub fn dirac_session_gradients(session: *mut dirac_session, values: *mut *mut f32, count: *mut usize) -> i32;
    pub fn dirac_session_gradient_read(
        session: *const dirac_session,
        name: *const c_char,
        values: *mut f32,
        count: usize,
    ) -> i32;
    pub fn dirac_session_add_gradients(session: *mut dirac_session, other: *const dirac_session) -> i32;
    pub fn dirac_session_input_gradient(
        session: *const dirac_session,
        index: i32,
        values: *mut *const f32,
        count: *mut usize,
    ) -> i32;
    pub fn dirac_session_commit_statistics(session: *mut dirac_session) -> i32;
    pub fn dirac_session_check_gradients(
        session: *mut dirac_session,
        input: *const f32,
        n: i64,
        samples: i32,
        step: f64,
        worst: *mut f64,
    ) -> i32;
    pub fn dirac_session_set_net(session: *mut dirac_session, net: *mut dirac_net) -> i32;
    pub fn dirac_session_shape(
        session: *const dirac_session,
        node: *const dirac_node,
        dims: *mut i64,
        rank: *mut i32,
    ) -> i32;
    pub fn dirac_session_batch(session: *const dirac_session) -> i64;
    pub fn dirac_session_multiply_adds(session: *const dirac_session, multiply_adds: *mut i64) -> i32;
    pub fn dirac_session_kernels(session: *const dirac_session) -> *const c_char;
    pub fn dirac_sgd_create(out: *mut *mut dirac_sgd, net: *mut dirac_net) -> i32;
    pub fn dirac_sgd_destroy(sgd: *mut dirac_sgd);
    pub fn dirac_sgd_set_learning_rate(sgd: *mut dirac_sgd, rate: f32) -> i32;
    pub fn dirac_sgd_set_momentum(sgd: *mut dirac_sgd, momentum: f32) -> i32;
    pub fn dirac_sgd_set_nesterov(sgd: *mut dirac_sgd, nesterov: i32) -> i32;
    pub fn dirac_sgd_set_weight_decay(sgd: *mut dirac_sgd, decay: f32) -> i32;
    pub fn dirac_sgd_set_parameter_decay(sgd: *mut dirac_sgd, pattern: *const c_char, decay: f32) -> i32;
    pub fn dirac_sgd_set_parameter_rate(sgd: *mut dirac_sgd, pattern: *const c_char, factor: f32) -> i32;
    pub fn dirac_sgd_set_clip_norm(sgd: *mut dirac_sgd, norm: f32) -> i32;
    pub fn dirac_sgd_schedule_drops(
        sgd: *mut dirac_sgd,
        at: *const i64,
        count: i32,
        factor: f32,
        restart_momentum: i32,
    ) -> i32;
    pub fn dirac_sgd_schedule_cosine(sgd: *mut dirac_sgd, steps: i64, last: f32) -> i32;
    pub fn dirac_sgd_schedule_warmup(sgd: *mut dirac_sgd, steps: i64, first: f32) -> i32;
    pub fn dirac_sgd_learning_rate(sgd: *const dirac_sgd, rate: *mut f32) -> i32;
    pub fn dirac_sgd_steps(sgd: *const dirac_sgd, steps: *mut i64) -> i32;
    pub fn dirac_sgd_step(sgd: *mut dirac_sgd, session: *mut dirac_session) -> i32;
    pub fn dirac_sgd_epoch(
        sgd: *mut dirac_sgd,
        session: *mut dirac_session,
        batches: *mut dirac_batches,
        progress: Option<dirac_progress_fn>,
        user: *mut c_void,
        loss: *mut f64,
        accuracy: *mut f64,
    ) -> i32;
    pub fn dirac_sgd_restart_momentum(sgd: *mut dirac_sgd) -> i32;
    pub fn dirac_sgd_momentum_read(sgd: *const dirac_sgd, name: *const c_char, values: *mut f32, count: usize) -> i32;
    pub fn dirac_sgd_momentum_write(sgd: *mut dirac_sgd, name: *const c_char, values: *const f32, count: usize) -> i32;
    pub fn dirac_net_save(net: *const dirac_net, path: *const c_char) -> i32;
    pub fn dirac_net_save_as(net: *const dirac_net, path: *const c_char, names: i32) -> i32;
    pub fn dirac_net_save_memory(net: *const dirac_net, data: *mut *mut c_void, size: *mut usize) -> i32;
    pub fn dirac_net_load(out: *mut *mut dirac_net, context: *mut dirac_context, path: *const c_char) -> i32;
    pub fn dirac_net_load_memory(
        out: *mut *mut dirac_net,
        context: *mut dirac_context,
        data: *const c_void,
        size: usize,
    ) -> i32;
    pub fn dirac_net_load_weights(net: *mut dirac_net, path: *const c_char, mode: i32) -> i32;
    pub fn dirac_net_load_weights_memory(net: *mut dirac_net, data: *const c_void, size: usize, mode: i32) -> i32;
    pub fn dirac_net_load_report(net: *const dirac_net) -> *const c_char;
    pub fn dirac_checkpoint_create(out: *mut *mut dirac_checkpoint, context: *mut dirac_context) -> i32;
    pub fn dirac_checkpoint_destroy(checkpoint: *mut dirac_checkpoint);
    pub fn dirac_checkpoint_add_net(checkpoint: *mut dirac_checkpoint, name: *const c_char, net: *mut dirac_net) -> i32;
    pub fn dirac_checkpoint_add_sgd(checkpoint: *mut dirac_checkpoint, name: *const c_char, sgd: *mut dirac_sgd) -> i32;
    pub fn dirac_checkpoint_add_session(
        checkpoint: *mut dirac_checkpoint,
        name: *const c_char,
        session: *mut dirac_session,
    ) -> i32;
    pub fn dirac_checkpoint_add_batches(
        checkpoint: *mut dirac_checkpoint,
        name: *const c_char,
        batches: *mut dirac_batches,
    ) -> i32;
    pub fn dirac_checkpoint_set_blob(
        checkpoint: *mut dirac_checkpoint,
        name: *const c_char,
        data: *const c_void,
        size: usize,
    ) -> i32;
    pub fn dirac_checkpoint_blob(
        checkpoint: *const dirac_checkpoint,
        name: *const c_char,
        data: *mut *const c_void,
        size: *mut usize,
    ) -> i32;
    pub fn dirac_checkpoint_save(checkpoint: *mut dirac_checkpoint, path: *const c_char) -> i32;
    pub fn dirac_checkpoint_load(checkpoint: *mut dirac_checkpoint, path: *const c_char) -> i32;
    pub fn dirac_checkpoint_save_memory(
        checkpoint: *mut dirac_checkpoint,
        data: *mut *mut c_void,
        size: *mut usize,
    ) -> i32;
    pub fn dirac_checkpoint_load_memory(checkpoint: *mut dirac_checkpoint, data: *const c_void, size: usize) -> i32;
    pub fn dirac_model_diracnet_cifar(
        net: *mut dirac_net,
        x: *mut dirac_node,
        depth: i32,
        width: f64,
        classes: i64,
        form: i32,
    ) -> *mut dirac_node;
    pub fn dirac_model_resnet_cifar(
        net: *mut dirac_net,
        x: *mut dirac_node,
        depth: i32,
        width: f64,
        classes: i64,
        bottleneck: i32,
        form: i32,
    ) -> *mut dirac_node;
    pub fn dirac_model_diracnet_imagenet(
        net: *mut dirac_net,
        x: *mut dirac_node,
        depth: i32,
        width: f64,
        classes: i64,
        form: i32,
    ) -> *mut dirac_node;
    pub fn dirac_model_resnet_imagenet(
        net: *mut dirac_net,
        x: *mut dirac_node,
        depth: i32,
        width: f64,
        classes: i64,
        form: i32,
    ) -> *mut dirac_node;
    pub fn dirac_model_vgg16_cifar(net: *mut dirac_net, x: *mut dirac_node, classes: i64) -> *mut dirac_node;
    pub fn dirac_model_vgg16_imagenet(net: *mut dirac_net, x: *mut dirac_node, classes: i64) -> *mut dirac_node;
    pub fn dirac_model_vgg_cnn_s(net: *mut dirac_net, x: *mut dirac_node, classes: i64) -> *mut dirac_node;
    pub fn dirac_model_nin(net: *mut dirac_net, x: *mut dirac_node, classes: i64) -> *mut dirac_node;
    pub fn dirac_model_elu(net: *mut dirac_net, x: *mut dirac_node, classes: i64) -> *mut dirac_node;
    pub fn dirac_layer_kind_create(
        out: *mut *mut dirac_layer_kind,
        context: *mut dirac_context,
        name: *const c_char,
        inputs: i32,
    ) -> i32;
    pub fn dirac_layer_kind_destroy(kind: *mut dirac_layer_kind);
    pub fn dirac_layer_kind_set_user(
        kind: *mut dirac_layer_kind,
        user: *mut c_void,
        destroy: Option<dirac_destroy_fn>,
    ) -> i32;
    pub fn dirac_layer_kind_add_float(
        kind: *mut dirac_layer_kind,
        name: *const c_char,
        least: f64,
        most: f64,
        value: f64,
    ) -> i32;
    pub fn dirac_layer_kind_add_int(
        kind: *mut dirac_layer_kind,
        name: *const c_char,
        least: i64,
        most: i64,
        value: i64,
    ) -> i32;
    pub fn dirac_layer_kind_set_setup(kind: *mut dirac_layer_kind, setup: Option<dirac_layer_fn>) -> i32;
    pub fn dirac_layer_kind_set_forward(kind: *mut dirac_layer_kind, forward: Option<dirac_layer_fn>) -> i32;
    pub fn dirac_layer_kind_set_backward(kind: *mut dirac_layer_kind, backward: Option<dirac_layer_fn>) -> i32;
    pub fn dirac_layer_kind_register(kind: *mut dirac_layer_kind) -> i32;
    pub fn dirac_net_custom(
        net: *mut dirac_net,
        kind: *mut dirac_layer_kind,
        inputs: *const *mut dirac_node,
        count: i32,
    ) -> *mut dirac_node;
    pub fn dirac_layer_input_count(layer: *const dirac_layer) -> i32;
    pub fn dirac_layer_input_shape(layer: *const dirac_layer, index: i32, dims: *mut i64, rank: *mut i32) -> i32;
    pub fn dirac_layer_get_float(layer: *const dirac_layer, attribute: *const c_char) -> f64;
    pub fn dirac_layer_get_int(layer: *const dirac_layer, attribute: *const c_char) -> i64;
    pub fn dirac_layer_set_output_shape(layer: *mut dirac_layer, dims: *const i64, rank: i32) -> i32;
    pub fn dirac_layer_add_parameter(
        layer: *mut dirac_layer,
        name: *const c_char,
        dims: *const i64,
        rank: i32,
        decay: i32,
        init: i32,
        a: f64,
        b: f64,
    ) -> i32;
    pub fn dirac_layer_add_state(
        layer: *mut dirac_layer,
        name: *const c_char,
        dims: *const i64,
        rank: i32,
        value: f64,
    ) -> i32;
    pub fn dirac_layer_keep(layer: *mut dirac_layer, floats: i64, fixed: i64) -> i32;
    pub fn dirac_layer_batch(layer: *const dirac_layer) -> i64;
    pub fn dirac_layer_is_training(layer: *const dirac_layer) -> i32;
    pub fn dirac_layer_input(layer: *const dirac_layer, index: i32) -> *const f32;
    pub fn dirac_layer_output_shape(layer: *const dirac_layer, dims: *mut i64, rank: *mut i32) -> i32;
    pub fn dirac_layer_output(layer: *mut dirac_layer) -> *mut f32;
    pub fn dirac_layer_output_gradient(layer: *const dirac_layer) -> *const f32;
    pub fn dirac_layer_input_gradient(layer: *mut dirac_layer, index: i32) -> *mut f32;
    pub fn dirac_layer_parameter(layer: *const dirac_layer, name: *const c_char) -> *const f32;
    pub fn dirac_layer_parameter_shape(
        layer: *const dirac_layer,
        name: *const c_char,
        dims: *mut i64,
        rank: *mut i32,
    ) -> i32;
    pub fn dirac_layer_parameter_gradient(layer: *mut dirac_layer, name: *const c_char) -> *mut f32;
    pub fn dirac_layer_new_state(layer: *mut dirac_layer, name: *const c_char) -> *mut f32;
    pub fn dirac_layer_kept(layer: *mut dirac_layer) -> *mut f32;
    pub fn dirac_layer_kept_count(layer: *const dirac_layer) -> i64;
}
