// Several processes train together on a device whose memory is closed to the host, over Gloo by way of the
// host: they are one process. This program starts itself as their ranks.
#include <arpa/inet.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <thread>

#include "check.h"
#include "core/dist/device_collectives.h"
#include "core/dist/gloo_group.h"
#include "core/io/stored_tensor.h"
#include "core/model/adapter.h"
#include "core/model/initialise_weights.h"
#include "core/session/saved_session.h"
#include "core/session/sharded_session.h"
#include "core/session/training_step.h"
#include "core/session/weights_digest.h"
#include "device/model_configs.h"
#include "device/test_device.h"

extern char** environ;

using namespace adaptive;
using namespace adaptive::test;

namespace {

std::string program;

struct Kind {
  std::string name, optimizer = "adamw";
  bool tied = true, adapter = false;
  at::ScalarType compute = at::kFloat;
  double tolerance = 2e-5;
  bool paged = false;  ///< with other states on the device at each rank
};

const std::vector<Kind> kKinds = {
    {"llama"},
    {"untied, 8 bits", "adamw_8bit", false},
    {"adapter", "adamw", true, true},
    {"masters beside bfloat16", "adamw", true, false, at::kBFloat16, 1e-2},
    {"untied, 8 bits, paged", "adamw_8bit", false, false, at::kFloat, 2e-5, true},
};

/// Matrices of more than 4,096 values, which optimizers in 8 bits keep in blocks.
DecoderConfig configOf(const Kind& kind) {
  DecoderConfig config = llama();
  config.vocabSize = 300, config.tiedHead = kind.tied;
  return config;
}

std::unique_ptr<ModelSession> opened(const Kind& kind) {
  auto session = std::make_unique<ModelSession>(configOf(kind));
  session->decoder.moveTo(testDevice());
  initialiseWeights(session->decoder, {.deviation = 0.3, .residualDeviation = 0.2, .seed = 5});
  if (kind.adapter) {
    AdapterOptions options;
    for (const char* name : {"q_proj", "v_proj"})
      options.targets.push_back(
          {.module = std::string("model.layers.0.self_attn.") + name, .rank = 2, .scale = 2, .dropout = 0});
    addAdapter(session->decoder, options);
  }
  configureSession(*session, {.compute = kind.compute});
  return session;
}

OptimizerOptions optionsOf(const Kind& kind, int64_t rank) {
  OptimizerOptions options = {.weightDecay = 0.01};
  if (kind.paged) options.paging = Paging{.atMost = rank * 24000, .pieceValues = 4096};
  return options;
}

/// Rows of different lengths; each step other ones.
std::vector<std::vector<int64_t>> rowsOf(int step) {
  std::vector<std::vector<int64_t>> rows;
  for (int64_t row = 0; row < 4; row++) {
    rows.emplace_back();
    for (int64_t i = 0; i < 4 + row; i++) rows.back().push_back(3 + (7 * step + 11 * row + 5 * i) % 290);
  }
  return rows;
}

MicroBatch partOf(int step, int64_t rank, int64_t size) {
  MicroBatch batch;
  batch.endsWindow = true;
  batch.tokens.cuSeqlens = {0};
  const auto rows = rowsOf(step);
  for (size_t i = 0; i < rows.size(); i++) {
    if (static_cast<int64_t>(i) % size != rank) continue;
    batch.tokens.ids.insert(batch.tokens.ids.end(), rows[i].begin(), rows[i].end());
    batch.tokens.cuSeqlens.push_back(static_cast<int64_t>(batch.tokens.ids.size()));
    batch.styles.push_back(i % 3 == 0 ? LearningStyle::Ideas : LearningStyle::Attention);
  }
  batch.labels.assign(batch.tokens.ids.begin(), batch.tokens.ids.end());
  return batch.styles.empty() ? MicroBatch{.endsWindow = true} : batch;
}

/// Loss and gradient norm.
std::pair<double, double> trainedStep(ModelSession& session, int step, int64_t rank, int64_t size) {
  const double loss = trainMicroBatch(session, partOf(step, rank, size), {.topK = 2, .bias = {}}).loss.loss;
  return {loss, stepOptimizer(session, 1e-2, 1).gradNorm};
}

std::string contentOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Saves the optimizer's state and reads it again.
void passThroughFile(ModelSession& session, const Kind& kind, const std::string& path, int64_t stage) {
  const bool writes = !session.ranks || session.ranks->rank() == 0;
  gatherAtFirst(session, path + ".gathered", {});
  WeightFile file = {path, {}};
  OptimizerState state;
  if (writes) {
    state = optimizerState(session);
    int64_t at = 10;  // the length of the header and the header "{}"
    for (const auto& [name, tensor] : state.tensors) {
      const auto bytes = static_cast<int64_t>(tensor.nbytes());
      file.tensors.push_back({name, storedType(tensor.scalar_type()), tensor.sizes().vec(), at, at + bytes});
      at += bytes;
    }
    saveOptimizer(session, path, "{}");
  }
  returnGathered(session);
  if (!session.ranks) return;
  endSharing(session);
  createOptimizer(session, kind.optimizer, optionsOf(kind, session.ranks->rank()), stage);
  if (writes) loadOptimizer(session, file, state.steps, state.scaler);
  copyFromFirstRank(session);
  shareMasters(session);
}

constexpr int kSteps = 4, kSavedAfter = 3;

struct Numbers {
  std::vector<double> losses, norms;
  std::string weights, mixed, failure;
};

/// By way of the host; what is begun fails while `lacksMemory` is true.
class Refusing final : public DeviceCollectives {
 public:
  Refusing(std::shared_ptr<RankGroup> hosts, const bool& lacksMemory)
      : byHost_(collectivesByHost(std::move(hosts))), lacksMemory_(lacksMemory) {}
  std::unique_ptr<Work> sum(const at::Tensor& tensor) override { return granted().sum(tensor); }
  std::unique_ptr<Work> sumTo(int64_t rank, const at::Tensor& tensor) override {
    return granted().sumTo(rank, tensor);
  }
  std::unique_ptr<Work> copyFrom(int64_t rank, const at::Tensor& tensor) override {
    return granted().copyFrom(rank, tensor);
  }
  void abort() override { byHost_->abort(); }

