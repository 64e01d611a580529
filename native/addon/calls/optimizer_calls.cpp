#include <ATen/ATen.h>

#include "addon/calls/model.h"
#include "addon/convert/arguments.h"
#include "addon/convert/requests.h"
#include "core/session/saved_session.h"
#include "core/session/training_step.h"

namespace adaptive::addon {
namespace {

/// What one optimizer alone has, under its name.
void readOwnOptions(const Napi::Object& from, OptimizerOptions& options) {
  if (!from.Get("sgd").IsUndefined()) {
    const Napi::Object sgd = objectAt(from, "sgd");
    options.dampening = numberAt(sgd, "dampening");
    options.nesterov = booleanAt(sgd, "nesterov");
  }
  if (!from.Get("adagrad").IsUndefined()) options.lrDecay = numberAt(objectAt(from, "adagrad"), "lrDecay");
  if (!from.Get("rmsprop").IsUndefined()) {
    const Napi::Object rmsprop = objectAt(from, "rmsprop");
    options.squaresDecay = numberAt(rmsprop, "alpha");
    options.centered = booleanAt(rmsprop, "centered");
  }
  if (!from.Get("ademamix").IsUndefined()) {
    const Napi::Object ademamix = objectAt(from, "ademamix");
    options.beta3 = numberAt(ademamix, "beta3");
    options.mixAlpha = numberAt(ademamix, "alpha");
    options.beta3Warmup = integerAt(ademamix, "beta3Warmup");
    options.alphaWarmup = integerAt(ademamix, "alphaWarmup");
  }
}

Paging pagingFrom(const Napi::Object& from) {
  Paging paging;
  if (!from.Get("restOfStep").IsUndefined()) paging.restOfStep = integerAt(from, "restOfStep");
  if (!from.Get("atMost").IsUndefined()) paging.atMost = integerAt(from, "atMost");
  return paging;
}

}  // namespace

Napi::Value Model::createOptimizer(const Napi::CallbackInfo& info) {
  const Napi::Object from = objectArgument(info, 0);
  OptimizerOptions options = {.beta1 = numberAt(from, "beta1"),
                              .beta2 = numberAt(from, "beta2"),
                              .eps = numberAt(from, "eps"),
                              .weightDecay = numberAt(from, "weightDecay"),
                              .momentum = numberAt(from, "momentum"),
                              .seed = static_cast<uint64_t>(integerAt(from, "seed"))};
  readOwnOptions(from, options);
  if (!from.Get("paged").IsUndefined()) options.paging = pagingFrom(objectAt(from, "paged"));
  std::vector<std::pair<std::string, double>> rates;
  if (!from.Get("rates").IsUndefined()) {
    rates = listAt(from, "rates", [](const Napi::Value& value, const std::string& at) {
      const Napi::Object rate = objectFrom(value, at);
      return std::pair(stringAt(rate, "name"), numberAt(rate, "multiplier"));
    });
  }
  const int64_t zeroStage = from.Get("zeroStage").IsUndefined() ? 0 : integerAt(from, "zeroStage");
  return run(info.Env(),
             [name = stringAt(from, "name"), options, rates, zeroStage](ModelSession& session) -> ToJs {
               adaptive::createOptimizer(session, name, options, zeroStage);
               session.optimizer->setRates(rates);
               return [memory = session.optimizer->memory()](Napi::Env env) {
                 Napi::Object out = Napi::Object::New(env);
                 out.Set("held", static_cast<double>(memory.held));
                 out.Set("paged", static_cast<double>(memory.paged));
                 out.Set("unpinned", static_cast<double>(memory.unpinned));
                 return out;
               };
             });
}

Napi::Value Model::optimizerStep(const Napi::CallbackInfo& info) {
  const Napi::Object from = objectArgument(info, 0);
  return run(info.Env(),
             [rate = numberAt(from, "learningRate"), maxNorm = numberAt(from, "maxGradNorm"),
              pull = numberAt(from, "pull")](ModelSession& session) -> ToJs {
               const StepReport report = stepOptimizer(session, rate, maxNorm, pull);
               return [report, scale = lossScale(session)](Napi::Env env) {
                 Napi::Object out = Napi::Object::New(env);
                 out.Set("gradNorm", report.gradNorm);
                 out.Set("skipped", report.skipped);
                 out.Set("lossScale", scale);
                 return out;
               };
             });
}

Napi::Value Model::optimizerState(const Napi::CallbackInfo& info) {
  return run(info.Env(), [](ModelSession& session) -> ToJs {
    return [state = adaptive::optimizerState(session)](Napi::Env env) {
      Napi::Array list = Napi::Array::New(env, state.tensors.size());
      for (uint32_t i = 0; i < state.tensors.size(); i++) {
        const auto& [name, tensor] = state.tensors[i];
        Napi::Object entry = namedShape(env, name, tensor.sizes());
        entry.Set("dtype", storedType(tensor.scalar_type()));
        list.Set(i, entry);
      }
      Napi::Object out = Napi::Object::New(env);
      out.Set("steps", static_cast<double>(state.steps));
      out.Set("lossScale", state.scaler.scale);
      out.Set("goodSteps", static_cast<double>(state.scaler.goodSteps));
      out.Set("tensors", list);
      return out;
    };
  });
}

Napi::Value Model::saveOptimizer(const Napi::CallbackInfo& info) {
  const Napi::Object from = objectArgument(info, 0);
  return run(info.Env(),
             [path = stringAt(from, "path"), header = stringAt(from, "header")](ModelSession& session) {
               adaptive::saveOptimizer(session, path, header);
               return nothing();
             });
}

Napi::Value Model::loadOptimizer(const Napi::CallbackInfo& info) {
  const Napi::Object from = objectArgument(info, 0);
  const auto files = filesFrom(from);
  if (files.size() != 1) failType(from.Get("files"), "one file", "files");
  const GradScaler::State scaler = {numberAt(from, "lossScale"), integerAt(from, "goodSteps")};
  return run(info.Env(), [file = files[0], scaler, steps = integerAt(from, "steps")](ModelSession& session) {
    adaptive::loadOptimizer(session, file, steps, scaler);
    return nothing();
  });
}

}  // namespace adaptive::addon
