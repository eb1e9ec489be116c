# SPDX-License-Identifier: MIT
# Made from the public headers by tools/api/generate.py; do not edit.
"""The C interface of libdirac as ctypes sees it: opaque types, callback types, constants and prototypes."""
from ctypes import (CFUNCTYPE, POINTER, Structure, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t, c_uint8,
                    c_uint64, c_void_p)

ABI_VERSION = 0


class dirac_context(Structure):
    pass


class dirac_net(Structure):
    pass


class dirac_node(Structure):
    pass


class dirac_dataset(Structure):
    pass


class dirac_batches(Structure):
    pass


class dirac_session(Structure):
    pass


class dirac_sgd(Structure):
    pass


class dirac_checkpoint(Structure):
    pass


class dirac_layer_kind(Structure):
    pass


class dirac_layer(Structure):
    pass


dirac_alloc_fn = CFUNCTYPE(c_void_p, c_void_p, c_size_t, c_size_t)
dirac_free_fn = CFUNCTYPE(None, c_void_p, c_void_p, c_size_t)
dirac_task_fn = CFUNCTYPE(None, c_void_p, c_int32)
dirac_runner_fn = CFUNCTYPE(c_int32, c_void_p, dirac_task_fn, c_void_p, c_int32)
dirac_log_fn = CFUNCTYPE(None, c_void_p, c_int32, c_char_p)
dirac_progress_fn = CFUNCTYPE(c_int32, c_void_p, c_int64, c_int64)
dirac_compare_fn = CFUNCTYPE(None, c_void_p, c_char_p, c_double, c_double)
dirac_sample_fn = CFUNCTYPE(c_int32, c_void_p, c_int64, POINTER(c_float), POINTER(c_int32))
dirac_layer_fn = CFUNCTYPE(c_int32, c_void_p, POINTER(dirac_layer))
dirac_destroy_fn = CFUNCTYPE(None, c_void_p)

DIRAC_OK = 0
DIRAC_ERR_ARGUMENT = -1
DIRAC_ERR_MEMORY = -2
DIRAC_ERR_SHAPE = -3
DIRAC_ERR_STATE = -4
DIRAC_ERR_BUSY = -5
DIRAC_ERR_IO = -6
DIRAC_ERR_FORMAT = -7
DIRAC_ERR_NOT_FOUND = -8
DIRAC_ERR_MISMATCH = -9
DIRAC_ERR_NOT_FINITE = -10
DIRAC_ERR_CANCELLED = -11
DIRAC_ERR_CALLBACK = -12
DIRAC_ERR_UNSUPPORTED = -13
DIRAC_ERR_LIMIT = -14
DIRAC_ERR_THREAD = -15
DIRAC_LOG_WARNING = 1
DIRAC_LOG_INFO = 2
DIRAC_LOG_DEBUG = 3
DIRAC_MAX_RANK = 5
DIRAC_FORM_PLAIN = 0
DIRAC_FORM_DELTA = 1
DIRAC_FORM_NORMALIZED_DELTA = 2
DIRAC_FORM_FIXED_DELTA = 3
DIRAC_INIT_ZEROS = 0
DIRAC_INIT_CONSTANT = 1
DIRAC_INIT_NORMAL = 2
DIRAC_INIT_KAIMING_NORMAL = 3
DIRAC_INIT_UNIFORM = 4
DIRAC_INIT_ORTHOGONAL = 5
DIRAC_INIT_DELTA = 6
DIRAC_ROLE_TRAINED = 0
DIRAC_ROLE_STATE = 1
DIRAC_FILTER_ALPHA = 0
DIRAC_FILTER_BETA = 1
DIRAC_FILTER_NORM = 2
DIRAC_FILTER_IDENTITY = 3
DIRAC_SPLIT_TRAIN = 0
DIRAC_SPLIT_TEST = 1
DIRAC_LAYOUT_PLANAR = 0
DIRAC_LAYOUT_INTERLEAVED = 1
DIRAC_PAD_ZERO = 0
DIRAC_PAD_REFLECT = 1
DIRAC_INFER = 0
DIRAC_TRAIN = 1
DIRAC_NAMES_OWN = 0
DIRAC_NAMES_PUBLISHED = 1
DIRAC_NAMES_FOLDED = 2
DIRAC_LOAD_STRICT = 0
DIRAC_LOAD_PARTIAL = 1

