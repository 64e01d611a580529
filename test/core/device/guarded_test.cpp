// What only the guarded device shows: that it finds what it is there for, and how often the host and it meet.
#include <ATen/core/dispatch/Dispatcher.h>
#include <sys/wait.h>
#include <torch/library.h>
#include <unistd.h>

#include <csignal>

#include "check.h"
#include "core/model/generation.h"
#include "core/model/initialise_weights.h"
#include "core/ops/library.h"
#include "core/ops/ops.h"
#include "core/session/check_device.h"
#include "core/session/training_step.h"
#include "device/guarded_device.h"
#include "device/model_configs.h"
#include "device/test_device.h"
#include "device/training_runs.h"

using namespace adaptive;
using namespace adaptive::test;

TEST("the device shows a host that touches its memory, and an operator that mixes devices") {
  const at::Tensor tensor = at::ones({3}).to(testDevice());
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
  tensor.index_select(0, at::tensor({1}, at::kLong).to(testDevice()));
  tensor.mul_(at::scalar_tensor(2.0));
  check(calls.names().empty(), "nothing is mixed yet");
  tensor.index_select(0, at::tensor({1}, at::kLong));
  const std::string names = calls.names();
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

TEST("the check of a device finds a kernel that is wrong, and says what came out") {
  const auto silu = [](const at::Tensor& gateUp, int64_t) {
    const int64_t width = gateUp.size(1) / 2;
    return at::silu(gateUp.narrow(1, 0, width)) * gateUp.narrow(1, width, width) * 1.01;
  };
  {
    // In place of the device's own, as long as it is registered.
    torch::Library wrong(torch::Library::IMPL, ops::libraryName(), c10::DispatchKey::PrivateUse1, __FILE__,
                         __LINE__);
    wrong.impl("gated_activation", silu);
    const std::string found = differenceOnDevice(testDevice());
    check(found.find("the logits of a prompt is ") == 0 && found.find(" on the CPU") != std::string::npos,
          "what differs, found " + found);
  }
  check(differenceOnDevice(testDevice()).empty(), "nothing once the kernel is the right one again");
}

TEST("a token is chosen on the device: one copy of the ids to the host, and few numbers to the device") {
  const DecoderConfig config = llama();
  Decoder decoder(config);
  decoder.moveTo(testDevice());
  initialiseWeights(decoder, {.deviation = 0.3, .residualDeviation = 0.2, .seed = 5});
  const FlatBatch prompts = {{3, 4, 5, 6, 7, 8}, {0, 1, 3, 6}};
  struct Case {
    SamplingOptions options;
    int64_t toDevice;
  };
  // Ids and positions together; beside them random numbers, and which logits were seen.
  const std::vector<Case> cases = {{{}, 1},
                                   {{.temperature = 1}, 2},
                                   {{.temperature = 1, .topK = 3}, 2},
                                   {{.temperature = 1, .topP = 0.9, .repetitionPenalty = 1.5}, 3}};
  for (const auto& [options, toDevice] : cases) {
    Generation generation(config, prompts, options, {});
    generation.next(decoder);
    const Crossings before = crossings();
    generation.next(decoder);
    const Crossings after = crossings();
    check(after.toHost - before.toHost == 1,
          c10::str("one copy to the host, found ", after.toHost - before.toHost));
    check(after.bytesToHost - before.bytesToHost == 3 * 8, "of three ids");
    check(after.toDevice - before.toDevice == toDevice,
          c10::str(toDevice, " copies to the device, found ", after.toDevice - before.toDevice));
  }
}

TEST("a step brings each micro-batch to the device in one copy, and waits for it twice") {
  const std::vector<Kind> kinds = {{"llama", llama()},
                                   {"gemma", gemma()},
                                   {"gpt2", gpt2(), "adamw", {}, false, true},
                                   {"noise", llama(), "adamw", {.embeddingNoise = 5}, false, true},
                                   {"recomputed", llama(), "adamw", {.gradientCheckpointing = true}},
                                   {"adapter", gemma(), "adamw", {}, true, true},
                                   {"adamw_8bit", llama(), "adamw_8bit"},
                                   {"lion", llama(), "lion"},
                                   {"bfloat16", gemma(), "adamw", {.compute = at::kBFloat16}},
                                   {"float16", llama(), "adamw", {.compute = at::kHalf}}};
  for (const Kind& kind : kinds) {
    const auto session = opened(kind, true);
    MicroBatch batch = someRows();
    if (kind.dropout) batch.dropout = uint64_t{77};
    for (int step = 0; step < 2; step++) {
      const Crossings before = crossings();
      const auto expect = [&](int64_t toDevice, int64_t toHost, const char* after) {
        const Crossings now = crossings();
        check(now.toDevice - before.toDevice == toDevice,
              c10::str(kind.name, ", after ", after, ": ", toDevice, " copies to the device, found ",
                       now.toDevice - before.toDevice));
        check(now.toHost - before.toHost == toHost,
              c10::str(kind.name, ", after ", after, ": ", toHost, " copies to the host, found ",
                       now.toHost - before.toHost));
        check(now.pageable == before.pageable, kind.name + ": all from memory made for it");
      };
      trainMicroBatch(*session, batch, {.topK = 2, .bias = {}});
      expect(2, 1, "a micro-batch: that, and the weights of its tokens; their statistics");
      stepOptimizer(*session, 1e-3, 1);
      expect(2, 2, "the optimizer: the norm of the gradients beside");
    }
  }
}

TEST(
    "a micro-batch that the device has no memory for leaves a session that trains on as if it had not been") {
  const Kind kind = {"llama", llama(), "adamw", {.gradientCheckpointing = true}};
  const Trained expected = trained(kind, true);
  const auto session = opened(kind, true);
  MicroBatch large = someRows();
  large.tokens = {{}, {0}}, large.labels = {}, large.styles = {};
  for (int row = 0; row < 64; row++) {
    for (int i = 0; i < 64; i++) large.tokens.ids.push_back(3 + i % 7), large.labels.push_back(3 + i % 7);
    large.tokens.cuSeqlens.push_back(static_cast<int64_t>(large.tokens.ids.size()));
    large.styles.push_back(LearningStyle::Both);
  }
  const LossRequest loss = {.topK = 2, .bias = {}};
  // Refused at several places, from the first tensor of the forward pass to the last of backward.
  for (const int64_t bytes : {int64_t{1} << 12, int64_t{1} << 18, int64_t{1} << 20, int64_t{3} << 20}) {
    limitDeviceMemory(bytes);
    bool isRefused = false;
    try {
      trainMicroBatch(*session, large, loss);
    } catch (const c10::OutOfMemoryError&) {
      isRefused = true;
    }
    limitDeviceMemory(int64_t{1} << 29);
    check(isRefused, c10::str("a device with ", bytes, " bytes left refuses"));
    clearGradients(*session);
  }
  for (const double before : expected.losses) {
    check(trainMicroBatch(*session, someRows(), loss).loss.loss == before, "the losses of a run without");
    stepOptimizer(*session, 1e-2, 1);
  }
}
