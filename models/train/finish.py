"""Completes the contract of rollcall-base-2 with what the program itself measures: the golden embedding, and the
calibration by the people of the split train, who were used neither to train it nor to choose it. See README.md."""

import argparse
import json
import os
import subprocess
import sys
import tempfile

from distil import NAME
from contract import write_contract

HERE = os.path.dirname(os.path.abspath(__file__))
# How far a component of the golden embedding may be off: processors with and without VNNI add in different orders, and a
# rounding of a whole number can go the other way. Noise of 1e-6 in the input moves a component by up to 0.024.
TOLERANCE = 0.05


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--faces", default=os.path.join(HERE, "../../../shared/faces"))
    p.add_argument("--models", default=os.path.join(HERE, "../builtin"), help="folder of the contracts and ONNX files")
    o = p.parse_args()
    file = os.path.join(o.models, NAME)
    none = {"threshold": 0.5, "threshold_source": "none yet"}
    write_contract(o.models, NAME, {**none, "golden": None, "calibration": None, "calibration_source": None})  # what was is of another file
    with tempfile.TemporaryDirectory() as folder:
        program, library = os.path.join(folder, "rollcall"), os.path.join(folder, "models")
        subprocess.run(["go", "build", "-o", program, "./cmd/rollcall"], cwd=os.path.join(HERE, "../.."), check=True)
        # Under another name, since the program has the old contract built in.
        with open(file + ".json") as f:
            trial = json.load(f)
        trial.update(name="trial")
        with open(os.path.join(folder, "trial.json"), "w") as f:
            json.dump(trial, f)
        subprocess.run([program, "models", "add", "trial", file + ".onnx", "--contract", os.path.join(folder, "trial.json"),
                        "--models-dir", library], check=True, stdout=sys.stderr)
        with open(os.path.join(library, "trial", "contract.json")) as f:
            golden = json.load(f)["golden"]["embedding"]
        table = subprocess.run([program, "eval", o.faces, "--calibrate", "--split", "train", "--models-dir", library,
                                "--embedder-name", "trial", "--locator-name", "rollcall-points"], check=True, stdout=subprocess.PIPE)
    write_contract(o.models, NAME, {**dict.fromkeys(none), "golden": {"embedding": [round(v, 5) for v in golden], "tolerance": TOLERANCE},
                                    **json.loads(table.stdout)})


if __name__ == "__main__":
    main()