# name: (result, types of arguments, their names). STATUS marks a result that tells whether the call failed.
STATUS = "status"
PROTOTYPES = {
    "dirac_version_string": (c_char_p, (), ""),
    "dirac_version_number": (c_int32, (), ""),
    "dirac_abi_version": (c_int32, (), ""),
    "dirac_build_features": (c_char_p, (), ""),
    "dirac_status_name": (c_char_p, (c_int32,), "status"),
    "dirac_status_string": (c_char_p, (c_int32,), "status"),
    "dirac_error_message": (c_char_p, (), ""),
    "dirac_context_create": (STATUS, (POINTER(POINTER(dirac_context)),), "out"),
    "dirac_context_create_with_allocator": (STATUS, (
        POINTER(POINTER(dirac_context)), dirac_alloc_fn, dirac_free_fn, c_void_p,),
        "out allocate release user"),
    "dirac_context_destroy": (None, (POINTER(dirac_context),), "context"),
    "dirac_context_set_threads": (STATUS, (POINTER(dirac_context), c_int32,), "context threads"),
    "dirac_context_set_runner": (STATUS, (
        POINTER(dirac_context), dirac_runner_fn, c_void_p, c_int32,),
        "context runner user width"),
    "dirac_context_set_log": (STATUS, (
        POINTER(dirac_context), dirac_log_fn, c_void_p, c_int32,),
        "context log user level"),
    "dirac_context_set_progress": (STATUS, (
        POINTER(dirac_context), dirac_progress_fn, c_void_p,),
        "context progress user"),
    "dirac_context_set_seed": (STATUS, (POINTER(dirac_context), c_uint64,), "context seed"),
    "dirac_context_set_kernels": (STATUS, (POINTER(dirac_context), c_char_p,), "context name"),
    "dirac_context_set_blas": (STATUS, (POINTER(dirac_context), c_int32,), "context allowed"),
    "dirac_context_set_load_limit": (STATUS, (POINTER(dirac_context), c_uint64,), "context bytes"),
    "dirac_context_threads": (c_int32, (POINTER(dirac_context),), "context"),
    "dirac_context_kernels": (c_char_p, (POINTER(dirac_context),), "context"),
    "dirac_buffer_free": (None, (POINTER(dirac_context), c_void_p, c_size_t,), "context buffer size"),
    "dirac_net_create": (STATUS, (POINTER(POINTER(dirac_net)), POINTER(dirac_context),), "out context"),
    "dirac_net_destroy": (None, (POINTER(dirac_net),), "net"),
    "dirac_net_set_seed": (STATUS, (POINTER(dirac_net), c_uint64,), "net seed"),
    "dirac_net_build": (STATUS, (POINTER(dirac_net),), "net"),
    "dirac_net_clone": (STATUS, (POINTER(POINTER(dirac_net)), POINTER(dirac_net),), "out net"),
    "dirac_net_fold": (STATUS, (POINTER(POINTER(dirac_net)), POINTER(dirac_net),), "out net"),
    "dirac_net_compare": (STATUS, (
        POINTER(dirac_net), POINTER(dirac_net), POINTER(c_float), c_int64, dirac_compare_fn, c_void_p,
        POINTER(c_double),),
        "net folded input n each user difference"),
    "dirac_net_input": (POINTER(dirac_node), (POINTER(dirac_net), c_int64,), "net channels"),
    "dirac_net_input1d": (POINTER(dirac_node), (POINTER(dirac_net), c_int64, c_int64,), "net channels length"),
    "dirac_net_input2d": (POINTER(dirac_node), (
        POINTER(dirac_net), c_int64, c_int64, c_int64,),
        "net channels height width"),
    "dirac_net_input3d": (POINTER(dirac_node), (
        POINTER(dirac_net), c_int64, c_int64, c_int64, c_int64,),
        "net channels depth height width"),
    "dirac_net_output": (POINTER(dirac_node), (POINTER(dirac_net), POINTER(dirac_node),), "net x"),
    "dirac_net_push_scope": (STATUS, (POINTER(dirac_net), c_char_p,), "net name"),
    "dirac_net_pop_scope": (STATUS, (POINTER(dirac_net),), "net"),
    "dirac_node_set_name": (STATUS, (POINTER(dirac_node), c_char_p,), "node name"),
    "dirac_net_conv1d": (POINTER(dirac_node), (
        POINTER(dirac_net), POINTER(dirac_node), c_int64, c_int64,),
        "net x channels kernel"),
    "dirac_net_conv2d": (POINTER(dirac_node), (
        POINTER(dirac_net), POINTER(dirac_node), c_int64, c_int64,),
        "net x channels kernel"),
    "dirac_net_conv3d": (POINTER(dirac_node), (
        POINTER(dirac_net), POINTER(dirac_node), c_int64, c_int64,),
        "net x channels kernel"),
    "dirac_net_dirac_conv1d": (POINTER(dirac_node), (
        POINTER(dirac_net), POINTER(dirac_node), c_int64, c_int64,),
        "net x channels kernel"),
    "dirac_net_dirac_conv2d": (POINTER(dirac_node), (
        POINTER(dirac_net), POINTER(dirac_node), c_int64, c_int64,),
        "net x channels kernel"),
    "dirac_net_dirac_conv3d": (POINTER(dirac_node), (
        POINTER(dirac_net), POINTER(dirac_node), c_int64, c_int64,),
        "net x channels kernel"),
    "dirac_net_linear": (POINTER(dirac_node), (POINTER(dirac_net), POINTER(dirac_node), c_int64,), "net x channels"),
    "dirac_net_dirac_linear": (POINTER(dirac_node), (
        POINTER(dirac_net), POINTER(dirac_node), c_int64,),
        "net x channels"),
    "dirac_net_batch_norm": (POINTER(dirac_node), (POINTER(dirac_net), POINTER(dirac_node),), "net x"),
    "dirac_net_relu": (POINTER(dirac_node), (POINTER(dirac_net), POINTER(dirac_node),), "net x"),
    "dirac_net_ncrelu": (POINTER(dirac_node), (POINTER(dirac_net), POINTER(dirac_node),), "net x"),
    "dirac_net_elu": (POINTER(dirac_node), (POINTER(dirac_net), POINTER(dirac_node),), "net x"),
    "dirac_net_max_pool1d": (POINTER(dirac_node), (POINTER(dirac_net), POINTER(dirac_node), c_int64,), "net x kernel"),
    "dirac_net_max_pool2d": (POINTER(dirac_node), (POINTER(dirac_net), POINTER(dirac_node), c_int64,), "net x kernel"),
    "dirac_net_max_pool3d": (POINTER(dirac_node), (POINTER(dirac_net), POINTER(dirac_node), c_int64,), "net x kernel"),
    "dirac_net_average_pool1d": (POINTER(dirac_node), (
        POINTER(dirac_net), POINTER(dirac_node), c_int64,),
        "net x kernel"),
    "dirac_net_average_pool2d": (POINTER(dirac_node), (
        POINTER(dirac_net), POINTER(dirac_node), c_int64,),
        "net x kernel"),
    "dirac_net_average_pool3d": (POINTER(dirac_node), (
        POINTER(dirac_net), POINTER(dirac_node), c_int64,),
        "net x kernel"),
    "dirac_net_global_average_pool": (POINTER(dirac_node), (POINTER(dirac_net), POINTER(dirac_node),), "net x"),
    "dirac_net_dropout": (POINTER(dirac_node), (POINTER(dirac_net), POINTER(dirac_node), c_float,), "net x rate"),
    "dirac_net_local_response_norm": (POINTER(dirac_node), (
        POINTER(dirac_net), POINTER(dirac_node), c_int64,),
        "net x size"),
    "dirac_net_add": (POINTER(dirac_node), (POINTER(dirac_net), POINTER(dirac_node), POINTER(dirac_node),), "net a b"),
    "dirac_net_concat": (POINTER(dirac_node), (
        POINTER(dirac_net), POINTER(POINTER(dirac_node)), c_int32,),
        "net inputs count"),
    "dirac_net_flatten": (POINTER(dirac_node), (POINTER(dirac_net), POINTER(dirac_node),), "net x"),
    "dirac_net_softmax": (POINTER(dirac_node), (POINTER(dirac_net), POINTER(dirac_node),), "net x"),
    "dirac_node_set_int": (STATUS, (POINTER(dirac_node), c_char_p, c_int64,), "node attribute value"),
    "dirac_node_set_ints": (STATUS, (
        POINTER(dirac_node), c_char_p, POINTER(c_int64), c_int32,),
        "node attribute values count"),
    "dirac_node_set_float": (STATUS, (POINTER(dirac_node), c_char_p, c_double,), "node attribute value"),
    "dirac_node_set_initializer": (STATUS, (
        POINTER(dirac_node), c_char_p, c_int32, c_double, c_double,),
        "node parameter init a b"),
    "dirac_node_share_parameters": (STATUS, (POINTER(dirac_node), POINTER(dirac_node),), "node owner"),
    "dirac_node_set_frozen": (STATUS, (POINTER(dirac_node), c_int32,), "node frozen"),
    "dirac_net_node_count": (c_int64, (POINTER(dirac_net),), "net"),
    "dirac_net_node": (POINTER(dirac_node), (POINTER(dirac_net), c_int64,), "net index"),
    "dirac_net_find": (POINTER(dirac_node), (POINTER(dirac_net), c_char_p,), "net name"),
    "dirac_net_input_count": (c_int32, (POINTER(dirac_net),), "net"),
    "dirac_net_input_node": (POINTER(dirac_node), (POINTER(dirac_net), c_int32,), "net index"),
    "dirac_net_output_count": (c_int32, (POINTER(dirac_net),), "net"),
    "dirac_net_output_node": (POINTER(dirac_node), (POINTER(dirac_net), c_int32,), "net index"),
    "dirac_node_name": (c_char_p, (POINTER(dirac_node),), "node"),
    "dirac_node_kind": (c_char_p, (POINTER(dirac_node),), "node"),
    "dirac_node_input_count": (c_int32, (POINTER(dirac_node),), "node"),
    "dirac_node_input": (POINTER(dirac_node), (POINTER(dirac_node), c_int32,), "node index"),
    "dirac_node_shape": (STATUS, (POINTER(dirac_node), POINTER(c_int64), POINTER(c_int32),), "node dims rank"),
    "dirac_node_get_int": (STATUS, (POINTER(dirac_node), c_char_p, POINTER(c_int64),), "node attribute value"),
    "dirac_node_get_ints": (STATUS, (
        POINTER(dirac_node), c_char_p, POINTER(c_int64), POINTER(c_int32),),
        "node attribute values count"),
    "dirac_node_get_float": (STATUS, (POINTER(dirac_node), c_char_p, POINTER(c_double),), "node attribute value"),
    "dirac_node_trained_count": (c_int64, (POINTER(dirac_node),), "node"),
    "dirac_node_multiply_adds": (c_int64, (POINTER(dirac_node),), "node"),
    "dirac_node_filters": (STATUS, (
        POINTER(dirac_node), c_int32, POINTER(c_float), c_size_t,),
        "node quantity values count"),
    "dirac_node_filter_summary": (STATUS, (
        POINTER(dirac_node), c_int32, POINTER(c_double), POINTER(c_double), POINTER(c_double), POINTER(c_int64),),
        "node quantity mean least largest filters"),
    "dirac_net_tensor_count": (c_int64, (POINTER(dirac_net),), "net"),
    "dirac_net_tensor_name": (c_char_p, (POINTER(dirac_net), c_int64,), "net index"),
    "dirac_net_tensor_shape": (STATUS, (
        POINTER(dirac_net), c_char_p, POINTER(c_int64), POINTER(c_int32), POINTER(c_int32),),
        "net name dims rank role"),
    "dirac_net_tensor_read": (STATUS, (
        POINTER(dirac_net), c_char_p, POINTER(c_float), c_size_t,),
        "net name values count"),
    "dirac_net_tensor_write": (STATUS, (
        POINTER(dirac_net), c_char_p, POINTER(c_float), c_size_t,),
        "net name values count"),
    "dirac_net_initialize": (STATUS, (POINTER(dirac_net), c_uint64,), "net seed"),
    "dirac_net_set_trainable": (STATUS, (POINTER(dirac_net), c_char_p, c_int32,), "net pattern trainable"),
    "dirac_net_trained_count": (c_int64, (POINTER(dirac_net),), "net"),
    "dirac_net_multiply_adds": (c_int64, (POINTER(dirac_net),), "net"),
    "dirac_net_version": (c_uint64, (POINTER(dirac_net),), "net"),
    "dirac_net_set_note": (STATUS, (POINTER(dirac_net), c_char_p, c_char_p,), "net key value"),
    "dirac_net_note": (c_char_p, (POINTER(dirac_net), c_char_p,), "net key"),
    "dirac_dataset_create_images": (STATUS, (
        POINTER(POINTER(dirac_dataset)), POINTER(dirac_context), c_int64, c_int64, c_int64,),
        "out context channels height width"),
    "dirac_dataset_create_floats": (STATUS, (
        POINTER(POINTER(dirac_dataset)), POINTER(dirac_context), POINTER(c_int64), c_int32,),
        "out context dims rank"),
    "dirac_dataset_create_callback": (STATUS, (
        POINTER(POINTER(dirac_dataset)), POINTER(dirac_context), POINTER(c_int64), c_int32, c_int64, dirac_sample_fn,
        c_void_p,),
        "out context dims rank count sample user"),
    "dirac_dataset_destroy": (None, (POINTER(dirac_dataset),), "dataset"),
    "dirac_dataset_add_images": (STATUS, (
        POINTER(dirac_dataset), POINTER(c_uint8), c_int32, POINTER(c_int32), c_int64,),
        "dataset pixels layout labels n"),
    "dirac_dataset_add_floats": (STATUS, (
        POINTER(dirac_dataset), POINTER(c_float), POINTER(c_int32), c_int64,),
        "dataset values labels n"),
    "dirac_dataset_set_class_name": (STATUS, (POINTER(dirac_dataset), c_int32, c_char_p,), "dataset label name"),
    "dirac_dataset_load_cifar10": (STATUS, (
        POINTER(POINTER(dirac_dataset)), POINTER(dirac_context), c_char_p, c_int32,),
        "out context directory split"),
    "dirac_dataset_load_cifar100": (STATUS, (
        POINTER(POINTER(dirac_dataset)), POINTER(dirac_context), c_char_p, c_int32,),
        "out context directory split"),
    "dirac_dataset_load_idx": (STATUS, (
        POINTER(POINTER(dirac_dataset)), POINTER(dirac_context), c_char_p, c_char_p,),
        "out context images labels"),
    "dirac_dataset_load_idx_memory": (STATUS, (
        POINTER(POINTER(dirac_dataset)), POINTER(dirac_context), c_void_p, c_size_t, c_void_p, c_size_t,),
        "out context images images_size labels labels_size"),
    "dirac_dataset_load_cifar_memory": (STATUS, (
        POINTER(POINTER(dirac_dataset)), POINTER(dirac_context), c_void_p, c_size_t, c_int32,),
        "out context records size classes"),
    "dirac_dataset_count": (c_int64, (POINTER(dirac_dataset),), "dataset"),
    "dirac_dataset_classes": (c_int32, (POINTER(dirac_dataset),), "dataset"),
    "dirac_dataset_class_name": (c_char_p, (POINTER(dirac_dataset), c_int32,), "dataset label"),
    "dirac_dataset_label": (c_int32, (POINTER(dirac_dataset), c_int64,), "dataset index"),
    "dirac_dataset_shape": (STATUS, (POINTER(dirac_dataset), POINTER(c_int64), POINTER(c_int32),), "dataset dims rank"),
    "dirac_dataset_read": (STATUS, (
        POINTER(dirac_dataset), c_int64, POINTER(c_float), c_size_t,),
        "dataset index values count"),
    "dirac_batches_create": (STATUS, (POINTER(POINTER(dirac_batches)), POINTER(dirac_dataset),), "out dataset"),
    "dirac_batches_destroy": (None, (POINTER(dirac_batches),), "batches"),
    "dirac_batches_set_size": (STATUS, (POINTER(dirac_batches), c_int64,), "batches n"),
    "dirac_batches_set_seed": (STATUS, (POINTER(dirac_batches), c_uint64,), "batches seed"),
    "dirac_batches_set_shuffle": (STATUS, (POINTER(dirac_batches), c_int32,), "batches shuffle"),
    "dirac_batches_set_drop_last": (STATUS, (POINTER(dirac_batches), c_int32,), "batches drop"),
    "dirac_batches_set_crop": (STATUS, (POINTER(dirac_batches), c_int64, c_int32,), "batches pixels mode"),
    "dirac_batches_set_flip": (STATUS, (POINTER(dirac_batches), c_int32,), "batches flip"),
    "dirac_batches_set_normalization": (STATUS, (
        POINTER(dirac_batches), POINTER(c_float), POINTER(c_float), c_int64,),
        "batches mean deviation channels"),
    "dirac_batches_set_prefetch": (STATUS, (POINTER(dirac_batches), c_int32,), "batches batches_ahead"),
    "dirac_batches_next": (STATUS, (
        POINTER(dirac_batches), POINTER(POINTER(c_float)), POINTER(POINTER(c_int32)), POINTER(c_int64),),
        "batches samples labels n"),
    "dirac_batches_seek": (STATUS, (POINTER(dirac_batches), c_int64, c_int64,), "batches epoch batch"),
    "dirac_batches_position": (STATUS, (
        POINTER(dirac_batches), POINTER(c_int64), POINTER(c_int64),),
        "batches epoch batch"),
    "dirac_batches_per_epoch": (c_int64, (POINTER(dirac_batches),), "batches"),
    "dirac_session_create": (STATUS, (POINTER(POINTER(dirac_session)), POINTER(dirac_net), c_int32,), "out net mode"),
    "dirac_session_destroy": (None, (POINTER(dirac_session),), "session"),
    "dirac_session_set_batch": (STATUS, (POINTER(dirac_session), c_int64,), "session n"),
    "dirac_session_set_input_size": (STATUS, (
        POINTER(dirac_session), c_int32, POINTER(c_int64), c_int32,),
        "session index size rank"),
    "dirac_session_keep": (STATUS, (POINTER(dirac_session), POINTER(dirac_node),), "session node"),
    "dirac_session_set_input_gradients": (STATUS, (POINTER(dirac_session), c_int32,), "session wanted"),
    "dirac_session_set_seed": (STATUS, (POINTER(dirac_session), c_uint64,), "session seed"),
    "dirac_session_set_strict": (STATUS, (POINTER(dirac_session), c_int32,), "session strict"),
    "dirac_session_set_lean": (STATUS, (POINTER(dirac_session), c_int32,), "session lean"),
    "dirac_session_bytes": (STATUS, (POINTER(dirac_session), POINTER(c_size_t),), "session bytes"),
    "dirac_session_prepare": (STATUS, (POINTER(dirac_session),), "session"),
    "dirac_session_forward": (STATUS, (POINTER(dirac_session), POINTER(c_float), c_int64,), "session input n"),
    "dirac_session_forward_inputs": (STATUS, (
        POINTER(dirac_session), POINTER(POINTER(c_float)), c_int32, c_int64,),
        "session inputs count n"),
    "dirac_session_output": (STATUS, (
        POINTER(dirac_session), c_int32, POINTER(POINTER(c_float)), POINTER(c_size_t),),
        "session index values count"),
    "dirac_session_activation": (STATUS, (
        POINTER(dirac_session), POINTER(dirac_node), POINTER(POINTER(c_float)), POINTER(c_size_t),),
        "session node values count"),
    "dirac_session_set_label_smoothing": (STATUS, (POINTER(dirac_session), c_float,), "session epsilon"),
    "dirac_session_set_class_weights": (STATUS, (
        POINTER(dirac_session), POINTER(c_float), c_int64,),
        "session weights classes"),
    "dirac_session_cross_entropy": (STATUS, (
        POINTER(dirac_session), POINTER(c_int32), POINTER(c_float),),
        "session labels loss"),
    "dirac_session_cross_entropy_soft": (STATUS, (
        POINTER(dirac_session), POINTER(c_float), POINTER(c_float),),
        "session targets loss"),
    "dirac_session_count_correct": (STATUS, (
        POINTER(dirac_session), POINTER(c_int32), POINTER(c_int64),),
        "session labels correct"),
    "dirac_session_evaluate": (STATUS, (
        POINTER(dirac_session), POINTER(dirac_batches), dirac_progress_fn, c_void_p, POINTER(c_double),
        POINTER(c_double),),
        "session batches progress user loss accuracy"),
    "dirac_session_set_output_gradient": (STATUS, (
        POINTER(dirac_session), c_int32, POINTER(c_float), c_size_t,),
        "session index values count"),
    "dirac_session_backward": (STATUS, (POINTER(dirac_session),), "session"),
    "dirac_session_clear_gradients": (STATUS, (POINTER(dirac_session),), "session"),
    "dirac_session_gradients": (STATUS, (
        POINTER(dirac_session), POINTER(POINTER(c_float)), POINTER(c_size_t),),
        "session values count"),
    "dirac_session_gradient_read": (STATUS, (
        POINTER(dirac_session), c_char_p, POINTER(c_float), c_size_t,),
        "session name values count"),
    "dirac_session_add_gradients": (STATUS, (POINTER(dirac_session), POINTER(dirac_session),), "session other"),
    "dirac_session_input_gradient": (STATUS, (
        POINTER(dirac_session), c_int32, POINTER(POINTER(c_float)), POINTER(c_size_t),),
        "session index values count"),
    "dirac_session_commit_statistics": (STATUS, (POINTER(dirac_session),), "session"),
    "dirac_session_check_gradients": (STATUS, (
        POINTER(dirac_session), POINTER(c_float), c_int64, c_int32, c_double, POINTER(c_double),),
        "session input n samples step worst"),
    "dirac_session_set_net": (STATUS, (POINTER(dirac_session), POINTER(dirac_net),), "session net"),
    "dirac_session_shape": (STATUS, (
        POINTER(dirac_session), POINTER(dirac_node), POINTER(c_int64), POINTER(c_int32),),
        "session node dims rank"),
    "dirac_session_batch": (c_int64, (POINTER(dirac_session),), "session"),
    "dirac_session_multiply_adds": (STATUS, (POINTER(dirac_session), POINTER(c_int64),), "session multiply_adds"),
    "dirac_session_kernels": (c_char_p, (POINTER(dirac_session),), "session"),
    "dirac_sgd_create": (STATUS, (POINTER(POINTER(dirac_sgd)), POINTER(dirac_net),), "out net"),
    "dirac_sgd_destroy": (None, (POINTER(dirac_sgd),), "sgd"),
    "dirac_sgd_set_learning_rate": (STATUS, (POINTER(dirac_sgd), c_float,), "sgd rate"),
    "dirac_sgd_set_momentum": (STATUS, (POINTER(dirac_sgd), c_float,), "sgd momentum"),
    "dirac_sgd_set_nesterov": (STATUS, (POINTER(dirac_sgd), c_int32,), "sgd nesterov"),
    "dirac_sgd_set_weight_decay": (STATUS, (POINTER(dirac_sgd), c_float,), "sgd decay"),
    "dirac_sgd_set_parameter_decay": (STATUS, (POINTER(dirac_sgd), c_char_p, c_float,), "sgd pattern decay"),
    "dirac_sgd_set_parameter_rate": (STATUS, (POINTER(dirac_sgd), c_char_p, c_float,), "sgd pattern factor"),
    "dirac_sgd_set_clip_norm": (STATUS, (POINTER(dirac_sgd), c_float,), "sgd norm"),
    "dirac_sgd_schedule_drops": (STATUS, (
        POINTER(dirac_sgd), POINTER(c_int64), c_int32, c_float, c_int32,),
        "sgd at count factor restart_momentum"),
    "dirac_sgd_schedule_cosine": (STATUS, (POINTER(dirac_sgd), c_int64, c_float,), "sgd steps last"),
    "dirac_sgd_schedule_warmup": (STATUS, (POINTER(dirac_sgd), c_int64, c_float,), "sgd steps first"),
    "dirac_sgd_learning_rate": (STATUS, (POINTER(dirac_sgd), POINTER(c_float),), "sgd rate"),
    "dirac_sgd_steps": (STATUS, (POINTER(dirac_sgd), POINTER(c_int64),), "sgd steps"),
    "dirac_sgd_step": (STATUS, (POINTER(dirac_sgd), POINTER(dirac_session),), "sgd session"),
    "dirac_sgd_epoch": (STATUS, (
        POINTER(dirac_sgd), POINTER(dirac_session), POINTER(dirac_batches), dirac_progress_fn, c_void_p,
        POINTER(c_double), POINTER(c_double),),
        "sgd session batches progress user loss accuracy"),
    "dirac_sgd_restart_momentum": (STATUS, (POINTER(dirac_sgd),), "sgd"),
    "dirac_sgd_momentum_read": (STATUS, (
        POINTER(dirac_sgd), c_char_p, POINTER(c_float), c_size_t,),
        "sgd name values count"),
    "dirac_sgd_momentum_write": (STATUS, (
        POINTER(dirac_sgd), c_char_p, POINTER(c_float), c_size_t,),
        "sgd name values count"),
    "dirac_net_save": (STATUS, (POINTER(dirac_net), c_char_p,), "net path"),
    "dirac_net_save_as": (STATUS, (POINTER(dirac_net), c_char_p, c_int32,), "net path names"),
    "dirac_net_save_memory": (STATUS, (POINTER(dirac_net), POINTER(c_void_p), POINTER(c_size_t),), "net data size"),
    "dirac_net_load": (STATUS, (POINTER(POINTER(dirac_net)), POINTER(dirac_context), c_char_p,), "out context path"),
    "dirac_net_load_memory": (STATUS, (
        POINTER(POINTER(dirac_net)), POINTER(dirac_context), c_void_p, c_size_t,),
        "out context data size"),
    "dirac_net_load_weights": (STATUS, (POINTER(dirac_net), c_char_p, c_int32,), "net path mode"),
    "dirac_net_load_weights_memory": (STATUS, (POINTER(dirac_net), c_void_p, c_size_t, c_int32,), "net data size mode"),
    "dirac_net_load_report": (c_char_p, (POINTER(dirac_net),), "net"),
    "dirac_checkpoint_create": (STATUS, (POINTER(POINTER(dirac_checkpoint)), POINTER(dirac_context),), "out context"),
    "dirac_checkpoint_destroy": (None, (POINTER(dirac_checkpoint),), "checkpoint"),
    "dirac_checkpoint_add_net": (STATUS, (
        POINTER(dirac_checkpoint), c_char_p, POINTER(dirac_net),),
        "checkpoint name net"),
    "dirac_checkpoint_add_sgd": (STATUS, (
        POINTER(dirac_checkpoint), c_char_p, POINTER(dirac_sgd),),
        "checkpoint name sgd"),
    "dirac_checkpoint_add_session": (STATUS, (
        POINTER(dirac_checkpoint), c_char_p, POINTER(dirac_session),),
        "checkpoint name session"),
    "dirac_checkpoint_add_batches": (STATUS, (
        POINTER(dirac_checkpoint), c_char_p, POINTER(dirac_batches),),
        "checkpoint name batches"),
    "dirac_checkpoint_set_blob": (STATUS, (
        POINTER(dirac_checkpoint), c_char_p, c_void_p, c_size_t,),
        "checkpoint name data size"),
    "dirac_checkpoint_blob": (STATUS, (
        POINTER(dirac_checkpoint), c_char_p, POINTER(c_void_p), POINTER(c_size_t),),
        "checkpoint name data size"),
    "dirac_checkpoint_save": (STATUS, (POINTER(dirac_checkpoint), c_char_p,), "checkpoint path"),
    "dirac_checkpoint_load": (STATUS, (POINTER(dirac_checkpoint), c_char_p,), "checkpoint path"),
    "dirac_checkpoint_save_memory": (STATUS, (
        POINTER(dirac_checkpoint), POINTER(c_void_p), POINTER(c_size_t),),
        "checkpoint data size"),
    "dirac_checkpoint_load_memory": (STATUS, (POINTER(dirac_checkpoint), c_void_p, c_size_t,), "checkpoint data size"),
    "dirac_model_diracnet_cifar": (POINTER(dirac_node), (
        POINTER(dirac_net), POINTER(dirac_node), c_int32, c_double, c_int64, c_int32,),
        "net x depth width classes form"),
    "dirac_model_resnet_cifar": (POINTER(dirac_node), (
        POINTER(dirac_net), POINTER(dirac_node), c_int32, c_double, c_int64, c_int32, c_int32,),
        "net x depth width classes bottleneck form"),
    "dirac_model_diracnet_imagenet": (POINTER(dirac_node), (
        POINTER(dirac_net), POINTER(dirac_node), c_int32, c_double, c_int64, c_int32,),
        "net x depth width classes form"),
    "dirac_model_resnet_imagenet": (POINTER(dirac_node), (
        POINTER(dirac_net), POINTER(dirac_node), c_int32, c_double, c_int64, c_int32,),
        "net x depth width classes form"),
    "dirac_model_vgg16_cifar": (POINTER(dirac_node), (
        POINTER(dirac_net), POINTER(dirac_node), c_int64,),
        "net x classes"),
    "dirac_model_vgg16_imagenet": (POINTER(dirac_node), (
        POINTER(dirac_net), POINTER(dirac_node), c_int64,),
        "net x classes"),
    "dirac_model_vgg_cnn_s": (POINTER(dirac_node), (
        POINTER(dirac_net), POINTER(dirac_node), c_int64,),
        "net x classes"),
    "dirac_model_nin": (POINTER(dirac_node), (POINTER(dirac_net), POINTER(dirac_node), c_int64,), "net x classes"),
    "dirac_model_elu": (POINTER(dirac_node), (POINTER(dirac_net), POINTER(dirac_node), c_int64,), "net x classes"),
    "dirac_layer_kind_create": (STATUS, (
        POINTER(POINTER(dirac_layer_kind)), POINTER(dirac_context), c_char_p, c_int32,),
        "out context name inputs"),
    "dirac_layer_kind_destroy": (None, (POINTER(dirac_layer_kind),), "kind"),
    "dirac_layer_kind_set_user": (STATUS, (
        POINTER(dirac_layer_kind), c_void_p, dirac_destroy_fn,),
        "kind user destroy"),
    "dirac_layer_kind_add_float": (STATUS, (
        POINTER(dirac_layer_kind), c_char_p, c_double, c_double, c_double,),
        "kind name least most value"),
    "dirac_layer_kind_add_int": (STATUS, (
        POINTER(dirac_layer_kind), c_char_p, c_int64, c_int64, c_int64,),
        "kind name least most value"),
    "dirac_layer_kind_set_setup": (STATUS, (POINTER(dirac_layer_kind), dirac_layer_fn,), "kind setup"),
    "dirac_layer_kind_set_forward": (STATUS, (POINTER(dirac_layer_kind), dirac_layer_fn,), "kind forward"),
    "dirac_layer_kind_set_backward": (STATUS, (POINTER(dirac_layer_kind), dirac_layer_fn,), "kind backward"),
    "dirac_layer_kind_register": (STATUS, (POINTER(dirac_layer_kind),), "kind"),
    "dirac_net_custom": (POINTER(dirac_node), (
        POINTER(dirac_net), POINTER(dirac_layer_kind), POINTER(POINTER(dirac_node)), c_int32,),
        "net kind inputs count"),
    "dirac_layer_input_count": (c_int32, (POINTER(dirac_layer),), "layer"),
    "dirac_layer_input_shape": (STATUS, (
        POINTER(dirac_layer), c_int32, POINTER(c_int64), POINTER(c_int32),),
        "layer index dims rank"),
    "dirac_layer_get_float": (c_double, (POINTER(dirac_layer), c_char_p,), "layer attribute"),
    "dirac_layer_get_int": (c_int64, (POINTER(dirac_layer), c_char_p,), "layer attribute"),
    "dirac_layer_set_output_shape": (STATUS, (POINTER(dirac_layer), POINTER(c_int64), c_int32,), "layer dims rank"),
    "dirac_layer_add_parameter": (STATUS, (
        POINTER(dirac_layer), c_char_p, POINTER(c_int64), c_int32, c_int32, c_int32, c_double, c_double,),
        "layer name dims rank decay init a b"),
    "dirac_layer_add_state": (STATUS, (
        POINTER(dirac_layer), c_char_p, POINTER(c_int64), c_int32, c_double,),
        "layer name dims rank value"),
    "dirac_layer_keep": (STATUS, (POINTER(dirac_layer), c_int64, c_int64,), "layer floats fixed"),
    "dirac_layer_batch": (c_int64, (POINTER(dirac_layer),), "layer"),
    "dirac_layer_is_training": (c_int32, (POINTER(dirac_layer),), "layer"),
    "dirac_layer_input": (POINTER(c_float), (POINTER(dirac_layer), c_int32,), "layer index"),
    "dirac_layer_output_shape": (STATUS, (
        POINTER(dirac_layer), POINTER(c_int64), POINTER(c_int32),),
        "layer dims rank"),
    "dirac_layer_output": (POINTER(c_float), (POINTER(dirac_layer),), "layer"),
    "dirac_layer_output_gradient": (POINTER(c_float), (POINTER(dirac_layer),), "layer"),
    "dirac_layer_input_gradient": (POINTER(c_float), (POINTER(dirac_layer), c_int32,), "layer index"),
    "dirac_layer_parameter": (POINTER(c_float), (POINTER(dirac_layer), c_char_p,), "layer name"),
    "dirac_layer_parameter_shape": (STATUS, (
        POINTER(dirac_layer), c_char_p, POINTER(c_int64), POINTER(c_int32),),
        "layer name dims rank"),
    "dirac_layer_parameter_gradient": (POINTER(c_float), (POINTER(dirac_layer), c_char_p,), "layer name"),
    "dirac_layer_new_state": (POINTER(c_float), (POINTER(dirac_layer), c_char_p,), "layer name"),
    "dirac_layer_kept": (POINTER(c_float), (POINTER(dirac_layer),), "layer"),
    "dirac_layer_kept_count": (c_int64, (POINTER(dirac_layer),), "layer"),
}
