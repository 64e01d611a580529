// A model held to its base in a session: stored states, a frozen or moving head, an adapter that is turned
// off, and weights that are pulled back.
#include "core/session/base_model.h"

#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <filesystem>

#include "check.h"
#include "core/model/adapter.h"
#include "core/model/initialise_weights.h"
#include "core/session/saved_session.h"
#include "core/session/training_step.h"
#include "core/session/weights_digest.h"

using namespace adaptive;
using namespace adaptive::test;
using at::Tensor;

namespace {

DecoderConfig smallConfig(bool tied, double cap) {
  DecoderConfig config;
  config.vocabSize = 31, config.hiddenSize = 16, config.intermediateSize = 24, config.heads = 2,
  config.kvHeads = 1, config.headDim = 8, config.tiedHead = tied, config.logitsCap = cap;
  RopeConfig rope;
  rope.theta = 10000, rope.dims = 8;
  config.ropes = {rope};
  config.layerConfigs.assign(2, {.rope = 0, .window = 0, .attentionScale = 1 / std::sqrt(8.0)});
  return config;
}

std::unique_ptr<ModelSession> opened(bool tied = false, double cap = 0) {
  auto session = std::make_unique<ModelSession>(smallConfig(tied, cap));
  initialiseWeights(session->decoder, {.deviation = 0.3, .residualDeviation = 0.3, .seed = 5});
  return session;
}

/// Two rows that are trained and two that are retained.
const std::vector<int32_t> kIds = {3, 4, 5, 6, 7, 8, 9, 1, 2, 30, 12, 13, 14, 15};
const std::vector<int64_t> kRetained = {1, 2, 30, 12, 13, 14, 15};
const LossRequest kLoss = {.topK = 2, .bias = {}};

MicroBatch batchOf(std::optional<RetainedRows> retained) {
  const bool has = retained.has_value();
  MicroBatch batch = {{{kIds.begin(), kIds.begin() + (has ? 14 : 7)}, {0, 4, 7}},
                      {kIds.begin(), kIds.begin() + 7},
                      {LearningStyle::Ideas, LearningStyle::Attention}};
  if (!has) return batch;
  batch.tokens.cuSeqlens.insert(batch.tokens.cuSeqlens.end(), {10, 14});
  batch.labels.resize(14, kIgnored);
  batch.styles.resize(4, LearningStyle::Misc);
  batch.retained = retained;
  return batch;
}

struct File {
  std::string path =
      (std::filesystem::temp_directory_path() / "adaptive_base_model_test.safetensors").string();
  ~File() { std::filesystem::remove(path); }
};

/// Stores the model's own states of the retained rows; returns the store.
int64_t stored(ModelSession& session, const File& file) {
  at::NoGradGuard noGrad;
  const Tensor hidden = session.decoder.hiddenStates({kRetained, {0, 3, 7}}).contiguous();
  writeSafetensors(file.path, "{}", {hidden}, std::nullopt);
  session.base.keepHead(session.decoder);
  const auto bytes = static_cast<int64_t>(hidden.nbytes());
  return session.base.addRows(
      session.decoder, file.path,
      {"hidden", storedType(hidden.scalar_type()), hidden.sizes().vec(), 10, 10 + bytes}, {0, 3, 7});
}

void addLora(ModelSession& session, std::vector<std::string> save = {}) {
  std::vector<LoraTarget> targets;
  for (const char* name : {"model.layers.0.self_attn.q_proj", "model.layers.1.mlp.down_proj"})
    targets.push_back({name, 2, 0.5, 0, name[13] == '1'});
  addAdapter(session.decoder, {.targets = targets, .modulesToSave = std::move(save), .seed = 3});
}

/// Moves every trained weight.
void shake(ModelSession& session, double by) {
  uint64_t seed = 50;
  for (Parameter* p : session.decoder.trainableParameters()) {
    Tensor master = p->master();
    master.add_(by * normal(master.sizes(), seed++));
  }
  session.decoder.refreshCompute();
}

std::vector<Tensor> gradientsOf(ModelSession& session) {
  std::vector<Tensor> all;
  for (Parameter* p : session.decoder.trainableParameters()) all.push_back(p->gradientToAddTo().clone());
  return all;
}

/// Σ KL(base ‖ model) from whole logits, in float64.
double divergenceBetween(ModelSession& base, ModelSession& model) {
  at::NoGradGuard noGrad;
  const auto logs = [](ModelSession& session) {
    return session.decoder.logits(session.decoder.hiddenStates({kRetained, {0, 3, 7}}))
        .to(at::kDouble)
        .log_softmax(1);
  };
  const Tensor p0 = logs(base), p = logs(model);
  return (p0.exp() * (p0 - p)).sum().item<double>();
}

}  // namespace

