// What ranks do together with tensors on GPUs, over NCCL: a library of its own, loaded after libtorch_cuda
// where there are several ranks on GPUs. NCCL itself rather than libtorch's ProcessGroupNCCL, whose watchdog
// ends the process where a rank is gone.
#include <ATen/ATen.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <nccl.h>

#include <atomic>
#include <cstring>
#include <mutex>
#include <thread>

#include "core/dist/device_collectives.h"

namespace adaptive {
namespace {

constexpr std::chrono::milliseconds kPoll{1};

/// What the device had been told when it was made.
class Event {
 public:
  explicit Event(cudaStream_t stream) {
    C10_CUDA_CHECK(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming));
    C10_CUDA_CHECK(cudaEventRecord(event_, stream));
  }
  ~Event() { C10_CUDA_CHECK_WARN(cudaEventDestroy(event_)); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void holdUp(cudaStream_t stream) const { C10_CUDA_CHECK(cudaStreamWaitEvent(stream, event_, 0)); }
  bool hasPassed() const {
    const cudaError_t found = cudaEventQuery(event_);
    if (found == cudaErrorNotReady) {
      (void)cudaGetLastError();
      return false;
    }
    C10_CUDA_CHECK(found);
    return true;
  }

 private:
  cudaEvent_t event_ = nullptr;
};

ncclDataType_t typeOf(const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case at::kByte:
      return ncclUint8;
    case at::kChar:
      return ncclInt8;
    case at::kInt:
      return ncclInt32;
    case at::kLong:
      return ncclInt64;
    case at::kHalf:
      return ncclFloat16;
    case at::kBFloat16:
      return ncclBfloat16;
    case at::kFloat:
      return ncclFloat32;
    case at::kDouble:
      return ncclFloat64;
    default:
      TORCH_CHECK(false, "expected numbers that NCCL sends, found ", tensor.scalar_type());
  }
}

class NcclCollectives final : public DeviceCollectives {
 public:
  explicit NcclCollectives(const CollectivesPlace& place)
      : id_(sharedId(place.hosts)),
        device_(place.device),
        stream_(c10::cuda::getStreamFromPool(/*isHighPriority=*/true, place.device.index())) {
    const c10::cuda::CUDAGuard guard(device_);
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;  // so that a rank that is gone does not hold up this thread
    const auto ranks = static_cast<int>(place.hosts.size()), rank = static_cast<int>(place.hosts.rank());
    try {
      settled(ncclCommInitRankConfig(&communicator_, ranks, id_, rank, &config), place.check);
    } catch (...) {
      abort();
      throw;
    }
  }
  ~NcclCollectives() override { abort(); }

  std::unique_ptr<Work> sum(const at::Tensor& tensor) override {
    return begun(tensor, [&](void* data, size_t count, ncclDataType_t type) {
      return ncclAllReduce(data, data, count, type, ncclSum, communicator_, stream_);
    });
  }
  std::unique_ptr<Work> sumTo(int64_t rank, const at::Tensor& tensor) override {
    return begun(tensor, [&](void* data, size_t count, ncclDataType_t type) {
      return ncclReduce(data, data, count, type, ncclSum, static_cast<int>(rank), communicator_, stream_);
    });
  }
  std::unique_ptr<Work> copyFrom(int64_t rank, const at::Tensor& tensor) override {
    return begun(tensor, [&](void* data, size_t count, ncclDataType_t type) {
      return ncclBroadcast(data, data, count, type, static_cast<int>(rank), communicator_, stream_);
    });
  }

  void abort() override {
    isAborted_ = true;  // whoever holds the lock lets go of it soon
    const std::lock_guard lock(mutex_);
    if (communicator_) (void)ncclCommAbort(communicator_);
    communicator_ = nullptr;
  }

