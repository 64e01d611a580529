// Paged states of optimizers: what is trained is what it is without, to the last bit, however many of them
// stay on the device, and so are the files.
#include <cmath>

#include "check.h"
#include "core/session/saved_session.h"
#include "core/session/training_step.h"
#include "device/model_configs.h"
#include "device/test_device.h"
#include "device/training_runs.h"

using namespace adaptive;
using namespace adaptive::test;

namespace {

/// Weights of several pieces of 4,096 values, of one and a half, of part of one, and of too few for 8 bits.
DecoderConfig wide() {
  DecoderConfig config = llama();
  config.hiddenSize = 64, config.intermediateSize = 96, config.headDim = 32, config.vocabSize = 300;
  config.ropes[0].dims = 32;
  return config;
}

Paging pagingTo(int64_t atMost) {
  Paging paging;
  paging.atMost = atMost, paging.pieceValues = 4096;
  return paging;
}

Kind paged(Kind kind, int64_t atMost) {
  kind.paging = pagingTo(atMost);
  return kind;
}

constexpr SessionTypes kBfloat16Alone = {.compute = at::kBFloat16, .masters = at::kBFloat16};

std::vector<Kind> kinds() {
  std::vector<Kind> all;
  for (const char* optimizer : {"adamw", "adamw_8bit", "lion", "lion_8bit", "ademamix", "ademamix_8bit"}) {
    all.push_back({optimizer, wide(), optimizer});
    all.push_back({std::string(optimizer) + ", rounded stochastically", wide(), optimizer, kBfloat16Alone});
  }
  all.push_back({"adapter", wide(), "adamw", {}, true});
  all.push_back({"experts", mixtral(), "adamw_8bit"});
  all.push_back({"frozen", wide(), "adamw_8bit"});
  all.back().frozen = {"model.layers.0.mlp.gate_proj.weight", "model.norm.weight"};
  all.push_back({"float16", wide(), "adamw_8bit", {.compute = at::kHalf}});
  return all;
}

/// The same numbers, or none: those of a step of float16 that overflows.
void checkSameNumbers(const std::vector<double>& actual, const std::vector<double>& expected,
                      const std::string& what) {
  check(actual.size() == expected.size(), what);
  for (size_t i = 0; i < expected.size(); i++) {
    const bool isSame = actual[i] == expected[i] || (std::isnan(actual[i]) && std::isnan(expected[i]));
    check(isSame, c10::str(what, " ", expected[i], " in step ", i, ", found ", actual[i]));
  }
}

void checkSameRun(const Trained& actual, const Trained& expected, const std::string& what) {
  checkSameNumbers(actual.losses, expected.losses, what + ": loss");
  checkSameNumbers(actual.norms, expected.norms, what + ": norm");
  const auto weights = actual.session->decoder.allParameters(),
             others = expected.session->decoder.allParameters();
  for (size_t i = 0; i < others.size(); i++)
    checkSame(weights[i]->master().cpu(), others[i]->master().cpu(),
              what + ": " + others[i]->parts()[0].name);
  const auto states = optimizerState(*actual.session).tensors,
             kept = optimizerState(*expected.session).tensors;
  check(states.size() == kept.size(), what + ": as many states");
  for (size_t i = 0; i < kept.size(); i++) {
    check(states[i].first == kept[i].first, what + ": " + kept[i].first + ", found " + states[i].first);
    checkSame(states[i].second.cpu(), kept[i].second.cpu(), what + ": " + kept[i].first);
  }
}

}  // namespace