TEST("base model: rows retained beside others change nothing of these, and add the divergence's gradient") {
  for (const bool tied : {false, true}) {
    for (const double cap : {0.0, 5.0}) {
      const File file;
      const auto session = opened(tied, cap), base = opened(tied, cap);
      const RetainedRows rows = {stored(*session, file), {0, 1}, 0.7};
      shake(*session, 0.03);
      const TrainReport plain = trainMicroBatch(*session, batchOf({}), kLoss);
      const auto own = gradientsOf(*session);
      clearGradients(*session);
      const TrainReport both = trainMicroBatch(*session, batchOf(rows), kLoss);
      checkNear(both.loss.loss, plain.loss.loss, 1e-6 * plain.loss.loss, "loss");
      check(both.loss.sums.total == plain.loss.sums.total && both.loss.bias.alpha == plain.loss.bias.alpha &&
                both.loss.bias.beta == plain.loss.bias.beta,
            "statistics, alpha and beta of the labelled tokens alone");
      check(plain.retained.tokens == 0 && both.retained.tokens == 7, "seven tokens retained");
      const double expected = divergenceBetween(*base, *session);
      checkNear(both.retained.divergence, expected, 1e-5 * expected, "divergence");
      checkNear(divergence(*session, {kRetained, {0, 3, 7}}, rows).divergence, expected, 1e-5 * expected,
                "measured");
      // The gradient by central differences along a direction, beside the loss' own.
      const auto gradients = gradientsOf(*session);
      double along = 0;
      std::vector<Tensor> directions;
      for (size_t i = 0; i < gradients.size(); i++) {
        directions.push_back(normal(gradients[i].sizes(), 900 + i));
        along += ((gradients[i] - own[i]).to(at::kDouble) * directions[i]).sum().item<double>();
      }
      const auto at = [&](double step) {
        const auto parameters = session->decoder.trainableParameters();
        for (size_t i = 0; i < parameters.size(); i++)
          Tensor(parameters[i]->master()).add_(step * directions[i]);
        session->decoder.refreshCompute();
        return divergenceBetween(*base, *session);
      };
      constexpr double h = 1e-3;
      const double above = at(h), below = at(-2 * h);
      checkNear(along, 0.7 * (above - below) / (2 * h), 3e-3 * std::abs(along), "directional derivative");
    }
  }
}

TEST("base model: while the model is the base, retained rows add nothing at all") {
  const File file;
  const auto session = opened();
  const RetainedRows rows = {stored(*session, file), {0, 1}, 1};
  const Retained found = divergence(*session, {kRetained, {0, 3, 7}}, rows);
  check(found.divergence == 0 && found.tokens == 7, "no divergence");
  trainMicroBatch(*session, batchOf({}), kLoss);
  const auto own = gradientsOf(*session);
  clearGradients(*session);
  const Retained beside = trainMicroBatch(*session, batchOf(rows), kLoss).retained;
  // In another batch the same row may be rounded otherwise.
  checkNear(beside.divergence, 0, 1e-10, "divergence beside other rows");
  const auto both = gradientsOf(*session);
  for (size_t i = 0; i < own.size(); i++) checkClose(both[i], own[i], 1e-5, "gradient");
}

TEST("base model: any rows of the store, in any order, split over two calls") {
  const File file;
  const auto session = opened();
  const int64_t store = stored(*session, file);
  shake(*session, 0.03);
  const double both = divergence(*session, {kRetained, {0, 3, 7}}, {store, {0, 1}, 0}).divergence;
  const double first = divergence(*session, {{1, 2, 30}, {0, 3}}, {store, {0}, 0}).divergence;
  const double second = divergence(*session, {{12, 13, 14, 15}, {0, 4}}, {store, {1}, 0}).divergence;
  checkNear(first + second, both, 1e-6 * both, "sum");
  checkFails("INVALID_INPUT", "a retained row", [&] {
    divergence(*session, {{1, 2, 30}, {0, 3}}, {store, {2}, 0});
  });
  checkFails("INVALID_INPUT", "the tokens of retained row 0", [&] {
    divergence(*session, {{1, 2}, {0, 2}}, {store, {0}, 0});
  });
  checkFails("INVALID_INPUT", "the store", [&] {
    divergence(*session, {{1, 2, 30}, {0, 3}}, {store + 1, {0}, 0});
  });
  checkFails("INVALID_INPUT", "an adapter alone", [&] {
    divergence(*session, {{1, 2, 30}, {0, 3}}, {-1, {0}, 0});
  });
  MicroBatch labelled = batchOf(RetainedRows{store, {0, 1}, 1});
  labelled.labels.back() = 3;
  checkFails("INVALID_INPUT", "without labels", [&] { trainMicroBatch(*session, labelled, kLoss); });
}

