"""Tiny random models of every family, with the flags that the golden models leave at their defaults.

Each folder holds a saved model and what transformers (eager attention, float32, one row at a time) computes
with it, in the format of test/fixtures/models. The script first recomputes one golden model and stops if it
does not get the stored figures.

Run:  python scripts/oracles/models.py [--golden test/fixtures/models] [--out test/fixtures/extra/models]
"""

import argparse
import copy
import json
import shutil
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file

REPO = Path(__file__).resolve().parents[2]
transformers.utils.logging.disable_progress_bar()
LENGTHS = [17, 1, 11, 22]
OPTIMIZER = {
    "name": "adamw",
    "lr": 0.001,
    "betas": [0.9, 0.999],
    "eps": 1e-08,
    "weightDecay": 0,
    "maxGradNorm": 1.0,
    "schedule": "constant",
}
COMMON = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 56,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-6,
    "pad_token_id": None,
}
# Keys of an old config.json, from before rope_parameters, dtype and layer_types; None takes a key out.
OLD_LLAMA = {
    "rope_parameters": None,
    "rope_theta": 500000.0,
    "rope_scaling": {
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
        "rope_type": "llama3",
    },
    "head_dim": None,
    "dtype": None,
    "torch_dtype": "float32",
    "mlp_bias": None,
    "attention_bias": None,
    "transformers_version": "4.43.0",
}
OLD_QWEN2 = {
    "rope_parameters": None,
    "rope_theta": 1000000.0,
    "layer_types": None,
    "dtype": None,
    "torch_dtype": "float32",
    "attention_dropout": 0.0,
    "transformers_version": "4.40.1",
}
LINEAR = {"rope_type": "linear", "factor": 2.5, "rope_theta": 10000.0}
YARN_MSCALE = {
    "rope_type": "yarn",
    "factor": 8.0,
    "original_max_position_embeddings": 16,
    "rope_theta": 5000.0,
    "beta_fast": 8.0,
    "beta_slow": 2.0,
    "mscale": 0.7,
    "mscale_all_dim": 1.3,
    "truncate": False,
}
LONGROPE = {
    "rope_type": "longrope",
    "rope_theta": 10000.0,
    "partial_rotary_factor": 0.75,
    "short_factor": [1.0, 1.1, 1.3],
    "long_factor": [1.5, 2.5, 4.0],
}
OLD_PHI3 = {
    "rope_parameters": None,
    "rope_theta": 10000.0,
    "partial_rotary_factor": 0.75,
    "rope_scaling": {"type": "longrope", "short_factor": LONGROPE["short_factor"], "long_factor": LONGROPE["long_factor"]},
    "dtype": None,
    "torch_dtype": "float32",
}
GEMMA = {"head_dim": 8, "query_pre_attn_scalar": 8, "pad_token_id": 0}
GEMMA3_ROPE = {
    "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
    "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
}
# What a config.json from before transformers 5 leaves out, because it is the default.
OLD_GEMMA2 = {
    "rope_parameters": None,
    "rope_theta": 10000.0,
    "layer_types": None,
    "tie_word_embeddings": None,
    "dtype": None,
    "torch_dtype": "bfloat16",
    "hidden_act": "gelu_pytorch_tanh",
}
GPT2 = {
    "n_embd": 32,
    "n_head": 4,
    "n_layer": 2,
    "n_positions": 32,
    "attn_pdrop": 0,
    "embd_pdrop": 0,
    "resid_pdrop": 0,
    "hidden_size": None,
    "intermediate_size": None,
    "num_hidden_layers": None,
    "num_attention_heads": None,
    "num_key_value_heads": None,
    "max_position_embeddings": None,
    "rms_norm_eps": None,
}
# The keys that gpt-oss was published with; transformers overlooks the last three.
OLD_GPT_OSS = {
    "rope_parameters": None,
    "rope_theta": 150000,
    "rope_scaling": {"beta_fast": 32.0, "beta_slow": 1.0, "factor": 32.0, "original_max_position_embeddings": 4096, "rope_type": "yarn", "truncate": False},
    "dtype": None,
    "torch_dtype": "float32",
    "experts_per_token": 4,
    "initial_context_length": 4096,
    "swiglu_limit": 7.0,
}
EXPERTS = {"num_experts_per_tok": 2, "norm_topk_prob": True, "moe_intermediate_size": 12, "num_experts": 5}
SMALL = {"vocab_size": 53, "intermediate_size": 36, "initializer_range": 0.02}
WINDOWED = {"sliding_window": 5, "num_hidden_layers": 4}
# Names of the same keys in families with LayerNorm.
LAYER_NORM = {**SMALL, "layer_norm_eps": 1e-5, "rms_norm_eps": None}
NEOX = {**LAYER_NORM, "num_key_value_heads": None}
ROTARY_HALF = {"rope_type": "default", "rope_theta": 500.0, "partial_rotary_factor": 0.5}
# Pythia's own config.json, from before rope_parameters.
OLD_NEOX = {"rope_parameters": None, "rotary_pct": 0.5, "rotary_emb_base": 500, "dtype": None, "torch_dtype": "float32"}
OLMO3_ROPE = {
    "full_attention": {"rope_type": "yarn", "rope_theta": 500000.0, "factor": 4.0, "original_max_position_embeddings": 8, "attention_factor": 1.2},
    "sliding_attention": {"rope_type": "default", "rope_theta": 500.0},
}
# A text model inside one that sees, and the least that this one can be.
GEMMA3_TEXT = {**COMMON, **SMALL, **GEMMA, "sliding_window": 4, "layer_types": ["sliding_attention", "full_attention"]}
VISION = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 14, "patch_size": 7}
# transformers keeps the frequencies of the longest row it has seen, so a second long row would depend on the first.
ROWS = {"llama-dynamic": [11, 1, 22]}
# name: model type, config, how it is stored, changes to config.json after saving
MODELS = {
    "llama-biases": ("llama", {"attention_bias": True, "mlp_bias": True, "num_key_value_heads": 4}, {}, {}),
    "llama-linear-rope": ("llama", {"rope_parameters": LINEAR, "tie_word_embeddings": True}, {}, {}),
    "llama-head-dim": ("llama", {"head_dim": 12, "num_key_value_heads": 1}, {}, {}),
    "llama-bf16": ("llama", {"tie_word_embeddings": True, "num_hidden_layers": 3}, {"dtype": "bfloat16"}, {}),
    "llama-fp16-sharded": ("llama", {"rms_norm_eps": 1e-5}, {"dtype": "float16", "max_shard_size": "16KB"}, {}),
    "llama-old-config": ("llama", {"rope_parameters": {**OLD_LLAMA["rope_scaling"], "rope_theta": 500000.0}}, {}, OLD_LLAMA),
    "llama-old-linear": (
        "llama",
        {"rope_parameters": {**LINEAR, "factor": 4.0}, "attention_bias": True},
        {},
        {"rope_parameters": None, "rope_scaling": {"type": "linear", "factor": 4.0}, "head_dim": None},
    ),
    "qwen2-untied": (
        "qwen2",
        {"use_sliding_window": False, "sliding_window": 4, "max_window_layers": 1, "num_key_value_heads": 1, "tie_word_embeddings": False},
        {},
        {},
    ),
    "qwen2-sharded": (
        "qwen2",
        {"num_key_value_heads": 4, "tie_word_embeddings": True, "rope_parameters": {"rope_type": "default", "rope_theta": 1e6}},
        {"dtype": "bfloat16", "max_shard_size": "12KB"},
        {},
    ),
    "qwen2-old-config": (
        "qwen2",
        {"tie_word_embeddings": True, "rope_parameters": {"rope_type": "default", "rope_theta": 1e6}},
        {},
        OLD_QWEN2,
    ),
    "qwen2-window": ("qwen2", {"use_sliding_window": True, "sliding_window": 6, "max_window_layers": 1, "tie_word_embeddings": True}, {}, {}),
    "llama-padding": ("llama", {"pad_token_id": 3, "hidden_act": "gelu"}, {}, {}),
    "llama-yarn": ("llama", {"max_position_embeddings": 32, "rope_parameters": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8, "rope_theta": 10000.0}}, {}, {}),
    "llama-yarn-mscale": ("llama", {"rope_parameters": YARN_MSCALE}, {}, {}),
    "llama-dynamic": ("llama", {"max_position_embeddings": 12, "rope_parameters": {"rope_type": "dynamic", "factor": 3.0, "rope_theta": 10000.0}}, {}, {}),
    "mistral-window": ("mistral", {"sliding_window": 5, "head_dim": 12}, {}, {}),
    "qwen3-bias": ("qwen3", {"attention_bias": True, "head_dim": 8, "use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1}, {}, {}),
    "phi3-partial": ("phi3", {"sliding_window": 7, "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5}}, {}, {}),
    "phi3-longrope": ("phi3", {"max_position_embeddings": 48, "original_max_position_embeddings": 12, "rope_parameters": LONGROPE}, {}, {}),
    "phi3-old-longrope": ("phi3", {"max_position_embeddings": 48, "original_max_position_embeddings": 12, "rope_parameters": LONGROPE, "num_key_value_heads": 4}, {}, OLD_PHI3),
    "gemma2-caps": ("gemma2", {**GEMMA, "sliding_window": 5, "attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0, "query_pre_attn_scalar": 20, "attention_bias": True}, {}, {}),
    "gemma2-old-config": ("gemma2", {**GEMMA, "sliding_window": 4, "num_hidden_layers": 3}, {"dtype": "bfloat16"}, OLD_GEMMA2),
    "gemma3-linear": ("gemma3_text", {**GEMMA, "sliding_window": 4, "num_hidden_layers": 3, "final_logit_softcapping": 4.0, "tie_word_embeddings": False, "layer_types": ["full_attention", "sliding_attention", "sliding_attention"], "rope_parameters": GEMMA3_ROPE}, {}, {}),
    "smollm3-window": ("smollm3", {"use_sliding_window": True, "sliding_window": 5, "no_rope_layer_interval": 2, "num_hidden_layers": 4, "tie_word_embeddings": False}, {}, {}),
    "olmo2-tied": ("olmo2", {"attention_bias": True, "tie_word_embeddings": True, "num_key_value_heads": 1}, {}, {}),
    "granite-tied": ("granite", {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True, "attention_multiplier": 0.4, "embedding_multiplier": 6.0, "residual_multiplier": 0.25, "logits_scaling": 8.0}, {}, {}),
    "gpt2-scaled": ("gpt2", {**GPT2, "scale_attn_by_inverse_layer_idx": True, "n_inner": 40, "activation_function": "gelu"}, {}, {}),
    "gpt2-untied": ("gpt2", {**GPT2, "scale_attn_weights": False, "tie_word_embeddings": False}, {"dtype": "bfloat16", "max_shard_size": "16KB"}, {}),
    "mixtral": ("mixtral", {"num_local_experts": 4, "intermediate_size": 20, "head_dim": 8}, {}, {}),
    "mixtral-window": ("mixtral", {"num_local_experts": 3, "intermediate_size": 16, "sliding_window": 5, "head_dim": 12, "tie_word_embeddings": True}, {"dtype": "bfloat16", "max_shard_size": "16KB"}, {}),
    "mixtral-fused": ("mixtral", {"num_local_experts": 4, "num_experts_per_tok": 3, "intermediate_size": 16, "rope_parameters": {"rope_type": "default", "rope_theta": 1e6}}, {"original": False}, {"rope_parameters": None, "rope_theta": 1000000.0, "dtype": None, "torch_dtype": "float32"}),
    "qwen2moe": ("qwen2_moe", {**EXPERTS, "norm_topk_prob": False, "shared_expert_intermediate_size": 20}, {}, {}),
    "qwen2moe-some-layers": ("qwen2_moe", {**EXPERTS, "shared_expert_intermediate_size": 16, "num_hidden_layers": 4, "decoder_sparse_step": 2, "mlp_only_layers": [3], "intermediate_size": 24, "qkv_bias": False, "use_sliding_window": True, "sliding_window": 4, "max_window_layers": 3, "tie_word_embeddings": True}, {"original": False}, {}),
    "qwen3moe": ("qwen3_moe", {**EXPERTS, "head_dim": 8, "intermediate_size": 24}, {}, {}),
    "qwen3moe-some-layers": ("qwen3_moe", {**EXPERTS, "head_dim": 8, "norm_topk_prob": False, "num_experts_per_tok": 3, "mlp_only_layers": [0], "num_hidden_layers": 3, "intermediate_size": 24, "attention_bias": True, "use_sliding_window": True, "sliding_window": 5, "tie_word_embeddings": True}, {"dtype": "bfloat16", "max_shard_size": "16KB"}, {}),
    "olmoe": ("olmoe", {**EXPERTS, "norm_topk_prob": False, "intermediate_size": 12}, {}, {}),
    "olmoe-norm": ("olmoe", {**EXPERTS, "clip_qkv": 1.5, "num_experts_per_tok": 4, "intermediate_size": 16, "attention_bias": True, "num_key_value_heads": 1, "tie_word_embeddings": True}, {"original": False}, {}),
    "gptoss": ("gpt_oss", {"num_experts_per_tok": 2, "num_local_experts": 4, "head_dim": 8, "intermediate_size": 12, "sliding_window": 6}, {}, {}),
    "gptoss-layers": ("gpt_oss", {"num_local_experts": 3, "num_experts_per_tok": 2, "head_dim": 12, "intermediate_size": 16, "sliding_window": 4, "num_hidden_layers": 3, "layer_types": ["full_attention", "sliding_attention", "full_attention"], "attention_bias": False, "tie_word_embeddings": True, "num_key_value_heads": 1, "rope_parameters": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8, "rope_theta": 1000.0, "truncate": False}}, {"dtype": "bfloat16", "max_shard_size": "16KB"}, {}),
    "gptoss-old-config": ("gpt_oss", {"num_local_experts": 3, "num_experts_per_tok": 3, "head_dim": 8, "intermediate_size": 12, "sliding_window": 5}, {}, OLD_GPT_OSS),
    "olmoe-norm": ("olmoe", {**EXPERTS, "num_experts_per_tok": 4, "intermediate_size": 16, "attention_bias": True, "num_key_value_heads": 1, "tie_word_embeddings": True}, {"original": False}, {}),
    "gemma": ("gemma", {**SMALL, "head_dim": 8, "pad_token_id": 0}, {}, {}),
    "gemma-untied": ("gemma", {**SMALL, "head_dim": 12, "num_key_value_heads": 1, "attention_bias": True, "tie_word_embeddings": False}, {}, {"hidden_act": "gelu"}),
    "phi": ("phi", LAYER_NORM, {}, {}),
    "phi-tied": ("phi", {**LAYER_NORM, "qk_layernorm": True, "tie_word_embeddings": True, "num_key_value_heads": 4, "hidden_act": "gelu", "rope_parameters": {**ROTARY_HALF, "partial_rotary_factor": 0.75, "rope_type": "linear", "factor": 2.0}}, {}, {}),
    "gptneox": ("gpt_neox", NEOX, {}, {}),
    "gptneox-old-config": ("gpt_neox", {**NEOX, "rope_parameters": ROTARY_HALF, "hidden_act": "gelu_new"}, {"dtype": "float16"}, OLD_NEOX),
    "gptneox-sequential": ("gpt_neox", {**NEOX, "use_parallel_residual": False, "attention_bias": False, "tie_word_embeddings": True, "rope_parameters": {**ROTARY_HALF, "partial_rotary_factor": 1.0}}, {}, {}),
    "stablelm": ("stablelm", LAYER_NORM, {}, {}),
    "stablelm-parallel": ("stablelm", {**LAYER_NORM, "use_parallel_residual": True, "qk_layernorm": True, "use_qkv_bias": True, "tie_word_embeddings": True, "rope_parameters": ROTARY_HALF}, {}, {}),
    "starcoder2": ("starcoder2", {**SMALL, "rms_norm_eps": None, "norm_epsilon": 1e-5, "sliding_window": 6}, {}, {}),
    "starcoder2-untied": ("starcoder2", {**SMALL, "rms_norm_eps": None, "use_bias": False, "tie_word_embeddings": False, "num_key_value_heads": 1}, {}, {}),
    "olmo": ("olmo", {**SMALL, "rms_norm_eps": None}, {}, {}),
    "olmo-clipped": ("olmo", {**SMALL, "rms_norm_eps": None, "clip_qkv": 0.6, "attention_bias": True, "tie_word_embeddings": True, "num_key_value_heads": 4}, {}, {}),
    "olmo3": ("olmo3", {**SMALL, **WINDOWED, "rope_parameters": OLMO3_ROPE}, {}, {}),
    "olmo3-tied": ("olmo3", {**SMALL, "sliding_window": 4, "layer_types": ["full_attention", "sliding_attention"], "attention_bias": True, "tie_word_embeddings": True, "num_key_value_heads": 4}, {}, {}),
    "cohere": ("cohere", LAYER_NORM, {}, {}),
    "cohere-qk-norm": ("cohere", {**LAYER_NORM, "use_qk_norm": True, "attention_bias": True, "tie_word_embeddings": False, "logit_scale": 0.75, "pad_token_id": 0}, {}, {}),
    "cohere2": ("cohere2", {**LAYER_NORM, **WINDOWED, "logit_scale": 0.25}, {}, {}),
    "cohere2-untied": ("cohere2", {**LAYER_NORM, "sliding_window": 4, "layer_types": ["sliding_attention", "sliding_attention"], "attention_bias": True, "tie_word_embeddings": False, "num_key_value_heads": 1}, {}, {}),
    "glm": ("glm", {**SMALL, "head_dim": 8}, {}, {}),
    "glm-whole-heads": ("glm", {**SMALL, "head_dim": 12, "attention_bias": False, "tie_word_embeddings": True, "num_key_value_heads": 4, "rope_parameters": {**ROTARY_HALF, "partial_rotary_factor": 1.0}}, {}, {}),
    "glm4": ("glm4", {**SMALL, "head_dim": 8}, {}, {}),
    "glm4-tied": ("glm4", {**SMALL, "head_dim": 16, "attention_bias": False, "tie_word_embeddings": True, "num_key_value_heads": 1, "rope_parameters": {**ROTARY_HALF, "partial_rotary_factor": 0.25}}, {}, {}),
    "gemma3-whole": ("gemma3", {"text_config": GEMMA3_TEXT, "vision_config": VISION, "mm_tokens_per_image": 4, "tie_word_embeddings": False}, {}, {}),
    "gemma3-whole-names": ("gemma3", {"text_config": {**GEMMA3_TEXT, "num_key_value_heads": 1, "rope_parameters": GEMMA3_ROPE}, "vision_config": VISION, "mm_tokens_per_image": 4}, {"original": False, "dtype": "bfloat16", "max_shard_size": "16KB"}, {}),
    "exaone4": ("exaone4", {**SMALL, **WINDOWED}, {}, {}),
    "exaone4-no-window": ("exaone4", {**SMALL, "sliding_window": None, "layer_types": ["full_attention", "full_attention"], "tie_word_embeddings": True, "num_key_value_heads": 4}, {}, {}),
}


def make(model_type, changes, seed):
    """A model whose norms and biases are random too, so that one left out shows in the logits."""
    merged = changes if "text_config" in changes else {**COMMON, **changes}
    # Families with other names for these; None here takes a key out.
    merged = {key: value for key, value in merged.items() if not (key in GPT2 and value is None)}
    config = transformers.AutoConfig.for_model(model_type, **copy.deepcopy(merged))
    torch.manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("bias", "sinks")):
                parameter.normal_(0, 0.3)
            elif parameter.dim() == 1 or "norm" in name:
                parameter.normal_(0 if model_type.startswith("gemma") else 1, 0.2)
            else:
                parameter.normal_(0, 0.15)
    return model


def save(model, folder, dtype="float32", max_shard_size="5GB", original=True, changes=()):
    """original: experts one by one, as checkpoints have them; or as transformers holds them, those of a layer in one tensor."""
    shutil.rmtree(folder, ignore_errors=True)
    model.to(getattr(torch, dtype)).save_pretrained(folder, max_shard_size=max_shard_size, save_original_format=original)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    for key, value in dict(changes).items():
        config[key] = value
        if value is None:
            del config[key]
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def load(folder):
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def loss_of(model, rows):
    """The mean next-token loss over all labels of all rows; a row of one token has none."""
    total = sum(
        torch.nn.functional.cross_entropy(model(row[None]).logits[0, :-1], row[1:], reduction="sum")
        for row in rows
        if len(row) > 1
    )
    return total / sum(len(row) - 1 for row in rows)


def expected(folder, rows):
    """What transformers makes of a saved model: the tensors and the figures to expect."""
    model = load(folder)
    with torch.no_grad():
        logits = torch.cat([model(row[None]).logits[0] for row in rows])
    loss = loss_of(model, rows)
    loss.backward()
    tensors = {"inputIds": torch.cat(rows), "logits": logits}
    # A text model is named as on its own; what is not for text has no gradient.
    trained = {name.replace("model.language_model.", "model."): p for name, p in model.named_parameters() if p.grad is not None}
    tensors.update({f"grad.{name}": parameter.grad.clone() for name, parameter in trained.items()})
    losses, norms = train(model, rows)
    figures = {
        "modelType": model.config.model_type,
        "lengths": [len(row) for row in rows],
        "loss": loss.item(),
        "trainLosses": losses,
        "gradNorms": norms,
        "optimizer": OPTIMIZER,
        "transformers": transformers.__version__,
        "torch": torch.__version__,
    }
    return tensors, figures


def train(model, rows):
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=OPTIMIZER["lr"], betas=OPTIMIZER["betas"], eps=OPTIMIZER["eps"], weight_decay=0
    )
    losses, norms = [], []
    for _ in range(5):
        optimizer.zero_grad()
        loss = loss_of(model, rows)
        loss.backward()
        losses.append(loss.item())
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), OPTIMIZER["maxGradNorm"]).item())
        optimizer.step()
    with torch.no_grad():
        losses.append(loss_of(model, rows).item())
    return losses, norms


