// Entry of the Node addon: what `require` gives is typed in src/native/addon.ts.
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <napi.h>
#include <torch/version.h>

#include "addon/adaptive_loss_binding.h"
#include "addon/arguments.h"
#include "addon/engine.h"
#include "addon/model_handle.h"
#include "core/cpu/bfloat16_products.h"

namespace adaptive::addon {
namespace {

/// setThreads(n): threads of each operator, at least 1. Resolves to the number in force; 0 asks without
/// changing.
Napi::Value setThreads(const Napi::CallbackInfo& info) {
  const int64_t wanted = integerAt(objectArgument(info, 0), "threads");
  // OpenMP ends the process when the system refuses it a thread.
  constexpr int64_t most = 1024;
  if (wanted < 0 || wanted > most)
    throw Napi::TypeError::New(info.Env(),
                               "Expected 1 to 1024 threads, found " + std::to_string(wanted) + ".");
  return Engine::run(info.Env(), [wanted]() -> ToJs {
    // OpenMP keeps the number per calling thread, so it is set on the thread that computes.
    if (wanted > 0) at::set_num_threads(static_cast<int>(wanted));
    const int threads = at::get_num_threads();
    return [threads](Napi::Env env) { return Napi::Number::New(env, threads); };
  });
}

const char* nameOf(cpu::Bfloat16Products products) {
  switch (products) {
    case cpu::Bfloat16Products::Native:
      return "native";
    case cpu::Bfloat16Products::Widened:
      return "widened";
    default:
      return "loops";
  }
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  Engine::attach(env);
  exports.Set("libtorch", TORCH_VERSION);
  exports.Set("cpuCapability", at::get_cpu_capability());
  exports.Set("bfloat16Products", nameOf(cpu::bfloat16Products()));
  exports.Set("setThreads", Napi::Function::New(env, setThreads));
  exports.Set("adaptiveLoss", Napi::Function::New(env, adaptiveLoss));
  exports.Set("restOrExit", Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
                Engine::restOrExit(info[0].ToNumber().Int32Value());
              }));
  exports.Set("createModel", Napi::Function::New(env, createModel));
  return exports;
}

}  // namespace
}  // namespace adaptive::addon

// The macro wants a plain function at global scope.
static Napi::Object Init(Napi::Env env, Napi::Object exports) { return adaptive::addon::init(env, exports); }
NODE_API_MODULE(adaptive_trainer, Init)
