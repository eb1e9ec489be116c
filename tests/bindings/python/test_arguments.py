# SPDX-License-Identifier: MIT
"""What goes into C is what was given: nothing is cut, wrapped, or taken for something else."""
import ctypes
import decimal
import unittest

import numpy as np

import dirac
from dirac import _api
from support import CountingAllocator, images, small_net

INTEGERS = {ctypes.c_int32: (-2**31, 2**31 - 1), ctypes.c_int64: (-2**63, 2**63 - 1), ctypes.c_uint64: (0, 2**64 - 1),
            ctypes.c_size_t: (0, 2**(8 * ctypes.sizeof(ctypes.c_size_t)) - 1)}


class EveryFunction(unittest.TestCase):
    """Each argument of each function, with nothing in the others: it is refused before C could refuse those."""

    def each(self, *kinds):
        """(name, place, what the argument is called, its type) of each argument of these types."""
        found = [(name, place, what, kind) for name, (_, types, names) in _api.PROTOTYPES.items()
                 for place, (kind, what) in enumerate(zip(types, names.split())) if kind in kinds]
        self.assertGreater(len(found), 5)
        return found

    def refused(self, error, name, place, value, text):
        types = _api.PROTOTYPES[name][1]
        arguments = [0 if kind in INTEGERS or kind in (ctypes.c_float, ctypes.c_double) else None for kind in types]
        arguments[place] = value
        with self.assertRaises(error, msg=(name, place)) as caught:
            getattr(dirac.C, name)(*arguments)
        self.assertIs(type(caught.exception), error)
        self.assertIn(text, str(caught.exception))

    def test_integers_that_do_not_fit(self):
        for name, place, what, kind in self.each(*INTEGERS):
            least, most = INTEGERS[kind]
            for wrong in (least - 1, most + 1, most + 6, -2**80):
                self.refused(dirac.ArgumentError, name, place, wrong,
                             f"{name}: {what} is {wrong}, must be {least} to {most}")
            for wrong in (1.0, "1", None, np.float32(1)):
                self.refused(TypeError, name, place, wrong, f"{name}: {what}: an integer is needed")

    def test_numbers_that_would_become_infinite(self):
        for name, place, what, kind in self.each(ctypes.c_float, ctypes.c_double):
            for wrong in (10**400,) + ((1e39, -3.5e38) if kind is ctypes.c_float else ()):
                self.refused(dirac.ArgumentError, name, place, wrong, f"{name}: {what} is ")
            self.refused(TypeError, name, place, "1", f"{name}: {what}: a number is needed, not str")

    def test_texts_that_would_be_cut(self):
        for name, place, what, _ in self.each(ctypes.c_char_p):
            self.refused(dirac.ArgumentError, name, place, b"fc\0.weight", f"{name}: {what} has a NUL inside")
            self.refused(TypeError, name, place, "fc", f"{name}: {what}: bytes are needed, not str")
            self.refused(TypeError, name, place, 4096, f"{name}: {what}: bytes are needed, not int")

    def test_too_many_and_the_wrong_handles(self):
        self.assertRaisesRegex(TypeError, "dirac_version_number takes 0 arguments, 1 were given",
                               dirac.C.dirac_version_number, 1)
        context = dirac.Context()
        self.assertRaisesRegex(TypeError, "dirac_net_build", dirac.C.dirac_net_build, context._c)
        self.assertRaises(TypeError, dirac.SGD, context)
        self.assertEqual(repr(dirac.C.dirac_net_build), "<dirac_net_build of libdirac>")


