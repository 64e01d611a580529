// Entry of the Node addon: what `require` gives is typed in src/engine/addon.ts.
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <napi.h>
#include <torch/version.h>

#include "addon/calls/adaptive_loss.h"
#include "addon/calls/model.h"
#include "addon/calls/rank_calls.h"
#include "addon/convert/arguments.h"
#include "addon/engine.h"
#include "addon/errors.h"
#include "core/available_memory.h"
#include "core/block_memory.h"
#include "core/ops/onednn.h"
#include "core/session/check_device.h"

namespace adaptive::addon {
namespace {

/// setThreads(n): threads of each operator, at least 1. Resolves to the number in force; 0 asks without
/// changing.
Napi::Value setThreads(const Napi::CallbackInfo& info) {
  const int64_t wanted = integerAt(objectArgument(info, 0), "threads");
  // OpenMP ends the process when the system refuses it a thread.
  constexpr int64_t most = 1024;
  if (wanted < 0 || wanted > most)
    failType(objectArgument(info, 0).Get("threads"), "1 to 1024, or 0,", "threads");
  return Engine::run(info.Env(), [wanted]() -> ToJs {
    // OpenMP keeps the number per calling thread, so it is set on the thread that computes.
    if (wanted > 0) at::set_num_threads(static_cast<int>(wanted));
    const int threads = at::get_num_threads();
    return [threads](Napi::Env env) { return Napi::Number::New(env, threads); };
  });
}

/// releaseMemory(): gives what the process holds and does not use back to the system.
Napi::Value releaseMemory(const Napi::CallbackInfo& info) {
  return Engine::run(info.Env(), [] {
    adaptive::releaseMemory();
    return nothing();
  });
}

template <Napi::Value (*call)(const Napi::CallbackInfo&)>
Napi::Function guarded(Napi::Env env) {
  return Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
    return guardedCall(info.Env(), [&] { return call(info); });
  });
}

/// cudaDevices(): see cudaDeviceCount().
Napi::Value cudaDevices(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(cudaDeviceCount()));
}

/// checkDevice(device): see differenceOnDevice().
Napi::Value checkDevice(const Napi::CallbackInfo& info) {
  return Engine::run(info.Env(), [device = deviceFrom(info[0])]() -> ToJs {
    const std::string difference = differenceOnDevice(device);
    return [difference](Napi::Env env) { return Napi::String::New(env, difference); };
  });
}

/// restOrExit(status): see Engine.
Napi::Value restOrExit(const Napi::CallbackInfo& info) {
  Engine::restOrExit(static_cast<int>(integerFrom(info[0], "status")));
  return info.Env().Undefined();
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  useBlockMemory();
  Engine::attach(env);
  exports.Set("libtorch", TORCH_VERSION);
  exports.Set("cpuCapability", at::get_cpu_capability());
  exports.Set("bfloat16Instructions", ops::hasBfloat16Instructions());
  exports.Set("setThreads", guarded<setThreads>(env));
  exports.Set("releaseMemory", guarded<releaseMemory>(env));
  exports.Set("adaptiveLoss", guarded<adaptiveLoss>(env));
  exports.Set("cudaDevices", guarded<cudaDevices>(env));
  exports.Set("checkDevice", guarded<checkDevice>(env));
  exports.Set("restOrExit", guarded<restOrExit>(env));
  addRankCalls(env, exports);
  exports.Set("createModel", guarded<createModel>(env));
  return exports;
}

}  // namespace
}  // namespace adaptive::addon

// The macro wants a plain function at global scope.
static Napi::Object Init(Napi::Env env, Napi::Object exports) { return adaptive::addon::init(env, exports); }
NODE_API_MODULE(adaptive_trainer, Init)
