// Gradients summed over two ranks, which are two threads of this process: over Gloo, and over a group that
// writes down what is asked of it.
#include "core/dist/gradient_sums.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <future>
#include <map>
#include <mutex>
#include <thread>

#include "check.h"
#ifdef ADAPTIVE_GLOO
#include "core/dist/gloo_group.h"
#endif
#include "core/model/initialise_weights.h"
#include "core/session/model_session.h"
#include "core/session/training_step.h"

using namespace adaptive;
using namespace adaptive::test;
using at::Tensor;

namespace {

DecoderConfig modelOf(int64_t layers, int64_t hidden, int64_t vocab) {
  DecoderConfig config;
  config.vocabSize = vocab, config.hiddenSize = hidden, config.intermediateSize = 2 * hidden,
  config.heads = 2, config.kvHeads = 2, config.headDim = hidden / 2, config.tiedHead = false;
  config.ropes = {{.theta = 10000, .dims = config.headDim}};
  config.layerConfigs.assign(layers, {.rope = 0, .window = 0, .attentionScale = 0.25});
  return config;
}

std::unique_ptr<ModelSession> opened(const DecoderConfig& config, at::ScalarType compute = at::kFloat) {
  auto session = std::make_unique<ModelSession>(config);
  initialiseWeights(session->decoder, {.deviation = 0.1, .residualDeviation = 0.1, .seed = 5});
  configureSession(*session, {.compute = compute});
  createOptimizer(*session, "sgd", {});
  return session;
}

/// What two ranks have in common: the first of a pair of sums waits for the second.
struct Exchange {
  std::mutex mutex;
  std::condition_variable came;
  std::map<size_t, std::vector<Tensor>> sums;  // by their number
};

/// A rank of two that notes each sum, and adds them up when they are waited for.
class NotingGroup final : public RankGroup {
 public:
  struct Noted {
    int64_t numbers;
    at::ScalarType type;
    int64_t whole;  ///< how many layers had told that they are whole by then
  };
  NotingGroup(Exchange& exchange, int64_t rank) : exchange_(exchange), rank_(rank) {}
  int64_t rank() const override { return rank_; }
  int64_t size() const override { return 2; }
  std::unique_ptr<Work> sum(const Tensor& tensor) override {
    noted.push_back({tensor.numel(), tensor.scalar_type(), whole});
    std::lock_guard lock(exchange_.mutex);
    auto& both = exchange_.sums[count_];
    both.push_back(tensor.clone());
    exchange_.came.notify_all();
    return std::make_unique<Pending>(exchange_, both, tensor, count_++);
  }
  std::unique_ptr<Work> sumTo(int64_t, const Tensor&) override { notAsked(); }
  std::unique_ptr<Work> copyFrom(int64_t, const Tensor&) override { notAsked(); }
  void send(int64_t, const Tensor&) override { notAsked(); }
  void receive(int64_t, const Tensor&) override { notAsked(); }
  void watch(See) override {}
  void watchNext(std::function<void()>) override {}
  std::chrono::milliseconds timeout() const override { return std::chrono::minutes(1); }
  void write(const std::string&, const std::string&) override {}
  std::optional<std::string> read(const std::string&) override { return std::nullopt; }
  int64_t add(const std::string&, int64_t) override { return 0; }
  void leave() override {}

  std::vector<Noted> noted;
  int64_t whole = 0;

 private:
  class Pending final : public Work {
   public:
    Pending(Exchange& exchange, std::vector<Tensor>& both, Tensor into, size_t)
        : exchange_(exchange), both_(both), into_(std::move(into)) {}
    void wait() override {
      std::unique_lock lock(exchange_.mutex);
      exchange_.came.wait(lock, [&] { return both_.size() == 2; });
      check(both_[0].sizes() == both_[1].sizes(), "both ranks sum the same");
      into_.copy_(both_[0] + both_[1]);
    }

   private:
    Exchange& exchange_;
    std::vector<Tensor>& both_;
    Tensor into_;
  };
  [[noreturn]] static void notAsked() { fail("INVALID_INPUT", "not asked for here"); }