TEST("paged states: none, some or all on the device, to the last bit the same") {
  for (const Kind& kind : kinds()) {
    const Trained expected = trained(kind, true);
    const HeldMemory whole = heldMemory(*expected.session);
    check(whole.pagedOptimizer == 0, kind.name + ": none is paged without");
    for (const int64_t atMost : {int64_t{0}, whole.optimizer * 2 / 3, whole.optimizer}) {
      const std::string what = c10::str(kind.name, ", ", atMost, " of ", whole.optimizer, " bytes");
      const MixedCalls calls;
      const Trained actual = trained(paged(kind, atMost), true);
      check(calls.names().empty(), what + ": no operator mixes devices, found" + calls.names());
      const HeldMemory held = heldMemory(*actual.session);
      checkSameRun(actual, expected, what);
      if (atMost == whole.optimizer) {
        check(held.pagedOptimizer == 0 && held.optimizer == whole.optimizer, what + ": none is paged");
      } else if (atMost == 0) {
        check(held.pagedOptimizer == whole.optimizer, what + ": all are paged");
      } else {
        // The buffers count, too: they leave no room for states of a model as small as that of experts.
        check(held.pagedOptimizer > 0 && held.pagedOptimizer <= whole.optimizer, what + ": some are paged");
      }
    }
  }
}

TEST("paged states: of a model that is large for its pieces some stay, and no more than was asked for") {
  const Kind kind = {"llama", wide(), "adamw_8bit"};
  const int64_t whole = heldMemory(*opened(kind, true)).optimizer;
  int64_t before = 0;
  for (const int64_t atMost : {whole / 3, whole / 2, whole * 3 / 4}) {
    const HeldMemory held = heldMemory(*opened(paged(kind, atMost), true));
    check(held.optimizer <= atMost, c10::str("at most ", atMost, " on the device, found ", held.optimizer));
    check(held.optimizer > before, c10::str("more than ", before, ", found ", held.optimizer));
    check(held.pagedOptimizer > 0 && held.pagedOptimizer < whole, "some are paged");
    before = held.optimizer;
  }
}

TEST("paged states: a run goes on from a file with others on the device") {
  const Kind kind = {"adamw_8bit", wide(), "adamw_8bit"};
  const int64_t some = heldMemory(*opened(kind, true)).optimizer / 2;
  const LossRequest loss = {.topK = 2, .bias = {}};
  const std::vector<Kind> kinds = {kind, paged(kind, 0), paged(kind, some)};
  std::vector<Trained> runs;
  for (const Kind& from : kinds) runs.push_back(trained(from, true));
  Trained further = trained(kind, true);
  further.losses = {trainMicroBatch(*further.session, someRows(), loss).loss.loss};
  further.norms = {stepOptimizer(*further.session, 1e-2, 1).gradNorm};
  for (const Trained& from : runs) {
    const Folder folder;
    const OptimizerState state = optimizerState(*from.session);
    const WeightFile file = written(folder.file("optimizer"), state.tensors);
    for (const Kind& to : kinds) {
      Trained run = {opened(to, true), {}, {}};
      const auto weights = run.session->decoder.allParameters(),
                 others = from.session->decoder.allParameters();
      for (size_t i = 0; i < others.size(); i++) at::Tensor(weights[i]->master()).copy_(others[i]->master());
      run.session->decoder.refreshCompute();
      loadOptimizer(*run.session, file, state.steps, state.scaler);
      run.losses = {trainMicroBatch(*run.session, someRows(), loss).loss.loss};
      run.norms = {stepOptimizer(*run.session, 1e-2, 1).gradNorm};
      checkSameRun(run, further, "the fourth step");
    }
  }
}

TEST("paged states: not for optimizers that move a weight as a whole, nor where tensors are the host's") {
  for (const char* optimizer : {"sgd", "adafactor", "rmsprop", "adagrad"})
    checkFails("INVALID_INPUT", "paging", [&] { opened(paged({optimizer, wide(), optimizer}, 0), true); });
  Kind kind = paged({"adamw", wide()}, -1);
  checkFails("INVALID_INPUT", "paged.atMost", [&] { opened(kind, true); });
  kind.paging = Paging{.pieceValues = 5000};
  checkFails("INVALID_INPUT", "power of two", [&] { opened(kind, true); });
  const auto onHost = opened(paged({"adamw", wide()}, 0), false);
  check(heldMemory(*onHost).pagedOptimizer == 0, "the CPU's memory is the host's");
  checkSameRun(trained(paged({"adamw", wide()}, 0), false), trained({"adamw", wide()}, false), "the CPU");
}
