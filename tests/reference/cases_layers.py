# SPDX-License-Identifier: MIT
"""
Single layers and short chains: output, gradients of inputs and parameters under L = sum r y with r given, new running
statistics, and the output of inference.
"""
import chain
from arithmetic import Draw, Ops

# name: (chain, shapes of the inputs)
CASES = {
    'conv1d_plain': ('conv1d 7 5 bias=1', [(3, 4, 17)]),
    'conv1d_delta': ('conv1d 5 4 form=1', [(2, 3, 13)]),
    'conv1d_normalized': ('dirac_conv1d 6 3 dilation=[2]', [(3, 6, 15)]),
    'conv1d_fixed': ('conv1d 4 3 form=3 stride=[3] padding=[2]', [(2, 8, 16)]),
    'conv1d_groups': ('dirac_conv1d 6 3 groups=3 bias=1', [(2, 9, 11)]),
    'conv2d_plain': ('conv2d 8 3 bias=1', [(1, 3, 14, 11)]),
    'conv2d_plain_valid': ('conv2d 5 3 padding=[0]', [(1, 16, 9, 10)]),
    'conv2d_delta': ('conv2d 8 3 form=1', [(3, 4, 6, 9)]),
    'conv2d_normalized': ('dirac_conv2d 16 3', [(2, 16, 9, 11)]),
    'conv2d_normalized_odd': ('dirac_conv2d 17 3 bias=1', [(1, 5, 5, 13)]),
    'conv2d_fixed': ('conv2d 8 3 form=3 bias=1', [(4, 8, 6, 5)]),
    'conv2d_one_pixel': ('dirac_conv2d 4 3', [(3, 3, 1, 1)]),
    'conv2d_1x1': ('conv2d 11 1 form=1', [(2, 5, 6, 7)]),
    'conv2d_1x1_stride': ('conv2d 6 1 stride=[2]', [(2, 4, 7, 9)]),
    'conv2d_7x7_stride': ('conv2d 6 7 stride=[2] padding=[3]', [(1, 3, 18, 15)]),
    'conv2d_stride_fixed': ('conv2d 12 3 stride=[2] form=3', [(1, 6, 7, 8)]),
    'conv2d_stride_normalized': ('dirac_conv2d 6 3 stride=[2,1]', [(2, 6, 6, 7)]),
    'conv2d_dilation': ('dirac_conv2d 6 3 dilation=[3,2]', [(1, 6, 11, 12)]),
    'conv2d_rectangular': ('dirac_conv2d 5 3 kernel=[5,3]', [(2, 5, 7, 6)]),
    'conv2d_even': ('dirac_conv2d 4 4', [(2, 4, 7, 8)]),
    'conv2d_even_rectangular': ('conv2d 6 2 kernel=[2,3] form=1 dilation=[2,1] bias=1', [(2, 3, 8, 7)]),
    'conv2d_groups': ('dirac_conv2d 12 3 groups=3', [(1, 6, 9, 7)]),
    'conv2d_groups_fewer': ('conv2d 4 3 groups=2 form=1', [(1, 10, 6, 6)]),
    'conv2d_depthwise': ('conv2d 6 3 groups=6 form=3', [(1, 6, 7, 8)]),
    'conv2d_fewer': ('dirac_conv2d 3 3', [(1, 8, 7, 6)]),
    'conv2d_asymmetric_padding': ('conv2d 4 3 padding=[2,0] form=1', [(2, 4, 6, 8)]),
    'conv2d_tiny_norm': ('dirac_conv2d 4 3', [(2, 4, 6, 6)]),
    'conv3d_plain': ('conv3d 5 3 bias=1', [(1, 3, 4, 5, 6)]),
    'conv3d_delta': ('conv3d 3 3 form=1 stride=[1,2,2]', [(2, 4, 3, 5, 4)]),
    'conv3d_normalized': ('dirac_conv3d 6 3', [(1, 4, 4, 5, 6)]),
    'conv3d_fixed': ('conv3d 4 2 form=3 kernel=[2,3,1]', [(1, 4, 4, 5, 3)]),
    'conv3d_groups': ('dirac_conv3d 4 3 groups=2 dilation=[1,2,1]', [(1, 6, 4, 6, 5)]),
    'linear_plain': ('linear 7', [(5, 13)]),
    'linear_plain_no_bias': ('linear 33 bias=0', [(3, 20)]),
    'linear_delta': ('linear 9 form=1', [(4, 9)]),
    'linear_normalized': ('dirac_linear 12', [(4, 8)]),
    'linear_fixed': ('linear 5 form=3 bias=1', [(4, 11)]),
    'batch_norm_vectors': ('batch_norm', [(9, 7)]),
    'batch_norm_1d': ('batch_norm momentum=0.3', [(3, 5, 11)]),
    'batch_norm_2d': ('batch_norm', [(3, 10, 3, 4)]),
    'batch_norm_3d': ('batch_norm epsilon=0.01', [(2, 4, 2, 3, 3)]),
    'batch_norm_two_values': ('batch_norm', [(2, 6)]),
    'batch_norm_frozen': ('batch_norm frozen=1', [(3, 6, 4, 5)]),
    'relu': ('relu', [(2, 3, 5, 7)]),
    'ncrelu': ('ncrelu', [(2, 3, 5, 7)]),
    'elu': ('elu', [(2, 3, 5, 7)]),
    'elu_alpha': ('elu alpha=0.5', [(3, 9)]),
    'max_pool1d': ('max_pool1d 3 stride=[2] padding=[1]', [(2, 4, 12)]),
    'max_pool2d': ('max_pool2d 2', [(2, 3, 6, 8)]),
    'max_pool2d_overlap': ('max_pool2d 3 stride=[2] padding=[1]', [(2, 3, 7, 8)]),
    'max_pool2d_ceil': ('max_pool2d 3 stride=[2] ceil=1', [(2, 3, 6, 9)]),
    'max_pool2d_rectangular': ('max_pool2d 3 kernel=[3,2] stride=[1,2] padding=[1,0]', [(2, 3, 7, 9)]),
    'max_pool3d': ('max_pool3d 2 stride=[2,1,2] padding=[1,0,1]', [(1, 3, 4, 5, 6)]),
    'average_pool1d': ('average_pool1d 4 stride=[3]', [(2, 4, 13)]),
    'average_pool2d': ('average_pool2d 2', [(2, 3, 6, 8)]),
    'average_pool2d_padding': ('average_pool2d 3 stride=[2] padding=[1]', [(2, 3, 7, 8)]),
    'average_pool2d_no_padding': ('average_pool2d 3 stride=[2] padding=[1] count_padding=0', [(2, 3, 7, 8)]),
    'average_pool2d_ceil': ('average_pool2d 3 stride=[2] padding=[1] ceil=1', [(2, 3, 6, 8)]),
    'average_pool2d_ceil_no_padding': ('average_pool2d 3 stride=[2] padding=[1] ceil=1 count_padding=0',
                                       [(2, 3, 6, 8)]),
    'average_pool3d': ('average_pool3d 3 stride=[2,2,1] padding=[1,0,1]', [(1, 2, 5, 5, 4)]),
    'global_average_pool1d': ('global_average_pool', [(3, 5, 9)]),
    'global_average_pool2d': ('global_average_pool', [(2, 5, 7, 6)]),
    'global_average_pool3d': ('global_average_pool', [(2, 3, 3, 4, 5)]),
    'local_response_norm': ('local_response_norm 5', [(2, 9, 4, 5)]),
    'local_response_norm_even': ('local_response_norm 4 alpha=0.9 beta=0.6 k=2.0', [(2, 7, 3, 4)]),
    'local_response_norm_wide': ('local_response_norm 9 alpha=1.5', [(3, 4, 6)]),
    'add': ('add', [(2, 4, 5, 6), (2, 4, 5, 6)]),
    'concat': ('concat', [(2, 3, 4, 5), (2, 1, 4, 5), (2, 6, 4, 5)]),
    'flatten_linear': ('flatten ; linear 6', [(3, 4, 3, 5)]),
    'softmax': ('softmax', [(4, 9)]),
    'softmax_images': ('softmax', [(2, 5, 3, 4)]),
    'block_chain': ('conv2d 16 3 ; batch_norm ; relu ; dirac_conv2d 16 3 ; batch_norm ; relu ; dirac_conv2d 16 3 ; '
                    'batch_norm ; max_pool2d 2 ; relu ; dirac_conv2d 16 3 ; batch_norm ; relu ; global_average_pool ; '
                    'linear 5', [(4, 3, 8, 8)]),
    'ncrelu_chain': ('conv2d 5 3 ; ncrelu ; dirac_conv2d 5 3 ; batch_norm ; ncrelu ; global_average_pool ; linear 3',
                     [(3, 2, 7, 6)]),
    'chain_1d': ('dirac_conv1d 6 3 ; batch_norm ; relu ; max_pool1d 2 ; dirac_conv1d 6 3 ; batch_norm ; flatten ; '
                 'dirac_linear 5', [(4, 6, 14)]),
    'chain_3d': ('dirac_conv3d 4 3 ; batch_norm ; relu ; max_pool3d 2 ; dirac_conv3d 6 3 ; batch_norm ; relu ; '
                 'global_average_pool ; linear 3', [(3, 4, 4, 4, 5)]),
}