 private:
  DeviceCollectives& granted() {
    TORCH_CHECK_WITH(OutOfMemoryError, !lacksMemory_, "the device has no 64 bytes left");
    return *byHost_;
  }
  const std::unique_ptr<DeviceCollectives> byHost_;
  const bool& lacksMemory_;
};

Numbers trained(const Kind& kind, const std::string& path, std::shared_ptr<RankGroup> group, int64_t stage,
                const std::function<void(int)>& beforeStep, const bool* lacksMemory = nullptr) {
  Numbers found;
  const auto session = opened(kind);
  const MixedCalls calls;
  const int64_t rank = group ? group->rank() : 0, size = group ? group->size() : 1;
  try {
    if (group) {
      MakeCollectives make;
      if (lacksMemory)
        make = [group, lacksMemory](const CollectivesPlace&) {
          return std::make_unique<Refusing>(group, *lacksMemory);
        };
      const std::string why = joinRanks(*session, group, make, "there is no other way");
      check(why == (make ? "" : "there is no other way"), "by way of the host, found " + why);
    }
    createOptimizer(*session, kind.optimizer, optionsOf(kind, rank), stage);
    shareMasters(*session);
    if (kind.paged && rank == 0) check(heldMemory(*session).pagedOptimizer > 0, "states are paged");
    for (int step = 0; step < kSteps; step++) {
      beforeStep(step);
      const auto [loss, norm] = trainedStep(*session, step, rank, size);
      found.losses.push_back(loss), found.norms.push_back(norm);
      if (step + 1 == kSavedAfter) passThroughFile(*session, kind, path, stage);
    }
    endSharing(*session);
    for (const Parameter* parameter : session->decoder.allParameters())
      check(parameter->master().device() == testDevice(), parameter->parts()[0].name + " is on the device");
    found.weights = weightsDigest(session->decoder);
  } catch (const Error& error) {
    found.failure = error.code() + ": " + error.what();
  } catch (const c10::OutOfMemoryError& error) {
    found.failure = c10::str("refused: ", error.what_without_backtrace());
  } catch (const std::exception& error) {
    found.failure = error.what();
  }
  found.mixed = calls.names();
  return found;
}

/// What a rank tells the program that started it.
void write(const Numbers& found, const std::string& path) {
  std::ofstream file(path);
  file.precision(17);
  file << found.losses.size() << '\n';
  for (size_t i = 0; i < found.losses.size() && i < found.norms.size(); i++)
    file << found.losses[i] << ' ' << found.norms[i] << '\n';
  file << found.weights << '\n' << found.mixed << '\n' << found.failure << '\n';
}
Numbers read(const std::string& path) {
  std::ifstream file(path);
  Numbers found;
  size_t steps = 0;
  file >> steps;
  for (size_t i = 0; i < steps; i++) {
    found.losses.emplace_back(), found.norms.emplace_back();
    file >> found.losses.back() >> found.norms.back();
  }
  std::string rest;
  std::getline(file, rest);
  std::getline(file, found.weights), std::getline(file, found.mixed), std::getline(file, found.failure);
  return found;
}

struct Order {
  int64_t size = 2, stage = 0;
  size_t kind = 0;
  std::string fate = "none";  ///< what rank 1 does before its third step
  std::chrono::milliseconds timeout = std::chrono::minutes(2);
};

int runRank(char** arguments) {
  const int64_t rank = std::stoll(arguments[0]), port = std::stoll(arguments[1]);
  const Order order = {std::stoll(arguments[2]), std::stoll(arguments[3]), std::stoull(arguments[4]),
                       arguments[5], std::chrono::milliseconds(std::stoll(arguments[6]))};
  const std::string folder = arguments[7];
  GlooOptions options;
  options.host = options.address = "127.0.0.1";
  options.port = port, options.servesStore = rank == 0, options.prefix = "test";
  options.rank = rank, options.size = order.size;
  options.meetTimeout = std::chrono::minutes(2), options.workTimeout = order.timeout;
  const auto group = joinGlooGroup(options);
  bool lacksMemory = false;
  const auto beforeStep = [&](int step) {
    if (rank != 1 || step != 2) return;
    if (order.fate == "lacks memory") lacksMemory = true;
    if (order.fate == "dies") ::_exit(9);
    if (order.fate == "hangs")
      for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
  };
  const Numbers found = trained(kKinds.at(order.kind), folder + "/optimizer", group, order.stage, beforeStep,
                                order.fate == "lacks memory" ? &lacksMemory : nullptr);
  write(found, folder + "/rank" + std::to_string(rank));
  // Rank 0 has the store: the others leave first.
  if (found.failure.empty()) {
    std::vector<double> none = {0};
    sumOverRanks(*group, none);
  }
  std::fflush(stdout);
  ::_exit(0);  // libtorch's threads may wait for a rank that hangs
}

/// Below the ports that the system gives to whoever asks for any, so that nobody takes it before rank 0 does.
int64_t freePort() {
  std::mt19937 random(std::random_device{}());
  for (;;) {
    const auto port = std::uniform_int_distribution<uint16_t>(20'000, 32'000)(random);
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool isFree = ::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    ::close(socket);
    if (isFree) return port;
  }
}

/// What each rank found; of one that dies or hangs, and is ended, nothing.
std::vector<Numbers> ranks(const Order& order, std::string* saved = nullptr) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("adaptive_ranks_test." + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const std::string port = std::to_string(freePort());
  std::vector<pid_t> children;
  for (int64_t rank = 0; rank < order.size; rank++) {
    std::vector<std::string> words = {program,
                                      "--rank",
                                      std::to_string(rank),
                                      port,
                                      std::to_string(order.size),
                                      std::to_string(order.stage),
                                      std::to_string(order.kind),
                                      order.fate,
                                      std::to_string(order.timeout.count()),
                                      folder.string()};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    children.emplace_back();
    check(::posix_spawn(&children.back(), program.c_str(), nullptr, nullptr, arguments.data(), environ) == 0,
          "a rank starts");
  }
  std::vector<Numbers> found;
  for (int64_t rank = 0; rank < order.size; rank++) {
    if (rank == 1 && order.fate == "hangs") continue;
    int status = 0;
    ::waitpid(children[rank], &status, 0);
    const std::string file = folder / ("rank" + std::to_string(rank));
    found.push_back(std::filesystem::exists(file) ? read(file) : Numbers{});
  }
  if (order.fate == "hangs") {
    ::kill(children[1], SIGKILL);
    ::waitpid(children[1], nullptr, 0);
  }
  if (saved) *saved = contentOf(folder / "optimizer");
  std::filesystem::remove_all(folder);
  return found;
}

void checkRun(const Numbers& actual, const Numbers& expected, double tolerance, const std::string& what) {
  check(actual.failure.empty(), what + ": " + actual.failure);
  check(actual.mixed.empty(), what + ": no operator mixes devices, found" + actual.mixed);
  check(actual.losses.size() == kSteps, what + ": all steps");
  for (size_t i = 0; i < actual.losses.size(); i++) {
    checkNear(actual.losses[i] / expected.losses[i], 1, tolerance, what + ", loss");
    checkNear(actual.norms[i] / expected.norms[i], 1, tolerance * 5, what + ", norm");
  }
}

}  // namespace