  Exchange& exchange_;
  int64_t rank_;
  size_t count_ = 0;
};

/// f(rank) on two threads; the first failure of either fails the test.
template <class F>
void onBoth(const F& f) {
  std::exception_ptr failures[2];
  const auto run = [&](int64_t rank) {
    try {
      f(rank);
    } catch (...) {
      failures[rank] = std::current_exception();
    }
  };
  std::thread other(run, 1);
  run(0);
  other.join();
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
}

/// Each gradient its own numbers, which differ by rank; one in `without` leaves it as it is.
void fillGradients(const Decoder& decoder, int64_t rank, size_t without = SIZE_MAX) {
  const auto all = decoder.trainableParameters();
  for (size_t i = 0; i < all.size(); i++) {
    if (i == without) continue;
    all[i]->gradientToAddTo().fill_(static_cast<double>(i + 1) * (rank == 0 ? 1 : 100));
  }
}

MicroBatch rowOf(std::vector<int64_t> ids, std::vector<int32_t> labels, bool endsWindow) {
  const auto count = static_cast<int64_t>(ids.size());
  return {
      {std::move(ids), {0, count}}, std::move(labels), {LearningStyle::Ideas}, {}, {}, false, {}, endsWindow};
}

}  // namespace

TEST("gradients are summed in buckets, from the output down, each once its layer is whole") {
  // Blocks of 4·128²·4 + 3·128·256·4 bytes; the head and the embedding are beyond a bucket each.
  const DecoderConfig config = modelOf(3, 128, 4096);
  Exchange exchange;
  std::vector<NotingGroup::Noted> noted[2];
  onBoth([&](int64_t rank) {
    const auto session = opened(config);
    NotingGroup group(exchange, rank);
    GradientSums sums(group, session->decoder);
    fillGradients(session->decoder, rank);
    sums.begin(/*endsWindow=*/true);
    check(group.noted.empty(), "nothing is summed before a layer is whole");
    for (int64_t layer = config.layers(); layer >= 0; layer--) {
      const size_t before = group.noted.size();
      group.whole++;
      sums.reached(layer);
      if (layer == config.layers()) check(group.noted.size() > before, "the head is summed at once");
    }
    const size_t inBackward = group.noted.size();
    group.whole++;
    sums.finish();
    check(sums.done(), "done");
    check(group.noted.size() > inBackward, "the embedding is summed last");
    const auto all = session->decoder.trainableParameters();
    int64_t numbers = 0;
    for (size_t i = 0; i < all.size(); i++) {
      const Tensor& gradient = all[i]->gradientToAddTo();
      checkSame(gradient, at::full_like(gradient, static_cast<double>(i + 1) * 101), "sum");
      numbers += gradient.numel();
    }
    for (const auto& one : group.noted) numbers -= one.numbers;
    check(numbers == 0, "each number is summed once");
    noted[rank] = group.noted;
    sums.reset();
    check(!sums.done(), "reset");
  });
  check(noted[0].size() == noted[1].size(), "as many sums at both");
  for (size_t i = 0; i < noted[0].size(); i++) {
    check(noted[0][i].numbers == noted[1][i].numbers, "the same sums in the same order");
    check(noted[0][i].whole == noted[1][i].whole, "at the same moment");
  }
  // What is large is summed alone, and nothing that is joined is larger than a bucket.
  const int64_t table = 4096 * 128;
  check(noted[0].front().numbers == table || noted[0][1].numbers == table, "the head alone");
  check(noted[0].back().numbers == table, "the embedding alone");
  for (const auto& one : noted[0]) check(one.numbers == table || one.numbers * 4 <= (1 << 20), "a bucket");
}

TEST("a weight without a gradient counts as zeros at that rank") {
  const DecoderConfig config = modelOf(2, 16, 32);
  Exchange exchange;
  onBoth([&](int64_t rank) {
    const auto session = opened(config);
    NotingGroup group(exchange, rank);
    GradientSums sums(group, session->decoder);
    fillGradients(session->decoder, rank, rank == 1 ? 2 : SIZE_MAX);
    sums.begin(/*endsWindow=*/true);
    sums.finish();
    const Tensor& gradient = session->decoder.trainableParameters()[2]->gradientToAddTo();
    checkSame(gradient, at::full_like(gradient, 3.), "rank 0's alone");
  });
}

