# SPDX-License-Identifier: MIT
"""Handles from the first to the last: what they say of themselves, that there is one of each, that nothing done after
close(), from another thread or at the end of the interpreter brings it down."""
import copy
import inspect
import os
import pickle
import subprocess
import sys
import textwrap
import threading
import unittest

import numpy as np

import dirac
from support import images, small_net


def one_of_each(context):
    """{kind: an open handle}"""
    net = small_net(context)
    dataset = dirac.Dataset.floats(context, (2, 6, 6)).add(images(8), np.arange(8) % 3)
    kind = dirac.LayerKind(context, "mine", setup=print, forward=print)
    handles = (context, net, dataset, dirac.Batches(dataset, size=4), dirac.Session(net, training=True, batch=4),
               dirac.SGD(net), dirac.Checkpoint(context).add("net", net), kind)
    return {type(handle): handle for handle in handles}


def members(kind):
    """(name, what stands in the class)"""
    return [(name, inspect.getattr_static(kind, name)) for name in dir(kind)]


class Handles(unittest.TestCase):
    def setUp(self):
        self.context = dirac.Context()
        self.handles = one_of_each(self.context)
        self.net = self.handles[dirac.Net]

    def test_every_class_is_here(self):
        classes = {kind for kind in vars(dirac).values() if inspect.isclass(kind) and hasattr(kind, "close")}
        self.assertEqual(classes, set(self.handles))

    def test_what_they_say(self):
        kernels = self.context.kernels
        for kind, text in ((dirac.Context, f"1 threads, kernels {kernels}"), (dirac.Net, "7 nodes, 251 parameters"),
                           (dirac.Dataset, "8 samples (2, 6, 6), 3 classes"),
                           (dirac.Batches, "epoch 0, 0 of 2 batches taken"),
                           (dirac.Session, "training, up to 4 images"),
                           (dirac.SGD, "0 steps taken, learning rate 0.1"), (dirac.Checkpoint, "'net'"),
                           (dirac.LayerKind, "'mine'")):
            handle = self.handles[kind]
            self.assertEqual(repr(handle), f"<dirac.{kind.__name__}: {text}>")
            handle.close()
            self.assertEqual(repr(handle), f"<dirac.{kind.__name__}: closed>")
            self.assertEqual(repr(kind.__new__(kind)), f"<dirac.{kind.__name__}: closed>")
        self.assertEqual(repr(dirac.Net(dirac.Context())), "<dirac.Net: 0 nodes, not built>")
        net = dirac.Net(dirac.Context())
        self.assertRaises(dirac.ArgumentError, net.conv2d, net.input((3, 8, 8)), 4, 3, stride=0)
        self.assertIn("not built", repr(net))
        self.assertIn("inference", repr(dirac.Session(small_net(dirac.Context()))))

    def test_there_is_one_of_each(self):
        singles = [*self.handles.values(), self.net.nodes[0], self.net._c, dirac.Layer(None)]
        for single in singles:
            for make in (copy.copy, copy.deepcopy, pickle.dumps, lambda single: copy.deepcopy([single])):
                self.assertRaisesRegex(TypeError, f"a {type(single).__name__} is neither copied nor pickled", make, single)
        self.assertEqual(repr(dirac.Layer(None)), "<dirac.Layer: after its callback>")
        session = self.handles[dirac.Session]
        view = session.forward(images(2))
        for made in (copy.copy(view), copy.deepcopy(view), pickle.loads(pickle.dumps(view))):
            self.assertFalse(np.shares_memory(made, view))
            self.assertTrue((made == view).all())

    def test_nothing_can_be_done_after_close(self):
        for kind, handle in self.handles.items():
            handle.close()
            handle.close()
            self.assertTrue(handle.closed)
            self.assertRaisesRegex(ValueError, f"this {kind.__name__} is closed", handle.__enter__)
            tried = 0
            for name, member in members(kind):
                if name.startswith("_") or name in ("close", "closed", "tensors", "notes", "scope"):
                    continue
                if isinstance(member, (classmethod, staticmethod)) or not (
                        isinstance(member, property) or inspect.isfunction(member)):
                    continue
                with self.assertRaises((ValueError, TypeError, AttributeError), msg=(kind, name)):
                    if isinstance(member, property):
                        getattr(handle, name)
                    else:
                        required = [p for p in list(inspect.signature(member).parameters.values())[1:]
                                    if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
                        member(handle, *["x"] * len(required))
                tried += 1
            self.assertTrue(tried > 0 or kind is dirac.LayerKind, kind)
        for call in (lambda: self.net.tensors["fc.weight"], lambda: len(self.net.tensors), lambda: self.net.notes["x"],
                     lambda: self.net.scope("x").__enter__(), lambda: list(self.handles[dirac.Batches]),
                     lambda: len(self.handles[dirac.Dataset]), lambda: self.handles[dirac.Dataset][0],
                     lambda: self.handles[dirac.Checkpoint]["x"]):
            self.assertRaisesRegex(ValueError, "is closed", call)

    def test_a_stream_has_one_caller_at_a_time(self):
        inside, go = threading.Event(), threading.Event()

        def sample(index):
            inside.set()
            go.wait(60)
            return np.zeros(2), 0

        stream = dirac.Batches(dirac.Dataset.callback(self.context, (2,), 8, sample), size=4)
        thread = threading.Thread(target=stream.next)
        thread.start()
        self.assertTrue(inside.wait(60))
        self.assertRaisesRegex(dirac.BusyError, "batches: another thread", stream.next)
        self.assertRaises(dirac.BusyError, stream.seek, 0)
        self.assertRaises(dirac.BusyError, self.handles[dirac.Session].evaluate, stream)
        go.set()
        thread.join()
        self.assertEqual(len(stream.next()[1]), 4)


SETTING = """\
import atexit, os, sys, threading, time
atexit.register(time.sleep, float(os.environ["LINGER"]))  # runs after what the package does at the end
import numpy as np
import dirac
from support import CountingAllocator, images, small_net

allocator = CountingAllocator()
context = dirac.Context(threads=2, allocator=allocator, log=lambda level, message: None, log_level=3)
net = small_net(context)
session, sgd = dirac.Session(net, training=True, batch=2), dirac.SGD(net)
def sample(index):
    time.sleep(0.001)
    return np.zeros((2, 6, 6)), 0
dataset = dirac.Dataset.callback(context, (2, 6, 6), 1000, sample)
batches = dirac.Batches(dataset, size=2, prefetch=4)
view, labels = batches.next()
output = session.forward(view)
"""


class Exit(unittest.TestCase):
    """The end of an interpreter in which everything is alive, threads among it."""

    def ends(self, program, status=0, printed="", linger=0.0):
        environment = dict(os.environ, PYTHONFAULTHANDLER="1", LINGER=str(linger),
                           PYTHONPATH=os.pathsep.join([os.path.dirname(__file__), os.environ["PYTHONPATH"]]))
        done = subprocess.run([sys.executable, "-W", "error", "-c", SETTING + textwrap.dedent(program)], timeout=120,
                              env=environment, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (status, printed, ""))

    def test_alive(self):
        for _ in range(5):
            self.ends("print('end')", 0, "end\n")

    def test_daemon_threads(self):
        for call in ("sgd.epoch(session, batches, lambda done, total: inside.set())",
                     "[(session.forward(x), inside.set()) for _ in range(10**6) for x, _ in batches]",
                     "[(batches.seek(0), batches.next(), inside.set()) for _ in range(10**6)]"):
            for linger in (0, 0.1):
                self.ends(f"""
                    inside = threading.Event()
                    threading.Thread(target=lambda: {call}, daemon=True).start()
                    inside.wait()
                    """, linger=linger)

    def test_handlers_of_the_end(self):
        self.ends("""
            import atexit
            def last():
                print(output.shape, view.sum(), batches.position, repr(batches))
            atexit.register(last)
            """, 0, "(2, 3) 0.0 (0, 1) <dirac.Batches: epoch 0, 1 of 500 batches taken>\n")

    def test_leaving_from_a_callback(self):
        self.ends("sgd.epoch(session, batches, lambda done, total: sys.exit(7))", 7)

    def test_a_forked_child(self):
        self.ends("""
            child = os.fork()
            if child == 0:
                sys.exit(5)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), len(batches.next()[1]))
            """, 0, "5 2\n")


if __name__ == "__main__":
    unittest.main()
