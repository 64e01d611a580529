#include "core/model/weight_names.h"

#include <map>

#include "core/error.h"

namespace adaptive {
namespace {

WeightNames llama() {
  return {
      .embedding = "model.embed_tokens",
      .finalNorm = "model.norm",
      .head = "lm_head",
      .positions = {},
      .attentionNorm = "model.layers.{}.input_layernorm",
      .mlpNorm = "model.layers.{}.post_attention_layernorm",
      .attentionOutNorm = {},
      .mlpOutNorm = {},
      .qNorm = {},
      .kNorm = {},
      .qkv = {"model.layers.{}.self_attn.q_proj", "model.layers.{}.self_attn.k_proj",
              "model.layers.{}.self_attn.v_proj"},
      .gateUp = {"model.layers.{}.mlp.gate_proj", "model.layers.{}.mlp.up_proj"},
      .output = "model.layers.{}.self_attn.o_proj",
      .down = "model.layers.{}.mlp.down_proj",
  };
}

WeightNames qwen3() {
  WeightNames names = llama();
  names.qNorm = "model.layers.{}.self_attn.q_norm";
  names.kNorm = "model.layers.{}.self_attn.k_norm";
  return names;
}

WeightNames phi3() {
  WeightNames names = llama();
  names.qkv = {"model.layers.{}.self_attn.qkv_proj"};
  names.gateUp = {"model.layers.{}.mlp.gate_up_proj"};
  return names;
}

WeightNames gemma2() {
  WeightNames names = llama();
  names.attentionOutNorm = "model.layers.{}.post_attention_layernorm";
  names.mlpNorm = "model.layers.{}.pre_feedforward_layernorm";
  names.mlpOutNorm = "model.layers.{}.post_feedforward_layernorm";
  return names;
}

WeightNames gemma3() {
  WeightNames names = gemma2();
  names.qNorm = "model.layers.{}.self_attn.q_norm";
  names.kNorm = "model.layers.{}.self_attn.k_norm";
  return names;
}

WeightNames olmo2() {
  WeightNames names = gemma3();
  names.attentionNorm = names.mlpNorm = "";
  return names;
}

/// transformers 5 holds the experts of a layer in two tensors, and stores them one by one.
WeightNames withExperts(WeightNames names) {
  names.router = "model.layers.{}.mlp.gate";
  names.experts = "model.layers.{}.mlp.experts";
  names.storedGateUp = {"model.layers.{}.mlp.experts.{}.gate_proj.weight",
                        "model.layers.{}.mlp.experts.{}.up_proj.weight"};
  names.storedDown = {"model.layers.{}.mlp.experts.{}.down_proj.weight"};
  return names;
}

WeightNames mixtral() {
  WeightNames names = withExperts(llama());
  const std::string block = "model.layers.{}.block_sparse_moe.";
  names.storedRouter = block + "gate.weight";
  names.storedGateUp = {block + "experts.{}.w1.weight", block + "experts.{}.w3.weight"};
  names.storedDown = {block + "experts.{}.w2.weight"};
  return names;
}

WeightNames qwen2Moe() {
  WeightNames names = withExperts(llama());
  const std::string shared = "model.layers.{}.mlp.shared_expert";
  names.sharedGateUp = {shared + ".gate_proj", shared + ".up_proj"};
  names.sharedDown = shared + ".down_proj";
  names.sharedGate = shared + "_gate";
  return names;
}

WeightNames gptOss() {
  WeightNames names = llama();
  names.router = "model.layers.{}.mlp.router";
  names.experts = "model.layers.{}.mlp.experts";
  names.sinks = "model.layers.{}.self_attn.sinks";
  names.transposedExperts = true;
  return names;
}

WeightNames phi() {
  WeightNames names = llama();
  names.finalNorm = "model.final_layernorm";
  names.qNorm = "model.layers.{}.self_attn.q_layernorm";
  names.kNorm = "model.layers.{}.self_attn.k_layernorm";
  names.gateUp = {"model.layers.{}.mlp.fc1"};
  names.output = "model.layers.{}.self_attn.dense";
  names.down = "model.layers.{}.mlp.fc2";
  return names;
}

WeightNames stableLm() {
  WeightNames names = llama();
  names.qNorm = "model.layers.{}.self_attn.q_layernorm.norms.{}";
  names.kNorm = "model.layers.{}.self_attn.k_layernorm.norms.{}";
  return names;
}

WeightNames starcoder2() {
  WeightNames names = llama();
  names.gateUp = {"model.layers.{}.mlp.c_fc"};
  names.down = "model.layers.{}.mlp.c_proj";
  return names;
}

WeightNames glm() {
  WeightNames names = llama();
  names.gateUp = {"model.layers.{}.mlp.gate_up_proj"};
  return names;
}

WeightNames glm4() {
  WeightNames names = glm();
  names.attentionOutNorm = "model.layers.{}.post_self_attn_layernorm";
  names.mlpOutNorm = "model.layers.{}.post_mlp_layernorm";
  return names;
}

WeightNames gptNeoX() {
  return {
      .embedding = "gpt_neox.embed_in",
      .finalNorm = "gpt_neox.final_layer_norm",
      .head = "lm_head",
      .storedHead = "embed_out",
      .positions = {},
      .attentionNorm = "gpt_neox.layers.{}.input_layernorm",
      .mlpNorm = "gpt_neox.layers.{}.post_attention_layernorm",
      .attentionOutNorm = {},
      .mlpOutNorm = {},
      .qNorm = {},
      .kNorm = {},
      .qkv = {"gpt_neox.layers.{}.attention.query_key_value"},
      .gateUp = {"gpt_neox.layers.{}.mlp.dense_h_to_4h"},
      .output = "gpt_neox.layers.{}.attention.dense",
      .down = "gpt_neox.layers.{}.mlp.dense_4h_to_h",
  };
}

WeightNames gpt2() {
  return {
      .embedding = "transformer.wte",
      .finalNorm = "transformer.ln_f",
      .head = "lm_head",
      .positions = "transformer.wpe",
      .attentionNorm = "transformer.h.{}.ln_1",
      .mlpNorm = "transformer.h.{}.ln_2",
      .attentionOutNorm = {},
      .mlpOutNorm = {},
      .qNorm = {},
      .kNorm = {},
      .qkv = {"transformer.h.{}.attn.c_attn"},
      .gateUp = {"transformer.h.{}.mlp.c_fc"},
      .output = "transformer.h.{}.attn.c_proj",
      .down = "transformer.h.{}.mlp.c_proj",
      .transposed = true,
  };
}

}  // namespace

const WeightNames& weightNamesOf(const std::string& family) {
  static const std::map<std::string, WeightNames> tables = {
      {"llama", llama()},
      {"qwen3", qwen3()},
      {"phi3", phi3()},
      {"gemma2", gemma2()},
      {"gemma3", gemma3()},
      {"olmo2", olmo2()},
      {"mixtral", mixtral()},
      {"qwen2_moe", qwen2Moe()},
      {"qwen3_moe", withExperts(qwen3())},
      {"gpt_oss", gptOss()},
      {"phi", phi()},
      {"stablelm", stableLm()},
      {"starcoder2", starcoder2()},
      {"glm", glm()},
      {"glm4", glm4()},
      {"gpt_neox", gptNeoX()},
      {"gpt2", gpt2()},
  };
  const auto found = tables.find(family);
  if (found == tables.end())
    fail("MODEL_UNSUPPORTED", "Expected the name of a table of weights, found \"", family, "\".");
  return found->second;
}

std::string nameInLayer(const std::string& pattern, int64_t layer) {
  std::string name = pattern;
  const auto at = name.find("{}");
  if (at != std::string::npos) name.replace(at, 2, std::to_string(layer));
  return name;
}

}  // namespace adaptive
