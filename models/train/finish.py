"""Measures the exported models with the program itself and completes their contracts: the golden embedding, the
calibration by the validation people, and with --test the accuracy on the test people. See README.md."""

import argparse
import json
import os
import subprocess
import sys
import tempfile

from contract import write_contract

HERE = os.path.dirname(os.path.abspath(__file__))
NAME = "rollcall-mini"
# How far a component of the golden embedding may be off. Processors differ in their last bits, and a number that was
# rounded to eight bits the other way goes through all layers: without ONNX Runtime's fused operators, components were off
# by up to 0.006. Two colours exchanged make 0.07.
TOLERANCE = 0.03


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--faces", default=os.path.join(HERE, "../../../shared/faces"))
    p.add_argument("--models", default=os.path.join(HERE, "../builtin"), help="folder of the contracts and ONNX files")
    p.add_argument("--test", action="store_true", help="measure on the test people too: once, when all is chosen")
    o = p.parse_args()
    files = {name: os.path.join(o.models, name) for name in (NAME, "rollcall-points")}

    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "rollcall")
        subprocess.run(["go", "build", "-o", program, "./cmd/rollcall"], cwd=os.path.join(HERE, "../.."), check=True)
        # Under another name, since the program has the old ones built in.
        with open(files[NAME] + ".json") as f:
            contract = json.load(f)
        trial = {k: v for k, v in contract.items() if k not in ("golden", "calibration", "calibration_source", "accuracy")}
        trial.update(name="trial", threshold=0.5, threshold_source="none yet")
        with open(os.path.join(folder, "trial.json"), "w") as f:
            json.dump(trial, f)
        library = os.path.join(folder, "models")
        subprocess.run([program, "models", "add", "trial", files[NAME] + ".onnx", "--contract", os.path.join(folder, "trial.json"),
                        "--models-dir", library], check=True, stdout=sys.stderr)
        with open(os.path.join(library, "trial", "contract.json")) as f:
            golden = json.load(f)["golden"]["embedding"]
        fields = {"golden": {"embedding": [round(v, 5) for v in golden], "tolerance": TOLERANCE}}
        write_contract(o.models, NAME, fields)

        def bench(*words):
            subprocess.run(["go", "build", "-o", program, "./cmd/rollcall"], cwd=os.path.join(HERE, "../.."), check=True)
            out = subprocess.run([program, "bench", *words, "--faces", o.faces, "--models-dir", library, "--embedder-name", NAME,
                                  "--locator-name", "rollcall-points"], check=True, stdout=subprocess.PIPE)
            return json.loads(out.stdout)

        table = bench("accuracy", "--calibrate", "--split", "validation", "--crops", "3")
        # Anybody can repeat it, whatever the folders are.
        write_contract(o.models, NAME, {**table, "threshold": None, "threshold_source": None})
        if not o.test:
            return
        found = bench("accuracy", "--output", "json")
        print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
