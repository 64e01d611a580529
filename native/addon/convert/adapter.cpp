#include "addon/convert/adapter.h"

#include "addon/convert/arguments.h"

namespace adaptive::addon {
namespace {

LoraTarget targetFrom(const Napi::Object& from) {
  return {stringAt(from, "module"), integerAt(from, "rank"), numberAt(from, "scale"),
          numberAt(from, "dropout"), booleanAt(from, "magnitude")};
}

}  // namespace

AdapterOptions adapterOptionsFrom(const Napi::Object& from) {
  AdapterOptions options;
  options.targets = listAt(from, "targets", [](const Napi::Value& target, const std::string& at) {
    return targetFrom(objectFrom(target, at));
  });
  options.modulesToSave = listAt(from, "modulesToSave", stringFrom);
  options.gaussian = booleanAt(from, "gaussian");
  options.seed = static_cast<uint64_t>(integerAt(from, "seed"));
  return options;
}

DropoutKey dropoutFrom(const Napi::Object& microBatch) {
  if (microBatch.Get("dropout").IsUndefined()) return {};
  const Napi::Object from = objectAt(microBatch, "dropout");
  return mixed({static_cast<uint64_t>(integerAt(from, "seed")),
                static_cast<uint64_t>(integerAt(from, "step")),
                static_cast<uint64_t>(integerAt(from, "microBatch"))});
}

}  // namespace adaptive::addon
