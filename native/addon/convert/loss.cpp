#include "addon/convert/loss.h"

#include "addon/convert/arguments.h"

namespace adaptive::addon {

std::vector<LearningStyle> stylesFrom(const Napi::Object& from) {
  std::vector<LearningStyle> styles;
  for (const uint8_t style : arrayAt<uint8_t>(from, "styles")) {
    if (style > 3) {
      throw Napi::TypeError::New(
          from.Env(), "Expected learning styles from 0 to 3 in styles, found " + std::to_string(style) + ".");
    }
    styles.push_back(static_cast<LearningStyle>(style));
  }
  return styles;
}

LossRequest lossRequestFrom(const Napi::Object& from) {
  LossRequest request;
  request.kind = lossKind(stringAt(from, "loss"));
  request.topK = integerAt(from, "topK");
  request.confidence = numberAt(from, "confidence");
  request.scale = numberAt(from, "scale");
  if (!from.Get("labelSmoothing").IsUndefined()) request.smoothing = numberAt(from, "labelSmoothing");
  request.bias = biasFrom(objectAt(from, "state"));
  return request;
}

Napi::Value toJs(Napi::Env env, const LossReport& report) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("loss", report.loss);
  out.Set("terms", toJs(env, report.terms));
  out.Set("sums", toJs(env, report.sums));
  out.Set("state", toJs(env, report.bias));
  return out;
}

AdaptiveBias biasFrom(const Napi::Object& from) {
  return {numberAt(from, "alpha"),        numberAt(from, "beta"),        numberAt(from, "alphaMoment1"),
          numberAt(from, "alphaMoment2"), numberAt(from, "betaMoment1"), numberAt(from, "betaMoment2"),
          integerAt(from, "step")};
}

Napi::Value toJs(Napi::Env env, const AdaptiveBias& bias) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("alpha", bias.alpha);
  out.Set("beta", bias.beta);
  out.Set("alphaMoment1", bias.alphaMoment1);
  out.Set("alphaMoment2", bias.alphaMoment2);
  out.Set("betaMoment1", bias.betaMoment1);
  out.Set("betaMoment2", bias.betaMoment2);
  out.Set("step", static_cast<double>(bias.step));
  return out;
}

Napi::Value toJs(Napi::Env env, const AdaptiveTerms& terms) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("self", terms.self);
  out.Set("common", terms.common);
  out.Set("ideas", terms.ideas);
  out.Set("attention", terms.attention);
  out.Set("factor", terms.factor);
  out.Set("loss", terms.loss);
  return out;
}

Napi::Value toJs(Napi::Env env, const AdaptiveSums& sums) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("total", static_cast<double>(sums.total));
  out.Set("correct", static_cast<double>(sums.correct));
  out.Set("inTopK", static_cast<double>(sums.inTopK));
  out.Set("trained", static_cast<double>(sums.trained()));
  out.Set("nll", sums.nll);
  return out;
}

Napi::Value toJs(Napi::Env env, const LabelledTokens& tokens, const TokenStatistics& statistics) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("positions",
          toTypedArray(env, std::vector<int32_t>(tokens.positions.begin(), tokens.positions.end())));
  out.Set("labels", toTypedArray(env, tokens.labels));
  out.Set("rows", toTypedArray(env, tokens.rows));
  out.Set("nll", toTypedArray(env, statistics.nll));
  if (!statistics.smoothed.empty()) out.Set("smoothed", toTypedArray(env, statistics.smoothed));
  out.Set("topNll", toTypedArray(env, statistics.topNll));
  out.Set("entropy", toTypedArray(env, statistics.entropy));
  out.Set("rank", toTypedArray(env, statistics.rank));
  out.Set("predicted", toTypedArray(env, statistics.argmax));
  if (statistics.choices > 0) {
    out.Set("choices", static_cast<double>(statistics.choices));
    out.Set("choiceIds", toTypedArray(env, statistics.choiceIds));
    out.Set("choiceNll", toTypedArray(env, statistics.choiceNll));
  }
  return out;
}

}  // namespace adaptive::addon
