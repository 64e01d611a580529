// The one thread that calls libtorch. libuv's workers would each start an OpenMP team of their own, and
// tensors of one model must not be touched by two threads; a queue of one solves both and leaves the event
// loop free.
#pragma once
#include <napi.h>

#include <functional>
#include <memory>

namespace adaptive::addon {

/// What a task brings back to JavaScript: a function that builds the value, run on the JavaScript thread.
using ToJs = std::function<Napi::Value(Napi::Env)>;

class Engine {
 public:
  /// The engine as seen from one JavaScript environment. Called once from the addon's initialisation.
  static void attach(Napi::Env env);

  /// Drops what is queued and waits for the task that runs; where that takes long, ends the process with
  /// `status` then and there. process.exit() runs no cleanup hooks, and libtorch must be at rest before its
  /// statics are destroyed: src/engine/load/load-addon.ts calls this on exit.
  static void restOrExit(int status);

  /// Queues `work` and returns a promise of what it brings back. `work` runs on the engine thread and must
  /// not touch V8; it owns what it uses. Exceptions become rejections with a `code` (errors.h).
  static Napi::Promise run(Napi::Env env, std::function<ToJs()> work);
};

}  // namespace adaptive::addon
