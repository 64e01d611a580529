// Whole training steps on a device: the numbers are the CPU's, no operator mixes devices, and what was
// trained moves between them.
#include <cmath>
#include <fstream>
#include <iterator>

#include "check.h"
#include "core/session/saved_session.h"
#include "core/session/training_step.h"
#include "device/model_configs.h"
#include "device/test_device.h"
#include "device/training_runs.h"

using namespace adaptive;
using namespace adaptive::test;

namespace {

std::vector<Kind> kinds() {
  std::vector<Kind> all = {{"llama", llama()}, {"gemma", gemma()}};
  // Several divide by the size of a gradient, which rounding moves by much where that is small.
  for (const char* optimizer : {"sgd", "lion", "adafactor", "rmsprop", "adagrad", "ademamix"})
    all.push_back({optimizer, llama(), optimizer, {}, false, false, 2e-4});
  all.push_back({"qwen3", qwen3()});
  all.push_back({"gpt2", gpt2(), "adamw", {}, false, true});
  all.push_back({"mixtral", mixtral()});
  all.push_back({"adamw_8bit", llama(), "adamw_8bit"});
  all.push_back({"recomputed", llama(), "adamw", {.gradientCheckpointing = true}});
  all.push_back({"noise", llama(), "adamw", {.embeddingNoise = 5}, false, true});
  all.push_back({"adapter", gemma(), "adamw", {}, true, true});
  all.push_back({"bfloat16", gemma(), "adamw", {.compute = at::kBFloat16}, false, false, 3e-2});
  all.push_back({"float16", llama(), "adamw", {.compute = at::kHalf}, false, false, 4e-3});
  return all;
}

/// How work() fails, after what it worked on; nothing where it does not.
std::string failureOf(const std::string& what, const std::function<void()>& work) {
  try {
    work();
    return {};
  } catch (...) {
    return "\n  " + what + ": " + messageOfLibtorch();
  }
}

std::string contentOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST("three steps on a device are those of the CPU, and no operator mixes the two") {
  std::string failures;
  for (const Kind& kind : kinds()) {
    failures += failureOf(kind.name, [&] {
      const Trained expected = trained(kind, false);
      const MixedCalls calls;
      const Trained actual = trained(kind, true);
      check(calls.names().empty(), "no operator mixes devices, found" + calls.names());
      for (size_t i = 0; i < expected.losses.size(); i++) {
        checkNear(actual.losses[i] / expected.losses[i], 1, kind.tolerance, "loss");
        checkNear(actual.norms[i] / expected.norms[i], 1, kind.tolerance * 5, "norm");
      }
      for (const Parameter* parameter : actual.session->decoder.allParameters())
        check(parameter->master().device() == testDevice(), parameter->parts()[0].name + " is on the device");
    });
  }
  check(failures.empty(), "every kind of model trains:" + failures);
}

TEST("gradients that are handed out lie on the host, and are the CPU's") {
  const Kind kind = {"gpt2", gpt2()};
  const auto on = opened(kind, true), off = opened(kind, false);
  const GradientReport found = lossAndGradients(*on, someRows().tokens),
                       expected = lossAndGradients(*off, someRows().tokens);
  checkNear(found.loss, expected.loss, 1e-5 * expected.loss, "loss");
  check(found.gradients.size() == expected.gradients.size(), "a gradient of every weight");
  for (size_t i = 0; i < expected.gradients.size(); i++) {
    const auto& [name, gradient] = found.gradients[i];
    check(gradient.is_cpu(), name + " is on the host");
    checkClose(gradient, expected.gradients[i].second, 2e-5, name);
  }
}

TEST("weights that are drawn are the same on every device") {
  for (const bool adapter : {false, true}) {
    const Kind kind = {"llama", llama(), "adamw", {}, adapter};
    const auto on = opened(kind, true), off = opened(kind, false);
    const auto actual = on->decoder.allParameters(), expected = off->decoder.allParameters();
    for (size_t i = 0; i < expected.size(); i++)
      checkSame(actual[i]->master().cpu(), expected[i]->master(), expected[i]->parts()[0].name);
  }
}

TEST("a state moves between devices: the file of the optimizer and the weights are byte for byte the same") {
  const Kind kind = {"llama", llama(), "adamw_8bit"};
  const Trained run = trained(kind, true);
  const Folder folder;
  const OptimizerState state = optimizerState(*run.session);
  saveOptimizer(*run.session, folder.file("whole"), "{}");
  const WeightFile file = written(folder.file("on"), state.tensors);
  check(contentOf(file.path) == contentOf(folder.file("whole")), "the file is the state");
  const auto off = opened(kind, false);
  loadOptimizer(*off, file, state.steps, state.scaler);
  saveOptimizer(*off, folder.file("off"), "{}");
  check(contentOf(file.path) == contentOf(folder.file("off")), "both files are the same");
  const auto from = run.session->decoder.allParameters(), to = off->decoder.allParameters();
  for (size_t i = 0; i < from.size(); i++) at::Tensor(to[i]->master()).copy_(from[i]->master());
  off->decoder.refreshCompute();
  const LossRequest loss = {.topK = 2, .bias = {}};
  const double there = trainMicroBatch(*run.session, someRows(), loss).loss.loss;
  checkNear(trainMicroBatch(*off, someRows(), loss).loss.loss, there, 1e-4, "the loss after the move");
}
