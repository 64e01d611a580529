// Ranks whose tensors are of a device, with hosts and a device that do as they are told: the device is
// libtorch's meta device, whose tensors have no memory.
#include "core/dist/device_group.h"

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "check.h"

using namespace adaptive;
using namespace adaptive::test;
using at::Tensor;

namespace {

struct DoneWork final : RankGroup::Work {
  void wait() override {}
};

/// One of two ranks; a sum adds what the other is said to bring.
struct Hosts final : RankGroup {
  int64_t rank() const override { return 0; }
  int64_t size() const override { return 2; }
  std::chrono::milliseconds timeout() const override { return limit; }
  std::unique_ptr<Work> sum(const Tensor& tensor) override {
    sums++;
    tensor.add_(other);
    return std::make_unique<DoneWork>();
  }
  std::unique_ptr<Work> sumTo(int64_t, const Tensor&) override { return std::make_unique<DoneWork>(); }
  std::unique_ptr<Work> copyFrom(int64_t, const Tensor&) override { return std::make_unique<DoneWork>(); }
  void send(int64_t, const Tensor&) override {}
  void receive(int64_t, const Tensor&) override {}
  void watch(See) override {}
  void watchNext(std::function<void()> gone) override { next = std::move(gone); }
  void write(const std::string&, const std::string& value) override { told = value; }
  std::optional<std::string> read(const std::string&) override { return ofOther; }
  int64_t add(const std::string&, int64_t) override { return 0; }
  void leave() override { hasLeft = true; }

  std::chrono::milliseconds limit = std::chrono::minutes(1);
  double other = 1;
  int sums = 0;
  std::atomic<bool> hasLeft = false;
  std::function<void()> next;
  std::string told;
  std::optional<std::string> ofOther;
};

/// What a device was asked for, and how its work goes.
struct Device {
  std::mutex mutex;
  std::condition_variable changed;
  int begun = 0, joined = 0;
  bool isDone = false, isAborted = false;
  std::string failure;
  enum { Nothing, Begin, Join } lacksMemoryTo = Nothing;
  /// In words alone, as CUDA's libraries say it where libtorch's allocator is not asked.
  std::string refusal;

  void expectMemoryTo(int what) const {
    if (lacksMemoryTo != what) return;
    TORCH_CHECK(refusal.empty(), refusal);
    TORCH_CHECK_WITH(OutOfMemoryError, false, "the device has no 64 bytes left");
  }

  void set(bool Device::*what) {
    const std::lock_guard lock(mutex);
    this->*what = true;
    changed.notify_all();
  }
  void waitFor(bool Device::*what) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return this->*what; });
  }
};

struct Told final : DeviceCollectives {
  explicit Told(Device& device) : device(device) {}
  struct ToldWork final : Work {
    explicit ToldWork(Device& device) : device(device) {}
    void join() override {
      device.expectMemoryTo(Device::Join);
      device.joined++;
    }
    bool hasEnded() override {
      const std::lock_guard lock(device.mutex);
      if (!device.failure.empty()) throw std::runtime_error(device.failure);
      return device.isDone;
    }
    Device& device;
  };
  std::unique_ptr<Work> begin() {
    device.expectMemoryTo(Device::Begin);
    device.begun++;
    return std::make_unique<ToldWork>(device);
  }
  std::unique_ptr<Work> sum(const Tensor&) override { return begin(); }
  std::unique_ptr<Work> sumTo(int64_t, const Tensor&) override { return begin(); }
  std::unique_ptr<Work> copyFrom(int64_t, const Tensor&) override { return begin(); }
  void abort() override { device.set(&Device::isAborted); }
  Device& device;
};

const at::Device kDevice = at::kMeta;
const Tensor onDevice = at::empty({3}, at::kMeta);

struct Setup {
  std::shared_ptr<Hosts> hosts = std::make_shared<Hosts>();
  Device device;
  std::shared_ptr<RankGroup> group = groupOnDevice(hosts, std::make_unique<Told>(device), kDevice);
};

}  // namespace

TEST("a group on a device: its tensors go to the device, those of the host to the hosts") {
  Setup setup;
  const Tensor onHost = at::ones({3});
  setup.group->sum(onHost)->wait();
  checkSame(onHost, at::full({3}, 2.f));
  check(setup.device.begun == 0, "nothing for the device");
  setup.device.isDone = true;
  setup.group->sum(onDevice)->wait();
  setup.group->sumTo(1, onDevice)->wait();
  setup.group->copyFrom(1, onDevice)->wait();
  check(setup.hosts->sums == 1 && setup.device.begun == 3 && setup.device.joined == 3,
        "three for the device");
  setup.group->rest();
}

