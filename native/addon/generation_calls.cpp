#include <ATen/ATen.h>

#include "addon/arguments.h"
#include "addon/handle.h"
#include "addon/model_handle.h"
#include "addon/model_requests.h"
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
  return run(info.Env(), [batch = flatBatchFrom(objectArgument(info, 0))](ModelState& state) -> ToJs {
    at::NoGradGuard noGrad;
    const at::Tensor logits = state.decoder.logits(state.decoder.hiddenStates(batch)).contiguous();
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
              stopIds = arrayAt<int32_t, int64_t>(from, "stopTokenIds")](ModelState& state) -> ToJs {
               checkFlatBatch(prompts, state.decoder.config().vocabSize);
               const auto generation = std::make_shared<BegunGeneration>(BegunGeneration{
                   state.number, Generation(state.decoder.config(), prompts, options, stopIds)});
               return [generation](Napi::Env env) { return toHandle(env, generation, kGenerationTag); };
             });
}

Napi::Value Model::nextTokens(const Napi::CallbackInfo& info) {
  const auto* held = info.Length() < 1 ? nullptr : inHandle<BegunGeneration>(info[0], kGenerationTag);
  if (!held) throw Napi::TypeError::New(info.Env(), "Expected a generation.");
  const auto generation = *held;
  return run(info.Env(), [generation](ModelState& state) -> ToJs {
    if (state.number != generation->model)
      fail("INVALID_INPUT", "Expected a generation of this model, found one of another.");
    const std::vector<int64_t> tokens = generation->generation.next(state.decoder);
    return [tokens = std::vector<int32_t>(tokens.begin(), tokens.end()),
            ended = generation->generation.ended()](Napi::Env env) {
      Napi::Object out = Napi::Object::New(env);
      out.Set("tokens", toTypedArray(env, tokens));
      out.Set("ended", ended);
      return out;
    };
  });
}

}  // namespace adaptive::addon