# Found by generate.py --search: every value keeps away from kinks (see MARGIN there). The default is 1.
SEEDS = {}


def inputs(name, seed):
    spec, shapes = CASES[name]
    draw = Draw('layer %s %d' % (name, seed))
    xs = [draw.normal(shape) for shape in shapes]
    parameters = chain.initial(spec, xs, draw)
    if name == 'conv2d_tiny_norm':  # two filters shorter than 1e-12, one of them zero
        w = parameters['l0.weight']
        w[1] = draw.normal(w[1].shape, 1e-14)
        w[2] = 0.0
        parameters['l0.beta'] = parameters['l0.beta'] * 2.0 ** -40  # keeps dW of those two near that of the others
    y = chain.run(spec, xs, parameters, Ops(), True, {})
    result = {'x%d' % i: x for i, x in enumerate(xs)}
    result['r'] = draw.normal(tuple(y.shape))
    result.update({'init/' + key: value for key, value in parameters.items()})
    return result


def compute(name, given, ops):
    spec, shapes = CASES[name]
    xs = [given['x%d' % i].clone().requires_grad_() for i in range(len(shapes))]
    parameters = {key[5:]: value.clone().requires_grad_(not chain.is_state(key))
                  for key, value in given.items() if key.startswith('init/')}
    state = {}
    y = chain.run(spec, xs, parameters, ops, True, state)
    (given['r'] * y).sum().backward()
    results = {'y': y.detach()}
    if 'batch_norm' in spec:  # otherwise inference gives y too
        results['y_infer'] = chain.run(spec, xs, parameters, type(ops)(ops.use_winograd), False, {}).detach()
    results.update({'dx%d' % i: x.grad for i, x in enumerate(xs)})
    results.update({'grad/' + key: p.grad for key, p in parameters.items() if p.requires_grad})
    results.update({'new/' + key: value for key, value in state.items()})
    return results
