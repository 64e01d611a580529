#include "addon/calls/adaptive_loss.h"

#include <ATen/ATen.h>

#include "addon/convert/arguments.h"
#include "addon/convert/loss.h"
#include "addon/engine.h"
#include "core/loss/array_loss.h"

namespace adaptive::addon {
namespace {

ArrayLossRequest requestFrom(const Napi::Object& from) {
  return {arrayAt<float>(from, "hidden"),
          arrayAt<float>(from, "weight"),
          arrayAt<int32_t>(from, "labels"),
          arrayAt<int32_t>(from, "demarcationIds"),
          stylesFrom(from),
          integerAt(from, "rows"),
          integerAt(from, "seq"),
          integerAt(from, "hiddenSize"),
          integerAt(from, "vocabSize"),
          integerAt(from, "chunkTokens"),
          booleanAt(from, "bfloat16"),
          booleanAt(from, "training"),
          lossRequestFrom(from)};
}

Napi::Value gradientToJs(Napi::Env env, const at::Tensor& gradient) {
  return toTypedArray(env, gradient.const_data_ptr<float>(), gradient.numel());
}

}  // namespace

Napi::Value adaptiveLoss(const Napi::CallbackInfo& info) {
  const auto request = std::make_shared<ArrayLossRequest>(requestFrom(objectArgument(info, 0)));
  return Engine::run(info.Env(), [request]() -> ToJs {
    const auto result = std::make_shared<ArrayLoss>(arrayLoss(*request));
    return [result](Napi::Env env) {
      Napi::Object out = toJs(env, result->report).As<Napi::Object>();
      out.Set("tokens", toJs(env, result->tokens, result->statistics));
      if (result->gradHidden.defined()) {
        out.Set("gradHidden", gradientToJs(env, result->gradHidden));
        out.Set("gradWeight", gradientToJs(env, result->gradWeight));
      }
      return out;
    };
  });
}

}  // namespace adaptive::addon