TEST("base model: forward, own weights, backward") {
  const File file;
  const auto one = opened(), two = opened();
  const RetainedRows rows = {stored(*one, file), {0, 1}, 0.7};
  stored(*two, file);
  for (auto* session : {one.get(), two.get()}) shake(*session, 0.03);
  const TrainReport whole = trainMicroBatch(*one, batchOf(rows), kLoss);
  const PassReport pass = forward(*two, batchOf(rows), kLoss);
  check(pass.tokens.size() == whole.loss.sums.total, "tokenWeights gets labelled tokens alone");
  const Retained retained = backward(*two, std::nullopt);
  check(retained.divergence == whole.retained.divergence, "the same divergence");
  const auto a = gradientsOf(*one), b = gradientsOf(*two);
  for (size_t i = 0; i < a.size(); i++) checkSame(a[i], b[i], "gradient");
  // Zero weights leave the divergence alone.
  clearGradients(*two);
  forward(*two, batchOf(rows), kLoss);
  backward(*two, std::vector<float>(pass.tokens.size(), 0.f));
  clearGradients(*one);
  trainMicroBatch(*one, batchOf({}), kLoss);
  const auto own = gradientsOf(*one), rest = gradientsOf(*two);
  for (size_t i = 0; i < a.size(); i++) checkClose(a[i] - own[i], rest[i], 1e-5, "the divergence's gradient");
}

TEST("base model: with an adapter the base is the model without it") {
  const auto session = opened(), base = opened();
  addLora(*session);
  const RetainedRows rows = {-1, {0, 1}, 0.7};
  const FlatBatch batch = {kRetained, {0, 3, 7}};
  check(divergence(*session, batch, rows).divergence == 0, "exactly 0 at the start");
  shake(*session, 0.1);
  const double expected = divergenceBetween(*base, *session);
  checkNear(divergence(*session, batch, rows).divergence, expected, 1e-5 * expected, "divergence");
  const TrainReport report = trainMicroBatch(*session, batchOf(rows), kLoss);
  checkNear(report.retained.divergence, expected, 1e-5 * expected, "divergence beside other rows");
  for (const Tensor& gradient : gradientsOf(*session))
    check(gradient.abs().max().item<double>() > 0, "the adapter is on again, and learns");
  const auto other = opened();
  addLora(*other, {"model.norm"});
  checkFails("INVALID_INPUT", "an adapter alone", [&] { divergence(*other, batch, rows); });
}

TEST("base model: the head is kept in bfloat16 where that changes no value") {
  const auto session = opened(true);
  session->base.keepHead(session->decoder);
  check(session->base.bytes() == 31 * 16 * 4, "float32 values are kept as they are");
  for (Parameter* p : session->decoder.parameters()) {
    Tensor master = p->master();
    master.copy_(master.to(at::kBFloat16));
  }
  session->decoder.refreshCompute();
  session->base.keepHead(session->decoder);
  check(session->base.bytes() == 31 * 16 * 2, "bfloat16 ones in two bytes");
  configureSession(*session, {});
  check(session->base.bytes() == 0, "forgotten");
  addLora(*session);
  session->base.keepHead(session->decoder);
  check(session->base.bytes() == 0, "a frozen head is shared");
}

