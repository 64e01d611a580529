#include "device/guarded_device.h"

#include <ATen/EmptyTensor.h>
#include <ATen/NativeFunctions.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <c10/core/DeviceType.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <sys/mman.h>
#include <torch/library.h>

#include <functional>
#include <map>
#include <mutex>
#include <utility>

#include "core/ops/library.h"
#include "cuda/on_device.h"
#include "cuda/register_kernels.h"
#include "device/test_device.h"

namespace adaptive::test {
namespace {

constexpr size_t kMemory = size_t{1} << 29;

/// The memory of the device: closed to the process unless something holds it open.
class Memory final : public c10::Allocator {
 public:
  Memory() {
    base_ = static_cast<char*>(
        ::mmap(nullptr, kMemory, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    TORCH_CHECK(base_ != MAP_FAILED, "the memory of the guarded device cannot be mapped");
  }
  static Memory& instance() {
    static Memory* memory = new Memory();
    return *memory;
  }

  void open(bool isOpen) {
    if (isOpen) runPending();
    std::lock_guard lock(mutex_);
    openings_ += isOpen ? 1 : -1;
    if (openings_ == (isOpen ? 1 : 0))
      ::mprotect(base_, kMemory, isOpen ? PROT_READ | PROT_WRITE : PROT_NONE);
  }

  /// Has `work` done before the next thing that is done on the device, not at once: whoever overwrites what
  /// it reads until then is found out.
  void later(std::function<void()> work) {
    std::lock_guard lock(mutex_);
    pending_.push_back(std::move(work));
  }
  void runPending() {
    std::vector<std::function<void()>> work;
    {
      std::lock_guard lock(mutex_);
      work.swap(pending_);
    }
    for (const auto& run : work) run();
  }

  c10::DataPtr allocate(size_t bytes) override {
    std::lock_guard lock(mutex_);
    const size_t size = std::max<size_t>(64, (bytes + 63) / 64 * 64);
    TORCH_CHECK_WITH(OutOfMemoryError, inUse_ + size <= most_, "the guarded device has no ", size,
                     " bytes left");
    inUse_ += size;
    auto& free = free_[size];
    char* place = base_ + used_;
    if (free.empty()) {
      used_ += size;
      TORCH_CHECK(used_ <= kMemory, "the guarded device is full");
    } else {
      place = free.back();
      free.pop_back();
    }
    sizes_[place] = size;
    return {place, place, &release, testDevice()};
  }
  /// Bytes that may be in use from now on, beside those that are.
  void limit(size_t more) {
    std::lock_guard lock(mutex_);
    most_ = std::min(kMemory, inUse_ + more);
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    instance().open(true);
    default_copy_data(to, from, bytes);
    instance().open(false);
  }

 private:
  static void release(void* place) {
    Memory& memory = instance();
    std::lock_guard lock(memory.mutex_);
    const size_t size = memory.sizes_[static_cast<char*>(place)];
    memory.inUse_ -= size;
    memory.free_[size].push_back(static_cast<char*>(place));
    // Opening and closing takes as long as there are pages.
    constexpr size_t kPage = 4096, kLarge = 64 * kPage;
    if (size < kLarge) return;
    const auto begin = (reinterpret_cast<uintptr_t>(place) + kPage - 1) / kPage * kPage;
    const auto end = (reinterpret_cast<uintptr_t>(place) + size) / kPage * kPage;
    ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
  std::mutex mutex_;
  std::vector<std::function<void()>> pending_;
  char* base_;
  size_t used_ = 0, inUse_ = 0, most_ = kMemory;
  int openings_ = 0;
  std::map<size_t, std::vector<char*>> free_;
  std::map<char*, size_t> sizes_;
};

struct Opened {
  Opened() { Memory::instance().open(true); }
  ~Opened() { Memory::instance().open(false); }
};

at::Tensor onHost(const at::Tensor& tensor) {
  if (!tensor.defined() || tensor.is_cpu()) return tensor;
  return at::from_blob(
      tensor.data_ptr(), tensor.sizes(), tensor.strides(), [](void*) {}, tensor.options().device(at::kCPU),
      at::kCPU);
}

at::Tensor emptyOn(at::IntArrayRef size, std::optional<at::ScalarType> type, std::optional<at::Layout>,
                   std::optional<at::Device>, std::optional<bool>, std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(size, &Memory::instance(),
                                   c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                   type.value_or(at::kFloat), format);
}

at::Tensor emptyStridedOn(at::IntArrayRef size, at::IntArrayRef stride, std::optional<at::ScalarType> type,
                          std::optional<at::Layout>, std::optional<at::Device>, std::optional<bool>) {
  return at::detail::empty_strided_generic(size, stride, &Memory::instance(),
                                           c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                           type.value_or(at::kFloat));
}

std::mutex pinnedMutex;
std::map<const char*, size_t> pinned;

bool isPinned(const at::Tensor& tensor) {
  const auto* data = static_cast<const char*>(tensor.const_data_ptr());
  std::lock_guard lock(pinnedMutex);
  const auto next = pinned.upper_bound(data);
  return next != pinned.begin() && data < std::prev(next)->first + std::prev(next)->second;
}

at::Tensor pinnedBytes(const at::Tensor& /*like*/, int64_t bytes) {
  auto* data = new char[bytes + 1];
  {
    std::lock_guard lock(pinnedMutex);
    pinned[data] = bytes + 1;
  }
  const auto release = [](void* own) {
    std::lock_guard lock(pinnedMutex);
    pinned.erase(static_cast<char*>(own));
    delete[] static_cast<char*>(own);
  };
  return at::from_blob(data, {bytes}, release, at::kByte);
}

std::mutex crossingsMutex;
Crossings counted;
/// Within an operator that the CPU computes for the device: on a device of its own nothing would be copied.
thread_local bool servesDevice = false;

void count(const at::Tensor& from, const at::Tensor& to) {
  if (servesDevice || from.is_cpu() == to.is_cpu()) return;
  std::lock_guard lock(crossingsMutex);
  (to.is_cpu() ? counted.toHost : counted.toDevice)++;
  if (to.is_cpu()) counted.bytesToHost += static_cast<int64_t>(to.nbytes());
  if (from.is_cpu() && !isPinned(from)) counted.pageable++;
}

at::Tensor copyFrom(const at::Tensor& from, const at::Tensor& to, bool nonBlocking) {
  count(from, to);
  const auto copy = [from, to] {
    const Opened opened;
    onHost(to).copy_(onHost(from));
  };
  if (nonBlocking && from.is_cpu() && isPinned(from)) {
    Memory::instance().later(copy);
  } else {
    copy();
  }
  return to;
}

at::Scalar scalarOf(const at::Tensor& tensor) {
  count(tensor, at::empty({}, tensor.scalar_type()));
  const Opened opened;
  return onHost(tensor).item();
}

const at::Tensor& resizeOn(const at::Tensor& tensor, at::IntArrayRef size,
                           std::optional<at::MemoryFormat> format) {
  const Opened opened;
  return at::native::resize_(tensor, size, format);
}

at::Tensor copyFromAndResize(const at::Tensor& from, const at::Tensor& to) {
  to.resize_(from.sizes());
  return copyFrom(from, to, false);
}

void onCpu(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const bool was = std::exchange(servesDevice, true);
  at::native::cpu_fallback(op, stack);
  servesDevice = was;
}

struct Guard final : c10::impl::NoOpDeviceGuardImpl<c10::DeviceType::PrivateUse1> {
  at::Device exchangeDevice(at::Device) const override { return testDevice(); }
  at::Device getDevice() const override { return testDevice(); }
  c10::Stream getStream(at::Device) const noexcept override {
    return c10::Stream(c10::Stream::DEFAULT, testDevice());
  }
  // One stream, which everything is done on at once.
  void record(void**, const c10::Stream&, at::DeviceIndex, c10::EventFlag) const override {}
  void block(void*, const c10::Stream&) const override {}
  bool queryEvent(void*) const override { return true; }
  void destroyEvent(void*, at::DeviceIndex) const noexcept override {}
  c10::Stream exchangeStream(c10::Stream) const noexcept override {
    return c10::Stream(c10::Stream::DEFAULT, testDevice());
  }
};

struct Hooks final : at::PrivateUse1HooksInterface {
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(at::DeviceIndex) const override { return true; }
};

void registerOperators(torch::Library& m) {
  m.impl("empty.memory_format", &emptyOn);
  m.impl("empty_strided", &emptyStridedOn);
  m.impl("as_strided", &at::native::as_strided_tensorimpl);
  m.impl("view", &at::native::view);
  m.impl("_reshape_alias", &at::native::_reshape_alias);
  m.impl("resize_", &resizeOn);
  m.impl("set_.source_Storage_storage_offset", &at::native::set_storage_cpu_);
  m.impl("_copy_from", &copyFrom);
  m.impl("_copy_from_and_resize", &copyFromAndResize);
  m.impl("_local_scalar_dense", &scalarOf);
}

}  // namespace

void limitDeviceMemory(int64_t more) { Memory::instance().limit(static_cast<size_t>(more)); }

Crossings crossings() {
  std::lock_guard lock(crossingsMutex);
  return counted;
}

C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard);

at::Device testDevice() { return {at::kPrivateUse1, 0}; }

std::string testDeviceName() { return "the guarded device"; }

void openTestDevice() {
  c10::register_privateuse1_backend("guarded");
  static Hooks hooks;
  at::RegisterPrivateUse1HooksInterface(&hooks);
  c10::SetAllocator(c10::DeviceType::PrivateUse1, &Memory::instance());
  cuda::OnDevice::atLaunch = [](bool begins) { Memory::instance().open(begins); };
  constexpr auto key = c10::DispatchKey::PrivateUse1;
  static torch::Library aten(torch::Library::IMPL, "aten", key, __FILE__, __LINE__);
  registerOperators(aten);
  static torch::Library others(torch::Library::IMPL, "_", key, __FILE__, __LINE__);
  others.fallback(torch::CppFunction::makeFromBoxedFunction<&onCpu>());
  static torch::Library own(torch::Library::IMPL, ops::libraryName(), key, __FILE__, __LINE__);
  cuda::registerAttentionKernels(own);
  cuda::registerLayerKernels(own);
  cuda::registerLossKernels(own);
  cuda::registerOptimizerKernels(own);
  own.impl("host_bytes", &pinnedBytes);
}

}  // namespace adaptive::test
