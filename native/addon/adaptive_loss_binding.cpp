#include "addon/adaptive_loss_binding.h"

#include <ATen/ATen.h>

#include "addon/arguments.h"
#include "addon/engine.h"
#include "core/error.h"
#include "core/loss/fused_linear_loss.h"

namespace adaptive::addon {
namespace {

struct Request {
  std::vector<float> hidden, weight;
  std::vector<int32_t> labels, demarcation;
  std::vector<LearningStyle> styles;
  int64_t rows, seq, hiddenSize, vocabSize, chunkTokens;
  bool bfloat16, training;
  LossRequest loss;
};

Request requestFrom(const Napi::Object& from) {
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

/// Sizes are multiplied in 128 bits: a product that wraps around must not pass for a match.
void checkLength(const char* name, size_t found, int64_t a, int64_t b) {
  if (a < 0 || b < 0 || static_cast<__int128>(a) * b != static_cast<__int128>(found)) {
    fail("INVALID_INPUT", "Expected ", a, " x ", b, " values in ", name, ", found ", found, ".");
  }
}

std::vector<int64_t> evenRows(int64_t rows, int64_t seq) {
  std::vector<int64_t> cuSeqlens;
  for (int64_t row = 0; row <= rows; row++) cuSeqlens.push_back(row * seq);
  return cuSeqlens;
}

ToJs compute(Request& r) {
  if (r.rows < 1 || r.seq < 1 || r.hiddenSize < 1 || r.vocabSize < 1) {
    fail("INVALID_INPUT", "Expected rows, seq, hiddenSize and vocabSize of at least 1, found ", r.rows, ", ",
         r.seq, ", ", r.hiddenSize, " and ", r.vocabSize, ".");
  }
  checkLength("labels", r.labels.size(), r.rows, r.seq);
  checkLength("hidden", r.hidden.size(), static_cast<int64_t>(r.labels.size()), r.hiddenSize);
  checkLength("weight", r.weight.size(), r.vocabSize, r.hiddenSize);
  checkLength("styles", r.styles.size(), r.rows, 1);
  const auto tokens = std::make_shared<LabelledTokens>(
      labelledTokens(r.labels, evenRows(r.rows, r.seq), r.styles, r.demarcation, r.vocabSize));
  at::NoGradGuard noGrad;
  const at::ScalarType type = r.bfloat16 ? at::kBFloat16 : at::kFloat;
  const at::Tensor hidden = at::from_blob(r.hidden.data(), {r.rows * r.seq, r.hiddenSize}, at::kFloat);
  const at::Tensor weight = at::from_blob(r.weight.data(), {r.vocabSize, r.hiddenSize}, at::kFloat).to(type);
  const at::Tensor positions = at::tensor(tokens->positions, at::kLong);
  FusedLinearLoss loss(hidden.index_select(0, positions).to(type), weight, tokens->labels,
                       r.training ? LossGradients::Both : LossGradients::None, {.tokens = r.chunkTokens}, {},
                       entropyOfTop(r.loss));
  std::vector<float> weights;
  LossReport report = lossReport(loss.statistics(), *tokens, r.loss, &weights);
  if (!r.training) report.bias = r.loss.bias;
  at::Tensor gradHidden, gradWeight;
  if (r.training) {
    gradHidden = at::zeros_like(hidden);
    gradWeight = at::zeros({r.vocabSize, r.hiddenSize}, at::kFloat);
    const auto add = [&](const at::Tensor& dLogits, const at::Tensor& chunk) {
      if (type == at::kFloat) {
        gradWeight.addmm_(dLogits.t(), chunk);
      } else {
        gradWeight.add_(at::mm(dLogits.t(), chunk));
      }
    };
    gradHidden.index_copy_(0, positions, loss.backward(weights, add).to(at::kFloat));
  }
  const auto statistics = std::make_shared<TokenStatistics>(loss.statistics());
  return [=](Napi::Env env) {
    Napi::Object out = toJs(env, report).As<Napi::Object>();
    out.Set("tokens", toJs(env, *tokens, *statistics));
    if (gradHidden.defined()) {
      out.Set("gradHidden", toTypedArray(env, gradHidden.const_data_ptr<float>(), gradHidden.numel()));
      out.Set("gradWeight", toTypedArray(env, gradWeight.const_data_ptr<float>(), gradWeight.numel()));
    }
    return out;
  };
}

}  // namespace

Napi::Value adaptiveLoss(const Napi::CallbackInfo& info) {
  const auto request = std::make_shared<Request>(requestFrom(objectArgument(info, 0)));
  return Engine::run(info.Env(), [request] { return compute(*request); });
}

std::vector<LearningStyle> stylesFrom(const Napi::Object& from) {
  std::vector<LearningStyle> styles;
  for (const uint8_t style : arrayAt<uint8_t>(from, "styles")) {
    if (style > 3) throw Napi::TypeError::New(from.Env(), "Expected learning styles from 0 to 3.");
    styles.push_back(static_cast<LearningStyle>(style));
  }
  return styles;
}

LossRequest lossRequestFrom(const Napi::Object& from) {
  const std::string name = stringAt(from, "loss");
  LossRequest request;
  // This runs on the thread of JavaScript, where no Error of core may escape.
  try {
    request.kind = lossKind(name);
  } catch (const Error& error) {
    throw Napi::TypeError::New(from.Env(), error.what());
  }
  request.topK = integerAt(from, "topK");
  request.confidence = numberAt(from, "confidence");
  request.scale = numberAt(from, "scale");
  request.bias = biasFrom(objectAt(from, "state"));
  if (request.kind == LossKind::Eaft && request.topK < 1)
    throw Napi::TypeError::New(from.Env(), "Expected a topK of at least 1 for eaft.");
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
  out.Set("topNll", toTypedArray(env, statistics.topNll));
  out.Set("entropy", toTypedArray(env, statistics.entropy));
  out.Set("rank", toTypedArray(env, statistics.rank));
  out.Set("predicted", toTypedArray(env, statistics.argmax));
  return out;
}

}  // namespace adaptive::addon
