// Which module and which rows a non-finite number is traced to.
#include "core/session/find_non_finite.h"

#include <cmath>
#include <limits>

#include "check.h"
#include "core/finite.h"

using namespace adaptive;
using namespace adaptive::test;

namespace {

Decoder smallDecoder() {
  DecoderConfig config;
  config.vocabSize = 31, config.hiddenSize = 16, config.intermediateSize = 24, config.heads = 2,
  config.kvHeads = 1, config.headDim = 8, config.tiedHead = false;
  config.ropes = {{.theta = 10000, .dims = 8}};
  config.layerConfigs.assign(3, {.rope = 0, .window = 0, .attentionScale = 1 / std::sqrt(8.0)});
  Decoder decoder(config);
  uint64_t seed = 1;
  for (Parameter* parameter : decoder.parameters())
    at::Tensor(parameter->master()).copy_(normal(parameter->master().sizes(), seed++) * 0.1);
  decoder.refreshCompute();
  return decoder;
}

const MicroBatch kBatch = {
    {{3, 4, 5, 6, 7, 8, 9}, {0, 4, 7}}, {3, 4, 5, 6, 7, 8, 9}, {LearningStyle::Misc, LearningStyle::Misc}};

/// A decoder with one weight of `name` set to NaN or infinity.
NonFinite found(const std::string& name, int64_t row, double value) {
  Decoder decoder = smallDecoder();
  for (Parameter* parameter : decoder.parameters()) {
    for (const auto& part : parameter->parts())
      if (part.name == name) Parameter::rowsOf(parameter->master(), part)[row].fill_(value);
  }
  decoder.refreshCompute();
  return findNonFinite(decoder, kBatch);
}

}  // namespace

TEST("non-finite: the first module and its rows") {
  check(found("model.norm.weight", 0, 1).module.empty(), "nothing in a sound model");
  const NonFinite embedding = found("model.embed_tokens.weight", 8, NAN);  // token 8 is in row 1 alone
  check(embedding.module == "model.embed_tokens", "the embedding, found " + embedding.module);
  check(embedding.rows == std::vector<int32_t>{1}, "row 1");
  const NonFinite block = found("model.layers.1.mlp.down_proj.weight", 2, INFINITY);
  check(block.module == "model.layers.1", "the second block, found " + block.module);
  check(block.rows.size() == 2, "both rows");
  const NonFinite head = found("lm_head.weight", 5, NAN);
  check(head.module == "lm_head", "the head, found " + head.module);
}

TEST("non-finite: the gradient nearest to the output") {
  Decoder decoder = smallDecoder();
  check(nonFiniteGradient(decoder).empty(), "nothing without gradients");
  for (Parameter* parameter : decoder.parameters()) parameter->gradientToAddTo();
  check(nonFiniteGradient(decoder).empty(), "nothing in zeros");
  for (Parameter* parameter : decoder.parameters()) {
    for (const auto& part : parameter->parts())
      if (part.name == "model.layers.0.self_attn.k_proj.weight" ||
          part.name == "model.layers.2.self_attn.v_proj.weight")
        Parameter::rowsOf(parameter->gradientToAddTo(), part)[1].fill_(NAN);
  }
  check(nonFiniteGradient(decoder) == "model.layers.2.self_attn.v_proj.weight",
        "the later block, found " + nonFiniteGradient(decoder));
}

TEST("non-finite: the first of many floats, wherever it is") {
  for (const int64_t size : {1, 5, 4096, 4097, 10000}) {
    std::vector<float> values(size, std::numeric_limits<float>::max());
    check(firstNonFinite(values.data(), size) == -1, "none among the largest finite ones");
    for (const float wrong : {NAN, INFINITY, -INFINITY}) {
      for (const int64_t at : {int64_t{0}, size / 2, size - 1}) {
        std::vector<float> changed = values;
        changed[at] = wrong, changed[size - 1] = wrong;
        check(firstNonFinite(changed.data(), size) == at, c10::str("entry ", at, " of ", size));
      }
    }
  }
  check(firstNonFinite(nullptr, 0) == -1, "none of nothing");
}
