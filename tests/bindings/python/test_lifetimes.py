# SPDX-License-Identifier: MIT
"""Handles and views: everything is destroyed once nobody can see it, and not before."""
import gc
import mmap
import random
import tempfile
import unittest
import weakref

import numpy as np

import dirac
from dirac import context as context_module
from support import CountingAllocator, images, small_net


def everything(context):
    """One handle of each kind, and views."""
    net = small_net(context)
    dataset = dirac.Dataset.floats(context, (2, 6, 6)).add(images(12), np.arange(12) % 3)
    batches = dirac.Batches(dataset, size=4, shuffle=True, prefetch=1)
    session = dirac.Session(net, training=True, batch=4, input_gradients=True)
    sgd = dirac.SGD(net, momentum=0.9)
    for samples, labels in batches:
        session.forward(samples)
        session.cross_entropy(labels)
        session.backward()
        gradient = session.input_gradient()
        sgd.step(session)
    checkpoint = dirac.Checkpoint(context).add("net", net).add("sgd", sgd).add("s", session).add("b", batches)
    checkpoint["mine"] = b"bytes"
    checkpoint.load(checkpoint.to_bytes())
    folded = net.fold()
    dirac.Net.load(context, folded.to_bytes()).clone()
    session.forward(images(4))
    views = [session.output(), session.gradients, gradient, samples, labels]
    return [net, dataset, batches, session, sgd, checkpoint, folded], views


class Lifetimes(unittest.TestCase):
    def test_everything_is_given_back(self):
        for closing in ("explicit", "forgotten", "shuffled"):
            allocator = CountingAllocator()
            context = dirac.Context(allocator=allocator)
            handles, views = everything(context)
            self.assertGreater(allocator.total, 50)
            if closing != "forgotten":
                handles.append(context)
                if closing == "shuffled":
                    random.Random(3).shuffle(handles)
                for handle in handles:
                    handle.close()
            del handles, context
            self.assertGreater(len(allocator.blocks), 0, "views must keep their memory")
            self.assertTrue(np.isfinite(views[0]).all())
            del views
            self.assertEqual(allocator.blocks, {}, closing)
        self.assertEqual(context_module._Adapter.all, {})

    def test_loops_do_not_grow(self):
        allocator = CountingAllocator()
        context = dirac.Context(allocator=allocator)
        net = small_net(context)
        gc.collect()
        before, objects = dict(allocator.blocks), 0
        for turn in range(50):
            with dirac.Session(net, batch=2) as session:
                session.forward(images(2))
            net.fold().close()
            if turn == 25:
                gc.collect()
                objects = len(gc.get_objects())
        gc.collect()
        self.assertEqual(allocator.blocks, before)
        self.assertLess(len(gc.get_objects()), objects + 50)

    def test_no_cycle_keeps_a_handle(self):
        context = dirac.Context()
        handles, views = everything(context)
        references = [weakref.ref(handle) for handle in handles] + [weakref.ref(context)]
        gc.disable()
        try:
            del handles, views, context
            self.assertEqual([reference() for reference in references], [None] * len(references))
        finally:
            gc.enable()

    def test_a_callback_may_refer_to_what_it_belongs_to(self):
        context = dirac.Context()
        net = small_net(context)
        context.set_log(lambda level, message: net.version)  # a cycle through the context
        reference = weakref.ref(net)
        del context, net
        gc.collect()
        self.assertIsNone(reference())

    def test_nodes_keep_their_net(self):
        node = small_net(dirac.Context()).find("stem")
        self.assertEqual((node.name, node.shape), ("stem", (4, 6, 6)))


