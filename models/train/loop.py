"""What the two trainings have in common."""

import copy
import ctypes
import itertools
import math
import os
import queue
import threading
import time

import torch


def keep_memory():
    """Has the C library keep freed memory. glibc otherwise gives large tensors back to the system in every step, and to
    get them again takes a third of the time. Other libraries have no mallopt and need none."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        m_arena_max, m_mmap_max, m_trim_threshold, largest = -8, -4, -1, 2**31 - 1
        mallopt(m_arena_max, 1)
        mallopt(m_mmap_max, 0)
        mallopt(m_trim_threshold, largest)


class Average:
    """The running mean of a network's weights."""

    def __init__(self, net, decay=0.998):
        self.net, self.decay, self.steps = copy.deepcopy(net).eval(), decay, 0

    @torch.no_grad()
    def update(self, net):
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 10))
        for mine, theirs in zip(self.net.state_dict().values(), net.state_dict().values()):
            if mine.dtype.is_floating_point:
                mine.lerp_(theirs, 1 - decay)
            else:
                mine.copy_(theirs)


def rate(step, done, most, warm=200):
    """The learning rate, done (0..1) of the training being over: rises, then falls as a half cosine."""
    return most * min(1, (step + 1) / warm) * 0.5 * (1 + math.cos(math.pi * min(1, done)))


def ahead(make, start, depth=4):
    """Yields make(step) for every step from start on, made in a thread ahead of their use."""
    ready = queue.Queue(depth)

    def work():
        for step in itertools.count(start):
            ready.put(make(step))

    threading.Thread(target=work, daemon=True).start()
    while True:
        yield ready.get()


def train(net, make, loss, steps, most, path, evaluate, every=500, decay=0.02, until=None, log=print):
    """Trains net for steps, or until a time (as time.time()) whatever the number of steps, and returns the average of
    its weights. make(step) makes a batch, loss(net, batch, done) a scalar,
    done being the share of the training that is over. Every so many steps evaluate(average, done) is logged
    and all is saved in path, from where an interrupted training goes on."""
    weights = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW([{"params": weights, "weight_decay": decay}, {"params": others, "weight_decay": 0}])
    average, start = Average(net), 0
    if os.path.exists(path):
        saved = torch.load(path, weights_only=True)
        net.load_state_dict(saved["net"])
        average.net.load_state_dict(saved["average"])
        optimiser.load_state_dict(saved["optimiser"])
        start = average.steps = saved["step"]
        if saved["finished"]:
            return average.net
    net.to(memory_format=torch.channels_last)
    began, total = time.time(), 0.0
    offset = start / steps if until else 0  # what an interrupted training has done of its time, about
    for step, batch in enumerate(ahead(make, start), start):
        done = step / steps
        if until:
            done = offset + (1 - offset) * (time.time() - began) / (until - began)
        for group in optimiser.param_groups:
            group["lr"] = rate(step, done, most)
        net.train()
        value = loss(net, batch, done)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        average.update(net)
        total += value.item()
        last = done >= 1 if until else step + 1 == steps
        if (step + 1) % every == 0 or last:
            with torch.inference_mode():
                figures = evaluate(average.net, done)
            log(f"step {step + 1}, {done:.0%}, loss {total / every:.4f}, {time.time() - began:.0f} s: {figures}")
            total = 0.0
            torch.save({"net": net.state_dict(), "average": average.net.state_dict(),
                        "optimiser": optimiser.state_dict(), "step": step + 1, "finished": last}, path + ".part")
            os.replace(path + ".part", path)
        if last:
            return average.net
