// Whole training steps on a device: the numbers are the CPU's, no operator mixes devices, and the host
// touches none of its memory.
#include <ATen/core/dispatch/Dispatcher.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "check.h"
#include "core/io/stored_tensor.h"
#include "core/model/adapter.h"
#include "core/model/generation.h"
#include "core/model/initialise_weights.h"
#include "core/ops/library.h"
#include "core/ops/ops.h"
#include "core/session/saved_session.h"
#include "core/session/training_step.h"
#include "device/guarded_device.h"

using namespace adaptive;
using namespace adaptive::test;

namespace {

DecoderConfig llama() {
  DecoderConfig config;
  config.vocabSize = 31, config.hiddenSize = 16, config.intermediateSize = 24, config.heads = 2,
  config.kvHeads = 1, config.headDim = 8, config.tiedHead = true;
  config.ropes = {{.theta = 10000, .dims = 8}};
  config.layerConfigs.assign(2, {.rope = 0, .window = 0, .attentionScale = 1 / std::sqrt(8.0)});
  return config;
}

DecoderConfig gemma() {
  DecoderConfig config = llama();
  config.tiedHead = false;
  config.attentionCap = 5, config.logitsCap = 6, config.normOffset = 1;
  config.embeddingScale = 4, config.activation = Activation::GeluTanh, config.paddingId = 0;
  config.layerConfigs[1].window = 3;
  return config;
}

const MicroBatch kBatch = {{{3, 4, 5, 6, 7, 8, 9, 3, 3}, {0, 4, 9}},
                           {3, 4, 5, 6, 7, 8, 9, 3, 3},
                           {LearningStyle::Ideas, LearningStyle::Attention}};

DecoderConfig qwen3() {
  DecoderConfig config = llama();
  config.names = "qwen3", config.headNorm = HeadNorm::Rms;
  return config;
}

DecoderConfig gpt2() {
  DecoderConfig config = llama();
  config.names = "gpt2", config.maxPositions = 16, config.layerNorm = true, config.normBias = true;
  config.gated = false, config.qkvBias = config.outputBias = config.mlpBias = true;
  config.activation = Activation::GeluTanh, config.kvHeads = config.heads, config.ropes = {};
  config.residualDropout = config.attentionDropout = config.embeddingDropout = 0.2;
  for (LayerConfig& layer : config.layerConfigs) layer.rope = -1;
  return config;
}

DecoderConfig mixtral() {
  DecoderConfig config = llama();
  config.names = "mixtral", config.tiedHead = false;
  config.routing = {.experts = 4, .active = 2, .intermediateSize = 12, .normalised = true};
  for (LayerConfig& layer : config.layerConfigs) layer.routed = true;
  return config;
}

struct Kind {
  std::string name;
  DecoderConfig config;
  std::string optimizer = "adamw";
  SessionTypes types = {};
  bool adapter = false, dropout = false;
  double tolerance = 2e-5;
};

std::unique_ptr<ModelSession> opened(const Kind& kind, bool onDevice) {
  auto session = std::make_unique<ModelSession>(kind.config);
  if (onDevice) session->decoder.moveTo(guardedDevice());
  initialiseWeights(session->decoder, {.deviation = 0.3, .residualDeviation = 0.2, .seed = 5});
  if (kind.adapter) {
    AdapterOptions options;
    for (const char* name : {"q_proj", "v_proj"})
      options.targets.push_back({.module = std::string("model.layers.0.self_attn.") + name,
                                 .rank = 2,
                                 .scale = 2,
                                 .dropout = kind.dropout ? 0.3 : 0});
    addAdapter(session->decoder, options);
  }
  configureSession(*session, kind.types);
  createOptimizer(*session, kind.optimizer, {.weightDecay = 0.01});
  return session;
}

struct Trained {
  std::unique_ptr<ModelSession> session;
  std::vector<double> losses, norms;
};

Trained trained(const Kind& kind, bool onDevice) {
  Trained run = {opened(kind, onDevice), {}, {}};
  MicroBatch batch = kBatch;
  if (kind.dropout) batch.dropout = uint64_t{77};
  for (int step = 0; step < 3; step++) {
    run.losses.push_back(trainMicroBatch(*run.session, batch, {.topK = 2, .bias = {}}).loss.loss);
    run.norms.push_back(stepOptimizer(*run.session, 1e-2, 1).gradNorm);
  }
  return run;
}

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
  } catch (const c10::Error& error) {
    const std::string words = error.what_without_backtrace();
    return "\n  " + what + ": libtorch: " + words.substr(0, words.find(". This could be"));
  } catch (const std::exception& error) {
    return "\n  " + what + ": " + error.what();
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
      std::string names;
      for (const std::string& name : calls.seen()) names += " " + name;
      check(names.empty(), "no operator mixes devices, found" + names);
      for (size_t i = 0; i < expected.losses.size(); i++) {
        checkNear(actual.losses[i] / expected.losses[i], 1, kind.tolerance, "loss");
        // A step of float16 that overflows does so on both.
        check(std::isfinite(actual.norms[i]) == std::isfinite(expected.norms[i]), "both norms are finite");
        if (std::isfinite(expected.norms[i]))
          checkNear(actual.norms[i] / expected.norms[i], 1, kind.tolerance * 5, "norm");
      }
      for (const Parameter* parameter : actual.session->decoder.allParameters())
        check(parameter->master().is_privateuseone(), parameter->parts()[0].name + " is on the device");
    });
  }
  check(failures.empty(), "every kind of model trains:" + failures);
}

