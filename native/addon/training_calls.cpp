#include <ATen/ATen.h>

#include "addon/adaptive_loss_binding.h"
#include "addon/arguments.h"
#include "addon/model_handle.h"
#include "addon/model_requests.h"
#include "core/train/find_non_finite.h"

namespace adaptive::addon {

Napi::Value Model::lossAndGradients(const Napi::CallbackInfo& info) {
  return run(info.Env(), [batch = flatBatchFrom(objectArgument(info, 0))](ModelState& state) -> ToJs {
    const GradientReport report = lossAndGradientsOf(state, batch);
    return [report](Napi::Env env) {
      Napi::Object gradients = Napi::Object::New(env);
      for (const auto& [name, tensor] : report.gradients) {
        gradients.Set(name, toTypedArray(env, tensor.const_data_ptr<float>(), tensor.numel()));
      }
      Napi::Object out = Napi::Object::New(env);
      out.Set("loss", report.loss);
      out.Set("gradients", gradients);
      return out;
    };
  });
}

Napi::Value Model::trainMicroBatch(const Napi::CallbackInfo& info) {
  return run(info.Env(),
             [batch = microBatchFrom(objectArgument(info, 0)),
              loss = lossRequestFrom(objectArgument(info, 0))](ModelState& state) -> ToJs {
               TrainingPass pass(state.decoder, batch, /*training=*/true, entropyOfTop(loss));
               std::vector<float> weights;
               const LossReport report = lossReport(pass.statistics(), pass.tokens(), loss, &weights);
               checkFinite(report, pass);
               scaleWeights(state, weights);
               pass.backward(weights);
               return [report](Napi::Env env) { return addon::toJs(env, report); };
             });
}

Napi::Value Model::forward(const Napi::CallbackInfo& info) {
  return run(info.Env(),
             [batch = microBatchFrom(objectArgument(info, 0)),
              loss = lossRequestFrom(objectArgument(info, 0))](ModelState& state) -> ToJs {
               state.pending.emplace(state.decoder, batch, /*training=*/true, entropyOfTop(loss));
               const LossReport report = lossReport(state.pending->statistics(), state.pending->tokens(),
                                                    loss, &state.pendingWeights);
               checkFinite(report, *state.pending);
               return [report, tokens = state.pending->tokens(),
                       statistics = state.pending->statistics()](Napi::Env env) {
                 Napi::Object out = addon::toJs(env, report).As<Napi::Object>();
                 out.Set("tokens", addon::toJs(env, tokens, statistics));
                 return out;
               };
             });
}

Napi::Value Model::backward(const Napi::CallbackInfo& info) {
  const Napi::Object from = objectArgument(info, 0);
  std::optional<std::vector<float>> given;
  if (!from.Get("weights").IsUndefined()) given = arrayAt<float>(from, "weights");
  return run(info.Env(), [given](ModelState& state) {
    backwardOf(state, given);
    return nothing();
  });
}

Napi::Value Model::evaluate(const Napi::CallbackInfo& info) {
  return run(info.Env(),
             [batch = microBatchFrom(objectArgument(info, 0)),
              loss = lossRequestFrom(objectArgument(info, 0))](ModelState& state) -> ToJs {
               const TrainingPass pass(state.decoder, batch, /*training=*/false, entropyOfTop(loss));
               const LossReport report = lossReport(pass.statistics(), pass.tokens(), loss, nullptr);
               return [report, tokens = pass.tokens(), statistics = pass.statistics()](Napi::Env env) {
                 Napi::Object out = addon::toJs(env, report).As<Napi::Object>();
                 out.Set("tokens", addon::toJs(env, tokens, statistics));
                 return out;
               };
             });
}

Napi::Value Model::findNonFinite(const Napi::CallbackInfo& info) {
  return run(info.Env(), [batch = microBatchFrom(objectArgument(info, 0))](ModelState& state) -> ToJs {
    return [found = adaptive::findNonFinite(state.decoder, batch)](Napi::Env env) {
      Napi::Object out = Napi::Object::New(env);
      out.Set("module", found.module);
      out.Set("rows", toTypedArray(env, found.rows));
      return out;
    };
  });
}

Napi::Value Model::clearGradients(const Napi::CallbackInfo& info) {
  return run(info.Env(), [](ModelState& state) {
    state.pending.reset();
    state.decoder.clearGradients();
    return nothing();
  });
}

}  // namespace adaptive::addon
