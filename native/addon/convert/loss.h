// The losses of core, out of JavaScript and into it.
#pragma once
#include <napi.h>

#include "core/loss/training_loss.h"

namespace adaptive::addon {

AdaptiveBias biasFrom(const Napi::Object& from);
/// { loss, topK, confidence, scale, state }
LossRequest lossRequestFrom(const Napi::Object& from);
Napi::Value toJs(Napi::Env env, const LossReport& report);
Napi::Value toJs(Napi::Env env, const AdaptiveBias& bias);
Napi::Value toJs(Napi::Env env, const AdaptiveTerms& terms);
Napi::Value toJs(Napi::Env env, const AdaptiveSums& sums);
/// Per labelled token: position, label, row and the statistics.
Napi::Value toJs(Napi::Env env, const LabelledTokens& tokens, const TokenStatistics& statistics);
std::vector<LearningStyle> stylesFrom(const Napi::Object& from);

}  // namespace adaptive::addon
