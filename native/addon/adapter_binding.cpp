#include "addon/adapter_binding.h"

#include "addon/arguments.h"

namespace adaptive::addon {
namespace {

/// Ranks and layers are bounded by the model; this bounds what a raw call may make the engine allocate.
constexpr int64_t kLargestRank = 1 << 20;

LoraTarget targetFrom(const Napi::Object& from) {
  LoraTarget target{stringAt(from, "module"), integerAt(from, "rank"), numberAt(from, "scale"),
                    numberAt(from, "dropout"), booleanAt(from, "magnitude")};
  if (target.rank < 1 || target.rank > kLargestRank)
    throw Napi::TypeError::New(from.Env(), "Expected a rank from 1 to 1048576.");
  if (!(target.dropout >= 0 && target.dropout < 1))
    throw Napi::TypeError::New(from.Env(), "Expected a dropout from 0 to less than 1.");
  return target;
}

}  // namespace

AdapterOptions adapterOptionsFrom(const Napi::Object& from) {
  AdapterOptions options;
  const auto targets = objectAt(from, "targets").As<Napi::Array>();
  for (uint32_t i = 0; i < targets.Length(); i++) {
    const Napi::Value target = targets.Get(i);
    if (!target.IsObject()) throw Napi::TypeError::New(from.Env(), "Expected objects in targets.");
    options.targets.push_back(targetFrom(target.As<Napi::Object>()));
  }
  const auto modules = objectAt(from, "modulesToSave").As<Napi::Array>();
  for (uint32_t i = 0; i < modules.Length(); i++)
    options.modulesToSave.push_back(modules.Get(i).ToString().Utf8Value());
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
