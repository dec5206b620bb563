"""Writes the contracts of the built-in models."""

import hashlib
import json
import os
import re

FIELDS = ["name", "kind", "title", "description", "licence", "training_data", "sha256", "input", "template", "decoder", "anchors", "second_look", "sure", "confirmed_by",
          "output", "mirror_enrolled", "threshold", "threshold_source", "calibration", "calibration_source", "golden", "accuracy", "preference"]


def write_contract(folder, name, fields):
    """Writes NAME.json beside NAME.onnx. What is in the file already and not in fields stays; a field of None is
    taken out."""
    path = os.path.join(folder, name + ".json")
    all = {"name": name}
    if os.path.exists(path):
        with open(path) as f:
            all.update(json.load(f))
    with open(os.path.join(folder, name + ".onnx"), "rb") as f:
        all.update(fields, sha256=hashlib.sha256(f.read()).hexdigest())
    text = json.dumps({k: all[k] for k in FIELDS if all.get(k) is not None}, indent=2, ensure_ascii=False)
    # Numbers of a list on one line, and so the fields of one measurement.
    text = re.sub(r"\[\s+([-\d.e]+(?:,\s+[-\d.e]+)*)\s+\]", lambda m: "[" + re.sub(r"\s+", " ", m[1]) + "]", text)
    text = re.sub(r"\{\s+(\"(?:fmr|set|stride)\"[^{}]*?)\s+\}", lambda m: "{" + re.sub(r"\s*\n\s*", " ", m[1]) + "}", text)
    with open(path, "w") as f:
        f.write(text + "\n")
