// Rows that a model is held to its base on, on a device: the CPU's losses, divergences and norms.
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "check.h"
#include "core/session/training_step.h"
#include "device/model_configs.h"
#include "device/test_device.h"
#include "device/training_runs.h"

using namespace adaptive;
using namespace adaptive::test;

namespace {

const std::vector<int64_t> kRetained = {9, 8, 7, 6, 5};

/// The rows of other tests, and behind them one that has no labels.
MicroBatch batchWith(int64_t store) {
  MicroBatch batch = someRows();
  for (const int64_t id : kRetained) batch.tokens.ids.push_back(id), batch.labels.push_back(kIgnored);
  batch.tokens.cuSeqlens.push_back(static_cast<int64_t>(batch.tokens.ids.size()));
  batch.styles.push_back(LearningStyle::Misc);
  batch.retained = RetainedRows{store, {0}, 0.2};
  return batch;
}

/// The base's hidden states of the retained row, as a store. An adapter needs none: its base is there.
int64_t keptBase(ModelSession& session, const Kind& kind, const Folder& folder) {
  session.base.keepHead(session.decoder);
  if (kind.adapter) return -1;
  const at::NoGradGuard noGrad;
  const auto length = static_cast<int64_t>(kRetained.size());
  const at::Tensor hidden =
      session.decoder.hiddenStates(FlatBatch{kRetained, {0, length}}).cpu().contiguous();
  const WeightFile file = written(folder.file("base"), {{"hidden", hidden}});
  return session.base.addRows(session.decoder, file.path, file.tensors[0], {0, length});
}

struct Held {
  std::vector<double> losses, divergences, norms;
};

Held held(const Kind& kind, bool onDevice) {
  const Folder folder;
  const auto session = opened(kind, onDevice);
  const MicroBatch batch = batchWith(keptBase(*session, kind, folder));
  Held found;
  for (int step = 0; step < 3; step++) {
    const TrainReport report = trainMicroBatch(*session, batch, {.topK = 2, .bias = {}});
    found.losses.push_back(report.loss.loss), found.divergences.push_back(report.retained.divergence);
    found.norms.push_back(stepOptimizer(*session, 1e-2, 1).gradNorm);
  }
  const FlatBatch alone = {kRetained, {0, static_cast<int64_t>(kRetained.size())}};
  found.divergences.push_back(divergence(*session, alone, *batch.retained).divergence);
  return found;
}

}  // namespace

TEST("a pull to the base's weights, which lie in a file, is that of the CPU") {
  for (const Kind& kind :
       {Kind{"llama", llama()},
        Kind{"bfloat16", gemma(), "adamw", {at::kBFloat16, at::kBFloat16}, false, false, 3e-2},
        Kind{"adapter", gemma(), "adamw", {}, true}}) {
    const auto pulled = [&](bool onDevice) {
      const Folder folder;
      const auto session = opened(kind, onDevice);
      setBaseWeights(*session, {written(folder.file("base"), storedWeights(session->decoder.parameters()))});
      std::vector<double> losses;
      for (int step = 0; step < 3; step++) {
        losses.push_back(trainMicroBatch(*session, someRows(), {.topK = 2, .bias = {}}).loss.loss);
        stepOptimizer(*session, 1e-2, 1, /*pull=*/0.2);
      }
      return losses;
    };
    const auto expected = pulled(false);
    const MixedCalls calls;
    const auto actual = pulled(true);
    check(calls.names().empty(), kind.name + ": no operator mixes devices, found" + calls.names());
    for (size_t i = 0; i < expected.size(); i++)
      checkNear(actual[i] / expected[i], 1, kind.tolerance, kind.name + ", loss");
  }
}

TEST("retained rows on a device: the CPU's divergence from the base, with an adapter and without") {
  const std::vector<Kind> kinds = {
      {"llama", llama()},
      {"gemma", gemma()},
      {"adapter", gemma(), "adamw", {}, true},
      {"bfloat16", gemma(), "adamw", {.compute = at::kBFloat16}, false, false, 3e-2},
      {"adapter in float16", llama(), "adamw", {.compute = at::kHalf}, true, false, 4e-3}};
  for (const Kind& kind : kinds) {
    const Held expected = held(kind, false);
    const MixedCalls calls;
    const Held actual = held(kind, true);
    check(calls.names().empty(), kind.name + ": no operator mixes devices, found" + calls.names());
    // Not to the bit: the base's states were computed alone, and products of other sizes round otherwise
    // under some instruction sets.
    checkNear(actual.divergences[0], 0, kind.tolerance * expected.divergences[3],
              kind.name + ", none at first");
    check(actual.divergences[2] > 0, kind.name + ": some after two steps");
    for (size_t i = 0; i < expected.losses.size(); i++) {
      checkNear(actual.losses[i] / expected.losses[i], 1, kind.tolerance, kind.name + ", loss");
      check(std::isfinite(actual.norms[i]) == std::isfinite(expected.norms[i]), kind.name + ", finite norms");
      if (std::isfinite(expected.norms[i]))
        checkNear(actual.norms[i] / expected.norms[i], 1, kind.tolerance * 5, kind.name + ", norm");
    }
    // A divergence is the difference of near numbers: of the base and what a few steps made of it. AdamW
    // moves a weight by a whole rate even where its gradient is a rounding, which is another under other
    // instruction sets.
    for (size_t i = 1; i < expected.divergences.size(); i++)
      checkNear(actual.divergences[i], expected.divergences[i], 40 * kind.tolerance * expected.divergences[3],
                kind.name + ", divergence");
  }
}
