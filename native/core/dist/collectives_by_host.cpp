#include <ATen/ATen.h>

#include "core/dist/device_collectives.h"

namespace adaptive {
namespace {

class ByHost final : public DeviceCollectives {
 public:
  explicit ByHost(std::shared_ptr<RankGroup> hosts) : hosts_(std::move(hosts)) {}

  std::unique_ptr<Work> sum(const at::Tensor& tensor) override {
    const at::Tensor host = tensor.cpu();
    return std::make_unique<HostWork>(hosts_->sum(host), host, tensor);
  }
  std::unique_ptr<Work> sumTo(int64_t rank, const at::Tensor& tensor) override {
    const at::Tensor host = tensor.cpu();
    return std::make_unique<HostWork>(hosts_->sumTo(rank, host), host,
                                      resultAt(rank == hosts_->rank(), tensor));
  }
  std::unique_ptr<Work> copyFrom(int64_t rank, const at::Tensor& tensor) override {
    const bool gives = rank == hosts_->rank();
    const at::Tensor host = gives ? tensor.cpu() : at::empty(tensor.sizes(), at::dtype(tensor.scalar_type()));
    return std::make_unique<HostWork>(hosts_->copyFrom(rank, host), host, resultAt(!gives, tensor));
  }
  /// The hosts' work ends as the hosts' group does.
  void abort() override {}

 private:
  class HostWork final : public Work {
   public:
    HostWork(std::unique_ptr<RankGroup::Work> work, at::Tensor host, at::Tensor result)
        : work_(std::move(work)), host_(std::move(host)), result_(std::move(result)) {}
    void join() override {
      work_->wait();
      const at::NoGradGuard noGrad;
      if (result_.defined()) result_.copy_(host_);
    }
    bool hasEnded() override { return true; }

   private:
    std::unique_ptr<RankGroup::Work> work_;
    at::Tensor host_, result_;
  };
  static at::Tensor resultAt(bool here, const at::Tensor& tensor) { return here ? tensor : at::Tensor(); }

  std::shared_ptr<RankGroup> hosts_;
};

}  // namespace

std::unique_ptr<DeviceCollectives> collectivesByHost(std::shared_ptr<RankGroup> hosts) {
  return std::make_unique<ByHost>(std::move(hosts));
}

}  // namespace adaptive
