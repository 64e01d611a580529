// What ranks do together with tensors of a device. What implements it for one is a library of its own.
#pragma once
#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>

#include "core/dist/rank_group.h"

namespace adaptive {

/// All ranks call these in the same order, with contiguous tensors of the same shape and type. What is begun
/// comes after what the device was told before (on the stream of this thread), and works run one after the
/// other. Errors: any std::exception.
class DeviceCollectives {
 public:
  class Work {
   public:
    virtual ~Work() = default;
    /// Lets what the device is told from now on (on the stream of this thread) come after the work. Errors:
    /// RANKS_FAILED, where it is waited for here.
    virtual void join() = 0;
    /// Whether it has ended. Errors: any std::exception, where it failed.
    virtual bool hasEnded() = 0;
  };

  virtual ~DeviceCollectives() = default;
  /// As RankGroup's.
  virtual std::unique_ptr<Work> sum(const at::Tensor& tensor) = 0;
  virtual std::unique_ptr<Work> sumTo(int64_t rank, const at::Tensor& tensor) = 0;
  virtual std::unique_ptr<Work> copyFrom(int64_t rank, const at::Tensor& tensor) = 0;
  /// Ends work that is under way, whatever it has done; nothing can be begun any more. From any thread, also
  /// while another begins a work.
  virtual void abort() = 0;
};

/// What they are made for.
struct CollectivesPlace {
  RankGroup& hosts;
  at::Device device;
  /// To be called while the others are waited for. Errors: RANKS_FAILED where one is gone, or time is up.
  std::function<void()> check;
};

/// Called by all ranks together. Errors: any std::exception, where this rank cannot.
using MakeCollectives = std::function<std::unique_ptr<DeviceCollectives>(const CollectivesPlace&)>;

/// By way of the host, on any device: a tensor is copied there, where `hosts` work on it, and back.
std::unique_ptr<DeviceCollectives> collectivesByHost(std::shared_ptr<RankGroup> hosts);

}  // namespace adaptive
