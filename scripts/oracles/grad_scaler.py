"""Dynamic loss scaling by torch.amp.GradScaler on a model in float16: test/fixtures/extra/grad-scaler.json.

Steps of plain SGD on a stored model under torch.autocast(float16), each with the mean loss times a factor. A factor that no
scale helps forces an overflow; some only fit once the scale has fallen. Written down: what each step did to scale and
counter. Run:  python scripts/oracles/grad_scaler.py
"""

import json
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

FIXTURES = Path(__file__).resolve().parents[2] / "test/fixtures"
MODEL = "llama"
ROW = [5, 9, 3, 17, 4, 11, 8, 2]
LEARNING_RATE = 1e-3

TOO_MUCH = 1e30
RUNS = [
    # A fresh scaler: overflows one by one and in a row, and a factor that fits once the scale has been halved a few times.
    {"name": "overflows", "factors": [1, TOO_MUCH, 1, 1, TOO_MUCH, TOO_MUCH, 1, *[40] * 12, 1, TOO_MUCH, 1]},
    # Good steps in a row double the scale, an overflow makes the count begin again.
    {"name": "growth", "scale": 1024.0, "good": 1996, "factors": [1, 1, 1, 1, 1, 1, TOO_MUCH, 1, 1]},
    {"name": "interrupted", "scale": 64.0, "good": 1998, "factors": [1, TOO_MUCH, 1, 1, 1]},
    # A scale that float32 cannot hold is not taken, and the count begins again all the same.
    {"name": "largest", "scale": 2.0**126, "good": 1999, "factors": [0, 0]},
    {"name": "beyond", "scale": 2.0**127, "good": 1999, "factors": [0, 0]},
]


def steps_of(run):
    model = AutoModelForCausalLM.from_pretrained(FIXTURES / "models" / MODEL, dtype=torch.float32)
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    scaler = torch.amp.GradScaler("cpu")
    if "scale" in run:
        scaler.load_state_dict({**scaler.state_dict(), "scale": run["scale"], "_growth_tracker": run["good"]})
    ids = torch.tensor([ROW])
    for factor in run["factors"]:
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.float16):
            logits = model(ids).logits
        loss = torch.nn.functional.cross_entropy(logits[0, :-1].float(), ids[0, 1:])
        scaler.scale(loss * factor).backward()
        before = [p.detach().clone() for p in model.parameters()]
        scaler.step(optimizer)
        moved = any(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
        scaler.update()
        state = scaler.state_dict()
        yield {"skipped": not moved and factor != 0, "scale": state["scale"], "good": state["_growth_tracker"]}


def main():
    torch.manual_seed(0)
    out = {"model": MODEL, "row": ROW, "learningRate": LEARNING_RATE, "runs": []}
    for run in RUNS:
        steps = list(steps_of(run))
        start = {"scale": run.get("scale", 65536.0), "good": run.get("good", 0)}
        out["runs"].append({"name": run["name"], "start": start, "factors": run["factors"], "steps": steps})
        print(run["name"], sum(step["skipped"] for step in steps), steps[-1])
    path = FIXTURES / "extra/grad-scaler.json"
    path.write_text(json.dumps(out, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
