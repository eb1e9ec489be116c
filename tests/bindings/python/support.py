# SPDX-License-Identifier: MIT
"""What the tests of the Python binding share: small nets, and an allocator that counts."""
import ctypes
import threading

import numpy as np

import dirac


def small_net(context, classes=3, seed=1):
    """Two convolutions of 2x6x6 images, built."""
    net = dirac.Net(context, seed=seed)
    x = net.batch_norm(net.conv2d(net.input((2, 6, 6)), 4, 3, bias=1, name="stem"), name="bn")
    x = net.dirac_conv2d(net.relu(x, name="relu"), 4, 3, name="dirac")
    net.output(net.linear(net.global_average_pool(x), classes, name="fc"))
    return net.build()


def images(n, seed=0, shape=(2, 6, 6)):
    return np.random.default_rng(seed).standard_normal((n, *shape)).astype(np.float32)


class CountingAllocator:
    """malloc that knows what is out, and overwrites what comes back."""

    def __init__(self):
        self.libc = ctypes.CDLL(None)
        self.libc.aligned_alloc.restype = ctypes.c_void_p
        self.libc.aligned_alloc.argtypes = [ctypes.c_size_t, ctypes.c_size_t]
        self.libc.free.argtypes = [ctypes.c_void_p]
        self.lock = threading.RLock()  # a finalizer may give back memory at any line
        self.blocks = {}
        self.total = 0

    def allocate(self, size, alignment):
        address = self.libc.aligned_alloc(alignment, (size + alignment - 1) // alignment * alignment)
        with self.lock:
            self.blocks[address] = size
            self.total += 1
        return address

    def release(self, address, size):
        with self.lock:
            assert self.blocks.pop(address) == size
        ctypes.memset(address, 0xA5, size)  # so that who still looks there sees it
        self.libc.free(address)
