"""One Python library in the comparison: it measures itself when index.py tells it to.

    contender.py NAME GALLERY QUERIES DIMENSION

Reads commands from the standard input, one a line, and answers each with a line of JSON.
turns/turns.go is the same for Go.
"""

import ctypes
import itertools
import json
import sys
import time

import numpy as np

HITS = 10  # how many hits every search asks for
CALL_SECONDS = 0.2  # how long the cost of a call is measured
LEAST_SEARCHES = 5  # how many searches a turn has, however slow they are
NUMPY_BATCH = 256  # queries whose similarities to every vector numpy keeps at once

# The graphs have the settings of Rollcall's: M and efConstruction of the paper.
M, BUILD = 16, 200


class Numpy:
    """A product of the vectors and the query, and a partial sort."""

    def __init__(self, dimension):
        pass

    def add(self, vectors):
        self.vectors = np.array(vectors)

    def search(self, query):
        if len(query) == 1:
            scores = self.vectors @ query[0]
            best = np.argpartition(scores, len(scores) - HITS)[-HITS:]
            return best[np.argsort(-scores[best])][None]
        return np.concatenate([self.batch(query[i : i + NUMPY_BATCH]) for i in range(0, len(query), NUMPY_BATCH)])

    def batch(self, queries):
        scores = queries @ self.vectors.T
        best = np.argpartition(scores, scores.shape[1] - HITS, axis=1)[:, -HITS:]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
        return np.take_along_axis(best, order, axis=1)


class Faiss:
    def add(self, vectors):
        self.index.train(vectors)
        self.index.add(vectors)

    def search(self, query):
        return self.index.search(query, HITS)[1]


class FaissFlat(Faiss):
    def __init__(self, dimension):
        import faiss

        self.index = faiss.IndexFlatIP(dimension)


class FaissBytes(Faiss):
    """One byte a component, and the best in float32 again: as Rollcall's exact search does it,
    but without a bound that proves that nothing was missed."""

    def __init__(self, dimension):
        import faiss

        self.codes = faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT)
        self.index = faiss.IndexRefineFlat(self.codes)
        self.index.k_factor = 2


class FaissGraph(Faiss):
    def __init__(self, dimension):
        import faiss

        self.index = faiss.IndexHNSWFlat(dimension, M, faiss.METRIC_INNER_PRODUCT)
        self.index.hnsw.efConstruction = BUILD

    def effort(self, ef):
        self.index.hnsw.efSearch = ef


class Hnswlib:
    def __init__(self, dimension):
        import hnswlib

        self.index = hnswlib.Index("ip", dimension)

    def add(self, vectors):
        self.index.init_index(len(vectors), ef_construction=BUILD, M=M)
        self.index.add_items(vectors, num_threads=1)

    def search(self, query):
        return self.index.knn_query(query, HITS, num_threads=1)[0]

    def effort(self, ef):
        self.index.set_ef(ef)


class UsearchExact:
    def __init__(self, dimension):
        pass

    def add(self, vectors):
        self.vectors = np.array(vectors)

    def search(self, query):
        from usearch.index import MetricKind, search

        found = search(self.vectors, query, HITS, MetricKind.IP, exact=True, threads=1)
        return found.keys.reshape(len(query), -1)


class Usearch:
    dtype = "f32"

    def __init__(self, dimension):
        from usearch.index import Index

        self.index = Index(ndim=dimension, metric="ip", dtype=self.dtype, connectivity=M, expansion_add=BUILD)

    def add(self, vectors):
        self.index.add(np.arange(len(vectors)), vectors, threads=1)

    def search(self, query):
        return self.index.search(query, HITS, threads=1).keys.reshape(len(query), -1)

    def effort(self, ef):
        self.index.expansion_search = ef


class UsearchBytes(Usearch):
    dtype = "i8"


LIBRARIES = {
    "numpy": Numpy,
    "faiss flat": FaissFlat,
    "faiss int8, refined": FaissBytes,
    "faiss graph": FaissGraph,
    "hnswlib": Hnswlib,
    "usearch exact": UsearchExact,
    "usearch": Usearch,
    "usearch int8": UsearchBytes,
}


class Contender:
    def __init__(self, name, gallery, queries, dimension):
        self.library, self.dimension = LIBRARIES[name], dimension
        # Mapped, so that it is not counted as memory of the index.
        self.gallery = np.memmap(gallery, np.float32, "r").reshape(-1, dimension)
        self.queries = np.fromfile(queries, np.float32).reshape(-1, dimension)
        self.turns = itertools.cycle([self.queries[i : i + 1] for i in range(len(self.queries))])

    def fill(self, vectors):
        index = self.library(self.dimension)
        start = time.perf_counter()
        index.add(vectors)
        return index, time.perf_counter() - start

    def add(self):
        self.index, took = self.fill(self.gallery)
        trim()
        return took

    def call(self):
        """The seconds of a search among no more vectors than it returns: what any call costs."""
        cost = self.turn(CALL_SECONDS, self.fill(self.gallery[:HITS])[0])
        trim()
        return cost

    def answers(self, count):
        """The hits of the first queries."""
        return [self.index.search(query[None])[0].tolist() for query in self.queries[: int(count)]]

    def effort(self, ef):
        self.index.effort(int(ef))

    def search(self, seconds):
        return self.turn(seconds, self.index)

    def turn(self, seconds, index):
        times, search, clock = [], index.search, time.perf_counter
        start = now = clock()
        while len(times) < LEAST_SEARCHES or now - start < seconds:
            search(next(self.turns))
            end = clock()
            times.append(end - now)
            now = end
        return {"median": sorted(times)[len(times) // 2], "mean": (now - start) / len(times)}

    def batch(self):
        """The seconds that a query takes, where all are asked in one call."""
        start = time.perf_counter()
        self.index.search(self.queries)
        return (time.perf_counter() - start) / len(self.queries)


def trim():
    """Returns free memory to the system, so that what is left is the index."""
    ctypes.CDLL(None).malloc_trim(0)


def main():
    name, gallery, queries, dimension = sys.argv[1:]
    contender = Contender(name, gallery, queries, int(dimension))
    for line in sys.stdin:
        command, *arguments = line.split()
        print(json.dumps(getattr(contender, command)(*map(float, arguments))), flush=True)


main()
