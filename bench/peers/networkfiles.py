"""Writes DeepFace's networks with random weights where DeepFace looks for its downloads.

    networkfiles.py FOLDER

For each network FOLDER gets a file of Keras for the backend TensorFlow, and the same converted to
ONNX, for the backend ONNX and for Rollcall.
"""

import os
import pathlib
import sys

os.environ["DEEPFACE_BACKEND_ENGINE"] = "tensorflow"
import convert_keras  # in docs; before DeepFace, because it says which Keras
from deepface.commons import weight_utils
from deepface.models.facial_recognition.tf import ArcFace, Facenet

NETWORKS = {"facenet_weights": Facenet.load_facenet128d_model, "arcface_weights": ArcFace.load_model}


def main():
    folder = pathlib.Path(sys.argv[1])
    weight_utils.load_model_weights = lambda model, weight_file: model  # the network alone, as it is built
    for name, network in NETWORKS.items():
        keras = folder / f"{name}.h5"
        keras.touch()  # nothing is downloaded where there is a file
        model = network()
        convert_keras.randomise(model, seed=1)
        model.save_weights(keras)
        worst = convert_keras.convert(model, str(folder / f"{name}.onnx"))
        if not worst <= convert_keras.TOLERANCE:
            sys.exit(f"{name}.onnx is not the same network: a component of an embedding is off by {worst:.1e}")


main()
