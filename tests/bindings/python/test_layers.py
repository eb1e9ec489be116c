# SPDX-License-Identifier: MIT
"""A layer written in Python, its values and gradients against numpy in float64."""
import gc
import unittest

import numpy as np

import dirac
from dirac import layer as layer_module
from support import images


def setup(layer):
    """y = w[c] x^power + slope x, and the running mean of x."""
    shape = layer.input_shape()
    layer.set_output_shape(shape)
    layer.add_parameter("weight", (shape[0],), init=dirac.INIT_UNIFORM, a=0.5, b=1.5)
    layer.add_state("mean", (shape[0],), 0.25)
    layer.keep(int(np.prod(shape)), 1)


def forward(layer):
    x, weight = layer.input(), layer.parameter("weight")[:, None, None]
    power = x ** np.float32(layer.get_int("power"))
    layer.output[...] = weight * power + np.float32(layer.get_float("slope")) * x
    if layer.is_training:
        layer.new_state("mean")[...] += x.mean(axis=(0, 2, 3))
        layer.kept[:-1] = power.ravel()
        layer.kept[-1] = 42


def backward(layer):
    x, dy, kept = layer.input(), layer.output_gradient, layer.kept
    assert kept[-1] == 42 and layer.new_state("mean") is None and layer.parameter_gradient("mean") is None
    power = layer.get_int("power")
    layer.parameter_gradient("weight")[...] += (dy * kept[:-1].reshape(x.shape)).sum(axis=(0, 2, 3))
    dx = layer.input_gradient()
    if dx is not None:
        dx[...] = dy * (layer.parameter("weight")[:, None, None] * power * x ** (power - 1) + layer.get_float("slope"))


class CustomLayers(unittest.TestCase):
    def setUp(self):
        self.context = dirac.Context()
        self.kind = dirac.LayerKind(self.context, "power", setup=setup, forward=forward, backward=backward,
                                    ints={"power": (1, 5, 2)}, floats={"slope": (-1.0, 1.0, 0.5)})

    def net(self, **options):
        net = dirac.Net(self.context, seed=4)
        net.output(net.custom(self.kind, [net.input((3, 4, 5))], name="mine", **options))
        return net.build()

    def test_values_and_gradients(self):
        net = self.net(power=3, slope=-0.25)
        session = dirac.Session(net, training=True, batch=2, input_gradients=True)
        x, r = images(2, 1, (3, 4, 5)), images(2, 2, (3, 4, 5))
        w = net.tensors["mine.weight"].astype(np.float64)[:, None, None]
        y = session.forward(x)
        x64 = x.astype(np.float64)
        # Three roundings of values below 64, and a sum of 40 of them: far below 1e-4.
        np.testing.assert_allclose(y, w * x64**3 - 0.25 * x64, rtol=1e-5, atol=1e-6)
        session.set_output_gradient(r)
        session.backward()
        expected = (r * x64**3).sum(axis=(0, 2, 3))
        np.testing.assert_allclose(session.gradient("mine.weight"), expected, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(session.input_gradient(), r * (3 * w * x64**2 - 0.25), rtol=1e-5, atol=1e-5)
        session.commit_statistics()
        np.testing.assert_allclose(net.tensors["mine.mean"], 0.25 + x64.mean(axis=(0, 2, 3)), rtol=1e-5, atol=1e-6)
        self.assertLess(session.check_gradients(x), 1e-2)

    def test_inference_and_files(self):
        net = self.net()
        loaded = dirac.Net.load(self.context, net.to_bytes())
        x = images(3, 5, (3, 4, 5))
        first = dirac.Session(net, batch=3).forward(x)
        self.assertTrue((dirac.Session(loaded, batch=3).forward(x) == first).all())
        self.assertEqual((loaded.find("mine").kind, loaded.find("mine").get("power")), ("power", 2))
        with self.assertRaisesRegex(dirac.NotFoundError, "power"):
            dirac.Net.load(dirac.Context(), net.to_bytes())

    def failing(self, name, **callbacks):
        calls = {"setup": lambda layer: layer.set_output_shape(layer.input_shape()),
                 "forward": lambda layer: np.copyto(layer.output, layer.input()), **callbacks}
        kind = dirac.LayerKind(self.context, name, **calls)
        net = dirac.Net(self.context)
        net.output(net.custom(kind, [net.input((3,))]))
        return net

    def test_exceptions_come_through(self):
        def raiser(layer):
            raise KeyError("mine")

        self.assertRaisesRegex(KeyError, "mine", self.failing("bad_setup", setup=raiser).build)
        session = dirac.Session(self.failing("bad_forward", forward=raiser).build())
        self.assertRaisesRegex(KeyError, "mine", session.forward, np.ones((1, 3)))
        session = dirac.Session(self.failing("bad_backward", backward=raiser).build(), training=True,
                                input_gradients=True)
        session.forward(np.ones((1, 3)))
        session.cross_entropy([0])
        self.assertRaisesRegex(KeyError, "mine", session.backward)
        self.assertRaises(dirac.UnsupportedError, dirac.Session, self.failing("no_backward").build(), training=True)

    def test_an_array_that_outlives_its_callback_is_refused(self):
        stolen = []
        session = dirac.Session(self.failing("thief", forward=lambda layer: stolen.append(layer.output[:1])).build())
        self.assertRaisesRegex(RuntimeError, "outlives its forward callback", session.forward, np.ones((1, 3)))
        layers = []
        session = dirac.Session(self.failing("holder", forward=layers.append).build())
        session.forward(np.ones((1, 3)))
        self.assertRaisesRegex(ValueError, "has returned", lambda: layers[0].batch)

    def test_callbacks_go_with_their_context(self):
        before = set(layer_module._Kind.all)
        net = self.net()
        del self.kind, self.context
        self.assertEqual(set(layer_module._Kind.all), before, "the net still needs them")
        del net
        gc.collect()
        self.assertLess(len(layer_module._Kind.all), len(before))


if __name__ == "__main__":
    unittest.main()
