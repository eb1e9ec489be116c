# SPDX-License-Identifier: MIT
"""Failed calls raise the class of their status, with the library's own message."""
import os
import tempfile
import unittest

import numpy as np

import dirac
from support import images, small_net


class Errors(unittest.TestCase):
    def setUp(self):
        self.context = dirac.Context()
        self.net = small_net(self.context)

    def refused(self, kind, text, call, *arguments, **named):
        with self.assertRaises(kind) as caught:
            call(*arguments, **named)
        self.assertIs(type(caught.exception), kind)
        self.assertIn(text, str(caught.exception))
        return caught.exception

    def test_each_class(self):
        training = dirac.Session(self.net, training=True, batch=4)
        self.refused(dirac.ArgumentError, "threads", dirac.Context, threads=65)
        self.refused(dirac.StateError, "built", self.net.conv2d, self.net.inputs[0], 3, 3)
        self.refused(dirac.NotFoundError, "fc.nothing", self.net.tensors.__getitem__, "fc.nothing")
        self.refused(dirac.FileError, "/no/such/model", dirac.Net.load, self.context, "/no/such/model")
        self.refused(dirac.FormatError, "", dirac.Net.load, self.context, b"\x10\0\0\0\0\0\0\0{\"a\": not json}")
        other = small_net(self.context, classes=5)
        self.refused(dirac.MismatchError, "fc.weight", other.load_weights, self.net.to_bytes())
        self.refused(dirac.ShapeError, "must be (n, 2, 6, 6)", training.forward, np.zeros((1, 2, 6, 7)))
        self.refused(dirac.ShapeError, "graph", training.set_net, other)
        self.refused(dirac.UnsupportedError, "", dirac.Context, kernels="aarch64" if os.uname().machine == "x86_64"
                     else "x86-64-v3")
        self.refused(dirac.LimitError, "", dirac.Net.load, dirac.Context(load_limit=4096), self.net.to_bytes())
        training.forward(np.full((4, 2, 6, 6), np.nan))
        training.cross_entropy([0, 1, 2, 0])
        training.backward()
        self.refused(dirac.NotFiniteError, "because input", dirac.SGD(self.net).step, training)

    def test_they_are_the_exceptions_python_expects(self):
        for kind, base in ((dirac.ArgumentError, ValueError), (dirac.OutOfMemoryError, MemoryError),
                           (dirac.FileError, OSError), (dirac.NotFoundError, KeyError),
                           (dirac.StateError, RuntimeError)):
            self.assertTrue(issubclass(kind, base) and issubclass(kind, dirac.DiracError))
        self.assertIsNone(self.net.tensors.get("nothing"))
        self.assertNotIn("nothing", self.net.tensors)

    def test_a_mistake_raises_at_its_own_line(self):
        net = dirac.Net(self.context)
        x = net.input((3, 8, 8))
        self.refused(dirac.ArgumentError, "stride", net.conv2d, x, 4, 3, stride=0)
        self.refused(dirac.ArgumentError, "stride", net.relu, x)  # sticky: the first mistake
        net.close()
        net = dirac.Net(self.context)
        first = net.conv2d(net.input((3, 8, 8)), 4, 3)
        second = net.conv2d(first, 5, 3)
        net.output(net.add(first, second))
        self.assertIn("(4, 8, 8)", str(self.refused(dirac.ShapeError, "(5, 8, 8)", net.build)))

    def test_wrong_python_types(self):
        net = dirac.Net(self.context)
        self.assertRaises(TypeError, net.relu, None)
        self.assertRaises(TypeError, net.add, net.input((3,)), "x")
        session = dirac.Session(self.net)
        self.assertRaises(TypeError, session.forward)
        session.forward(images(1))
        self.assertRaises(TypeError, session.cross_entropy, [0.5])
        self.assertRaises(dirac.ShapeError, session.cross_entropy, [0, 1])
        self.assertRaises(dirac.ArgumentError, session.cross_entropy, [2**32])

    def test_closed_handles(self):
        net = small_net(self.context)
        net.close()
        net.close()
        self.assertTrue(net.closed)
        self.assertRaisesRegex(ValueError, "this Net is closed", net.fold)
        self.assertRaisesRegex(ValueError, "closed", dirac.Session, net)

    def test_a_refused_save_leaves_no_file(self):
        with tempfile.TemporaryDirectory() as folder:
            self.refused(dirac.FileError, "nowhere", self.net.save, os.path.join(folder, "nowhere", "model"))
            self.assertEqual(os.listdir(folder), [])


if __name__ == "__main__":
    unittest.main()
