#include "core/dist/gloo_group.h"

#define USE_C10D_GLOO
#include <c10/util/Logging.h>

#include <mutex>
#include <thread>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <utility>

#include "core/expect.h"
#include "core/refused_memory.h"

namespace adaptive {
namespace {

using std::chrono::milliseconds;

/// How long a question to the store may take: it holds little and answers at once.
constexpr milliseconds kStoreTimeout{20'000};
constexpr milliseconds kPoll{50};
/// How long the rank that holds the store stays when not all have come, for the others to find that, too.
constexpr milliseconds kGrace{2'000};
/// Of what is received from the next rank to find whether it is there: nothing is ever sent.
constexpr uint32_t kWatchTag = 1;
constexpr std::chrono::hours kForEver{24 * 365};

/// The first line of libtorch's words, without the place in its sources.
std::string firstLine(const std::exception& error) {
  std::string words = error.what();
  words = words.substr(0, words.find('\n'));
  words = words.substr(0, words.find(" This is typically caused by"));
  if (words.starts_with('[')) {
    const size_t end = words.find("] ");
    if (end != std::string::npos) words = words.substr(end + 2);
  }
  return words;
}

std::vector<uint8_t> bytesOf(const std::string& text) { return {text.begin(), text.end()}; }

/// work(), with the exceptions of libtorch and Gloo turned into RANKS_FAILED, but for memory that this rank
/// is refused.
template <class F>
auto reported(const char* what, const F& work) {
  try {
    return work();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    if (isRefusedMemory(error)) throw;
    fail("RANKS_FAILED", what, ": ", firstLine(error));
  }
}

class GlooGroup final : public RankGroup {
 public:
  GlooGroup(c10::intrusive_ptr<c10d::Store> kept, c10::intrusive_ptr<c10d::Store> store,
            c10::intrusive_ptr<c10d::ProcessGroupGloo> group, milliseconds timeout)
      : timeout_(timeout),
        kept_(std::move(kept)),
        store_(std::move(store)),
        group_(std::move(group)),
        rank_(group_->getRank()),
        size_(group_->getSize()) {}
  ~GlooGroup() override { leave(); }

  int64_t rank() const override { return rank_; }
  int64_t size() const override { return size_; }
  milliseconds timeout() const override { return timeout_; }

  std::unique_ptr<Work> sum(const at::Tensor& tensor) override {
    return begun(tensor, [](c10d::ProcessGroupGloo& group, std::vector<at::Tensor>& list) {
      return group.allreduce(list);
    });
  }
  std::unique_ptr<Work> sumTo(int64_t rank, const at::Tensor& tensor) override {
    return begun(tensor, [rank](c10d::ProcessGroupGloo& group, std::vector<at::Tensor>& list) {
      c10d::ReduceOptions options;
      options.rootRank = rank;
      return group.reduce(list, options);
    });
  }
  std::unique_ptr<Work> copyFrom(int64_t rank, const at::Tensor& tensor) override {
    return begun(tensor, [rank](c10d::ProcessGroupGloo& group, std::vector<at::Tensor>& list) {
      c10d::BroadcastOptions options;
      options.rootRank = rank;
      return group.broadcast(list, options);
    });
  }
  void send(int64_t to, const at::Tensor& tensor) override {
    begun(tensor, [to](c10d::ProcessGroupGloo& group, std::vector<at::Tensor>& list) {
      return group.send(list, static_cast<int>(to), /*tag=*/0);
    })->wait();
  }
  void receive(int64_t from, const at::Tensor& tensor) override {
    begun(tensor, [from](c10d::ProcessGroupGloo& group, std::vector<at::Tensor>& list) {
      return group.recv(list, static_cast<int>(from), /*tag=*/0);
    })->wait();
  }

  void watch(See see) override { see_ = std::move(see); }
  void watchNext(std::function<void()> gone) override {
    std::unique_lock lock(mutex_);
    if (!group_) {
      lock.unlock();
      return gone ? gone() : void();
    }
    if (!watched_) beginWatch();
    const std::lock_guard watching(next_->mutex);
    if (next_->isGone && gone) gone();
    next_->gone = std::move(gone);
  }

  void write(const std::string& key, const std::string& value) override {
    reported("The ranks' store did not answer", [&] { storeOf(key).set(key, bytesOf(value)); });
  }
  std::optional<std::string> read(const std::string& key) override {
    return reported("The ranks' store did not answer", [&]() -> std::optional<std::string> {
      if (!storeOf(key).check({key})) return std::nullopt;
      const std::vector<uint8_t> value = storeOf(key).get(key);
      return std::string(value.begin(), value.end());
    });
  }
  int64_t add(const std::string& key, int64_t amount) override {
    return reported("The ranks' store did not answer", [&] { return storeOf(key).add(key, amount); });
  }

  void leave() override {
    c10::intrusive_ptr<c10d::ProcessGroupGloo> left;
    {
      std::lock_guard lock(mutex_);
      left = std::move(group_);
      if (watched_) std::exchange(watched_, nullptr)->abort();
    }
    if (!left) return;
    // Its end waits for work that is under way, which may be waiting for a rank that hangs.
    std::thread([left = std::move(left)]() mutable { left.reset(); }).detach();
  }

 private:
  class GlooWork final : public Work {
   public:
    GlooWork(GlooGroup& group, c10::intrusive_ptr<c10d::Work> work) : group_(group), work_(std::move(work)) {}
    void wait() override {
      try {
        reported("A rank is gone or does not answer", [&] { work_->wait(); });
      } catch (...) {
        work_.reset();
        group_.leave();
        throw;
      }
    }

   private:
    GlooGroup& group_;
    c10::intrusive_ptr<c10d::Work> work_;
  };

  template <class Begin>
  std::unique_ptr<Work> begun(const at::Tensor& tensor, const Begin& begin) {
    c10::intrusive_ptr<c10d::ProcessGroupGloo> group;
    {
      std::lock_guard lock(mutex_);
      group = group_;
    }
    if (!group) fail("RANKS_FAILED", "This rank has left the others.");
    std::vector<at::Tensor> list = {tensor};
    const std::function<void()> ended = see_ ? see_(tensor) : nullptr;
    auto work = reported("A rank is gone or does not answer", [&] { return begin(*group, list); });
    if (ended) work->getFuture()->addCallback([ended](c10::ivalue::Future&) { ended(); });
    return std::make_unique<GlooWork>(*this, std::move(work));
  }

  /// What a thread that may outlive this tells of the next rank.
  struct Next {
    std::mutex mutex;
    bool isGone = false;
    std::function<void()> gone;
  };

  /// Waits for what never comes from the next rank: until the connection ends. Under mutex_.
  void beginWatch() {
    std::vector<at::Tensor> list = {at::empty({1}, at::kByte)};
    const auto next = static_cast<int>((rank_ + 1) % size_);
    watched_ =
        reported("A rank is gone or does not answer", [&] { return group_->recv(list, next, kWatchTag); });
    std::thread([receipt = watched_, next = next_]() mutable {
      try {
        receipt->wait(kForEver);
      } catch (const std::exception&) {
        // Its connection is closed.
      }
      receipt.reset();
      const std::lock_guard lock(next->mutex);
      next->isGone = true;
      if (next->gone) next->gone();
    }).detach();
  }

  c10d::Store& storeOf(const std::string& key) { return key.starts_with('/') ? *kept_ : *store_; }

  const milliseconds timeout_;
  See see_;
  c10::intrusive_ptr<c10d::Store> kept_, store_;
  std::mutex mutex_;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> group_;
  c10::intrusive_ptr<c10d::Work> watched_;  ///< what never comes from the next rank
  const std::shared_ptr<Next> next_ = std::make_shared<Next>();
  int64_t rank_, size_;
};

std::string arrivalOf(int64_t rank) { return "arrived/" + std::to_string(rank); }

/// Waits until every rank has told the store that it is there.
void meet(c10d::Store& store, const GlooOptions& options) {
  store.set(arrivalOf(options.rank), bytesOf("1"));
  const auto end = std::chrono::steady_clock::now() + options.meetTimeout;
  for (int64_t next = 0; next < options.size;) {
    if (store.check({arrivalOf(next)})) {
      next++;
      continue;
    }
    if (std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(kPoll);
      continue;
    }
    std::string missing;
    for (int64_t rank = next; rank < options.size; rank++) {
      if (!store.check({arrivalOf(rank)})) missing += (missing.empty() ? "" : ", ") + std::to_string(rank);
    }
    if (options.servesStore) std::this_thread::sleep_for(kGrace);
    fail("RANKS_FAILED", "Expected ", options.size, " ranks at ", options.host, ":", options.port, " within ",
         std::chrono::duration_cast<std::chrono::seconds>(options.meetTimeout).count(),
         " s, but these did not come: ", missing, ".");
  }
}

c10::intrusive_ptr<c10d::Store> openStore(const GlooOptions& options) {
  c10d::TCPStoreOptions store;
  store.port = static_cast<uint16_t>(options.port);
  store.isServer = options.servesStore;
  store.numWorkers = static_cast<size_t>(options.size);
  store.waitWorkers = false;
  store.timeout = options.meetTimeout;
  store.multiTenant = true;
  auto opened = c10::make_intrusive<c10d::TCPStore>(options.host, store);
  opened->setTimeout(kStoreTimeout);
  return c10::make_intrusive<c10d::PrefixStore>(options.prefix, std::move(opened));
}

}  // namespace

std::shared_ptr<RankGroup> joinGlooGroup(const GlooOptions& options) {
  c10::initLogging();  // reads TORCH_CPP_LOG_LEVEL
  expectInteger("size", options.size, 2, 1 << 16);
  expectInteger("rank", options.rank, 0, options.size - 1);
  expectInteger("port", options.port, 1, 65535);
  const auto kept = reported("Expected to reach the ranks' store", [&] { return openStore(options); });
  return reported("Expected the ranks to connect", [&]() -> std::shared_ptr<RankGroup> {
    const auto store = c10::make_intrusive<c10d::PrefixStore>(std::to_string(options.attempt), kept);
    meet(*store, options);
    auto gloo = c10d::ProcessGroupGloo::Options::create(options.meetTimeout);
    gloo->devices = {options.address.empty()
                         ? c10d::ProcessGroupGloo::createDefaultDevice()
                         : c10d::ProcessGroupGloo::createDeviceForHostname(options.address)};
    store->setTimeout(options.meetTimeout);
    auto group = c10::make_intrusive<c10d::ProcessGroupGloo>(store, static_cast<int>(options.rank),
                                                             static_cast<int>(options.size), gloo);
    store->setTimeout(kStoreTimeout);
    group->setTimeout(options.workTimeout);
    return std::make_shared<GlooGroup>(kept, store, std::move(group), options.workTimeout);
  });
}

}  // namespace adaptive
