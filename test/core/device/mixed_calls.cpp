#include <ATen/record_function.h>

#include <mutex>
#include <set>

#include "device/test_device.h"

namespace adaptive::test {
namespace {

std::mutex seenMutex;
std::set<std::string> mixed;

/// Whether a list of inputs has a tensor of the device, and one of the CPU that is no scalar.
void look(const c10::IValue& value, bool& device, bool& host) {
  if (value.isTensor() && value.toTensor().defined()) {
    const at::Tensor& tensor = value.toTensor();
    device = device || tensor.device().type() == testDevice().type();
    host = host || (tensor.is_cpu() && tensor.dim() > 0);
  } else if (value.isTensorList()) {
    for (const at::Tensor& tensor : value.toTensorVector()) look(tensor, device, host);
  }
}

std::unique_ptr<at::ObserverContext> onCall(const at::RecordFunction& call) {
  const std::string name = call.name();
  if (name.find("copy") != std::string::npos || name == "aten::to") return nullptr;
  bool device = false, host = false;
  for (const c10::IValue& value : call.inputs()) look(value, device, host);
  if (device && host) {
    std::lock_guard lock(seenMutex);
    mixed.insert(name);
  }
  return nullptr;
}

}  // namespace

MixedCalls::MixedCalls() {
  std::lock_guard lock(seenMutex);
  mixed.clear();
  handle_ = at::addGlobalCallback(
      at::RecordFunctionCallback(&onCall).needsInputs(true).scopes({at::RecordScope::FUNCTION}));
}
MixedCalls::~MixedCalls() { at::removeCallback(handle_); }
std::string MixedCalls::names() const {
  std::lock_guard lock(seenMutex);
  std::string names;
  for (const std::string& name : mixed) names += " " + name;
  return names;
}

}  // namespace adaptive::test
