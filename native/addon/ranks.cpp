// A library of its own, loaded after the addon where there is more than one rank: a libtorch without Gloo
// serves one process as well as any other.
#include <napi.h>

#include "addon/convert/arguments.h"
#include "addon/errors.h"
#include "addon/handle.h"
#include "addon/ranks_tag.h"
#include "core/dist/device_collectives.h"
#include "core/dist/gloo_group.h"

#ifndef _WIN32
#include <dlfcn.h>
#endif

namespace adaptive::addon {
namespace {

/// Waits for the other ranks on a thread of libuv's.
class Joining : public Napi::AsyncWorker {
 public:
  Joining(Napi::Env env, GlooOptions options)
      : Napi::AsyncWorker(env), deferred_(Napi::Promise::Deferred::New(env)), options_(std::move(options)) {}
  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override {
    try {
      group_ = joinGlooGroup(options_);
    } catch (...) {
      failure_ = currentFailure();
    }
  }
  void OnOK() override {
    Napi::HandleScope scope(Env());
    if (failure_) {
      deferred_.Reject(toJsError(Env(), *failure_));
    } else {
      deferred_.Resolve(toHandle<RankGroup>(Env(), std::move(group_), kRanksTag));
    }
  }

 private:
  Napi::Promise::Deferred deferred_;
  GlooOptions options_;
  std::shared_ptr<RankGroup> group_;
  std::optional<Failure> failure_;
};

std::chrono::milliseconds secondsAt(const Napi::Object& from, const char* key) {
  return std::chrono::milliseconds(static_cast<int64_t>(numberAt(from, key) * 1000));
}

/// joinGroup(request): see src/engine/addon.ts.
Napi::Value joinGroup(const Napi::CallbackInfo& info) {
  const Napi::Object from = objectArgument(info, 0);
  GlooOptions options;
  options.host = stringAt(from, "host");
  options.port = integerAt(from, "port");
  options.servesStore = booleanAt(from, "servesStore");
  options.prefix = stringAt(from, "prefix");
  options.attempt = integerAt(from, "attempt");
  options.address = stringAt(from, "address");
  options.rank = integerAt(from, "rank");
  options.size = integerAt(from, "size");
  options.meetTimeout = secondsAt(from, "meetSeconds");
  options.workTimeout = secondsAt(from, "workSeconds");
  auto* joining = new Joining(info.Env(), std::move(options));  // deletes itself
  const Napi::Promise promise = joining->promise();
  joining->Queue();
  return promise;
}

/// deviceCollectives(request): see src/engine/addon.ts.
Napi::Value deviceCollectives(const Napi::CallbackInfo& info) {
  const std::string file = stringAt(objectArgument(info, 0), "file");
#ifdef _WIN32
  fail("NOT_AVAILABLE", "Expected NCCL, which there is none of on Windows: ", file);
#else
  // Kept for the life of the process.
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) fail("NOT_AVAILABLE", dlerror());
  using Make = DeviceCollectives*(const CollectivesPlace&);
  auto* make = reinterpret_cast<Make*>(dlsym(library, "adaptive_trainer_collectives"));
  if (!make) fail("NOT_AVAILABLE", file, " is another library");
  auto held = std::make_shared<MakeCollectives>(
      [make](const CollectivesPlace& place) { return std::unique_ptr<DeviceCollectives>(make(place)); });
  return toHandle<MakeCollectives>(info.Env(), std::move(held), kCollectivesTag);
#endif
}

template <Napi::Value (*call)(const Napi::CallbackInfo&)>
Napi::Function guarded(Napi::Env env) {
  return Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
    return guardedCall(info.Env(), [&] { return call(info); });
  });
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("joinGroup", guarded<joinGroup>(env));
  exports.Set("deviceCollectives", guarded<deviceCollectives>(env));
  return exports;
}

}  // namespace
}  // namespace adaptive::addon

// The macro wants a plain function at global scope.
static Napi::Object Init(Napi::Env env, Napi::Object exports) { return adaptive::addon::init(env, exports); }
NODE_API_MODULE(adaptive_trainer_ranks, Init)
