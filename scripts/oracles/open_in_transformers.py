"""Opens a saved folder in transformers (an adapter in peft) and writes its logits: the proof that others can read what
we save.

Run:  python scripts/oracles/open_in_transformers.py FOLDER --ids '[[1,2,3],[4,5]]' [--out logits.safetensors]
      python scripts/oracles/open_in_transformers.py FOLDER --text 'A question' [--out logits.safetensors]

--ids takes rows of token ids as JSON; each row is run alone, in float32 with eager attention. --text goes
through the folder's own tokenizer and, if it has one, its chat template (as one user turn). The answer is one
JSON object on stdout: rows, shape [tokens, vocab], loss (mean next-token cross-entropy) and, without --out,
the logits themselves. Exits with 1 if the folder lacks or adds a tensor. --vocabulary resizes the base of an adapter first.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file

transformers.utils.logging.disable_progress_bar()


def open_adapter(folder, vocabulary):
    import peft

    config = peft.PeftConfig.from_pretrained(folder)
    base = transformers.AutoModelForCausalLM.from_pretrained(
        config.base_model_name_or_path, dtype=torch.float32, attn_implementation="eager", local_files_only=True
    )
    if vocabulary:
        base.resize_token_embeddings(vocabulary)
    model = peft.get_peft_model(base, config)
    stored = peft.load_peft_weights(folder, device="cpu")
    report = peft.set_peft_model_state_dict(model, stored)
    missing = [name for name in report.missing_keys if "lora_" in name or "modules_to_save" in name]
    if missing or report.unexpected_keys:
        sys.exit(f"The weights do not fit the adapter's config: missing {missing}, unexpected {report.unexpected_keys}")
    return model.eval()


def open_model(folder):
    model, report = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True, local_files_only=True
    )
    faults = {name: sorted(map(str, report[name])) for name in ("missing_keys", "unexpected_keys", "mismatched_keys") if report.get(name)}
    if faults:
        sys.exit("The weights do not fit the config: " + json.dumps(faults))
    return model.eval()


def encode(folder, text):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if not tokenizer.chat_template:
        return tokenizer(text)["input_ids"]
    messages = [{"role": "user", "content": text}]
    return tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--ids", type=json.loads, default=[])
    parser.add_argument("--text")
    parser.add_argument("--out")
    parser.add_argument("--vocabulary", type=int)
    options = parser.parse_args()
    rows = options.ids + ([encode(options.folder, options.text)] if options.text else [])
    if not rows or not all(isinstance(row, list) and row for row in rows):
        parser.error("give --ids as a JSON list of non-empty lists of token ids, or --text")

    is_adapter = (Path(options.folder) / "adapter_config.json").exists()
    model = open_adapter(options.folder, options.vocabulary) if is_adapter else open_model(options.folder)
    with torch.no_grad():
        parts = [model(torch.tensor([row])).logits[0] for row in rows]
    logits = torch.cat(parts)
    losses = [
        torch.nn.functional.cross_entropy(part[:-1], torch.tensor(row[1:]), reduction="sum")
        for part, row in zip(parts, rows)
        if len(row) > 1
    ]
    count = sum(len(row) - 1 for row in rows)
    answer = {
        "rows": rows,
        "shape": list(logits.shape),
        "loss": (sum(losses) / count).item() if count else None,
        "transformers": transformers.__version__,
    }
    if options.out:
        save_file({"logits": logits.contiguous()}, options.out)
    else:
        answer["logits"] = logits.flatten().tolist()
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
