#include <ATen/ATen.h>

#include "addon/arguments.h"
#include "addon/model_handle.h"
#include "addon/model_requests.h"
#include "core/error.h"

namespace adaptive::addon {

Napi::Value Model::createOptimizer(const Napi::CallbackInfo& info) {
  const Napi::Object from = objectArgument(info, 0);
  const OptimizerOptions options = {
      numberAt(from, "beta1"),    numberAt(from, "beta2"),
      numberAt(from, "eps"),      numberAt(from, "weightDecay"),
      numberAt(from, "momentum"), static_cast<uint64_t>(integerAt(from, "seed"))};
  return run(info.Env(), [name = stringAt(from, "name"), options](ModelState& state) {
    state.decoder.clearGradients();
    for (Parameter* parameter : state.decoder.trainableParameters()) parameter->reserveGradient();
    state.optimizer = makeOptimizer(name, state.decoder.trainableParameters(), options);
    return nothing();
  });
}

Napi::Value Model::optimizerStep(const Napi::CallbackInfo& info) {
  const Napi::Object from = objectArgument(info, 0);
  return run(info.Env(),
             [rate = numberAt(from, "learningRate"),
              maxNorm = numberAt(from, "maxGradNorm")](ModelState& state) -> ToJs {
               const StepReport report = stepOptimizer(state, rate, maxNorm);
               return [report, scale = lossScale(state)](Napi::Env env) {
                 Napi::Object out = Napi::Object::New(env);
                 out.Set("gradNorm", report.gradNorm);
                 out.Set("skipped", report.skipped);
                 out.Set("lossScale", scale);
                 return out;
               };
             });
}

Napi::Value Model::optimizerState(const Napi::CallbackInfo& info) {
  return run(info.Env(), [](ModelState& state) -> ToJs {
    if (!state.optimizer) fail("INVALID_INPUT", "Expected createOptimizer() first.");
    const auto tensors = state.optimizer->state();
    const GradScaler::State scaler = state.scaler ? state.scaler->state() : GradScaler::State{1, 0};
    return [tensors, scaler, steps = state.optimizer->steps()](Napi::Env env) {
      Napi::Array list = Napi::Array::New(env, tensors.size());
      for (uint32_t i = 0; i < tensors.size(); i++) {
        Napi::Object entry = namedShape(env, tensors[i].first, tensors[i].second.sizes());
        entry.Set("dtype", storedType(tensors[i].second.scalar_type()));
        list.Set(i, entry);
      }
      Napi::Object out = Napi::Object::New(env);
      out.Set("steps", static_cast<double>(steps));
      out.Set("lossScale", scaler.scale);
      out.Set("goodSteps", static_cast<double>(scaler.goodSteps));
      out.Set("tensors", list);
      return out;
    };
  });
}

Napi::Value Model::saveOptimizer(const Napi::CallbackInfo& info) {
  const Napi::Object from = objectArgument(info, 0);
  return run(info.Env(),
             [path = stringAt(from, "path"), header = stringAt(from, "header")](ModelState& state) {
               addon::saveOptimizer(state, path, header);
               return nothing();
             });
}

Napi::Value Model::loadOptimizer(const Napi::CallbackInfo& info) {
  const Napi::Object from = objectArgument(info, 0);
  const auto files = filesFrom(from);
  if (files.size() != 1) throw Napi::TypeError::New(info.Env(), "Expected one file.");
  const GradScaler::State scaler = {numberAt(from, "lossScale"), integerAt(from, "goodSteps")};
  if (scaler.scale <= 0) throw Napi::TypeError::New(info.Env(), "Expected a positive lossScale.");
  return run(info.Env(), [file = files[0], scaler, steps = integerAt(from, "steps")](ModelState& state) {
    addon::loadOptimizer(state, file, steps);
    if (state.scaler) state.scaler.emplace(scaler);
    return nothing();
  });
}

}  // namespace adaptive::addon
