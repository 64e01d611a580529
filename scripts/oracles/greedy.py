"""What transformers generates greedily from every fixture model, with and without a repetition penalty.

One prompt at a time, eager attention, float32, a fresh model per prompt (dynamic rope remembers long rows). A
sequence ends before the first token whose lead over the second is too small for another arithmetic to keep.

Run:  python scripts/oracles/greedy.py [--fixtures test/fixtures]      (writes <fixtures>/extra/greedy.json)
"""

import argparse
import json
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file

REPO = Path(__file__).resolve().parents[2]
NEW_TOKENS = 16
PENALTY = 1.3
SMALLEST_LEAD = 1e-4
transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()


def generated(folder, prompt, penalty):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    model.generation_config = transformers.GenerationConfig(pad_token_id=0)
    # Past the switch to the long factors transformers 5.18 drops the cache and goes on from the last token alone, so
    # for longrope the whole text is run each time.
    rope = getattr(model.config, "rope_parameters", None) or {}
    out = model.generate(
        torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long),  # else it is guessed from the padding id
        do_sample=False,
        use_cache=rope.get("rope_type") != "longrope",
        max_new_tokens=NEW_TOKENS,
        repetition_penalty=penalty,
        output_scores=True,
        return_dict_in_generate=True,
    )
    ids = out.sequences[0, len(prompt) :].tolist()
    for step, scores in enumerate(out.scores):
        best = scores[0].topk(2).values
        if best[0] - best[1] < SMALLEST_LEAD:
            return ids[:step]
    return ids


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fixtures", type=Path, default=REPO / "test/fixtures")
    parser.add_argument("--only", nargs="*", help="models whose names begin with one of these; the others stay as they are")
    options = parser.parse_args()
    fixtures, out = options.fixtures, options.fixtures / "extra/greedy.json"
    cases = json.loads(out.read_text())["cases"] if options.only else {}
    for folder in sorted(path.parent for path in fixtures.glob("**/models/*/expected.json")):
        if options.only and not folder.name.startswith(tuple(options.only)):
            continue
        ids = load_file(folder / "expected.safetensors")["inputIds"].tolist()
        prompts = [ids[:5], ids[6:20]]
        cases[str(folder.relative_to(fixtures))] = {
            "prompts": prompts,
            "greedy": [generated(folder, prompt, 1.0) for prompt in prompts],
            "penalised": [generated(folder, prompt, PENALTY) for prompt in prompts],
        }
        print(folder.name, [len(row) for row in cases[str(folder.relative_to(fixtures))]["greedy"]], flush=True)
    about = {"penalty": PENALTY, "newTokens": NEW_TOKENS, "transformers": transformers.__version__}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(case)}" for name, case in sorted(cases.items()))
    out.write_text(f'{json.dumps(about)[:-1]}, "cases": {{\n{lines}\n}}}}\n')


if __name__ == "__main__":
    main()