TEST("ranks on a device are one process on it, whatever they share out") {
  for (size_t kind = 0; kind < kKinds.size(); kind++) {
    const auto file =
        std::filesystem::temp_directory_path() / ("adaptive_one_process." + std::to_string(::getpid()));
    const Numbers one = trained(kKinds[kind], file, nullptr, 0, [](int) {});
    std::filesystem::remove(file);
    check(one.failure.empty(), kKinds[kind].name + ", one process: " + one.failure);
    for (const int64_t size : {int64_t{2}, int64_t{3}}) {
      std::string weights, state;
      for (const int64_t stage : {0, 1, 2}) {
        const std::string what =
            kKinds[kind].name + ", " + std::to_string(size) + " ranks, stage " + std::to_string(stage);
        std::string saved;
        const auto all = ranks({size, stage, kind}, &saved);
        for (const Numbers& found : all) {
          checkRun(found, one, kKinds[kind].tolerance, what);
          if (weights.empty()) weights = found.weights, state = saved;
          check(found.weights == weights, what + ": the same weights to the last bit");
        }
        check(!saved.empty() && saved == state, what + ": the same file of the optimizer");
      }
    }
  }
}

TEST("a rank without rows takes part") {
  const auto file = std::filesystem::temp_directory_path() / ("adaptive_rows." + std::to_string(::getpid()));
  const Numbers one = trained(kKinds[0], file, nullptr, 0, [](int) {});
  std::filesystem::remove(file);
  for (const Numbers& found : ranks({5, 2, 0})) checkRun(found, one, kKinds[0].tolerance, "5 ranks, 4 rows");
}

TEST("a rank that dies or hangs ends the others") {
  for (const char* fate : {"dies", "hangs"}) {
    Order order;
    order.fate = fate;
    if (order.fate == "hangs") order.timeout = std::chrono::seconds(3);
    const auto all = ranks(order);
    check(all[0].failure.starts_with("RANKS_FAILED: A rank is gone or does not answer"),
          std::string(fate) + ": " + all[0].failure);
  }
}

TEST("a rank whose device refuses memory for a sum says so, and the others that the ranks failed") {
  for (const int64_t stage : {0, 2}) {
    Order order;
    order.stage = stage, order.fate = "lacks memory";
    const auto all = ranks(order);
    check(all[1].failure == "refused: the device has no 64 bytes left", "rank 1: " + all[1].failure);
    check(all[0].failure.starts_with("RANKS_FAILED: "), "rank 0: " + all[0].failure);
  }
}

int main(int count, char** arguments) {
  openTestDevice();
  program = arguments[0];
  if (count > 2 && std::string(arguments[1]) == "--rank") return runRank(arguments + 2);
  return runTests({arguments + 1, arguments + count}, "tests of ranks on a device", testDeviceName());
}