class Through(unittest.TestCase):
    """The same through the classes, also where they convert themselves."""

    def setUp(self):
        self.context = dirac.Context()
        self.net = small_net(self.context)

    def test_integers(self):
        for call in (lambda: dirac.Context(threads=2**32 + 2), lambda: dirac.Context(seed=-1),
                     lambda: dirac.Context(load_limit=2**64), lambda: dirac.Session(self.net, batch=2**64 + 1),
                     lambda: dirac.Session(self.net, input_sizes={0: (2**64 + 9, 9)}),
                     lambda: dirac.Session(self.net, input_sizes={2**32: (9, 9)}),
                     lambda: self.net.initialize(2**64), lambda: dirac.SGD(self.net).schedule_drops([2**64 + 1], 0.5),
                     lambda: dirac.Dataset.floats(self.context, (2**64 + 2,)), lambda: dirac.status_name(2**32 - 3),
                     lambda: self.net.nodes[1].set(kernel=2**64 + 3), lambda: self.net.nodes[1].set(kernel=(2**64 + 3, 3))):
            self.assertRaises(dirac.ArgumentError, call)
        session = dirac.Session(self.net)
        session.forward(images(1))
        self.assertRaises(dirac.ArgumentError, session.output, 2**32)
        for text, call in (("size or a step: an integer", lambda: dirac.Dataset.floats(self.context, (3.7,))),
                           ("an integer is needed, not float", lambda: dirac.Session(self.net, batch=2.0)),
                           ("an integer is needed, not str", lambda: self.net.nodes[1].set(kernel="33"))):
            self.assertRaisesRegex(TypeError, text, call)
        net = dirac.Net(self.context)
        x = net.input((3, 8, 8))
        self.assertRaises(dirac.ArgumentError, net.conv2d, x, 2**64 + 5, 3)
        self.assertRaises(dirac.ArgumentError, net.input, (2**64 + 1,))
        self.assertRaises(TypeError, net.conv2d, x, 4.0, 3)
        net.output(net.conv2d(x, np.int64(4), np.uint8(3), stride=np.int16(2), bias=True))
        self.assertEqual(net.build().outputs[0].shape, (4, 4, 4), "what was refused has not spoiled the net")
        self.assertEqual(net.outputs[0].get("bias"), 1, "True is 1")
        net = dirac.Net(self.context)
        self.assertEqual(net.batch_norm(net.input((3,)), epsilon=np.float32(0.5)).get("epsilon"), 0.5)

    def test_numbers_from_callbacks(self):
        for label, kind in ((2**32 + 1, dirac.ArgumentError), (-2**31 - 1, dirac.ArgumentError), (1.0, TypeError)):
            dataset = dirac.Dataset.callback(self.context, (2,), 8, lambda index, label=label: (np.zeros(2), label))
            self.assertRaises(kind, dirac.Batches(dataset, size=4).next)
        dataset = dirac.Dataset.callback(self.context, (2,), 8, lambda index: (np.zeros(2), np.int64(2)))
        self.assertEqual(dirac.Batches(dataset, size=4).next()[1].tolist(), [2] * 4)

    def test_addresses_from_an_allocator(self):
        for address, kind in ((2**64, dirac.ArgumentError), (-64, dirac.ArgumentError), ("64", TypeError),
                              (6.4, TypeError), (2**20 + 1, dirac.ArgumentError)):
            allocator = CountingAllocator()
            context = dirac.Context(allocator=allocator)
            allocator.allocate = lambda size, alignment, address=address: address
            self.assertRaises(kind, dirac.Net, context)

    def test_texts(self):
        for call in (lambda: self.net.find("stem\0x"), lambda: self.net.save("model\0.safetensors"),
                     lambda: dirac.Net.load(self.context, "model\0"), lambda: self.net.tensors["fc.weight\0"],
                     lambda: self.net.set_trainable("*\0"), lambda: dirac.Context(kernels="x86-64-v3\0"),
                     lambda: self.net.notes.__setitem__("key", "one\0two"),
                     lambda: self.net.notes.__setitem__("key\0", "one"), lambda: self.net.nodes[1].set(name="a\0b"),
                     lambda: dirac.Checkpoint(self.context).add("net\0", self.net),
                     lambda: dirac.LayerKind(self.context, "kind\0", setup=print, forward=print)):
            self.assertRaisesRegex(dirac.ArgumentError, "has a NUL inside", call)
        self.assertNotIn("key", self.net.notes)

    def test_arrays(self):
        session = dirac.Session(self.net, training=True, batch=3)
        x = images(3)
        for wrong in (x.astype(np.complex64), x.astype(str), x.astype(object), x.astype("m8[s]"),
                      np.full(x.shape, decimal.Decimal(1)), None):
            self.assertRaisesRegex(TypeError, "input 0: real numbers are needed", session.forward, wrong)
        large = x.astype(np.float64)
        large[1, 0, 2, 2] = 1e39
        self.assertRaisesRegex(dirac.ArgumentError, "input 0: a value is larger", session.forward, large)
        large[1, 0, 2, 2] = np.inf  # what is infinite in the caller's array goes in
        self.assertTrue(np.isinf(dirac._arrays.floats(large, "x")[1, 0, 2, 2]))
        expected = session.forward(x.astype(np.float16)).copy()
        for same in (x.astype(np.float16).astype(">f8"), np.asfortranarray(x.astype(np.float16)),
                     x.astype(np.float16)[::-1][::-1], x.astype(np.float16).tolist()):
            self.assertTrue((session.forward(same) == expected).all())
        self.assertRaises(dirac.ShapeError, session.forward, x[0])
        self.assertRaises(dirac.ShapeError, session.forward, x.ravel())
        self.assertRaises(TypeError, session.cross_entropy, np.array([0.0, 1.0, 2.0]))
        self.assertRaises(dirac.ShapeError, session.cross_entropy, [[0], [1], [2]])
        dataset = dirac.Dataset.images(self.context, (2, 6, 6))
        self.assertRaises(TypeError, dataset.add, x, [0, 1, 2])
        self.assertRaises(TypeError, dataset.add, x.astype(np.int8), [0, 1, 2])
        self.assertEqual(len(dataset.add(np.ones(x.shape, np.uint8)[:, ::-1], [True, False, True])), 3)


if __name__ == "__main__":
    unittest.main()
