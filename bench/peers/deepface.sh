#!/bin/sh
# Compares Rollcall with DeepFace, with its backends ONNX and TensorFlow, on the same networks.
# Prints tables; deepface.sh --help lists the options.
#
#   bench/peers/deepface.sh            # needs ../shared beside the clone; some 15 minutes
#   bench/peers/deepface.sh --quick    # does everything work?
#
# Nothing is downloaded but packages: the networks get random weights, which take as long as real
# ones (networkfiles.py). Needs Linux, Go, a C compiler and Python 3.11 with venv, and installs the
# rest, 3 GB, into a temporary folder. The machine should have nothing else to do meanwhile. .ci/run
# does not run it: it takes too long, and its figures mean nothing on a busy machine.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-cache-dir deepface==0.0.103 tensorflow==2.21.0 tf_keras==2.21.0 \
    tf2onnx==1.17.0 onnxruntime==1.32.0 opencv-contrib-python-headless==5.0.0.93 numpy==2.4.6 h5py==3.14.0 pillow==13.0.0 \
    werkzeug==3.1.9 # DeepFace imports it and does not ask for it

cd "$here"
go build -o "$work" rollcall/cmd/rollcall ./ask
cd "$OLDPWD"
mkdir -p "$work/.deepface/weights" # where DeepFace looks, with its home at $work
DEEPFACE_HOME="$work" PYTHONPATH="$here/../../docs" \
    "$work/venv/bin/python" "$here/networkfiles.py" "$work/.deepface/weights"

"$work/venv/bin/python" "$here/networks.py" --programs "$work" "$@"
