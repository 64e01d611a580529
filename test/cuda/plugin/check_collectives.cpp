// check_collectives <libtorch_cuda.so> <adaptive_trainer_nccl.so>: loads both in this order and makes what
// ranks on GPUs work together with, for one rank. With a GPU it works on a tensor; without one it must say
// so.
#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <dlfcn.h>

#include <cstdio>

#include "core/dist/device_collectives.h"

namespace {

using namespace adaptive;

/// A rank on its own.
struct OneRank final : RankGroup {
  struct Done final : Work {
    void wait() override {}
  };
  int64_t rank() const override { return 0; }
  int64_t size() const override { return 1; }
  std::chrono::milliseconds timeout() const override { return std::chrono::minutes(1); }
  std::unique_ptr<Work> sum(const at::Tensor&) override { return std::make_unique<Done>(); }
  std::unique_ptr<Work> sumTo(int64_t, const at::Tensor&) override { return std::make_unique<Done>(); }
  std::unique_ptr<Work> copyFrom(int64_t, const at::Tensor&) override { return std::make_unique<Done>(); }
  void send(int64_t, const at::Tensor&) override {}
  void receive(int64_t, const at::Tensor&) override {}
  void watch(See) override {}
  void watchNext(std::function<void()>) override {}
  void write(const std::string&, const std::string&) override {}
  std::optional<std::string> read(const std::string&) override { return std::nullopt; }
  int64_t add(const std::string&, int64_t) override { return 0; }
  void leave() override {}
};

int failed(const char* what) {
  std::printf("%s\n", what);
  return 1;
}

int worksOn(DeviceCollectives& all, at::Device device) {
  const at::Tensor expected = at::arange(1000, at::kFloat), tensor = expected.to(device);
  const auto sum = all.sum(tensor), sumTo = all.sumTo(0, tensor), copy = all.copyFrom(0, tensor);
  for (const auto& work : {sum.get(), sumTo.get(), copy.get()}) work->join();
  if (!at::equal(tensor.cpu(), expected)) return failed("one rank's sum is not what it had");
  if (!sum->hasEnded() || !sumTo->hasEnded() || !copy->hasEnded())
    return failed("work that was waited for has not ended");
  all.abort();
  try {
    all.sum(tensor);
  } catch (const std::exception&) {
    std::printf("NCCL sums on a GPU, and ends where it is aborted\n");
    return 0;
  }
  return failed("expected an error of work that is begun after abort()");
}

}  // namespace

int main(int argc, char** argv) {
  void* library = nullptr;
  for (int i = 1; i < argc; i++) {
    library = dlopen(argv[i], RTLD_NOW | RTLD_GLOBAL);
    if (!library) return failed(dlerror());
  }
  auto* make = reinterpret_cast<DeviceCollectives* (*)(const CollectivesPlace&)>(
      dlsym(library, "adaptive_trainer_collectives"));
  if (!make) return failed(dlerror());
  OneRank hosts;
  const at::Device device(at::kCUDA, 0);
  const bool hasGpu = at::detail::getCUDAHooks().deviceCount() > 0;
  try {
    const std::unique_ptr<DeviceCollectives> all(make({hosts, device, [] {}}));
    return hasGpu ? worksOn(*all, device) : failed("expected an error without a GPU");
  } catch (const c10::Error& error) {
    std::printf("Collectives over NCCL are loaded; here: %s\n", error.what_without_backtrace());
    return hasGpu ? 1 : 0;
  }
}
