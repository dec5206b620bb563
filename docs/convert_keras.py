"""Converts DeepFace's Keras weights of FaceNet to ONNX; see convert-facenet.md.

python convert_keras.py WEIGHTS.h5 OUT.onnx

The network is DeepFace's own, of version 0.0.103; its dimension (128 or 512) is
that of the weights. The new file is run and compared with the Keras network.
"""

import argparse
import hashlib
import json
import os
import sys

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # before TensorFlow: the weights are of Keras 2
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import h5py
import numpy as np
import onnxruntime
import tensorflow as tf
import tf2onnx
from deepface.models.facial_recognition.tf.Facenet import InceptionResNetV1
from PIL import Image

SIDE = 160  # pixels of the input
OPSET = 13
# How much a component of a unit-length embedding may differ after the conversion: the two
# networks add in different orders.
TOLERANCE = 1e-5


def dimension_of(weights):
    """Returns the length of the embedding: the columns of the last full layer."""
    with h5py.File(weights) as file:
        found = []
        file.visititems(lambda name, item: found.append(item.shape[1]) if "Bottleneck/kernel" in name else None)
    if len(found) != 1:
        sys.exit(f"{weights} holds no weights of DeepFace's FaceNet: its layer Bottleneck is missing")
    return found[0]


def randomise(model, seed):
    """Gives every layer weights that keep the size of the signal about the same, as training does."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        values = []
        for weight in layer.weights:
            shape, name = weight.shape, weight.name
            if "moving_variance" in name or "gamma" in name:
                values.append(rng.uniform(0.5, 1.5, shape))
            elif "kernel" in name:
                values.append(rng.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape))
            else:  # beta, bias, moving_mean
                values.append(rng.normal(0, 0.1, shape))
        layer.set_weights(values)


def unit(vectors):
    """Scales each row to length 1, as Rollcall does."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def tensor_of(picture):
    """Returns what DeepFace feeds: BGR, x/255. A picture of the input's size is not resized."""
    image = Image.open(picture).convert("RGB")
    if image.size != (SIDE, SIDE):
        sys.exit(f"{picture} has {image.size[0]} x {image.size[1]} pixels; to compare embeddings it must have {SIDE} x {SIDE}")
    return np.asarray(image, np.float32)[None, :, :, ::-1] / 255


def convert(model, out):
    """Writes the ONNX file and returns the largest difference from Keras, on noise."""
    shape = (1, *model.input_shape[1:])
    signature = [tf.TensorSpec(shape, tf.float32, name="input")]
    tf2onnx.convert.from_keras(model, signature, opset=OPSET, output_path=out)
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    worst = 0.0
    for seed in range(5):
        noise = np.random.default_rng(seed).random(shape, np.float32)
        got = session.run(None, {session.get_inputs()[0].name: noise})[0]
        worst = max(worst, float(np.abs(unit(got) - unit(model(noise, training=False).numpy())).max()))
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("weights", help="facenet_weights.h5 or facenet512_weights.h5")
    parser.add_argument("out", help="the ONNX file to write")
    parser.add_argument("--embed", metavar="PICTURE", help="print Keras's embedding of a picture of 160 x 160 pixels, as JSON, to compare with Rollcall's")
    parser.add_argument("--random", type=int, metavar="DIMENSION", help="write WEIGHTS with random numbers first, to try the conversion without the real ones")
    args = parser.parse_args()
    model = InceptionResNetV1(dimension=args.random or dimension_of(args.weights))
    if args.random:
        randomise(model, seed=1)
        model.save_weights(args.weights)
    model.load_weights(args.weights)
    worst = convert(model, args.out)
    if not worst <= TOLERANCE:
        sys.exit(f"{args.out} is not the same network: a component of an embedding is off by {worst:.1e}, more than {TOLERANCE:g}")
    with open(args.out, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    print(f"{args.out}: a component of an embedding is off by at most {worst:.1e} from Keras; sha256 {digest}", file=sys.stderr)
    if args.embed:
        print(json.dumps(unit(model(tensor_of(args.embed), training=False).numpy())[0].tolist()))


if __name__ == "__main__":
    main()
