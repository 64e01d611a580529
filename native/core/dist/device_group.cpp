#include "core/dist/device_group.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "core/error.h"
#include "core/refused_memory.h"

namespace adaptive {
namespace {

using Clock = std::chrono::steady_clock;

/// How often the thread looks after work that is under way, and how often one who waits for it does.
constexpr std::chrono::milliseconds kLook{5};
constexpr std::chrono::microseconds kPoll{50};

constexpr const char* kGone = "A rank is gone or does not answer: it left the others";

std::string tooLong(std::chrono::milliseconds timeout) {
  return c10::str("A rank is gone or does not answer: work on the device was not done within ",
                  static_cast<double>(timeout.count()) / 1000, " s");
}

/// Whether the rank after this one is there; outlives the group that asks.
struct Neighbour {
  std::atomic<bool> isGone{false};
};

std::shared_ptr<Neighbour> watched(RankGroup& hosts) {
  auto neighbour = std::make_shared<Neighbour>();
  hosts.watchNext([neighbour] { neighbour->isGone = true; });
  return neighbour;
}

class DeviceGroup final : public RankGroup {
 public:
  DeviceGroup(std::shared_ptr<RankGroup> hosts, std::unique_ptr<DeviceCollectives> collectives,
              at::Device device, std::shared_ptr<Neighbour> next)
      : hosts_(std::move(hosts)),
        collectives_(std::move(collectives)),
        device_(device),
        next_(std::move(next)),
        watch_([this] { lookAfterWork(); }) {}
  ~DeviceGroup() override {
    end("This rank has left the others.");
    hosts_->watchNext(nullptr);
    watch_.join();
  }

  int64_t rank() const override { return hosts_->rank(); }
  int64_t size() const override { return hosts_->size(); }
  std::chrono::milliseconds timeout() const override { return hosts_->timeout(); }

  std::unique_ptr<Work> sum(const at::Tensor& tensor) override {
    if (tensor.is_cpu()) return hosts_->sum(tensor);
    return begun(tensor, [&] { return collectives_->sum(tensor); });
  }
  std::unique_ptr<Work> sumTo(int64_t rank, const at::Tensor& tensor) override {
    if (tensor.is_cpu()) return hosts_->sumTo(rank, tensor);
    return begun(tensor, [&] { return collectives_->sumTo(rank, tensor); });
  }
  std::unique_ptr<Work> copyFrom(int64_t rank, const at::Tensor& tensor) override {
    if (tensor.is_cpu()) return hosts_->copyFrom(rank, tensor);
    return begun(tensor, [&] { return collectives_->copyFrom(rank, tensor); });
  }
  void rest() override {
    for (;; std::this_thread::sleep_for(kPoll)) {
      std::lock_guard lock(mutex_);
      look();
      if (pending_.empty()) break;
    }
    expectGoing();
  }

  void send(int64_t to, const at::Tensor& tensor) override { hosts_->send(to, tensor); }
  void receive(int64_t from, const at::Tensor& tensor) override { hosts_->receive(from, tensor); }
  void watch(See see) override {
    see_ = see;
    hosts_->watch(std::move(see));
  }
  void watchNext(std::function<void()> gone) override { hosts_->watchNext(std::move(gone)); }
  void write(const std::string& key, const std::string& value) override { hosts_->write(key, value); }
  std::optional<std::string> read(const std::string& key) override { return hosts_->read(key); }
  int64_t add(const std::string& key, int64_t amount) override { return hosts_->add(key, amount); }
  void leave() override {
    end("This rank has left the others.");
    hosts_->leave();
  }

 private:
  struct Pending {
    std::shared_ptr<DeviceCollectives::Work> work;
    Clock::time_point since;
    std::function<void()> ended;
  };

  class DeviceWork final : public Work {
   public:
    DeviceWork(DeviceGroup& group, std::shared_ptr<DeviceCollectives::Work> work)
        : group_(group), work_(std::move(work)) {}
    void wait() override {
      group_.expectGoing();
      group_.reported([&] { work_->join(); });
    }

   private:
    DeviceGroup& group_;
    std::shared_ptr<DeviceCollectives::Work> work_;
  };

  template <class Begin>
  std::unique_ptr<Work> begun(const at::Tensor& tensor, const Begin& begin) {
    TORCH_CHECK(tensor.device() == device_, "expected a tensor of ", device_, ", found ", tensor.device());
    expectGoing();
    const auto ended = see_ ? see_(tensor) : nullptr;
    std::shared_ptr<DeviceCollectives::Work> work;
    reported([&] { work = begin(); });
    {
      std::lock_guard lock(mutex_);
      pending_.push_back({work, Clock::now(), ended});
    }
    changed_.notify_all();
    return std::make_unique<DeviceWork>(*this, std::move(work));
  }