class Views(unittest.TestCase):
    def setUp(self):
        self.net = small_net(dirac.Context())
        self.session = dirac.Session(self.net, training=True, batch=3)

    def test_an_output_is_the_sessions_memory(self):
        first = self.session.forward(images(3, seed=1))
        copy, again = first.copy(), self.session.output()
        self.assertTrue(np.shares_memory(first, again))
        self.assertFalse(first.flags.writeable)
        self.assertEqual(first.shape, (3, 3))
        self.session.forward(images(3, seed=2))
        self.assertTrue((first == self.session.output()).all(), "a view shows the last forward")
        self.assertFalse((first == copy).all())

    def test_a_view_outlives_close(self):
        self.session.forward(images(3))
        view, values = self.session.output(), self.session.output().copy()
        self.session.close()
        self.net.close()
        del self.session, self.net
        gc.collect()
        junk = [np.full(4096, 7, np.float32) for _ in range(100)]  # would fall into freed memory
        self.assertTrue((view == values).all())
        self.assertEqual(len(junk), 100)

    def views(self, context):
        """(handles, {what: view}): each kind of view that there is, of memory that is overwritten when it is freed."""
        net = small_net(context)
        dataset = dirac.Dataset.floats(context, (2, 6, 6)).add(images(12), np.arange(12) % 3)
        batches = [dirac.Batches(dataset, size=4, prefetch=prefetch) for prefetch in (0, 2)]
        session = dirac.Session(net, training=True, batch=4, input_gradients=True, keep=[net.find("relu")])
        taken = [stream.next() for stream in batches]
        session.forward(taken[1][0])
        session.cross_entropy(taken[1][1])
        session.backward()
        views = {"output": session.output(), "activation": session.activation(net.find("relu")),
                 "gradients": session.gradients, "gradient": session.gradient("fc.weight")[1:],
                 "input gradient": session.input_gradient(), "file": np.frombuffer(net.to_memory(), np.uint8)[8:]}
        for name, pair in zip(("made now", "made ahead"), taken):
            views[f"samples {name}"], views[f"labels {name}"] = pair
        return {"net": net, "dataset": dataset, "batches": batches, "session": session}, views

    def changes(self, context):
        """{what: what is done with the handles}: all that frees or moves memory in the library, or might."""
        def leave(handles):
            for handle in (handles["session"], *handles["batches"], handles["net"], handles["dataset"], context):
                with handle:
                    pass

        def load(handles):
            checkpoint = dirac.Checkpoint(context).add("net", handles["net"]).add("s", handles["session"])
            for index, stream in enumerate(handles["batches"]):
                checkpoint.add(f"b{index}", stream)
            checkpoint.load(checkpoint.to_bytes())

        def fail(handles):
            for wrong in (lambda: handles["session"].prepare(), lambda: handles["session"].forward(images(5)),
                          lambda: handles["net"].load_weights(b"nothing"), lambda: handles["batches"][1].seek(-1)):
                self.assertRaises(dirac.DiracError, wrong)

        return {
            "forgotten": lambda handles: None,
            "left": leave,
            "another net": lambda handles: handles["session"].set_net(handles["net"].clone()),
            "another net, and the first one goes": lambda handles: (
                handles["session"].set_net(handles["net"].clone()), handles.pop("net").close()),
            "written": lambda handles: (handles["net"].initialize(5), handles["net"].load_weights(handles["net"].to_bytes())),
            "sought": lambda handles: [stream.seek(3, 1) for stream in handles["batches"]],
            "loaded": load,
            "another size": lambda handles: dirac.Session(
                handles["net"], training=True, batch=2, input_sizes={0: (9, 9)}).forward(images(2, shape=(2, 9, 9))),
            "refused": fail,
        }

    def test_every_view_keeps_its_memory(self):
        for what in self.changes(None):
            allocator = CountingAllocator()
            context = dirac.Context(allocator=allocator)
            handles, views = self.views(context)
            copies = {name: view.copy() for name, view in views.items()}
            self.changes(context)[what](handles)
            handles.clear()
            del context
            gc.collect()
            for name, view in views.items():
                start, end = view.ctypes.data, view.ctypes.data + view.nbytes
                self.assertTrue(any(block <= start and end <= block + size for block, size in allocator.blocks.items()),
                                (what, name))
                self.assertTrue((view == copies[name]).all(), (what, name))
            del view
            for name in list(views):
                del views[name]
                gc.collect()
            self.assertEqual(allocator.blocks, {}, what)

    def test_views_of_nothing(self):
        net = dirac.Net(dirac.Context())
        net.output(net.relu(net.input((2,))))
        session = dirac.Session(net.build(), training=True, batch=3)
        self.assertEqual(session.gradients.shape, (0,))
        self.assertEqual(session.forward(np.ones((3, 2))).tolist(), [[1, 1]] * 3)

    def test_gradients_can_be_changed_in_place(self):
        self.session.forward(images(3))
        self.session.cross_entropy([0, 1, 2])
        self.session.backward()
        for name in self.net.tensors:
            if self.net.tensors.is_trained(name):
                self.assertTrue((self.session.gradient(name) == self.session.read_gradient(name)).all(), name)
                self.assertEqual(self.session.gradient(name).shape, self.net.tensors[name].shape)
        self.session.gradient("fc.bias")[:] = [1, 2, 3]
        self.assertEqual(self.session.read_gradient("fc.bias").tolist(), [1, 2, 3])
        before = self.net.tensors["fc.bias"]
        dirac.SGD(self.net, learning_rate=0.5).step(self.session)
        self.assertTrue((self.net.tensors["fc.bias"] == before - np.float32(0.5) * np.float32([1, 2, 3])).all())
        self.assertFalse(self.session.gradients.any(), "a step clears them")
        self.assertRaises(dirac.NotFoundError, self.session.gradient, "bn.running_mean")

    def test_inputs_are_not_copied_unless_they_must_be(self):
        from dirac._arrays import floats, labels
        array = images(3)
        self.assertIs(floats(array, "x"), array)
        self.assertFalse(np.shares_memory(floats(array[:, ::-1], "x"), array))
        targets = np.arange(3, dtype=np.int32)
        self.assertIs(labels(targets, 3), targets)
        self.assertEqual(labels(targets.astype(">i8"), 3).tolist(), [0, 1, 2])
        for wrong in (np.array([2**31]), np.array([2**64 - 1], np.uint64), np.array([-2**31 - 1])):
            self.assertRaises(dirac.ArgumentError, labels, wrong, 1)
        same = self.session.forward(array.astype(np.float64)).copy()
        strided = np.repeat(array, 2, axis=3)[..., ::2]
        self.assertFalse(strided.flags.c_contiguous)
        self.assertTrue((self.session.forward(strided) == same).all())

    def test_values_are_read_into_an_array_of_the_callers(self):
        weights, room = self.net.tensors["stem.weight"], np.zeros((4, 2, 3, 3), np.float32)
        self.assertIs(self.net.tensors.read("stem.weight", room), room)
        self.assertTrue((room == weights).all() and weights.any())
        self.session.forward(images(3))
        self.session.cross_entropy([0, 1, 2])
        self.session.backward()
        self.session.read_gradient("stem.weight", out=room)
        self.assertTrue((room == self.session.gradient("stem.weight")).all())
        sgd = dirac.SGD(self.net, momentum=0.9)
        sgd.step(self.session)
        self.assertTrue((sgd.momentum("stem.weight", room) == sgd.momentum("stem.weight")).all())
        fixed = np.zeros_like(room)
        fixed.flags.writeable = False
        for error, wrong in ((TypeError, room.astype(np.float64)), (TypeError, [0.0]), (ValueError, fixed),
                             (ValueError, np.zeros((2, 4, 3, 3), np.float32).swapaxes(0, 1)),
                             (dirac.ShapeError, room[:3])):
            self.assertRaises(error, self.net.tensors.read, "stem.weight", wrong)

    def test_files_in_memory_are_not_copied(self):
        allocator = CountingAllocator()
        context = dirac.Context(allocator=allocator)
        net = small_net(context)
        before = dict(allocator.blocks)
        held = net.to_memory()
        self.assertTrue(held.readonly)
        start = np.frombuffer(held, np.uint8).ctypes.data
        block, = allocator.blocks.keys() - before.keys()
        self.assertTrue(block <= start and start + held.nbytes <= block + allocator.blocks[block], "the library's buffer")
        part = held[:8]
        del held
        self.assertIn(block, allocator.blocks, "a part keeps the whole")
        del part
        self.assertEqual(allocator.blocks, before)
        checkpoint = dirac.Checkpoint(context).add("net", net)
        self.assertEqual(bytes(checkpoint.to_memory()), checkpoint.to_bytes())

        content = net.to_bytes()
        with tempfile.TemporaryFile() as file:
            file.write(content)
            file.flush()
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as view:
                self.assertEqual(dirac.Net.load(context, view).to_bytes(), content)
        spread = memoryview(np.repeat(np.frombuffer(content, np.uint8), 2))[::2]
        self.assertEqual(dirac.Net.load(context, spread).to_bytes(), content)
        self.assertEqual(dirac.Net.load(context, bytearray(content)).to_bytes(), content)
        with self.assertRaises(dirac.FormatError):
            dirac.Net.load(context, b"")

    def test_another_input_size_and_kept_values(self):
        relu = self.net.find("relu")
        session = dirac.Session(self.net, batch=2, input_sizes={0: (9, 7)}, keep=[relu])
        session.forward(images(2, shape=(2, 9, 7)))
        self.assertEqual((session.shape(relu), session.activation(relu).shape), ((4, 9, 7), (2, 4, 9, 7)))
        self.assertGreaterEqual(session.activation(relu).min(), 0)
        session.forward(images(1, shape=(2, 9, 7)))
        self.assertEqual(session.activation(relu).shape, (1, 4, 9, 7))
        self.assertRaises(dirac.ShapeError, session.forward, images(1))


if __name__ == "__main__":
    unittest.main()
