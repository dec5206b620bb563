#!/bin/sh
# Compares the index with hnswlib and faiss: the table in the README's "How the
# search works". One thread each, on the same vectors, in turn.
#
#   bench/peers.sh PEERS.CPP [GALLERY QUERIES DIM]
#
# PEERS.CPP is a program that takes GALLERY QUERIES DIM, measures both and prints
# what it finds (../shared/ann/peers.cpp here). Without files of vectors it
# measures generated ones. On Debian it needs
#   apt-get install g++ libhnswlib-dev libfaiss-dev libopenblas-dev
# The machine should have nothing else to do meanwhile.
set -eu
source=$(realpath "$1")
shift
if [ $# -eq 3 ]; then
    set -- "$(realpath "$1")" "$(realpath "$2")" "$3"
fi
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
g++ -O3 -march=native -fopenmp -o "$work/peers" "$source" -lfaiss -lopenblas
go build -o "$work/rollcall" ./cmd/rollcall

# compare GALLERY QUERIES DIM measures everybody on two files.
compare() {
    OPENBLAS_NUM_THREADS=1 "$work/peers" "$1" "$2" "$3"
    "$work/rollcall" bench index --gallery "$1" --queries "$2" --dim "$3"
}

if [ $# -eq 3 ]; then
    compare "$@"
    exit
fi
for set in "2000 128" "20000 128" "20000 512"; do
    dim=${set#* }
    echo "== ${set% *} students with 5 crops each, $dim components"
    "$work/rollcall" bench index --engine exact --rounds 1 --students "${set% *}" --dim "$dim" \
        --write-gallery "$work/gallery" --write-queries "$work/queries" >"$work/written"
    compare "$work/gallery" "$work/queries" "$dim"
done