TEST("the device shows a host that touches its memory, and an operator that mixes devices") {
  const at::Tensor tensor = at::ones({3}).to(guardedDevice());
  checkSame(tensor.cpu(), at::ones({3}));
  const pid_t child = ::fork();
  if (child == 0) {
    const auto* values = static_cast<const volatile float*>(tensor.const_data_ptr());
    ::_exit(values[0] == 1 ? 0 : 2);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  check(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "the child that reads it ends with SIGSEGV");
  const MixedCalls calls;
  tensor.index_select(0, at::tensor({1}, at::kLong).to(guardedDevice()));
  tensor.mul_(at::scalar_tensor(2.0));
  check(calls.seen().empty(), "nothing is mixed yet");
  tensor.index_select(0, at::tensor({1}, at::kLong));
  std::string names;
  for (const std::string& name : calls.seen()) names += " " + name;
  // Beside it stands what the device itself calls to serve it.
  check(names.find(" aten::index_select") != std::string::npos, "index_select mixes, found" + names);
}

TEST("what operators do on a device without kernels of its own is what the CPU's do") {
  // A backend that has none: the kernels for any device stand in for it.
  const auto anywhere = [](const char* name, torch::jit::Stack stack) {
    const auto op = c10::Dispatcher::singleton().findSchemaOrThrow(
        (std::string(ops::libraryName()) + "::" + name).c_str(), "");
    op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::XLA), &stack);
    return stack;
  };
  const at::Tensor ids = at::arange(9, at::kLong) * 5 % 4, rows = normal({9, 6}, 1).to(at::kFloat);
  at::Tensor expected = at::ones({4, 6}), actual = at::ones({4, 6});
  ops::addRows_(expected, ids, rows, 1.5);
  anywhere("add_rows_", {actual, ids, rows, 1.5});
  checkClose(actual, expected, 1e-6, "add_rows_");

  const at::Tensor a = normal({3, 8}, 2).to(at::kFloat), weight = normal({5, 8}, 3).to(at::kFloat);
  checkClose(anywhere("thin_product", {a, weight}).at(0).toTensor(), at::mm(a, weight.t()), 1e-6,
             "thin_product");

  const at::Tensor q = normal({2, 4, 8}, 4).to(at::kFloat);
  const std::vector<at::Tensor> k = {normal({3, 2, 8}, 5).to(at::kFloat),
                                     normal({7, 2, 8}, 6).to(at::kFloat)},
                                v = {normal({3, 2, 8}, 7).to(at::kFloat),
                                     normal({7, 2, 8}, 8).to(at::kFloat)};
  const auto [out, lse] = ops::attendNext(q, k, v, 0.3, 5, 2.0);
  const auto both = anywhere("attend_next", {q, k, v, 0.3, int64_t{5}, 2.0});
  checkClose(both.at(0).toTensor(), out, 1e-6, "attend_next");
  checkClose(both.at(1).toTensor(), lse, 1e-6, "attend_next's lse");
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
  const auto folder = std::filesystem::temp_directory_path() / "adaptive_device_test";
  std::filesystem::create_directories(folder);
  const OptimizerState state = optimizerState(*run.session);
  WeightFile file = {(folder / "on").string(), {}};
  int64_t at = 10;  // the length of the header and the header "{}"
  for (const auto& [name, tensor] : state.tensors) {
    const auto bytes = static_cast<int64_t>(tensor.nbytes());
    file.tensors.push_back({name, storedType(tensor.scalar_type()), tensor.sizes().vec(), at, at + bytes});
    at += bytes;
  }
  saveOptimizer(*run.session, file.path, "{}");
  const auto off = opened(kind, false);
  loadOptimizer(*off, file, state.steps, state.scaler);
  saveOptimizer(*off, (folder / "off").string(), "{}");
  check(contentOf(file.path) == contentOf((folder / "off").string()), "both files are the same");
  const auto from = run.session->decoder.allParameters(), to = off->decoder.allParameters();
  for (size_t i = 0; i < from.size(); i++) at::Tensor(to[i]->master()).copy_(from[i]->master());
  off->decoder.refreshCompute();
  const double there = trainMicroBatch(*run.session, kBatch, {.topK = 2, .bias = {}}).loss.loss;
  const double here = trainMicroBatch(*off, kBatch, {.topK = 2, .bias = {}}).loss.loss;
  checkNear(here, there, 1e-4, "the loss after the move");
  std::filesystem::remove_all(folder);
}

int main() {
  registerGuardedDevice();
  int failed = 0;
  for (const auto& test : tests()) {
    try {
      test.run();
    } catch (const std::exception& error) {
      failed++;
      std::printf("FAILED %s\n  %s\n", test.name.c_str(), error.what());
    }
    std::fflush(stdout);
  }
  std::printf("%zu of %zu device tests passed\n", tests().size() - failed, tests().size());
  return failed > 0 || tests().empty() ? 1 : 0;
}
