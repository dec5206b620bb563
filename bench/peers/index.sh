#!/bin/sh
# Compares Rollcall's index with faiss, hnswlib, usearch, numpy and chromem-go, in their
# newest releases. Prints a table; index.sh --help lists the options.
#
#   bench/peers/index.sh --gallery FACES --queries OTHERS    # both float32, 128 a vector
#   bench/peers/index.sh --quick                             # does everything work?
#
# Needs Linux, Go, Python 3.10 with venv and a C++ compiler, with which hnswlib is built for
# this machine, and installs the rest into a temporary folder. All of it takes half an hour.
# The machine should have nothing else to do meanwhile.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-cache-dir --no-binary hnswlib faiss-cpu hnswlib usearch numpy

# In subshells: the files that the options name are looked for where the caller is.
(
    cd "$here/chromem"
    cp go.mod go.sum "$work" # -modfile: what is the newest changes nothing here
    go get -modfile="$work/go.mod" github.com/philippgille/chromem-go@latest
    go build -modfile="$work/go.mod" -o "$work/chromem" .
)
(cd "$here" && go build -o "$work" ./ours)

"$work/venv/bin/python" "$here/index.py" --programs "$work" "$@"
