#pragma once
#include <napi.h>

#include "core/loss/training_loss.h"

namespace adaptive::addon {

/// adaptiveLoss(request): the loss on its own, from hidden states and a head given as arrays
/// (src/adaptive-loss.ts).
Napi::Value adaptiveLoss(const Napi::CallbackInfo& info);

AdaptiveBias biasFrom(const Napi::Object& from);
LossRequest lossRequestFrom(const Napi::Object& from);
Napi::Value toJs(Napi::Env env, const LossReport& report);
Napi::Value toJs(Napi::Env env, const AdaptiveBias& bias);
Napi::Value toJs(Napi::Env env, const AdaptiveTerms& terms);
Napi::Value toJs(Napi::Env env, const AdaptiveSums& sums);
/// Per labelled token: position, label, row and the statistics.
Napi::Value toJs(Napi::Env env, const LabelledTokens& tokens, const TokenStatistics& statistics);
std::vector<LearningStyle> stylesFrom(const Napi::Object& from);

}  // namespace adaptive::addon