def worst_gap(tensors, figures, folder):
    stored = load_file(folder / "expected.safetensors")
    known = json.loads((folder / "expected.json").read_text())
    if stored.keys() != tensors.keys():
        sys.exit(f"{folder}: other tensors: {sorted(stored.keys() ^ tensors.keys())}")
    gaps = [(tensors[name] - stored[name]).abs().max().item() for name in stored]
    gaps += [abs(a - b) for key in ("trainLosses", "gradNorms") for a, b in zip(figures[key], known[key])]
    return max(gaps)


def verify(golden):
    """Stops unless the golden folder's own figures come out."""
    rows = list(load_file(golden / "expected.safetensors")["inputIds"].split(json.loads((golden / "expected.json").read_text())["lengths"]))
    gap = worst_gap(*expected(golden, rows), golden)
    if gap > 2e-5:
        sys.exit(f"{golden}: recomputed figures depart by {gap}")
    print(f"{golden.name}: golden figures recomputed, largest difference {gap:.1e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--golden", type=Path, default=REPO / "test/fixtures/models")
    parser.add_argument("--out", type=Path, default=REPO / "test/fixtures/extra/models")
    parser.add_argument("--only", nargs="*", help="models whose names begin with one of these")
    options = parser.parse_args()
    for name in ("llama", "qwen2"):
        if (options.golden / name).is_dir():
            verify(options.golden / name)
    for seed, (name, (model_type, config, storage, changes)) in enumerate(MODELS.items(), start=100):
        if options.only and not name.startswith(tuple(options.only)):
            continue
        folder = options.out / name
        model = make(model_type, config, seed)
        save(model, folder, changes=changes, **storage)
        read, meant = (getattr(m.config, "rope_parameters", {}) for m in (load(folder), model))
        if {key: read.get(key) for key in meant} != meant:
            sys.exit(f"{name}: transformers reads another rope from the old-style config than the model was made with")
        generator = torch.Generator().manual_seed(seed)
        rows = [torch.randint(0, model.config.get_text_config().vocab_size, (length,), generator=generator) for length in ROWS.get(name, LENGTHS)]
        tensors, figures = expected(folder, rows)
        save_file(tensors, folder / "expected.safetensors")
        (folder / "expected.json").write_text(json.dumps(figures, indent=1) + "\n")
        print(f"{name}: loss {figures['loss']:.4f} -> {figures['trainLosses'][-1]:.4f}, |grad| {figures['gradNorms'][0]:.3f}")


if __name__ == "__main__":
    main()
