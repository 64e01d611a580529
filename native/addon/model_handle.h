#pragma once
#include <napi.h>

#include <memory>

#include "addon/engine.h"
#include "addon/errors.h"
#include "addon/model_state.h"

namespace adaptive::addon {

/// The JavaScript handle of a ModelState. Tasks hold the state itself, so that garbage collection or
/// dispose() while one runs is harmless.
class Model : public Napi::ObjectWrap<Model> {
 public:
  explicit Model(const Napi::CallbackInfo& info);
  static Napi::Function define(Napi::Env env);

 private:
  /// Runs work(state) on the engine thread; refuses after dispose().
  template <class Work>
  Napi::Value run(Napi::Env env, Work work) {
    if (!state_) throw Napi::Error(env, toJsError(env, {"DISPOSED", "This model has been disposed."}));
    return Engine::run(env, [state = state_, work = std::move(work)]() mutable { return work(*state); });
  }

  // Lifetime: model_handle.cpp
  Napi::Value dispose(const Napi::CallbackInfo& info);
  void adjustMemory(Napi::Env env, int64_t bytes);

  // Weights: weight_calls.cpp
  Napi::Value parameters(const Napi::CallbackInfo& info);
  Napi::Value trainable(const Napi::CallbackInfo& info);
  Napi::Value addAdapter(const Napi::CallbackInfo& info);
  Napi::Value mergeAdapter(const Napi::CallbackInfo& info);
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
  Napi::Value clearGradients(const Napi::CallbackInfo& info);

  // Moving the weights: optimizer_calls.cpp
  Napi::Value createOptimizer(const Napi::CallbackInfo& info);
  Napi::Value optimizerStep(const Napi::CallbackInfo& info);
  Napi::Value optimizerState(const Napi::CallbackInfo& info);
  Napi::Value saveOptimizer(const Napi::CallbackInfo& info);
  Napi::Value loadOptimizer(const Napi::CallbackInfo& info);

  // Text: generation_calls.cpp
  Napi::Value logits(const Napi::CallbackInfo& info);
  Napi::Value startGeneration(const Napi::CallbackInfo& info);
  Napi::Value nextTokens(const Napi::CallbackInfo& info);

  std::shared_ptr<ModelState> state_;
  int64_t reported_ = 0;
};

/// createModel(config): a decoder with weights not yet loaded (src/native/addon.ts has the types).
Napi::Value createModel(const Napi::CallbackInfo& info);

/// What a call without a result brings back.
inline ToJs nothing() {
  return [](Napi::Env env) { return env.Undefined(); };
}

}  // namespace adaptive::addon
