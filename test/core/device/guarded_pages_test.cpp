// What only the guarded device shows of paged states: its bytes, what it and the host refuse, and who waits
// for whom.
#include <sys/resource.h>
#include <torch/library.h>
#include <unistd.h>

#include <fstream>

#include "check.h"
#include "core/ops/library.h"
#include "core/session/training_step.h"
#include "device/guarded_device.h"
#include "device/model_configs.h"
#include "device/test_device.h"
#include "device/training_runs.h"

using namespace adaptive;
using namespace adaptive::test;

namespace {

constexpr int64_t kWhole = int64_t{1} << 29;

Kind kindOf(std::optional<Paging> paging) {
  DecoderConfig config = llama();
  config.hiddenSize = 64, config.intermediateSize = 96, config.headDim = 32, config.vocabSize = 300;
  config.ropes[0].dims = 32;
  Kind kind = {"llama", config};
  kind.paging = paging;
  return kind;
}

Paging smallPieces() {
  Paging paging;
  paging.pieceValues = 4096;
  return paging;
}

/// Tensors that an optimizer keeps of this model.
constexpr int64_t kStates = 2 * (2 + 9 * 2);

std::vector<double> lossesOf(ModelSession& session) {
  std::vector<double> losses;
  for (int step = 0; step < 3; step++) {
    losses.push_back(trainMicroBatch(session, someRows(), {.topK = 2, .bias = {}}).loss.loss);
    stepOptimizer(session, 1e-2, 1);
  }
  return losses;
}

/// Bytes that a session takes of the device, between steps.
int64_t taken(ModelSession& session, int64_t before) {
  lossesOf(session);
  return deviceMemory() - before;
}

/// As long as it lives, the process gets no more than so many bytes of memory.
class NoMemory {
 public:
  explicit NoMemory(int64_t bytes) {
    ::getrlimit(RLIMIT_DATA, &before_);
    int64_t size = 0, resident = 0, shared = 0, code = 0, library = 0, data = 0;
    std::ifstream("/proc/self/statm") >> size >> resident >> shared >> code >> library >> data;
    rlimit limit = before_;
    limit.rlim_cur = static_cast<rlim_t>(data * ::sysconf(_SC_PAGESIZE) + bytes);
    ::setrlimit(RLIMIT_DATA, &limit);
  }
  ~NoMemory() { ::setrlimit(RLIMIT_DATA, &before_); }
  NoMemory(const NoMemory&) = delete;

 private:
  rlimit before_{};
};

}  // namespace

TEST("paged states take no memory of the device") {
  const int64_t before = deviceMemory();
  int64_t unpaged = 0;
  {
    const auto session = opened(kindOf({}), true);
    unpaged = taken(*session, before);
  }
  check(deviceMemory() == before, "nothing is left of a session");
  for (const int64_t atMost : {0, 100000}) {
    Paging paging = smallPieces();
    paging.atMost = atMost;
    const auto session = opened(kindOf(paging), true);
    const HeldMemory held = heldMemory(*session);
    const int64_t saved = unpaged - taken(*session, before), buffers = 2 * 2 * 4096 * 4;
    check(held.pagedOptimizer > 200000, c10::str("most are paged, found ", held.pagedOptimizer));
    // The allocator rounds each tensor up to 64 bytes.
    check(std::abs(saved - (held.pagedOptimizer - buffers)) <= 64 * (kStates + 1),
          c10::str(held.pagedOptimizer, " - ", buffers, " bytes less, found ", saved));
  }
  check(deviceMemory() == before, "nothing is left of sessions with paged states");
}

