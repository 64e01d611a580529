#include <ATen/ATen.h>

#include "addon/calls/model.h"
#include "addon/convert/arguments.h"
#include "addon/convert/loss.h"
#include "addon/convert/requests.h"
#include "addon/convert/retained.h"
#include "core/session/find_non_finite.h"
#include "core/session/training_step.h"

namespace adaptive::addon {
namespace {

ToJs reported(const PassReport& report) {
  return [report](Napi::Env env) {
    Napi::Object out = toJs(env, report.loss).As<Napi::Object>();
    out.Set("tokens", toJs(env, report.tokens, report.statistics));
    return out;
  };
}

}  // namespace

Napi::Value Model::lossAndGradients(const Napi::CallbackInfo& info) {
  return run(info.Env(), [batch = flatBatchFrom(objectArgument(info, 0))](ModelSession& session) -> ToJs {
    const GradientReport report = adaptive::lossAndGradients(session, batch);
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
  const Napi::Object from = objectArgument(info, 0);
  return run(info.Env(),
             [batch = microBatchFrom(from), loss = lossRequestFrom(from)](ModelSession& session) -> ToJs {
               const TrainReport report = adaptive::trainMicroBatch(session, batch, loss);
               return [report, kept = session.decoder.keptBlocks()](Napi::Env env) {
                 Napi::Object out = toJs(env, report.loss).As<Napi::Object>();
                 out.Set("retained", toJs(env, report.retained));
                 out.Set("keptBlocks", static_cast<double>(kept));
                 return out;
               };
             });
}

Napi::Value Model::forward(const Napi::CallbackInfo& info) {
  const Napi::Object from = objectArgument(info, 0);
  return run(info.Env(),
             [batch = microBatchFrom(from), loss = lossRequestFrom(from)](ModelSession& session) -> ToJs {
               const ToJs report = reported(adaptive::forward(session, batch, loss));
               return [report, kept = session.decoder.keptBlocks()](Napi::Env env) -> Napi::Value {
                 Napi::Object out = report(env).As<Napi::Object>();
                 out.Set("keptBlocks", static_cast<double>(kept));
                 return out;
               };
             });
}

Napi::Value Model::backward(const Napi::CallbackInfo& info) {
  const Napi::Object from = objectArgument(info, 0);
  std::optional<std::vector<float>> given;
  if (!from.Get("weights").IsUndefined()) given = arrayAt<float>(from, "weights");
  return run(info.Env(), [given](ModelSession& session) -> ToJs {
    return [retained = adaptive::backward(session, given)](Napi::Env env) { return toJs(env, retained); };
  });
}

Napi::Value Model::evaluate(const Napi::CallbackInfo& info) {
  const Napi::Object from = objectArgument(info, 0);
  MicroBatch batch = microBatchFrom(from);
  if (!from.Get("withoutAdapter").IsUndefined()) batch.withoutAdapter = booleanAt(from, "withoutAdapter");
  EvaluateOptions options;
  if (!from.Get("firstChoices").IsUndefined()) options.firstChoices = integerAt(from, "firstChoices");
  if (!from.Get("acrossRanks").IsUndefined()) options.acrossRanks = booleanAt(from, "acrossRanks");
  return run(info.Env(), [batch, options, loss = lossRequestFrom(from)](ModelSession& session) {
    return reported(adaptive::evaluate(session, batch, loss, options));
  });
}

Napi::Value Model::findNonFinite(const Napi::CallbackInfo& info) {
  return run(info.Env(), [batch = microBatchFrom(objectArgument(info, 0))](ModelSession& session) -> ToJs {
    return [found = adaptive::findNonFinite(session.decoder, batch)](Napi::Env env) {
      Napi::Object out = Napi::Object::New(env);
      out.Set("module", found.module);
      out.Set("rows", toTypedArray(env, found.rows));
      return out;
    };
  });
}

Napi::Value Model::beginTrace(const Napi::CallbackInfo& info) {
  return run(info.Env(), [](ModelSession& session) {
    adaptive::beginTrace(session);
    return nothing();
  });
}

Napi::Value Model::takeTrace(const Napi::CallbackInfo& info) {
  return run(info.Env(), [](ModelSession& session) -> ToJs {
    return [spans = adaptive::takeTrace(session)](Napi::Env env) {
      Napi::Array out = Napi::Array::New(env, spans.size());
      for (size_t i = 0; i < spans.size(); i++) {
        Napi::Object span = Napi::Object::New(env);
        span.Set("name", spans[i].name);
        span.Set("category", spans[i].category);
        span.Set("start", spans[i].start);
        span.Set("end", spans[i].end);
        span.Set("layer", static_cast<double>(spans[i].layer));
        span.Set("bytes", static_cast<double>(spans[i].bytes));
        out.Set(static_cast<uint32_t>(i), span);
      }
      return out;
    };
  });
}

Napi::Value Model::clearGradients(const Napi::CallbackInfo& info) {
  return run(info.Env(), [](ModelSession& session) {
    adaptive::clearGradients(session);
    return nothing();
  });
}

}  // namespace adaptive::addon
