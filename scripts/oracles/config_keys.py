"""What transformers makes of every key of config.json: left out, null, odd, of another family.

Writes two things:
- src/model/architecture/config-keys.ts: the keys of each family's configuration class with their types and defaults;
- test/fixtures/config-keys/<model>.json: tiny models with one or a few keys of config.json changed, and either a few
  logits that transformers (eager attention, float32) then computes, or why it refuses. A model that lacks a weight, or
  whose weights have another shape, counts as refused: transformers fills it with random numbers.

Run:  python scripts/oracles/config_keys.py [--all] [--only /llama] [--out test/fixtures/config-keys]
--all writes every value of every key, in place of the chosen part that is committed.
"""

import argparse
import dataclasses
import json
import os
import resource
import shutil
import tempfile
import types
import typing
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file

REPO = Path(__file__).resolve().parents[2]
torch.set_num_threads(1)  # a process that forks must have no other threads
transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity(transformers.utils.logging.CRITICAL)
FAMILIES = ["llama", "mistral", "qwen2", "qwen3", "phi3", "gemma2", "gemma3_text", "smollm3", "olmo2", "granite", "gpt2", "mixtral", "qwen2_moe", "qwen3_moe", "olmoe", "gpt_oss", "gemma", "phi", "gpt_neox", "stablelm", "starcoder2", "olmo", "olmo3", "cohere", "cohere2", "glm", "glm4", "exaone4"]
# Keys of the base class that say nothing about a decoder's computation, and the rope's, which have a reader of their own.
NOT_LISTED = ["transformers_version", "architectures", "id2label", "label2id", "problem_type", "return_dict", "dtype", "output_hidden_states", "rope_parameters", "chunk_size_feed_forward", "is_encoder_decoder"]
BASES = [
    *(f"models/{name}" for name in ["llama", "llama-3.2", "mistral", "qwen2", "qwen3", "phi3", "gemma2", "gemma3", "smollm3", "olmo2", "granite", "gpt2"]),
    *(f"extra/models/{name}" for name in ["llama-biases", "qwen2-window", "qwen3-bias", "gemma2-caps", "gemma3-linear", "smollm3-window", "granite-tied", "gpt2-scaled", "phi3-longrope", "llama-yarn-mscale", "mixtral", "qwen2moe-some-layers", "qwen3moe-some-layers", "olmoe", "gptoss"]),
    *(f"extra/models/{name}" for name in ["gemma", "phi-tied", "gptneox-old-config", "stablelm-parallel", "starcoder2", "olmo-clipped", "olmo3", "cohere-qk-norm", "cohere2", "glm", "glm4-tied", "exaone4", "gemma3-whole"]),
]
REMOVE = "<left out>"
MOST_MEMORY = 6 << 30  # bytes of address space for one case
FLAGS = [True, False, "yes", 0, 1]
SIZES = [0, -1, 1, 2, 3, 4, 8, "8", 1.5, True, []]
NUMBERS = [0, -1, 0.5, 1, 2.5, "0.5", True, []]
ACTIVATIONS = ["silu", "swish", "gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "gelu_fast", "gelu_python", "quick_gelu", "gelu_accurate", "relu2", "tanh", "linear", "mish", "nonsense", "", "SiLU", 3]
FULL, SLIDING = "full_attention", "sliding_attention"
ROPES = [
    {},
    "x",
    [],
    {"rope_type": "default"},
    {"rope_theta": 500.0},
    {"rope_theta": None},
    {"rope_theta": 500},
    {"rope_theta": 0},
    {"rope_theta": -3.0},
    {"rope_theta": "500"},
    {"type": "linear", "factor": 3.0},
    {"rope_type": "linear", "factor": 3.0, "rope_theta": 500.0},
    {"type": "linear", "rope_type": "default", "factor": 3.0},
    {"type": "default", "rope_type": "linear", "factor": 3.0},
    {"rope_type": None, "type": "linear", "factor": 3.0},
    {"rope_type": "linear"},
    {"rope_type": "linear", "factor": None},
    {"rope_type": "linear", "factor": 0.5},
    {"rope_type": "linear", "factor": 0},
    {"rope_type": "linear", "factor": -2.0},
    {"rope_type": "linear", "factor": "3"},
    {"rope_type": "linear", "factor": 3.0, "attn_factor": 2.0, "beta_fast": 3, "mscale": 0.5},
    {"factor": 3.0},
    {"rope_type": "dynamic", "factor": 3.0},
    {"rope_type": "dynamic", "factor": 3.0, "original_max_position_embeddings": 8},
    {"rope_type": "default", "mrope_section": [2, 2, 2]},
    {"type": "mrope", "mrope_section": [2, 2, 2]},
    {"rope_type": "default", "factor": 3.0, "low_freq_factor": 2.0, "attention_factor": 7.0},
    {"rope_type": "default", "partial_rotary_factor": 0.5},
    {"rope_type": "linear", "factor": 2.0, "partial_rotary_factor": 0.5},
    {"partial_rotary_factor": 1.0},
    {"partial_rotary_factor": None},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8, "attn_factor": 0.8782488562869419},
    {"rope_type": "yarn", "factor": 4.0},
    {"rope_type": "yarn"},
    {"rope_type": "yarn", "factor": None, "original_max_position_embeddings": 8},
    {"rope_type": "yarn", "factor": 0.5, "original_max_position_embeddings": 8},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": None},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8, "attention_factor": 1.7},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8, "attention_factor": 0},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8, "attention_factor": None},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8, "beta_fast": 4, "beta_slow": 2.0},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8, "beta_fast": 0, "beta_slow": 0},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8, "beta_fast": None, "beta_slow": None},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8, "mscale": 0.7},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8, "mscale": 0.7, "mscale_all_dim": 0},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8, "mscale": 0.7, "mscale_all_dim": 1.3},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8, "mscale": None, "mscale_all_dim": 1.3},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8, "truncate": False, "beta_fast": 3},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8, "truncate": None, "beta_fast": 3},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8, "truncate": 0, "beta_fast": 3},
    {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16, "rope_theta": 100.0},
    {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16},
    {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0},
    {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 16},
    {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 4.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16},
    {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 4.0, "high_freq_factor": 1.0, "original_max_position_embeddings": 16},
    {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": None, "high_freq_factor": 4.0, "original_max_position_embeddings": 16},
    {"rope_type": "longrope", "short_factor": "N", "long_factor": "N"},
    {"rope_type": "longrope", "short_factor": "N", "long_factor": "N", "original_max_position_embeddings": 12},
    {"rope_type": "longrope", "short_factor": "N", "long_factor": "N", "original_max_position_embeddings": 12, "factor": 2.0},
    {"rope_type": "longrope", "short_factor": "N", "long_factor": "N", "original_max_position_embeddings": 12, "attention_factor": 1.5},
    {"rope_type": "longrope", "short_factor": "N", "original_max_position_embeddings": 12},
    {"rope_type": "longrope", "short_factor": [1.0], "long_factor": [1.0], "original_max_position_embeddings": 12},
    {"type": "su", "short_factor": "N", "long_factor": "N"},
    {"type": "yarn", "short_factor": "N", "long_factor": "N"},
    {"rope_type": "proportional", "partial_rotary_factor": 0.5},
    {"rope_type": "proportional"},
    {"rope_type": "xpos"},
    {"rope_type": 3},
    {FULL: {"rope_type": "linear", "factor": 3.0}, SLIDING: {"rope_type": "default", "rope_theta": 300.0}},
    {FULL: {"rope_theta": 300.0}},
    {SLIDING: {"rope_theta": 300.0}},
    {SLIDING: {"rope_type": "linear", "factor": 3.0}},
    {FULL: None, SLIDING: {"rope_theta": 300.0}},
    {FULL: {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8}, SLIDING: {"rope_type": "default"}},
    {FULL: {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8, "truncate": False, "beta_fast": 3}},
    {FULL: {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16}},
    {FULL: {"rope_type": "dynamic", "factor": 3.0}},
    {FULL: {"rope_type": "default", "partial_rotary_factor": 0.5}},
    {FULL: {"rope_type": "default"}, "rope_theta": 300.0},
    {"chunked_attention": {"rope_theta": 300.0}},
]
# Keys that some family or some converter writes, each tried in every family.
FOREIGN = {
    **dict.fromkeys(["attention_bias", "mlp_bias", "qkv_bias", "use_bias", "bias", "use_qk_norm", "qk_norm", "attention_qk_norm", "use_sliding_window", "scale_attn_weights", "scale_attn_by_inverse_layer_idx", "reorder_and_upcast_attn", "add_cross_attention", "use_bidirectional_attention", "is_causal", "is_decoder", "is_encoder_decoder", "use_cache", "tie_word_embeddings", "tie_encoder_decoder", "torchscript", "return_dict", "output_attentions", "output_hidden_states", "rope_interleaved", "use_parallel_residual", "parallel_attn", "alibi", "no_rope", "norm_topk_prob", "attn_output_gate", "tie_last_hidden_states", "use_mla", "attention_other_setting", "norm_after"], FLAGS),
    **dict.fromkeys(["head_dim", "num_key_value_heads", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "n_embd", "n_head", "n_layer", "n_inner", "n_positions", "n_ctx", "max_position_embeddings", "original_max_position_embeddings", "max_sequence_length", "model_max_length", "sliding_window", "max_window_layers", "sliding_window_pattern", "_sliding_window_pattern", "no_rope_layer_interval", "pad_token_id", "num_experts", "num_local_experts", "chunk_size_feed_forward", "pretraining_tp", "attention_chunk_size", "num_labels", "kv_lora_rank", "num_nextn_predict_layers", "num_kv_shared_layers", "hidden_size_per_layer_input"], SIZES),
    **dict.fromkeys(["rope_theta", "rope_local_base_freq", "partial_rotary_factor", "rotary_pct", "rotary_emb_base", "rms_norm_eps", "layer_norm_epsilon", "layer_norm_eps", "norm_eps", "query_pre_attn_scalar", "attn_logit_softcapping", "final_logit_softcapping", "attention_multiplier", "embedding_multiplier", "residual_multiplier", "logits_scaling", "logit_scale", "initializer_range", "attention_dropout", "attn_pdrop", "embd_pdrop", "resid_pdrop", "hidden_dropout", "clip_qkv", "softmax_scale", "attn_temperature_tuning", "rope_scaling_factor", "temperature", "layerdrop"], NUMBERS),
    **dict.fromkeys(["hidden_act", "hidden_activation", "activation_function"], ACTIVATIONS),
    **dict.fromkeys(["dtype", "torch_dtype"], ["float32", "bfloat16", "float16", "float64", "nonsense", 3]),
    "no_rope_layers": [[], [1], "L*1", "L*0", "L*01", "L*2", "L*true", "x"],
    "layer_types": [[], [FULL], [FULL, "x"], f"L*{FULL}", f"L*{SLIDING}", f"L*{FULL},{SLIDING}", "L*chunked_attention", "L*linear_attention", "L*attention", "x", 3],
    "mlp_layer_types": ["L*dense", "L*sparse"],
    "model_type": ["gemma", "gemma3", "nonsense", "", 3, "Llama"],
    "architectures": [[], ["Nonsense"], None, ["LlamaForSequenceClassification"]],
    "auto_map": [{"AutoModelForCausalLM": "modeling_x.X"}],
    "quantization_config": [{}, {"quant_method": "gptq", "bits": 4, "group_size": 128}],
    "per_layer_config": [{}, {"0": {}}, {"0": {"sliding_window": 3}}, {"1": {"num_attention_heads": 2}}],
    "attn_implementation": ["eager", "sdpa", "flash_attention_2"],
    "_attn_implementation": ["eager", "sdpa"],
    "transformers_weights": ["model.safetensors", "other.safetensors"],
    "pruned_heads": [{}, {"0": [1]}],
    "attribute_map": [{}, {"hidden_size": "x"}],
    "text_config": [{}, {"rope_theta": 300.0}],
    "moe_layers": [[0]],
    "attention_factor": [2.0],
    "rope_type": ["linear"],
    "factor": [3.0],
    "use_return_dict": [False],
    "name_or_path": ["x", 3],
    "_name_or_path": ["x"],
    "transformers_version": ["4.0.0", "9.0.0", 3],
    "bos_token_id": [5, -1, [1, 2], "x"],
    "eos_token_id": [5, -1, [1, 2], "x"],
    "num_attention_heads_per_layer": ["L*2"],
    "summary_type": ["x", 3],
    "default_theta": [300.0],
    "default_rope_type": ["linear"],
    "rope_parameters": ROPES,
    "rope_scaling": ROPES,
}
# Keys that only Python objects trip over: they say nothing about what is computed.
PYTHON_ONLY = ["attribute_map", "auto_map", "num_labels", "return_dict", "use_return_dict", "text_config", "num_kv_shared_layers", "attention_chunk_size", "initializer_range", "attn_implementation", "_attn_implementation"]
# Keys that are in no configuration class and are read all the same.
READ_BESIDE = ["rope_theta", "rotary_pct", "rotary_emb_base", "rope_local_base_freq", "partial_rotary_factor", "sliding_window_pattern", "layer_types", "hidden_size", "max_position_embeddings", "num_attention_heads", "num_hidden_layers"]
# Several keys at once.
TOGETHER = [
    {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0}, "rope_scaling": {"rope_type": "linear", "factor": 3.0}},
    {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0}, "rope_scaling": {"rope_type": "linear", "factor": 3.0}, "rope_theta": 70.0},
    {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 500.0}, "rope_scaling": {}},
    {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 500.0}, "rope_scaling": None, "rope_theta": 70.0},
    {"rope_parameters": {"rope_type": "linear", "factor": 2.0}, "rope_theta": 70.0},
    {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": None}, "rope_theta": 70.0},
    {"rope_parameters": None, "rope_theta": 70.0},
    {"rope_parameters": REMOVE, "rope_theta": 70.0},
    {"rope_parameters": REMOVE, "rope_theta": None},
    {"rope_parameters": REMOVE, "rope_theta": 70.0, "rope_scaling": None},
    {"rope_parameters": REMOVE, "rope_theta": 70.0, "rope_scaling": {"type": "linear", "factor": 2.0}},
    {"rope_parameters": REMOVE, "rope_theta": 70.0, "rope_scaling": {"type": "linear", "factor": 2.0, "rope_theta": 500.0}},
    {"rope_parameters": REMOVE, "rope_theta": 70.0, "rope_scaling": {"type": "dynamic", "factor": 2.0}, "max_position_embeddings": 8},
    {"rope_parameters": REMOVE, "rope_theta": 70.0, "rope_scaling": {"type": "dynamic", "factor": 2.0, "original_max_position_embeddings": 4}, "max_position_embeddings": 8},
    {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 70.0}, "max_position_embeddings": REMOVE},
    {"rope_parameters": {"rope_type": "yarn", "factor": 2.0, "rope_theta": 70.0}, "max_position_embeddings": 16},
    {"rope_parameters": {"rope_type": "yarn", "factor": None, "rope_theta": 70.0, "original_max_position_embeddings": 8}, "max_position_embeddings": 32},
    {"rope_parameters": {"rope_type": "yarn", "factor": 2.0, "rope_theta": 70.0}, "max_position_embeddings": 16, "original_max_position_embeddings": 4},
    {"rope_parameters": {"rope_type": "yarn", "factor": 2.0, "rope_theta": 70.0, "original_max_position_embeddings": 8}, "original_max_position_embeddings": 4},
    {"rope_parameters": {"rope_type": "longrope", "short_factor": "N", "long_factor": "N", "original_max_position_embeddings": 12}, "original_max_position_embeddings": 8, "max_position_embeddings": 32},
    {"rope_parameters": {"rope_type": "longrope", "short_factor": "N", "long_factor": "N", "original_max_position_embeddings": 12}, "original_max_position_embeddings": 30, "max_position_embeddings": 64},
    {"rope_parameters": {"rope_type": "longrope", "short_factor": "N", "long_factor": "N"}, "original_max_position_embeddings": REMOVE, "max_position_embeddings": 64},
    {"rope_parameters": REMOVE, "partial_rotary_factor": 0.5, "rope_theta": 70.0},
    {"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 1.0}, "partial_rotary_factor": 0.5},
    {"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}, "partial_rotary_factor": 1.0},
    {"rope_parameters": REMOVE, "rope_local_base_freq": 30.0, "rope_theta": 70.0, "rope_scaling": {"rope_type": "linear", "factor": 8.0}},
    {"rope_parameters": REMOVE, "rope_local_base_freq": 30.0},
    {"rope_scaling": {"rope_type": "linear", "factor": 8.0}, "rope_local_base_freq": 30.0},
    {"rope_parameters": {FULL: {"rope_type": "default", "rope_theta": 500.0}, SLIDING: {"rope_type": "default"}}, "rope_scaling": {"rope_type": "linear", "factor": 3.0}, "rope_local_base_freq": 30.0},
    {"layer_types": REMOVE, "sliding_window": 3},
    {"layer_types": REMOVE, "sliding_window": 3, "use_sliding_window": True, "max_window_layers": 1},
    {"layer_types": REMOVE, "sliding_window": 3, "use_sliding_window": True, "max_window_layers": 0},
    {"layer_types": REMOVE, "sliding_window": 3, "use_sliding_window": True},
    {"layer_types": REMOVE, "sliding_window": None, "use_sliding_window": True, "max_window_layers": 0},
    {"layer_types": f"L*{SLIDING}", "sliding_window": 3, "use_sliding_window": True},
    {"layer_types": f"L*{SLIDING}", "sliding_window": 3, "use_sliding_window": False},
    {"layer_types": f"L*{SLIDING}", "sliding_window": None},
    {"layer_types": REMOVE, "sliding_window_pattern": 2, "sliding_window": 3},
    {"layer_types": REMOVE, "_sliding_window_pattern": 2, "sliding_window": 3},
    {"layer_types": REMOVE, "no_rope_layers": REMOVE, "no_rope_layer_interval": 2},
    {"layer_types": REMOVE, "no_rope_layers": "L*01", "use_sliding_window": True, "sliding_window": 3},
    {"layer_types": f"L*{SLIDING}", "no_rope_layers": "L*1", "use_sliding_window": True, "sliding_window": 3},
    {"head_dim": REMOVE, "num_key_value_heads": REMOVE},
    {"attn_logit_softcapping": 1.5, "final_logit_softcapping": 2.0},
    {"scale_attn_weights": False, "scale_attn_by_inverse_layer_idx": True},
    {"scale_attn_weights": REMOVE, "scale_attn_by_inverse_layer_idx": REMOVE, "activation_function": REMOVE, "n_positions": REMOVE},
    {"n_embd": REMOVE, "hidden_size": 48},
    {"n_embd": 48, "hidden_size": 12},
    {"n_positions": REMOVE, "max_position_embeddings": 128},
    {"n_layer": REMOVE, "num_hidden_layers": 2},
    {"n_head": REMOVE, "num_attention_heads": 4},
    {"n_inner": REMOVE, "intermediate_size": 192},
    {"layer_norm_epsilon": REMOVE, "rms_norm_eps": 0.5},
    {"attention_multiplier": 0.5, "logits_scaling": 3.0, "residual_multiplier": 0.5, "embedding_multiplier": 2.0},
    {"query_pre_attn_scalar": 9, "head_dim": REMOVE},
    {"num_hidden_layers": 1, "layer_types": REMOVE},
    {"dtype": "bfloat16", "torch_dtype": "float16"},
    {"rope_parameters": REMOVE, "rotary_pct": 0.5, "rotary_emb_base": 70, "rope_theta": 5.0, "partial_rotary_factor": 1.0},
    {"rope_parameters": {"rope_type": "default", "rope_theta": 70.0}, "rotary_pct": 0.5, "partial_rotary_factor": 1.0},
    {"rope_parameters": REMOVE, "rope_theta": 70.0, "rope_scaling": {"type": "linear", "factor": 2.0}, "partial_rotary_factor": 0.5, "rotary_pct": 0.5},
    {"use_parallel_residual": False, "qk_layernorm": False, "use_qk_norm": False},
    {"layer_types": REMOVE, "sliding_window": None},
    {"layer_types": f"L*{FULL}", "sliding_window": None},
    {"layer_types": f"L*{FULL}", "sliding_window": 3},
]


def types_of(annotation):
    """The JSON types that a field takes, as transformers' strict dataclasses check them."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return sorted({name for part in typing.get_args(annotation) for name in types_of(part)})
    names = {bool: "bool", int: "int", float: "float", str: "str", list: "list", dict: "dict", type(None): "null"}
    return [names.get(typing.get_origin(annotation) or annotation, "dict")]


def keys_of(model_type):
    cls = type(transformers.AutoConfig.for_model(model_type))
    hints = typing.get_type_hints(cls, localns={"torch": torch})
    return {
        field.name: (types_of(hints[field.name]), field.default)
        for field in sorted(dataclasses.fields(cls), key=lambda field: field.name)
        if field.name not in NOT_LISTED and not field.name.startswith("_")
    }


def write_table(path):
    lines = [
        "// Written by scripts/oracles/config_keys.py from transformers %s. Change that, not this file." % transformers.__version__,
        "",
        "export type ConfigType = 'bool' | 'dict' | 'float' | 'int' | 'list' | 'null' | 'str';",
        "",
        "/** The keys of each family's configuration class in transformers: the types it takes, and its value for one left out. */",
        "export const configKeys: Readonly<Record<string, Readonly<Record<string, readonly [readonly ConfigType[], unknown]>>>> = {",
    ]
    for family in FAMILIES:
        lines.append(f"  {family}: {{")
        for name, (kinds, default) in keys_of(family).items():
            kinds_text = ", ".join(f"'{kind}'" for kind in kinds)
            value = json.dumps(default) if not isinstance(default, str) else f"'{default}'"
            lines.append(f"    {name}: [[{kinds_text}], {value}],")
        lines.append("  },")
    path.write_text("\n".join([*lines, "};", ""]))


def spelled(value, layers, pairs):
    """Fills in what depends on the model: a list with an entry per layer, factors for every pair of rotated entries."""
    if isinstance(value, str) and value.startswith("L*"):
        entries = value[2:].split(",") if "_" in value or "," in value or value[2:].isalpha() else list(value[2:])
        entries = [int(e) if e.isdigit() else True if e == "true" else e for e in entries]
        return [entries[i % len(entries)] for i in range(layers)]
    if value == "N":
        return [1.0 + 0.25 * i for i in range(pairs)]
    if isinstance(value, dict):
        return {key: spelled(one, layers, pairs) for key, one in value.items()}
    return value


def cases_of(config, is_variant):
    layers = config.get("num_hidden_layers") or config.get("n_layer")
    head = config.get("head_dim") or (config.get("hidden_size") or config["n_embd"]) // (config.get("num_attention_heads") or config["n_head"])
    part = (config.get("rope_parameters") or {}).get("partial_rotary_factor", 1)
    pairs = int(head * part) // 2
    known = keys_of(config["model_type"])
    by_kind = {"bool": FLAGS, "int": SIZES, "float": NUMBERS, "str": ["", "x", 3], "list": [[], "x"], "dict": [{}, "x"], "null": []}
    own = {*config, *known, "rope_scaling"}
    for key in sorted(own if is_variant else {*own, *FOREIGN}):
        values = list(FOREIGN.get(key, []))
        if key not in own and key not in READ_BESIDE:
            values = values[:3]
        if not values:
            for kind in known.get(key, (["str"],))[0]:
                values += by_kind[kind]
        if isinstance(config.get(key), (int, float)) and not isinstance(config.get(key), bool):
            values.append(config[key] * 2)
        if key in config:
            yield {key: REMOVE}
        yield {key: None}
        seen = [None]
        for value in values:
            value = spelled(value, layers, pairs)
            if any(type(value) is type(one) and value == one for one in seen):
                continue
            seen.append(value)
            yield {key: value}
    for edits in TOGETHER:
        yield {key: spelled(value, layers, pairs) for key, value in edits.items()}


def computed(folder, row, picks):
    """A few logits, or why there are none."""
    try:
        model, info = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
        lacking = {key: sorted(info[key])[:1] for key in ("missing_keys", "mismatched_keys") if info[key]}
        if lacking:
            return f"weights: {json.dumps(lacking, default=str)}"
        with torch.no_grad():
            logits = model.eval()(row[None])[0][0]
        if not torch.isfinite(logits).all():
            return "logits that are not finite"
        return [float(f"{logits[t, v].item():.6g}") for t, v in picks]
    except Exception as error:  # noqa: BLE001: whatever it is, transformers refuses
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"[:100].replace(str(folder), "")


def apart(work):
    """The result of work in a process of its own, so that one that ends it, or takes all memory, counts as refused."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        with os.fdopen(writing, "w") as answer:
            answer.write(json.dumps(work()))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    _, status = os.waitpid(child, 0)
    return json.loads(text) if status == 0 else "dies: the Python process ends"


def changed(config, edits):
    config = {**config, **edits}
    return {key: value for key, value in config.items() if value != REMOVE}


def write_cases(base, out, everything):
    source = REPO / "test/fixtures" / base
    config = json.loads((source / "config.json").read_text())
    tensors = load_file(source / "expected.safetensors")
    lengths = json.loads((source / "expected.json").read_text())["lengths"]
    row = max(tensors["inputIds"].split(lengths), key=len)
    # Of a model that takes more than text, the text model's keys are changed.
    text = config.get("text_config")
    stated = config if text is None else text
    picks = [(t, v) for t in (len(row) - 1, len(row) // 2) for v in (0, 17, min(60, stated["vocab_size"] - 1))]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for file in source.glob("model*.safetensors*"):
            os.link(file, folder / file.name) if os.stat(file).st_dev == os.stat(folder).st_dev else shutil.copy(file, folder)

        def result(edits):
            edited = changed(stated, edits)
            (folder / "config.json").write_text(json.dumps(edited if text is None else {**config, "text_config": edited}))
            return apart(lambda: computed(folder, row, picks))

        unchanged = result({})
        if isinstance(unchanged, str):
            raise SystemExit(f"{base} itself is refused: {unchanged}")
        cases = [(edits, result(edits)) for edits in cases_of(stated, base.startswith("extra"))]
    write(out / f"{source.name}.json", {"model": base, **({} if text is None else {"within": "text_config"}), "row": row.tolist(), "picks": picks}, unchanged, cases if everything else list(chosen(cases)))
    refused = sum(isinstance(known, str) for _, known in cases)
    other = sum(known != unchanged for _, known in cases) - refused
    print(f"{base}: {len(cases)} cases: {refused} refused, {other} compute something else", flush=True)


def write(path, about, unchanged, cases):
    """Results once each; a case has the number of its own. 0: nothing changes."""
    results = [unchanged]
    for _, known in cases:
        if known not in results:
            results.append(known)
    rows = lambda values: ",\n".join(json.dumps(value) for value in values)  # noqa: E731
    numbered = [[edits, results.index(known)] for edits, known in cases]
    path.write_text(f'{json.dumps(about)[:-1]}, "results": [\n{rows(results)}\n], "cases": [\n{rows(numbered)}\n]}}\n')


def chosen(cases):
    """Of the values of a key, the first of those that come to the same; refusals of one kind count as the same."""
    seen = set()
    for edits, known in cases:
        if any(key in PYTHON_ONLY for key in edits):
            continue
        kind = known.split(":")[0] if isinstance(known, str) else json.dumps(known)
        if (*edits, kind) not in seen:
            seen.add((*edits, kind))
            yield edits, known if isinstance(known, list) else known[:60]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=REPO / "test/fixtures/config-keys")
    parser.add_argument("--only", nargs="+", help="models whose names end with one of these")
    parser.add_argument("--all", action="store_true", help="every value of every key")
    parser.add_argument("--table", action="store_true", help="write the table alone")
    options = parser.parse_args()
    if not options.only:
        write_table(REPO / "src/model/architecture/config-keys.ts")
    if options.table:
        return
    options.out.mkdir(parents=True, exist_ok=True)
    for base in BASES:
        if not options.only or base.endswith(tuple(options.only)):
            write_cases(base, options.out, options.all)


if __name__ == "__main__":
    main()
