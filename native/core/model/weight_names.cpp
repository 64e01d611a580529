#include "core/model/weight_names.h"

namespace adaptive {

const WeightNames& llamaWeightNames() {
  static const WeightNames names = {
      .embedding = "model.embed_tokens",
      .finalNorm = "model.norm",
      .head = "lm_head",
      .inputNorm = "model.layers.{}.input_layernorm",
      .postAttentionNorm = "model.layers.{}.post_attention_layernorm",
      .qkv = {"model.layers.{}.self_attn.q_proj", "model.layers.{}.self_attn.k_proj",
              "model.layers.{}.self_attn.v_proj"},
      .gateUp = {"model.layers.{}.mlp.gate_proj", "model.layers.{}.mlp.up_proj"},
      .output = "model.layers.{}.self_attn.o_proj",
      .down = "model.layers.{}.mlp.down_proj",
  };
  return names;
}

std::string nameInLayer(const std::string& pattern, int64_t layer) {
  std::string name = pattern;
  const auto at = name.find("{}");
  if (at != std::string::npos) name.replace(at, 2, std::to_string(layer));
  return name;
}

}  // namespace adaptive
