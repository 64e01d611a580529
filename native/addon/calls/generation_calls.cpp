#include <ATen/ATen.h>

#include "addon/calls/model.h"
#include "addon/convert/arguments.h"
#include "addon/convert/requests.h"
#include "addon/handle.h"
#include "core/error.h"
#include "core/model/generation.h"

namespace adaptive::addon {
namespace {

// Random numbers: no other addon has them.
constexpr napi_type_tag kGenerationTag = {0x71d2a8be40f54c6b, 0xb3089d1fe6a742c5};

/// A generation and the model it was begun with: the cache would not fit another.
struct BegunGeneration {
  int64_t model;
  Generation generation;
};

}  // namespace

Napi::Value Model::logits(const Napi::CallbackInfo& info) {
  return run(info.Env(), [batch = flatBatchFrom(objectArgument(info, 0))](ModelSession& session) -> ToJs {
    at::NoGradGuard noGrad;
    const at::Tensor logits = session.decoder.logits(session.decoder.hiddenStates(batch)).cpu().contiguous();
    return
        [logits](Napi::Env env) { return toTypedArray(env, logits.const_data_ptr<float>(), logits.numel()); };
  });
}

Napi::Value Model::startGeneration(const Napi::CallbackInfo& info) {
  const Napi::Object from = objectArgument(info, 0);
  const SamplingOptions options = {numberAt(from, "temperature"), integerAt(from, "topK"),
                                   numberAt(from, "topP"), numberAt(from, "repetitionPenalty"),
                                   static_cast<uint64_t>(integerAt(from, "seed"))};
  return run(info.Env(),
             [prompts = flatBatchFrom(from), options,
              stopIds = arrayAt<int32_t, int64_t>(from, "stopTokenIds")](ModelSession& session) -> ToJs {
               const auto generation = std::make_shared<BegunGeneration>(BegunGeneration{
                   session.number, Generation(session.decoder.config(), prompts, options, stopIds)});
               return [generation](Napi::Env env) { return toHandle(env, generation, kGenerationTag); };
             });
}

Napi::Value Model::nextTokens(const Napi::CallbackInfo& info) {
  const Napi::Value given = info.Length() < 1 ? info.Env().Undefined() : info[0];
  const auto* held = inHandle<BegunGeneration>(given, kGenerationTag);
  if (!held || !*held) failType(given, "a generation that has not ended", "argument 0");
  const auto generation = *held;
  return run(info.Env(), [generation](ModelSession& session) -> ToJs {
    if (session.number != generation->model)
      fail("INVALID_INPUT", "Expected a generation of this model, found one of another.");
    const std::vector<int64_t> tokens = generation->generation.next(session.decoder);
    return [tokens = std::vector<int32_t>(tokens.begin(), tokens.end()),
            ended = generation->generation.ended()](Napi::Env env) {
      Napi::Object out = Napi::Object::New(env);
      out.Set("tokens", toTypedArray(env, tokens));
      out.Set("ended", ended);
      return out;
    };
  });
}

Napi::Value Model::endGeneration(const Napi::CallbackInfo& info) {
  const Napi::Value given = info.Length() < 1 ? info.Env().Undefined() : info[0];
  auto* held = inHandle<BegunGeneration>(given, kGenerationTag);
  if (!held) failType(given, "a generation", "argument 0");
  // Taken out: the handle lives until it is collected, and the caches are to go at once. Also where the model
  // has gone.
  return Engine::run(info.Env(), [generation = std::move(*held)]() mutable {
    generation.reset();
    return nothing();
  });
}

}  // namespace adaptive::addon