TEST("frozen weights take no part in sums") {
  const DecoderConfig config = modelOf(2, 16, 32);
  Exchange exchange;
  onBoth([&](int64_t rank) {
    auto session = std::make_unique<ModelSession>(config);
    initialiseWeights(session->decoder, {.deviation = 0.1, .residualDeviation = 0.1, .seed = 5});
    std::vector<std::string> frozen;
    for (const Parameter* parameter : session->decoder.parameters())
      for (const auto& part : parameter->parts())
        if (part.name.find("layers.0") != std::string::npos) frozen.push_back(part.name);
    session->decoder.freeze(frozen);
    NotingGroup group(exchange, rank);
    GradientSums sums(group, session->decoder);
    fillGradients(session->decoder, rank);
    int64_t numbers = 0;
    for (Parameter* parameter : session->decoder.trainableParameters())
      numbers += parameter->gradientToAddTo().numel();
    sums.begin(/*endsWindow=*/true);
    sums.finish();
    for (const auto& one : group.noted) numbers -= one.numbers;
    check(numbers == 0, "what is trained, and nothing else");
  });
}

TEST("sums are in float32 whatever is computed in, and none is begun inside a window") {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const DecoderConfig config = modelOf(2, 16, 32);
    Exchange exchange;
    std::vector<Tensor> found[2];
    onBoth([&](int64_t rank) {
      const auto session = opened(config, type);
      auto group = std::make_shared<NotingGroup>(exchange, rank);
      joinRanks(*session, group);
      const LossRequest loss = {.kind = LossKind::CrossEntropy, .topK = 2, .scale = 0.5, .bias = {}};
      // Rank 1 has no labelled token in the first micro-batch, and no row in the second.
      const auto gradientSums = [&] {
        return std::count_if(group->noted.begin(), group->noted.end(),
                             [](const auto& one) { return one.type == at::kFloat; });
      };
      const std::vector<int32_t> none(4, -100);
      trainMicroBatch(*session,
                      rowOf({1, 2, 3, 4}, rank == 0 ? std::vector<int32_t>{1, 2, 3, 4} : none, false), loss);
      check(gradientSums() == 0, "no gradients inside the window");
      const MicroBatch last = rank == 0 ? rowOf({5, 6, 7}, {5, 6, 7}, true) : MicroBatch{.endsWindow = true};
      trainMicroBatch(*session, last, loss);
      check(gradientSums() > 0, "gradients at its end");
      for (const auto& one : group->noted)
        check(one.type == at::kFloat || one.type == at::kDouble, "float32, or a few counts in float64");
      for (Parameter* parameter : session->decoder.trainableParameters())
        found[rank].push_back(parameter->gradientToAddTo().clone());
      checkFails("INVALID_INPUT", "after the last micro-batch of a window",
                 [&] { trainMicroBatch(*session, last, loss); });
    });
    // One process takes the same two micro-batches: rank 1 brought nothing to either.
    const auto alone = opened(config, type);
    const LossRequest loss = {.kind = LossKind::CrossEntropy, .topK = 2, .scale = 0.5, .bias = {}};
    trainMicroBatch(*alone, rowOf({1, 2, 3, 4}, {1, 2, 3, 4}, false), loss);
    trainMicroBatch(*alone, rowOf({5, 6, 7}, {5, 6, 7}, true), loss);
    const auto parameters = alone->decoder.trainableParameters();
    for (size_t i = 0; i < parameters.size(); i++) {
      checkSame(found[1][i], found[0][i], "the same at both");
      checkClose(found[0][i], parameters[i]->gradientToAddTo(), 1e-6, "as one process");
    }
  }
}

TEST("a trace tells which layer a sum is of, and that it began once that was whole") {
  const DecoderConfig config = modelOf(2, 16, 32);
  Exchange exchange;
  onBoth([&](int64_t rank) {
    const auto session = opened(config);
    joinRanks(*session, std::make_shared<NotingGroup>(exchange, rank));
    beginTrace(*session);
    const LossRequest loss = {.kind = LossKind::CrossEntropy, .topK = 2, .scale = 1, .bias = {}};
    trainMicroBatch(*session, rowOf({1, 2, 3, 4}, {1, 2, 3, 4}, true), loss);
    stepOptimizer(*session, 0.1, 1, 0);
    const auto spans = takeTrace(*session);
    std::vector<std::string> names;
    for (const TraceSpan& span : spans) {
      check(span.end >= span.start, "an end after its start");
      names.push_back(span.name);
    }
    const std::vector<std::string> expected = {"forward", "backward",         "head",          "block 1",
                                               "block 0", "below the blocks", "wait for sums", "optimizer"};
    std::string found;
    for (const std::string& name : names) found += name + ", ";
    check(names == expected, "the parts of a step in order: " + found);
    check(takeTrace(*session).empty(), "it ends when it is taken");
  });
}

