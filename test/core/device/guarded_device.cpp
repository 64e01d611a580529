#include "device/guarded_device.h"

#include <ATen/EmptyTensor.h>
#include <ATen/NativeFunctions.h>
#include <ATen/native/CPUFallback.h>
#include <c10/core/DeviceType.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>

#include <map>
#include <mutex>
#include <utility>

#include "device/guarded_memory.h"
#include "device/guarded_streams.h"

namespace adaptive::test {
namespace {

struct Opened {
  Opened() { GuardedMemory::instance().open(true); }
  ~Opened() { GuardedMemory::instance().open(false); }
};

at::Tensor onHost(const at::Tensor& tensor) {
  if (!tensor.defined() || tensor.is_cpu()) return tensor;
  return at::from_blob(
      tensor.data_ptr(), tensor.sizes(), tensor.strides(), [](void*) {}, tensor.options().device(at::kCPU),
      at::kCPU);
}

at::Tensor emptyOn(at::IntArrayRef size, std::optional<at::ScalarType> type, std::optional<at::Layout>,
                   std::optional<at::Device>, std::optional<bool>, std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(size, &GuardedMemory::instance(), c10::DispatchKeySet(kGuardedKey),
                                   type.value_or(at::kFloat), format);
}

at::Tensor emptyStridedOn(at::IntArrayRef size, at::IntArrayRef stride, std::optional<at::ScalarType> type,
                          std::optional<at::Layout>, std::optional<at::Device>, std::optional<bool>) {
  return at::detail::empty_strided_generic(size, stride, &GuardedMemory::instance(),
                                           c10::DispatchKeySet(kGuardedKey), type.value_or(at::kFloat));
}

std::mutex pinnedMutex;
std::map<const char*, size_t> pinned;
int64_t pinnable = INT64_MAX;  ///< bytes that pinnedBytes() may still give out

bool isPinned(const at::Tensor& tensor) {
  const auto* data = static_cast<const char*>(tensor.const_data_ptr());
  std::lock_guard lock(pinnedMutex);
  const auto next = pinned.upper_bound(data);
  return next != pinned.begin() && data < std::prev(next)->first + std::prev(next)->second;
}

std::mutex crossingsMutex;
Crossings counted;
/// Within an operator that the CPU computes for the device: on a device of its own nothing would be copied.
thread_local bool servesDevice = false;

void count(const at::Tensor& from, const at::Tensor& to) {
  if (servesDevice || from.is_cpu() == to.is_cpu()) return;
  std::lock_guard lock(crossingsMutex);
  if (const c10::StreamId stream = GuardedStreams::current(); stream != 0) {
    counted.besides++;
    if (to.is_cpu() && !GuardedStreams::instance().sawAll(stream)) counted.unordered++;
    return;
  }
  (to.is_cpu() ? counted.toHost : counted.toDevice)++;
  if (to.is_cpu()) counted.bytesToHost += static_cast<int64_t>(to.nbytes());
  if (from.is_cpu() && !isPinned(from)) counted.pageable++;
}

at::Tensor copyFrom(const at::Tensor& from, const at::Tensor& to, bool nonBlocking) {
  count(from, to);
  auto& streams = GuardedStreams::instance();
  const c10::StreamId stream = GuardedStreams::current();
  const auto copy = [from, to] {
    GuardedMemory::instance().openAlone(true);
    onHost(to).copy_(onHost(from));
    GuardedMemory::instance().openAlone(false);
  };
  const bool crosses = from.is_cpu() != to.is_cpu();
  if (nonBlocking && crosses && isPinned(from.is_cpu() ? from : to)) {
    streams.later(stream, copy);
  } else {
    stream == 0 ? streams.beginOperator() : streams.finish(stream);
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

at::Tensor& copy(at::Tensor& to, const at::Tensor& from, bool nonBlocking) {
  copyFrom(from, to, nonBlocking);
  return to;
}

at::Tensor copyFromAndResize(const at::Tensor& from, const at::Tensor& to) {
  to.resize_(from.sizes());
  return copyFrom(from, to, false);
}

bool refusesMixed = false;

/// As a GPU does, where a tensor of the host is no scalar.
void expectOnePlace(const c10::OperatorHandle& op, const torch::jit::Stack& stack) {
  if (!refusesMixed || servesDevice) return;
  bool device = false, host = false;
  for (const c10::IValue& value : torch::jit::last(stack, op.schema().arguments().size())) {
    if (!value.isTensor() || !value.toTensor().defined()) continue;
    const at::Tensor& tensor = value.toTensor();
    device = device || tensor.device().type() == kGuardedType;
    host = host || (tensor.is_cpu() && tensor.dim() > 0);
  }
  TORCH_CHECK(!device || !host, op.schema().name(), " mixes tensors of the device with those of the host");
}

void onCpu(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  expectOnePlace(op, *stack);
  struct Serving {
    const bool was = std::exchange(servesDevice, true);
    ~Serving() { servesDevice = was; }
  } const serving;
  at::native::cpu_fallback(op, stack);
}

struct Guard final : c10::impl::NoOpDeviceGuardImpl<kGuardedType> {
  at::Device exchangeDevice(at::Device) const override { return testDevice(); }
  at::Device getDevice() const override { return testDevice(); }
  c10::Stream getStream(at::Device) const noexcept override { return stream(GuardedStreams::current()); }
  c10::Stream getStreamFromGlobalPool(at::Device, bool) const override {
    return stream(GuardedStreams::instance().next());
  }
  c10::Stream exchangeStream(c10::Stream next) const noexcept override {
    return stream(std::exchange(GuardedStreams::current(), next.id()));
  }
  void record(void** event, const c10::Stream& on, at::DeviceIndex, c10::EventFlag) const override {
    if (*event == nullptr) *event = new GuardedStreams::Event();
    *static_cast<GuardedStreams::Event*>(*event) = GuardedStreams::instance().record(on.id());
  }
  void block(void* event, const c10::Stream& on) const override {
    GuardedStreams::instance().block(*static_cast<GuardedStreams::Event*>(event), on.id());
  }
  bool queryEvent(void* event) const override {
    synchronizeEvent(event);
    return true;
  }
  void synchronizeEvent(void* event) const override {
    GuardedStreams::instance().wait(*static_cast<GuardedStreams::Event*>(event));
  }
  void destroyEvent(void* event, at::DeviceIndex) const noexcept override {
    delete static_cast<GuardedStreams::Event*>(event);
  }

 private:
  static c10::Stream stream(c10::StreamId id) noexcept {
    return c10::Stream(c10::Stream::UNSAFE, testDevice(), id);
  }
};

void registerOperators(torch::Library& m) {
  m.impl("empty.memory_format", &emptyOn);
  m.impl("empty_strided", &emptyStridedOn);
  m.impl("as_strided", &at::native::as_strided_tensorimpl);
  m.impl("view", &at::native::view);
  m.impl("_reshape_alias", &at::native::_reshape_alias);
  m.impl("resize_", &resizeOn);
  m.impl("set_.source_Storage_storage_offset", &at::native::set_storage_cpu_);
  // libtorch asks a device that it knows nothing of for the first, and of CUDA takes the second to be there.
  m.impl("_copy_from", &copyFrom);
  m.impl("copy_", &copy);
  m.impl("_copy_from_and_resize", &copyFromAndResize);
  m.impl("_local_scalar_dense", &scalarOf);
}

}  // namespace

void limitDeviceMemory(int64_t more) { GuardedMemory::instance().limit(static_cast<size_t>(more)); }

int64_t deviceMemory() { return static_cast<int64_t>(GuardedMemory::instance().inUse()); }

int64_t freeBytes(const at::Tensor& /*like*/) {
  return static_cast<int64_t>(GuardedMemory::instance().left());
}

Crossings crossings() {
  std::lock_guard lock(crossingsMutex);
  return counted;
}

void openDeviceMemory(bool opens) { GuardedMemory::instance().open(opens); }

std::tuple<int64_t, int64_t, int64_t> memoryCounts(const at::Tensor& /*like*/) {
  GuardedMemory& memory = GuardedMemory::instance();
  const auto bytes = [](size_t count) { return static_cast<int64_t>(count); };
  return {bytes(memory.total()), bytes(memory.inUse()), bytes(memory.peak())};
}

at::Tensor hostBytes(const at::Tensor& /*like*/, int64_t bytes) {
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

void limitPinnedMemory(int64_t bytes) {
  std::lock_guard lock(pinnedMutex);
  pinnable = bytes;
}

at::Tensor pinnedBytes(const at::Tensor& like, int64_t bytes) {
  {
    std::lock_guard lock(pinnedMutex);
    TORCH_CHECK_WITH(OutOfMemoryError, bytes <= pinnable, "no ", bytes, " bytes are pinned");
    pinnable -= bytes;
  }
  return hostBytes(like, bytes);
}

void refuseMixedOperators() { refusesMixed = true; }

at::Device testDevice() { return {kGuardedType, 0}; }

std::string testDeviceName() { return "the guarded device"; }

void registerGuardedDevice() {
  static Guard guard;
  static const c10::impl::DeviceGuardImplRegistrar registrar(kGuardedType, &guard);
  c10::SetAllocator(kGuardedType, &GuardedMemory::instance());
  static torch::Library aten(torch::Library::IMPL, "aten", kGuardedKey, __FILE__, __LINE__);
  registerOperators(aten);
  static torch::Library others(torch::Library::IMPL, "_", kGuardedKey, __FILE__, __LINE__);
  others.fallback(torch::CppFunction::makeFromBoxedFunction<&onCpu>());
}

}  // namespace adaptive::test
