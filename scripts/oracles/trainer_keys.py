"""The names of all settings of other trainers, from their own classes: TrainingArguments, SFTConfig, the other dataclasses of
`trl sft`, and axolotl's AxolotlInputConfig with its Liger and cut-cross-entropy plugins (read from a clone, not imported).

Run:  python scripts/oracles/trainer_keys.py [--axolotl <clone>] [--out test/fixtures/trainer-keys/keys.json]
Without a clone of axolotl its names stay as they are stored.
"""

import argparse
import ast
import dataclasses
import json
from pathlib import Path

import transformers
import trl

REPO = Path(__file__).resolve().parents[2]
# Settings of TrainingArguments and SFTConfig that later versions have taken out, and configurations still hold.
EARLIER = """
adafactor dataset_batch_size dispatch_batches do_sample eval_packing evaluation_strategy fp16_backend fp16_opt_level
gradient_checkpointing_kwargs group_by_length half_precision_backend hub_always_push include_inputs_for_metrics
include_tokens_per_second jit_mode_eval logging_dir max_seq_length mp_parameters no_cuda num_of_sequences
overwrite_output_dir past_index per_gpu_eval_batch_size per_gpu_train_batch_size push_to_hub_model_id
push_to_hub_organization push_to_hub_token ray_scope sampler_seed save_safetensors split_batches torchdynamo tpu_metrics_debug
tpu_num_cores use_ipex use_legacy_prediction_loop use_liger use_mps_device warmup_ratio torch_dtype use_seq2seq
chars_per_token neftune_alpha
""".split()


def fields(cls):
    return [field.name for field in dataclasses.fields(cls) if field.init]


def axolotl(clone):
    """The fields of AxolotlInputConfig and of its bases, and of two plugins, by their names and aliases."""
    classes = {}
    for path in (clone / "src/axolotl").rglob("*.py"):
        if "schemas" not in path.parts and "integrations" not in path.parts:
            continue
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                classes[node.name] = node

    def names(name):
        node = classes.get(name)
        if node is None:
            return
        for item in node.body:
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and item.target.id != "model_config":
                yield item.target.id
                for keyword in getattr(item.value, "keywords", []):
                    if "alias" in (keyword.arg or "") and isinstance(keyword.value, ast.Constant):
                        yield keyword.value.value
        for base in node.bases:
            yield from names(ast.unparse(base))

    return sorted({name for cls in ("AxolotlInputConfig", "LigerArgs", "CutCrossEntropyArgs") for name in names(cls)})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--axolotl", type=Path)
    parser.add_argument("--out", type=Path, default=REPO / "test/fixtures/trainer-keys/keys.json")
    options = parser.parse_args()
    stored = json.loads(options.out.read_text())["axolotl"] if options.out.exists() else []
    keys = {
        "transformers": sorted(fields(transformers.TrainingArguments)),
        "trl": sorted({*fields(trl.SFTConfig), *fields(trl.ScriptArguments), *fields(trl.ModelConfig)}),
        "earlier": sorted(EARLIER),
        "axolotl": axolotl(options.axolotl) if options.axolotl else stored,
    }
    versions = {"transformers": transformers.__version__, "trl": trl.__version__}
    options.out.write_text(json.dumps({"versions": versions, **keys}, indent=1) + "\n")
    # As a run writes it out where nobody set anything.
    defaults = json.loads(trl.SFTConfig("out", use_cpu=True, bf16=False).to_json_string())
    (options.out.parent / "defaults.json").write_text(json.dumps(defaults, indent=1) + "\n")


if __name__ == "__main__":
    main()