TEST("base weights: every optimizer pulls every weight to its start, after its step") {
  for (const char* name : {"adamw", "adamw_8bit", "lion", "sgd", "adafactor"}) {
    const auto pulled = opened(), plain = opened();
    const File file;
    std::vector<Tensor> base;
    WeightFile weights{file.path, {}};
    int64_t at = 10;
    for (const auto& [tensor, value] : namedWeights(pulled->decoder.parameters())) {
      base.push_back(value.clone());
      weights.tensors.push_back(
          {tensor, "F32", value.sizes().vec(), at, at + static_cast<int64_t>(value.nbytes())});
      at = weights.tensors.back().end;
    }
    writeSafetensors(file.path, "{}", base, std::nullopt);
    for (auto* session : {pulled.get(), plain.get()}) createOptimizer(*session, name, {});
    checkFails("INVALID_INPUT", "setBase", [&] { pulled->optimizer->step(0.1, 1, 0.1); });
    pulled->optimizer->setSteps(0);
    setBaseWeights(*pulled, {weights});
    for (int step = 0; step < 3; step++) {
      for (auto* session : {pulled.get(), plain.get()}) trainMicroBatch(*session, batchOf({}), kLoss);
      stepOptimizer(*pulled, 0.01, 1, 0.25);
      stepOptimizer(*plain, 0.01, 1);
      const auto moved = namedWeights(pulled->decoder.parameters());
      auto expected = namedWeights(plain->decoder.parameters());
      for (size_t i = 0; i < moved.size(); i++) {
        Tensor free = expected[i].second;
        free.add_(0.25 * (base[i] - free));
        checkClose(moved[i].second, free, 1e-6, c10::str(name, ": ", moved[i].first));
      }
      plain->decoder.refreshCompute();
    }
    shake(*pulled, 0.1);
    checkFails("WEIGHTS_MISMATCH", "found other values", [&] { setBaseWeights(*pulled, {weights}); });
    checkFails("WEIGHTS_MISMATCH", "no such tensor", [&] { setBaseWeights(*pulled, {}); });
  }
}

TEST("base weights: an adapter's product is pulled to 0, its magnitude to the weight's") {
  const auto session = opened();
  addLora(*session);
  std::vector<Tensor> start;
  for (const Parameter* p : session->decoder.trainableParameters()) start.push_back(p->master().clone());
  createOptimizer(*session, "sgd", {});
  setBaseWeights(*session, {});
  shake(*session, 0.1);
  std::vector<Tensor> before;
  for (const Parameter* p : session->decoder.trainableParameters()) before.push_back(p->master().clone());
  stepOptimizer(*session, 0.1, 1, 0.25);
  const auto after = session->decoder.trainableParameters();
  for (size_t i = 0; i < after.size(); i++) {
    const std::string& name = after[i]->parts()[0].name;
    const double share = name.find("lora_A") != std::string::npos ? 0 : 0.25;
    checkClose(after[i]->master(), before[i] + share * (start[i] - before[i]), 1e-6, name);
  }
}

TEST("base weights: bfloat16 masters come home without a bias") {
  const auto session = opened();
  configureSession(*session, {at::kBFloat16, at::kBFloat16});
  const File file;
  WeightFile weights{file.path, {}};
  std::vector<Tensor> base;
  int64_t at = 10;
  for (const auto& [tensor, value] : namedWeights(session->decoder.parameters())) {
    base.push_back(value.clone());
    weights.tensors.push_back({tensor, storedType(value.scalar_type()), value.sizes().vec(), at,
                               at + static_cast<int64_t>(value.nbytes())});
    at = weights.tensors.back().end;
  }
  writeSafetensors(file.path, "{}", base, std::nullopt);
  createOptimizer(*session, "sgd", {});
  setBaseWeights(*session, {weights});
  for (Parameter* p : session->decoder.parameters()) Tensor(p->master()).add_(1);
  // Steps of a thousandth of the way are below bfloat16's resolution near 1; rounding by chance takes them
  // all the same.
  for (int step = 0; step < 400; step++) stepOptimizer(*session, 0.1, 1, 1e-3);
  for (size_t i = 0; i < base.size(); i++) {
    const Tensor left =
        namedWeights(session->decoder.parameters())[i].second.to(at::kFloat) - base[i].to(at::kFloat);
    checkNear(left.mean().item<double>(), std::pow(1 - 1e-3, 400), 0.03, weights.tensors[i].name);
  }
}

TEST("weights digest: of the weights alone, and of every one of them") {
  const auto session = opened();
  const std::string first = weightsDigest(session->decoder);
  check(first.size() == 32 && first == weightsDigest(opened()->decoder), "the same for the same weights");
  for (Parameter* p : session->decoder.parameters()) {
    const Tensor last = p->master().view(-1).narrow(0, p->master().numel() - 1, 1);
    const float before = last.item<float>();
    Tensor(last).fill_(std::nextafter(before, 9.f));
    check(weightsDigest(session->decoder) != first, "one entry of " + p->parts()[0].name);
    Tensor(last).fill_(before);
  }
  addLora(*session);
  check(weightsDigest(session->decoder) == first, "an adapter is not the base");
}