  /// work(), whose failure is the group's. Memory that this rank is refused ends the group as well, and is
  /// passed on as it is.
  template <class F>
  void reported(const F& work) {
    try {
      work();
    } catch (const std::exception& error) {
      end(error.what());
      if (isRefusedMemory(error)) {
        hosts_->leave();
        throw;
      }
    }
    expectGoing();
  }

  /// Errors: RANKS_FAILED where the group has ended. The hosts have, too, then.
  void expectGoing() {
    std::string failure;
    {
      std::lock_guard lock(mutex_);
      failure = failure_;
    }
    if (failure.empty()) return;
    hosts_->leave();
    fail("RANKS_FAILED", failure);
  }

  void end(const std::string& why) {
    std::lock_guard lock(mutex_);
    endLocked(why);
  }
  /// Under mutex_.
  void endLocked(const std::string& why) {
    if (!failure_.empty()) return;
    failure_ = why;
    pending_.clear();
    collectives_->abort();
    changed_.notify_all();
  }

  /// Takes out what has ended, and ends the group where the rest never will. Under mutex_.
  void look() {
    try {
      for (; !pending_.empty() && pending_.front().work->hasEnded(); pending_.pop_front()) {
        if (pending_.front().ended) pending_.front().ended();
        if (pending_.size() > 1) pending_[1].since = std::max(pending_[1].since, Clock::now());
      }
    } catch (const std::exception& error) {
      return endLocked(error.what());
    }
    if (pending_.empty()) return;
    if (next_->isGone) return endLocked(kGone);
    if (Clock::now() - pending_.front().since > hosts_->timeout()) endLocked(tooLong(hosts_->timeout()));
  }

  void lookAfterWork() {
    std::unique_lock lock(mutex_);
    while (failure_.empty()) {
      if (pending_.empty()) {
        changed_.wait(lock);
        continue;
      }
      changed_.wait_for(lock, kLook);
      look();
    }
  }

  const std::shared_ptr<RankGroup> hosts_;
  const std::unique_ptr<DeviceCollectives> collectives_;
  const at::Device device_;
  const std::shared_ptr<Neighbour> next_;
  See see_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Pending> pending_;
  std::string failure_;  ///< why the group has ended; empty: it goes on
  std::thread watch_;
};

/// How many ranks this is true for.
int64_t countOver(RankGroup& hosts, bool here) {
  std::vector<double> count = {here ? 1.0 : 0.0};
  sumOverRanks(hosts, count);
  return static_cast<int64_t>(count[0]);
}

/// What a rank that cannot make its collectives tells those that wait for it. All ranks count alike.
class Refusal {
 public:
  explicit Refusal(RankGroup& hosts) : hosts_(hosts), key_("collectives/" + std::to_string(count())) {}
  void tell(const std::string& why) {
    try {
      hosts_.write(key_, why);
    } catch (const Error&) {
      // Who waits in vain ends with the timeout.
    }
  }
  /// Errors: std::runtime_error where another rank told. Asks the store once a second.
  void expectNone() {
    if (Clock::now() < next_) return;
    next_ = Clock::now() + std::chrono::seconds(1);
    if (const auto why = hosts_.read(key_)) throw std::runtime_error("another rank cannot: " + *why);
  }

 private:
  static int64_t count() {
    static std::atomic<int64_t> last{0};
    return ++last;
  }
  RankGroup& hosts_;
  const std::string key_;
  Clock::time_point next_;
};

}  // namespace

std::shared_ptr<RankGroup> groupOnDevice(std::shared_ptr<RankGroup> hosts,
                                         std::unique_ptr<DeviceCollectives> collectives, at::Device device) {
  auto next = watched(*hosts);
  return std::make_shared<DeviceGroup>(std::move(hosts), std::move(collectives), device, std::move(next));
}

JoinedOnDevice joinOnDevice(std::shared_ptr<RankGroup> hosts, at::Device device, const MakeCollectives& make,
                            const std::string& whyNot) {
  const auto next = watched(*hosts);
  std::string because = make ? "" : whyNot;
  std::unique_ptr<DeviceCollectives> made;
  Refusal refusal(*hosts);
  if (countOver(*hosts, make != nullptr) == hosts->size()) {
    const auto end = Clock::now() + hosts->timeout();
    const auto check = [&] {
      if (next->isGone) fail("RANKS_FAILED", kGone);
      if (Clock::now() > end) fail("RANKS_FAILED", tooLong(hosts->timeout()));
      refusal.expectNone();
    };
    try {
      made = make({*hosts, device, check});
    } catch (const Error& error) {
      if (error.code() == "RANKS_FAILED") throw;
      because = error.what();
    } catch (const std::exception& error) {
      because = error.what();
    }
    if (!made) refusal.tell(because);
    if (countOver(*hosts, made != nullptr) < hosts->size()) made.reset();
  }
  if (!made && because.empty()) because = "another rank cannot";
  if (!made) made = collectivesByHost(hosts);
  return {std::make_shared<DeviceGroup>(std::move(hosts), std::move(made), device, next), because};
}

}  // namespace adaptive