 private:
  class NcclWork final : public Work {
   public:
    NcclWork(NcclCollectives& group, at::Tensor tensor)
        : group_(group), tensor_(std::move(tensor)), end_(group.stream_) {}
    void join() override { end_.holdUp(c10::cuda::getCurrentCUDAStream(group_.device_.index())); }
    bool hasEnded() override {
      if (end_.hasPassed()) return true;
      group_.expectNoFailure();
      return false;
    }

   private:
    NcclCollectives& group_;
    const at::Tensor tensor_;  ///< its memory is not another's before the work is joined
    const Event end_;
  };

  /// Made at rank 0 and sent to the others over the host. Errors: where rank 0 has none.
  static ncclUniqueId sharedId(RankGroup& hosts) {
    static_assert(sizeof(ncclUniqueId) == NCCL_UNIQUE_ID_BYTES);
    ncclUniqueId id{};
    const at::Tensor bytes = at::zeros({NCCL_UNIQUE_ID_BYTES + 1}, at::kByte);
    auto* data = static_cast<uint8_t*>(bytes.data_ptr());
    if (hosts.rank() == 0 && ncclGetUniqueId(&id) == ncclSuccess) {
      std::memcpy(data, id.internal, sizeof id);
      data[NCCL_UNIQUE_ID_BYTES] = 1;
    }
    hosts.copyFrom(0, bytes)->wait();
    TORCH_CHECK(data[NCCL_UNIQUE_ID_BYTES] == 1,
                "NCCL does not start at rank 0: ", ncclGetLastError(nullptr));
    std::memcpy(id.internal, data, sizeof id);
    return id;
  }

  template <class Call>
  std::unique_ptr<Work> begun(const at::Tensor& tensor, const Call& call) {
    TORCH_CHECK(tensor.is_contiguous(), "expected a contiguous tensor");
    const c10::cuda::CUDAGuard guard(device_);
    Event(c10::cuda::getCurrentCUDAStream(device_.index())).holdUp(stream_);
    const std::lock_guard lock(mutex_);
    TORCH_CHECK(communicator_ != nullptr, "this rank has left the others");
    settled(call(tensor.data_ptr(), static_cast<size_t>(tensor.numel()), typeOf(tensor)), nullptr);
    return std::make_unique<NcclWork>(*this, tensor);
  }

  /// Waits until NCCL has taken a call, whose `result` may be that it is about to. Errors: where it failed.
  void settled(ncclResult_t result, const std::function<void()>& check) {
    while (result == ncclInProgress) {
      std::this_thread::sleep_for(kPoll);
      if (check) check();
      TORCH_CHECK(!isAborted_, "this rank has left the others");
      const ncclResult_t asked = ncclCommGetAsyncError(communicator_, &result);
      if (asked != ncclSuccess) result = asked;
    }
    expectSuccess(result);
  }

  void expectSuccess(ncclResult_t result) {
    TORCH_CHECK(result == ncclSuccess, "NCCL: ", ncclGetErrorString(result), ": ", ncclGetLastError(nullptr));
  }

  void expectNoFailure() {
    // Whoever holds the lock finds the failure.
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock.owns_lock() || communicator_ == nullptr) return;
    ncclResult_t result = ncclSuccess;
    expectSuccess(ncclCommGetAsyncError(communicator_, &result));
    if (result != ncclInProgress) expectSuccess(result);
  }

  const ncclUniqueId id_;  ///< before anything that this rank alone may fail in
  const at::Device device_;
  const c10::cuda::CUDAStream stream_;
  std::mutex mutex_;  ///< of the communicator
  std::atomic<bool> isAborted_{false};
  ncclComm_t communicator_ = nullptr;
};

}  // namespace
}  // namespace adaptive

/// A MakeCollectives: the library of the ranks finds it by this name.
extern "C" __attribute__((visibility("default"))) adaptive::DeviceCollectives* adaptive_trainer_collectives(
    const adaptive::CollectivesPlace& place) {
  return new adaptive::NcclCollectives(place);
}