TEST("a group on a device: rest() waits for its work, and a trace is told of each end") {
  Setup setup;
  std::atomic<int> began = 0, ended = 0;
  setup.group->watch([&](const Tensor& tensor) {
    began += static_cast<int>(tensor.numel());
    return [&] { ended++; };
  });
  setup.group->sum(onDevice)->wait();
  setup.group->sum(onDevice)->wait();
  check(began == 6 && ended == 0, "under way");
  setup.device.set(&Device::isDone);
  setup.group->rest();
  check(ended == 2, "both ended");
  check(!setup.device.isAborted, "and nothing was aborted");
}

TEST("a group on a device: where the next rank is gone the work is aborted, and whoever waits fails") {
  Setup setup;
  const auto work = setup.group->sum(onDevice);
  check(!setup.hosts->hasLeft, "it goes on");
  setup.hosts->next();
  // Nobody waits for the ranks yet: the host may be waiting for the device, which only this ends.
  setup.device.waitFor(&Device::isAborted);
  checkFails("RANKS_FAILED", "A rank is gone or does not answer: it left the others", [&] { work->wait(); });
  checkFails("RANKS_FAILED", "it left the others", [&] { setup.group->rest(); });
  checkFails("RANKS_FAILED", "it left the others", [&] { setup.group->sum(onDevice); });
  check(setup.hosts->hasLeft, "the hosts end as well");
}

TEST("a group on a device: a rank that left after all was done is no failure") {
  Setup setup;
  setup.device.isDone = true;
  setup.group->sum(onDevice)->wait();
  setup.hosts->next();
  setup.group->rest();
  check(!setup.hosts->hasLeft, "all was done");
}

TEST("a group on a device: work that takes longer than the limit is aborted") {
  Setup setup;
  setup.hosts->limit = std::chrono::milliseconds(20);
  setup.group->sum(onDevice);
  setup.device.waitFor(&Device::isAborted);
  checkFails("RANKS_FAILED", "was not done within 0.02 s", [&] { setup.group->rest(); });
}

TEST("a group on a device: work that fails ends the group with its words") {
  Setup setup;
  setup.group->sum(onDevice);
  {
    const std::lock_guard lock(setup.device.mutex);
    setup.device.failure = "a link is down";
  }
  setup.device.waitFor(&Device::isAborted);
  checkFails("RANKS_FAILED", "a link is down", [&] { setup.group->rest(); });
}

TEST("a group on a device: memory that is refused is no failure of the ranks, but ends the group") {
  for (const std::string refusal :
       {"", "CUDA error: out of memory", "NCCL: unhandled cuda error: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"}) {
    for (const auto what : {Device::Begin, Device::Join}) {
      Setup setup;
      setup.device.lacksMemoryTo = what, setup.device.refusal = refusal;
      std::string code = "none";
      try {
        setup.group->sum(onDevice)->wait();
      } catch (const Error& error) {
        code = error.code();
      } catch (const c10::Error&) {
        code = "its own";
      }
      check(code == "its own", "an error of this rank, found " + code);
      check(setup.hosts->hasLeft && setup.device.isAborted, "the others hear of it");
      checkFails("RANKS_FAILED", refusal.empty() ? "no 64 bytes left" : refusal,
                 [&] { setup.group->sum(onDevice); });
    }
  }
}

TEST("ranks join on a device over what each can make, or all by way of the host, which says why") {
  const auto hosts = std::make_shared<Hosts>();
  Device device;
  const MakeCollectives make = [&](const CollectivesPlace& place) {
    check(place.device == kDevice, "for the device");
    place.check();
    return std::make_unique<Told>(device);
  };
  check(joinOnDevice(hosts, kDevice, make, "").byHostBecause.empty(), "over the device");
  check(joinOnDevice(hosts, kDevice, nullptr, "it is not built").byHostBecause == "it is not built",
        "no maker");
  const MakeCollectives fails = [](const CollectivesPlace&) -> std::unique_ptr<DeviceCollectives> {
    throw std::runtime_error("two ranks on one GPU");
  };
  check(joinOnDevice(hosts, kDevice, fails, "").byHostBecause == "two ranks on one GPU", "it cannot be made");
  check(hosts->told == "two ranks on one GPU", "which the other is told, who may be waiting in make()");
  hosts->ofOther = "its device is full";
  check(joinOnDevice(hosts, kDevice, make, "").byHostBecause == "another rank cannot: its device is full",
        "told");
  hosts->ofOther.reset();
  hosts->other = 0;
  check(joinOnDevice(hosts, kDevice, make, "").byHostBecause == "another rank cannot", "the other has none");
  hosts->other = 1;
  const MakeCollectives loses = [&](const CollectivesPlace& place) {
    hosts->next();
    place.check();
    return std::make_unique<Told>(device);
  };
  checkFails("RANKS_FAILED", "it left the others", [&] { joinOnDevice(hosts, kDevice, loses, ""); });
}
