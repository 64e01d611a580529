#pragma once
#include <ATen/DeviceGuard.h>
#include <napi.h>

#include <memory>

#include "addon/engine.h"
#include "addon/errors.h"
#include "core/session/model_session.h"

namespace adaptive::addon {

/// The JavaScript handle of a ModelSession. Tasks hold the session itself, so that garbage collection or
/// dispose() while one runs is harmless.
class Model : public Napi::ObjectWrap<Model> {
 public:
  explicit Model(const Napi::CallbackInfo& info);
  static Napi::Function define(Napi::Env env);

 private:
  /// Runs work(session) on the engine thread; refuses after dispose().
  template <class Work>
  Napi::Value run(Napi::Env env, Work work) {
    if (!session_) throw Napi::Error(env, toJsError(env, {"DISPOSED", "This model has been disposed."}));
    return Engine::run(env, [session = session_, work = std::move(work)]() mutable {
      // The engine thread serves models on any device.
      const at::DeviceGuard guard(session->decoder.device());
      return work(*session);
    });
  }

  /// A method in which no exception but those of JavaScript leaves for V8.
  template <Napi::Value (Model::*call)(const Napi::CallbackInfo&)>
  Napi::Value guarded(const Napi::CallbackInfo& info) {
    return guardedCall(info.Env(), [&] { return (this->*call)(info); });
  }
  template <Napi::Value (Model::*call)(const Napi::CallbackInfo&)>
  static Napi::ClassPropertyDescriptor<Model> method(const char* name) {
    return InstanceMethod<&Model::guarded<call>>(name);
  }

  // Lifetime: model.cpp
  Napi::Value dispose(const Napi::CallbackInfo& info);
  /// V8 sees a small handle; it must know what hangs on it, once that is filled, to collect in time.
  void reportMemory(Napi::Env env);

  // Weights: weight_calls.cpp
  Napi::Value parameters(const Napi::CallbackInfo& info);
  Napi::Value trainable(const Napi::CallbackInfo& info);
  Napi::Value freeze(const Napi::CallbackInfo& info);
  Napi::Value addAdapter(const Napi::CallbackInfo& info);
  Napi::Value mergeAdapter(const Napi::CallbackInfo& info);
  Napi::Value quantize(const Napi::CallbackInfo& info);
  Napi::Value load(const Napi::CallbackInfo& info);
  Napi::Value initialise(const Napi::CallbackInfo& info);
  Napi::Value resize(const Napi::CallbackInfo& info);
  Napi::Value configure(const Napi::CallbackInfo& info);
  Napi::Value save(const Napi::CallbackInfo& info);
  Napi::Value memory(const Napi::CallbackInfo& info);

  // Gradients: training_calls.cpp
  Napi::Value lossAndGradients(const Napi::CallbackInfo& info);
  Napi::Value trainMicroBatch(const Napi::CallbackInfo& info);
  Napi::Value forward(const Napi::CallbackInfo& info);
  /// weights: ∂loss/∂nll of each labelled token of the last forward(); without it, those of the loss asked
  /// for there.
  Napi::Value backward(const Napi::CallbackInfo& info);
  Napi::Value evaluate(const Napi::CallbackInfo& info);
  Napi::Value findNonFinite(const Napi::CallbackInfo& info);
  Napi::Value beginTrace(const Napi::CallbackInfo& info);
  Napi::Value takeTrace(const Napi::CallbackInfo& info);
  Napi::Value clearGradients(const Napi::CallbackInfo& info);

  // What the model is held to: retention_calls.cpp
  Napi::Value keepBase(const Napi::CallbackInfo& info);
  Napi::Value baseHiddenStates(const Napi::CallbackInfo& info);
  Napi::Value addBaseRows(const Napi::CallbackInfo& info);
  Napi::Value divergence(const Napi::CallbackInfo& info);
  Napi::Value setBaseWeights(const Napi::CallbackInfo& info);
  Napi::Value weightsDigest(const Napi::CallbackInfo& info);

  // Moving the weights: optimizer_calls.cpp
  Napi::Value createOptimizer(const Napi::CallbackInfo& info);
  Napi::Value optimizerStep(const Napi::CallbackInfo& info);
  Napi::Value optimizerState(const Napi::CallbackInfo& info);
  Napi::Value saveOptimizer(const Napi::CallbackInfo& info);
  Napi::Value loadOptimizer(const Napi::CallbackInfo& info);

  // Several ranks: rank_calls.cpp
  Napi::Value joinRanks(const Napi::CallbackInfo& info);
  Napi::Value copyFromFirstRank(const Napi::CallbackInfo& info);
  Napi::Value shards(const Napi::CallbackInfo& info);
  Napi::Value shareMasters(const Napi::CallbackInfo& info);
  Napi::Value gatherAtFirst(const Napi::CallbackInfo& info);
  Napi::Value returnGathered(const Napi::CallbackInfo& info);
  Napi::Value endSharing(const Napi::CallbackInfo& info);

  // Text: generation_calls.cpp
  Napi::Value logits(const Napi::CallbackInfo& info);
  Napi::Value startGeneration(const Napi::CallbackInfo& info);
  Napi::Value nextTokens(const Napi::CallbackInfo& info);
  Napi::Value endGeneration(const Napi::CallbackInfo& info);

  std::shared_ptr<ModelSession> session_;
  int64_t bytes_ = 0, reported_ = 0;
};

/// GPUs that libtorch computes on; 0 until its half for CUDA is loaded.
int64_t cudaDeviceCount();
/// "cpu" or "cuda:<index>" of a device that is there; nothing: the CPU.
at::Device deviceFrom(const Napi::Value& value);

/// createModel(config, device): a decoder with weights not yet loaded (its types are in src/engine/addon.ts).
Napi::Value createModel(const Napi::CallbackInfo& info);

/// What a call without a result brings back.
inline ToJs nothing() {
  return [](Napi::Env env) { return env.Undefined(); };
}

}  // namespace adaptive::addon
