"""The lean server: what an engineer would write in an afternoon to say whose face is on a crop.

FastAPI and uvicorn, YuNet in OpenCV, the embedder in ONNX Runtime, numpy for the search, SQLite
for what is enrolled. A request's body is the JPEG as it is. lean.py starts it, and sets:

    LEAN_STORE    the SQLite file
    LEAN_YUNET    the ONNX file of YuNet
    LEAN_EMBEDDER the ONNX file of the embedder
    LEAN_SIDE     pixels that a crop is brought to for YuNet; 0: as it comes
    LEAN_THREADS  threads of one run of a model
"""

import os
import sqlite3
import threading

import cv2
import numpy as np
import onnxruntime
from fastapi import FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool

from alignment import SIDE, TEMPLATE, similarity

DETECTOR_SIDE, THREADS = int(os.environ["LEAN_SIDE"]), int(os.environ["LEAN_THREADS"])
LEAST_SCORE = 0.6  # of a face, as in OpenCV's example of YuNet

cv2.setNumThreads(THREADS)


class Embedder:
    """Crop to embedding. It is safe for concurrent use."""

    def __init__(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        self.session = onnxruntime.InferenceSession(os.environ["LEAN_EMBEDDER"], options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name
        self.own = threading.local()  # OpenCV's detector is for one thread

    def embed(self, jpeg):
        """[n]float32 of unit length."""
        picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        if picture is None:
            raise HTTPException(400, "this is no image")
        aligned = cv2.warpAffine(picture, similarity(self.landmarks(picture), TEMPLATE), (SIDE, SIDE))
        tensor = cv2.dnn.blobFromImage(aligned, 1 / 128, mean=(127.5, 127.5, 127.5), swapRB=True)
        embedding = self.session.run(None, {self.input: tensor})[0][0]
        return embedding / np.linalg.norm(embedding)

    def landmarks(self, picture):
        """[5][2], pixels of the picture, of the most certain face."""
        height, width = picture.shape[:2]
        scale = DETECTOR_SIDE / max(height, width) if DETECTOR_SIDE else 1
        if scale != 1:
            picture = cv2.resize(picture, None, fx=scale, fy=scale)
        if not hasattr(self.own, "detector"):
            self.own.detector = cv2.FaceDetectorYN.create(os.environ["LEAN_YUNET"], "", (0, 0), LEAST_SCORE)
        self.own.detector.setInputSize(picture.shape[1::-1])
        _, faces = self.own.detector.detect(picture)
        if faces is None:
            raise HTTPException(422, "there is no face on the crop")
        return max(faces, key=lambda face: face[-1])[4:14].reshape(5, 2) / scale


class Gallery:
    """The enrolled crops: in SQLite, and in memory for the search. It is safe for concurrent use."""

    def __init__(self):
        self.lock = threading.Lock()  # guards what follows
        self.store = sqlite3.connect(os.environ["LEAN_STORE"], check_same_thread=False)
        self.store.execute("CREATE TABLE IF NOT EXISTS crops (crop TEXT PRIMARY KEY, student TEXT, embedding BLOB)")
        self.store.commit()
        self.version = None

    def enrol(self, crop, student, embedding):
        with self.lock:
            self.store.execute("INSERT OR REPLACE INTO crops VALUES (?, ?, ?)", (crop, student, embedding.tobytes()))
            self.store.commit()
            self.version = None  # data_version does not count one's own changes

    def nearest(self, embedding):
        """The most similar student and the similarity; None: nobody is enrolled."""
        with self.lock:
            self.load()
            students, embeddings = self.students, self.embeddings
        if not students:
            return None, 0.0
        similarities = embeddings @ embedding
        best = int(similarities.argmax())
        return students[best], float(similarities[best])

    def load(self):
        """Reads everything again if this or another worker has changed it."""
        version = self.store.execute("PRAGMA data_version").fetchone()
        if version == self.version:
            return
        rows = self.store.execute("SELECT student, embedding FROM crops").fetchall()
        self.students = [student for student, _ in rows]
        self.embeddings = np.array([np.frombuffer(embedding, np.float32) for _, embedding in rows])
        self.version = version


app = FastAPI()
embedder = Embedder()
gallery = Gallery()


@app.post("/identify")
async def identify(request: Request):
    student, similarity = await run_in_threadpool(find, await request.body())
    return {"student": student, "similarity": similarity}


@app.post("/students/{student}/crops/{crop}")
async def enrol(student: str, crop: str, request: Request):
    await run_in_threadpool(add, crop, student, await request.body())
    return {}


def find(jpeg):
    return gallery.nearest(embedder.embed(jpeg))


def add(crop, student, jpeg):
    gallery.enrol(crop, student, embedder.embed(jpeg))