TEST("what a step still needs decides how many states stay") {
  const auto unpaged = opened(kindOf({}), true);
  const int64_t all = heldMemory(*unpaged).optimizer, gradients = all / 2;
  const std::vector<double> expected = lossesOf(*unpaged);
  struct Case {
    int64_t free, restOfStep;
    bool paged;
  };
  for (const auto& [left, restOfStep, isPaged] :
       {Case{all, 0, false}, {all + 50000, 50000, false}, {all, 1, true}, {all / 2, 0, true}, {0, 0, true}}) {
    Paging paging = smallPieces();
    paging.restOfStep = restOfStep;
    Kind kind = kindOf({});
    const auto session = opened(kind, true);
    session->optimizer.reset();
    constexpr int64_t kAsking = 64;  // of an empty tensor
    limitDeviceMemory(kSpareDeviceBytes + gradients + left + kAsking);
    OptimizerOptions options = {.weightDecay = 0.01};
    options.paging = paging;
    createOptimizer(*session, "adamw", options);
    limitDeviceMemory(kWhole);
    const HeldMemory held = heldMemory(*session);
    const std::string what = c10::str(left, " bytes beside gradients and ", restOfStep, " for the rest");
    check((held.pagedOptimizer > 0) == isPaged, what + (isPaged ? ": some are paged" : ": none is paged"));
    if (left > 0) check(held.optimizer <= left - restOfStep, c10::str(what, ", found ", held.optimizer));
    check(lossesOf(*session) == expected, what + ": the same losses");
  }
}

TEST("states that the device refuses though they should fit are paged, as far as it has room for pieces") {
  const std::vector<double> expected = lossesOf(*opened(kindOf({}), true));
  torch::Library wrong(torch::Library::IMPL, ops::libraryName(), c10::DispatchKey::PrivateUse1, __FILE__,
                       __LINE__);
  wrong.impl("free_bytes", [](const at::Tensor&) { return kWhole; });
  const auto session = opened(kindOf({}), true);
  session->optimizer.reset();
  OptimizerOptions options = {.weightDecay = 0.01};
  options.paging = smallPieces();
  limitDeviceMemory(30000);
  checkFails("OUT_OF_MEMORY", "pieces of the optimizer's states",
             [&] { createOptimizer(*session, "adamw", options); });
  limitDeviceMemory(200000);
  createOptimizer(*session, "adamw", options);
  limitDeviceMemory(kWhole);
  const HeldMemory held = heldMemory(*session);
  check(held.pagedOptimizer > 0 && held.optimizer > 100000, "some are paged");
  check(lossesOf(*session) == expected, "the same losses");
}

TEST("main memory that is not pinned pages as well, and main memory that is not there is an error") {
  const std::vector<double> expected = lossesOf(*opened(kindOf({}), true));
  Paging paging = smallPieces();
  paging.atMost = 0;
  for (const int64_t pinned : {0, 100000}) {
    limitPinnedMemory(pinned);
    const auto session = opened(kindOf(paging), true);
    limitPinnedMemory(INT64_MAX);
    const StateMemory memory = session->optimizer->memory();
    check(memory.unpinned > 0 && (memory.unpinned == memory.paged) == (pinned == 0), "some are not pinned");
    check(lossesOf(*session) == expected, "the same losses");
  }
  const auto session = opened(kindOf({}), true);
  OptimizerOptions options;
  options.paging = paging;
  {
    const NoMemory none(64 << 10);
    checkFails("OUT_OF_MEMORY", "states of the optimizer that the device has no room for",
               [&] { createOptimizer(*session, "adamw", options); });
  }
  createOptimizer(*session, "adamw", {.weightDecay = 0.01});
  check(lossesOf(*session) == expected, "the session trains on");
}

TEST("copies of paged states run beside the device's work, in order, and the host waits for none") {
  Paging paging = smallPieces();
  paging.atMost = 0;
  const auto session = opened(kindOf(paging), true);
  for (int step = 0; step < 3; step++) {
    trainMicroBatch(*session, someRows(), {.topK = 2, .bias = {}});
    const Crossings before = crossings();
    stepOptimizer(*session, 1e-2, 1);
    const Crossings after = crossings();
    check(after.toHost - before.toHost == 1, "the host waits for the norm alone");
    check(after.toDevice == before.toDevice, "nothing goes to the device in its own order");
    // Pieces: 5 of the embedding; of each block 1 of four projections and two norms, 2 of each of three
    // others.
    const int64_t pieces = 5 + 2 * (4 + 2 + 3 * 2) + 1;
    check(after.besides - before.besides == 2 * 2 * pieces,
          c10::str("two moments of ", pieces, " pieces there and back, found ",
                   after.besides - before.besides));
    check(after.unordered == before.unordered, "each goes back after it was moved");
  }
}
