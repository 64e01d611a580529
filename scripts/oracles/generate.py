"""Greedy continuations by transformers' own generate(), for test/model/generate.test.ts.

Run:  python scripts/oracles/generate.py [--models test/fixtures/models] [--out test/fixtures/generate/greedy.json]

For each model a few prompts, and one that stops at a token it is known to produce. Every step's best logit must lead
the second by 1e-3, so that float32 on another machine chooses the same token.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
import transformers

REPO = Path(__file__).resolve().parents[2]
PROMPTS = [[5, 9, 17], [1], list(range(40, 70)), [7, 7, 7, 7]]
NEW_TOKENS = 40
LEAST_LEAD = 1e-3
transformers.utils.logging.disable_progress_bar()


def greedy(model, prompt, stop=None):
    """The new tokens, as far as every choice is clear."""
    out = model.generate(
        torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
        do_sample=False,
        max_new_tokens=NEW_TOKENS,
        eos_token_id=stop,
        pad_token_id=0,
        output_logits=True,
        return_dict_in_generate=True,
    )
    ids = out.sequences[0, len(prompt) :].tolist()
    best = torch.stack(out.logits)[:, 0].topk(2).values
    unclear = (best[:, 0] - best[:, 1] < LEAST_LEAD).nonzero()
    return ids[: unclear[0].item()] if len(unclear) else ids


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=REPO / "test/fixtures/models")
    parser.add_argument("--out", type=Path, default=REPO / "test/fixtures/generate/greedy.json")
    parser.add_argument("names", nargs="*", default=["llama", "llama-3.2", "qwen2"])
    options = parser.parse_args()
    answers = {}
    for name in options.names:
        model = transformers.AutoModelForCausalLM.from_pretrained(
            options.models / name, dtype=torch.float32, attn_implementation="eager", local_files_only=True
        ).eval()
        model.generation_config.eos_token_id = None
        cases = [{"prompt": prompt, "ids": greedy(model, prompt), "stop": []} for prompt in PROMPTS]
        cases = [case for case in cases if len(case["ids"]) >= 10]
        if len(cases) < 2:
            sys.exit(f"{name}: too few clear continuations; choose other prompts")
        first = cases[0]
        cases.append({**first, "stop": [first["ids"][5]], "ids": greedy(model, first["prompt"], stop=first["ids"][5])})
        answers[name] = cases
        print(name, [len(case["ids"]) for case in cases])
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text("{\n" + ",\n".join(f' "{name}": {json.dumps(cases)}' for name, cases in answers.items()) + "\n}\n")


if __name__ == "__main__":
    main()
