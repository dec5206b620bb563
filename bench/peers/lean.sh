#!/bin/sh
# Compares Rollcall with the server that an engineer would write in Python in an afternoon
# (leanserver.py). Prints a table; lean.sh --help lists the options.
#
#   bench/peers/lean.sh            # needs ../shared beside the clone; some 15 minutes
#   bench/peers/lean.sh --quick    # does everything work?
#
# Needs Linux, Go, a C compiler and Python 3.10 with venv, and installs the rest into a temporary
# folder. The machine should have nothing else to do meanwhile. .ci/run does not run it: it takes
# too long, and its figures mean nothing on a busy machine.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

# Not the newest ONNX Runtime but Rollcall's: 1.32.0 runs this embedder on a picture 2.6 times as long
# (AMD EPYC with AVX-512, one thread, least of 100: 8.5 instead of 3.2 ms).
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-cache-dir fastapi==0.165.0 'uvicorn[standard]==0.54.0' \
    onnxruntime==1.24.3 opencv-python-headless==5.0.0.93 numpy==2.4.6

cd "$here"
go build -o "$work" rollcall/cmd/rollcall ./ask
cd "$OLDPWD"

"$work/venv/bin/python" "$here/lean.py" --programs "$work" "$@"