#ifdef ADAPTIVE_GLOO
namespace {

/// Two ranks of this process, connected over the loopback; a port that is in use is followed by another, and
/// so is one of an earlier pair, whose store may be about to end.
std::pair<std::shared_ptr<RankGroup>, std::shared_ptr<RankGroup>> glooPair() {
  static int64_t port = 29604;
  for (;;) {
    port += 7;
    std::shared_ptr<RankGroup> groups[2];
    try {
      onBoth([&](int64_t rank) {
        GlooOptions options;
        options.host = options.address = "127.0.0.1";
        options.port = port, options.servesStore = rank == 0, options.prefix = "test";
        options.rank = rank, options.size = 2;
        options.meetTimeout = options.workTimeout = std::chrono::seconds(20);
        groups[rank] = joinGlooGroup(options);
      });
      return {groups[0], groups[1]};
    } catch (const Error&) {
      if (port > 29750) throw;
    }
  }
}

}  // namespace

TEST("over Gloo two ranks with half of the rows each have the gradients of one with all") {
  const DecoderConfig config = modelOf(3, 16, 64);
  const auto [first, second] = glooPair();
  const std::vector<std::shared_ptr<RankGroup>> groups = {first, second};
  const LossRequest loss = {.kind = LossKind::CrossEntropy, .topK = 2, .scale = 1, .bias = {}};
  std::vector<Tensor> found[2];
  std::vector<TraceSpan> traces[2];
  onBoth([&](int64_t rank) {
    const auto session = opened(config);
    joinRanks(*session, groups[rank]);
    beginTrace(*session);
    const std::vector<int64_t> ids =
        rank == 0 ? std::vector<int64_t>{1, 2, 3, 4} : std::vector<int64_t>{5, 6, 7};
    trainMicroBatch(*session, rowOf(ids, {ids.begin(), ids.end()}, true), loss);
    for (Parameter* parameter : session->decoder.trainableParameters())
      found[rank].push_back(parameter->gradientToAddTo().clone());
    traces[rank] = takeTrace(*session);
    joinRanks(*session, nullptr);
  });
  const auto alone = opened(config);
  MicroBatch both = rowOf({1, 2, 3, 4, 5, 6, 7}, {1, 2, 3, 4, 5, 6, 7}, true);
  both.tokens.cuSeqlens = {0, 4, 7}, both.styles = {LearningStyle::Ideas, LearningStyle::Ideas};
  trainMicroBatch(*alone, both, loss);
  const auto parameters = alone->decoder.trainableParameters();
  for (size_t i = 0; i < parameters.size(); i++) {
    checkSame(found[1][i], found[0][i], "the same at both");
    checkClose(found[0][i], parameters[i]->gradientToAddTo(), 1e-5, "as one process");
  }
  for (const auto& spans : traces) {
    int64_t bytes = 0;
    for (const TraceSpan& sum : spans) {
      if (sum.category != "sum" || sum.layer == -2) continue;
      bytes += sum.bytes;
      for (const TraceSpan& block : spans)
        if (block.category == "block" && block.layer == sum.layer)
          check(sum.start >= block.end, "a sum begins once its layer is whole");
    }
    int64_t expected = 0;
    for (const Parameter* parameter : parameters) expected += parameter->gradientBytes();
    check(bytes == expected, "the trace has the sums of all gradients");
  }
}

TEST("over Gloo a rank that leaves ends the sums of the other, and is missed at once by who watches it") {
  const auto [first, second] = glooPair();
  const auto gone = std::make_shared<std::promise<void>>();
  first->watchNext([] { fail("INVALID_INPUT", "told though it was replaced"); });
  first->watchNext([gone] { gone->set_value(); });
  {
    // Work keeps the connections.
    const auto one = first->sum(at::ones({2})), other = second->sum(at::ones({2}));
    one->wait();
    other->wait();
  }
  std::future<void> isGone = gone->get_future();
  check(isGone.wait_for(std::chrono::seconds(0)) != std::future_status::ready, "it is there");
  second->leave();
  isGone.wait();
  bool told = false;
  second->watchNext([&] { told = true; });
  check(told, "who has left itself is told at once");
  const Tensor numbers = at::ones({4});
  const auto& group = first;
  checkFails("RANKS_FAILED", "gone or does not answer", [&] { group->sum(numbers)->wait(); });
  checkFails("RANKS_FAILED", "left the others", [&] { group->sum(numbers)->wait(); });
}
#endif
