// Tokens that are generated on a device: those of the CPU, for every family and way of choosing.
#include "core/model/generation.h"

#include <cmath>

#include "check.h"
#include "core/model/initialise_weights.h"
#include "device/model_configs.h"
#include "device/test_device.h"

using namespace adaptive;
using namespace adaptive::test;

namespace {

struct Case {
  std::string name;
  DecoderConfig config;
  FlatBatch prompts = {{3, 4, 5, 6, 7, 8}, {0, 1, 3, 6}};
};

/// The tokens of all rows, step after step.
std::vector<int64_t> generated(const Case& of, const SamplingOptions& options, bool onDevice) {
  constexpr int kSteps = 12;
  Decoder decoder(of.config);
  if (onDevice) decoder.moveTo(testDevice());
  initialiseWeights(decoder, {.deviation = 0.3, .residualDeviation = 0.2, .seed = 5});
  // A row may end before the others do.
  Generation generation(of.config, of.prompts, options, {17});
  std::vector<int64_t> all;
  for (int step = 0; step < kSteps && !generation.ended(); step++)
    for (const int64_t token : generation.next(decoder)) all.push_back(token);
  return all;
}

std::vector<Case> cases() {
  std::vector<Case> all = {
      {"llama", llama()}, {"gemma", gemma()}, {"qwen3", qwen3()}, {"gpt2", gpt2()}, {"mixtral", mixtral()}};
  // Prompts of many tokens, which go through the decoder apart from the short ones.
  Case longer = {"long prompts", llama(), {{}, {0, 40, 43, 83}}};
  for (int64_t i = 0; i < 83; i++) longer.prompts.ids.push_back(1 + i * i % 30);
  all.push_back(longer);
  return all;
}

}  // namespace

TEST("tokens that are generated on a device are the CPU's, and no operator mixes the two") {
  const std::vector<SamplingOptions> ways = {
      {},
      {.repetitionPenalty = 1.7},
      {.temperature = 0.8, .seed = 3},
      {.temperature = 1.2, .topK = 5, .seed = 4},
      {.temperature = 1, .topP = 0.7, .repetitionPenalty = 1.3, .seed = 5},
      {.temperature = 1, .topK = 20, .topP = 0.9, .seed = 6},
  };
  for (const Case& of : cases()) {
    for (size_t way = 0; way < ways.size(); way++) {
      const std::vector<int64_t> expected = generated(of, ways[way], false);
      const MixedCalls calls;
      const std::vector<int64_t> actual = generated(of, ways[way], true);
      check(calls.names().empty(), "no operator mixes devices, found" + calls.names());
      check(actual == expected,
            c10::str("the CPU's tokens for ", of.name, ", way ", way, ": ", expected, ", found ", actual));
    }
  }
}

TEST("logits that are not finite are told from a device too") {
  const DecoderConfig config = llama();
  Decoder decoder(config);
  initialiseWeights(decoder, {.deviation = 0.3, .residualDeviation = 0.2, .seed = 5});
  at::Tensor(decoder.head().master())[11].fill_(NAN);
  decoder.moveTo(testDevice());
  decoder.refreshCompute();
  Generation generation(config, {{3, 4}, {0, 2}}, {}, {});
  checkFails("WEIGHTS_NOT_FINITE", "for token 11", [&] { generation.next(decoder); });
}
