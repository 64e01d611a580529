// A session without Node: steps, clipping, loss scale, what waits between forward and backward, files.
#include <cmath>
#include <filesystem>
#include <limits>

#include "check.h"
#include "core/io/stored_tensor.h"
#include "core/model/adapter.h"
#include "core/model/generation.h"
#include "core/model/initialise_weights.h"
#include "core/session/model_session.h"
#include "core/session/saved_session.h"
#include "core/session/training_step.h"

using namespace adaptive;
using namespace adaptive::test;
using at::Tensor;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

DecoderConfig smallConfig(bool tied) {
  DecoderConfig config;
  config.vocabSize = 31, config.hiddenSize = 16, config.intermediateSize = 24, config.heads = 2,
  config.kvHeads = 1, config.headDim = 8, config.tiedHead = tied;
  config.ropes = {{.theta = 10000, .dims = 8}};
  config.layerConfigs.assign(2, {.rope = 0, .window = 0, .attentionScale = 1 / std::sqrt(8.0)});
  return config;
}

std::unique_ptr<ModelSession> opened(bool tied = false) {
  auto session = std::make_unique<ModelSession>(smallConfig(tied));
  initialiseWeights(session->decoder, {.deviation = 0.3, .residualDeviation = 0.3, .seed = 5});
  return session;
}

const MicroBatch kBatch = {{{3, 4, 5, 6, 7, 8, 9}, {0, 4, 7}},
                           {3, 4, 5, 6, 7, 8, 9},
                           {LearningStyle::Ideas, LearningStyle::Attention}};
const LossRequest kLoss = {.topK = 2, .bias = {}};

std::vector<Tensor> weightsOf(const ModelSession& session) {
  std::vector<Tensor> all;
  for (const Parameter* p : session.decoder.parameters()) all.push_back(p->master().clone());
  return all;
}

void checkSameWeights(const ModelSession& session, const std::vector<Tensor>& expected,
                      const std::string& what) {
  const auto actual = weightsOf(session);
  for (size_t i = 0; i < expected.size(); i++) checkSame(actual[i], expected[i], what);
}

/// A file that goes when the test ends.
struct File {
  std::string path = (std::filesystem::temp_directory_path() / "adaptive_session_test.safetensors").string();
  ~File() { std::filesystem::remove(path); }
};

/// The entries of a file that holds the tensors one after the other, behind a header of two bytes.
WeightFile entriesOf(const std::string& path, const std::vector<std::pair<std::string, Tensor>>& tensors) {
  WeightFile file{path, {}};
  int64_t at = 8 + 2;
  for (const auto& [name, tensor] : tensors) {
    const auto bytes = static_cast<int64_t>(tensor.nbytes());
    file.tensors.push_back({name, storedType(tensor.scalar_type()), tensor.sizes().vec(), at, at + bytes});
    at += bytes;
  }
  return file;
}

}  // namespace

TEST("session: a step is the optimizer's on the gathered gradients, clipped") {
  for (const double maxNorm : {0.0, 0.01}) {
    const auto session = opened();
    createOptimizer(*session, "sgd", {});
    trainMicroBatch(*session, kBatch, kLoss);
    trainMicroBatch(*session, kBatch, kLoss);
    const auto before = weightsOf(*session);
    std::vector<Tensor> gradients;
    double squares = 0;
    for (const Parameter* p : session->decoder.parameters()) {
      gradients.push_back(p->gradient().clone());
      squares += p->gradient().to(at::kDouble).square().sum().item<double>();
    }
    const double norm = std::sqrt(squares), clipped = maxNorm > 0 ? maxNorm / (norm + 1e-6) : 1;
    check(norm > 0.01, "a norm above the bound");
    const StepReport report = stepOptimizer(*session, 0.5, maxNorm);
    checkNear(report.gradNorm, norm, 1e-6 * norm, "norm, before clipping");
    check(!report.skipped && session->optimizer->steps() == 1, "one step");
    const auto after = weightsOf(*session);
    for (size_t i = 0; i < after.size(); i++)
      checkClose(after[i], before[i] - 0.5 * clipped * gradients[i], 1e-6, "weights after the step");
    for (const Parameter* p : session->decoder.parameters())
      check(!p->gradient().defined(), "gradients to be cleared");
  }
}

TEST("session: forward and backward in two calls are one trainMicroBatch") {
  const auto one = opened(), two = opened();
  const LossReport whole = trainMicroBatch(*one, kBatch, kLoss).loss;
  const PassReport halves = forward(*two, kBatch, kLoss);
  check(halves.loss.loss == whole.loss && halves.tokens.size() == 5, "the same loss of 5 tokens");
  backward(*two, std::nullopt);
  for (size_t i = 0; i < one->decoder.parameters().size(); i++)
    checkSame(two->decoder.parameters()[i]->gradient(), one->decoder.parameters()[i]->gradient(), "gradient");
  checkFails("INVALID_INPUT", "forward() before", [&] { backward(*two, std::nullopt); });
}

TEST("session: weights of one's own are on the nll") {
  const auto a = opened(), b = opened();
  LossRequest ce = kLoss;
  ce.kind = LossKind::CrossEntropy;
  trainMicroBatch(*a, kBatch, ce);
  forward(*b, kBatch, kLoss);
  checkFails("INVALID_INPUT", "(5), found 4", [&] { backward(*b, std::vector<float>(4, 1)); });
  backward(*b, std::vector<float>(5, 1.f / 5));
  for (size_t i = 0; i < a->decoder.parameters().size(); i++)
    checkSame(b->decoder.parameters()[i]->gradient(), a->decoder.parameters()[i]->gradient(), "gradient");
}

TEST("session: float16 scales gradients, skips an overflow, and steps as if it had not scaled") {
  const auto session = opened();
  configureSession(*session, {.compute = at::kHalf});
  check(lossScale(*session) == 65536, "torch.amp's first scale");
  createOptimizer(*session, "sgd", {});
  // The gradient of the tied rows is what overflows first; a scale that is far too large is halved until it
  // fits.
  const auto before = weightsOf(*session);
  session->scaler.emplace(GradScaler::State{1e30, 0});
  trainMicroBatch(*session, kBatch, kLoss);
  const StepReport skipped = stepOptimizer(*session, 0.5, 0);
  check(skipped.skipped && lossScale(*session) == 5e29, "a skipped step and half the scale");
  checkSameWeights(*session, before, "weights of a skipped step");
  configureSession(*session, {.compute = at::kHalf});
  const auto plain = opened();
  createOptimizer(*plain, "sgd", {});
  session->scaler.emplace(GradScaler::State{256, 0});
  for (const double maxNorm : {0.0, 0.01}) {
    for (ModelSession* s : {session.get(), plain.get()}) trainMicroBatch(*s, kBatch, kLoss);
    const auto start = weightsOf(*session);
    const double norm = stepOptimizer(*session, 0.5, maxNorm).gradNorm,
                 expected = stepOptimizer(*plain, 0.5, maxNorm).gradNorm;
    checkNear(norm, expected, 0.01 * expected, "norm without the scale");
    check(expected > 0.02, "a norm above the bound");
    double squares = 0;
    const auto after = weightsOf(*session);
    for (size_t i = 0; i < after.size(); i++)
      squares += (after[i] - start[i]).to(at::kDouble).square().sum().item<double>();
    const double taken = 0.5 * (maxNorm > 0 ? maxNorm : norm);
    checkNear(std::sqrt(squares), taken, 1e-3 * taken, "length of the step: that of the clipped gradient");
  }
}

TEST("session: a loss that is not finite names its row, gathers nothing and leaves nothing waiting") {
  for (const bool frozen : {false, true}) {
    const auto session = opened(/*tied=*/false);
    if (frozen) {
      // With a frozen head the gradient of the logits is formed at once, in the one pass there is.
      addAdapter(session->decoder, {.targets = {{.module = "model.layers.0.self_attn.q_proj", .rank = 2}},
                                    .modulesToSave = {}});
    }
    // Token 8 is in row 1 alone.
    Tensor embedding = session->decoder.parameters()[0]->master();
    embedding[8].fill_(kNaN);
    checkFails("LOSS_NOT_FINITE", "row 1 ", [&] { trainMicroBatch(*session, kBatch, kLoss); });
    checkFails("LOSS_NOT_FINITE", "row 1 ", [&] { forward(*session, kBatch, kLoss); });
    checkFails("INVALID_INPUT", "forward() before", [&] { backward(*session, std::nullopt); });
    for (const Parameter* p : session->decoder.allParameters())
      check(!p->gradient().defined(), "no gradient");
    check(std::isnan(evaluate(*session, kBatch, kLoss).loss.loss), "an evaluation that says NaN");
  }
}

TEST("session: a gradient that is not finite stops the step and names a weight") {
  const auto session = opened();
  createOptimizer(*session, "adamw", {});
  trainMicroBatch(*session, kBatch, kLoss);
  session->decoder.parameters()[0]->gradientToAddTo()[0][0] = kNaN;
  const auto before = weightsOf(*session);
  checkFails("LOSS_NOT_FINITE", "model.embed_tokens.weight", [&] { stepOptimizer(*session, 0.1, 1); });
  checkSameWeights(*session, before, "weights");
  check(session->optimizer->steps() == 0, "no step");
  checkFails("INVALID_INPUT", "learningRate", [&] { stepOptimizer(*session, kNaN, 1); });
  checkFails("INVALID_INPUT", "learningRate", [&] { stepOptimizer(*session, -1, 1); });
  checkFails("INVALID_INPUT", "maxGradNorm", [&] { stepOptimizer(*session, 1, kNaN); });
  checkSameWeights(*session, before, "weights");
}

TEST("session: what changes types forgets a forward that waits") {
  const auto session = opened();
  forward(*session, kBatch, kLoss);
  configureSession(*session, {.compute = at::kBFloat16});
  checkFails("INVALID_INPUT", "forward() before", [&] { backward(*session, std::nullopt); });
  checkFails("INVALID_INPUT", "masters",
             [&] { configureSession(*session, {.compute = at::kHalf, .masters = at::kBFloat16}); });
}

TEST("session: the vocabulary changes before training alone, and not under a generation") {
  const auto session = opened();
  checkFails("INVALID_INPUT", "vocabSize", [&] { resizeSession(*session, 0, 1); });
  checkFails("INVALID_INPUT", "vocabSize", [&] { resizeSession(*session, -5, 1); });
  checkFails("INVALID_INPUT", "vocabSize", [&] { resizeSession(*session, int64_t{1} << 40, 1); });
  Generation generation(session->decoder.config(), {{1, 30}, {0, 2}}, {}, {});
  resizeSession(*session, 20, 1);
  checkFails("INVALID_INPUT", "31 tokens", [&] { generation.next(session->decoder); });
  checkFails("INVALID_INPUT", "found 30", [&] {
    Generation(session->decoder.config(), {{1, 30}, {0, 2}}, {}, {});
  });
  createOptimizer(*session, "sgd", {});
  checkFails("INVALID_INPUT", "training begins", [&] { resizeSession(*session, 25, 1); });
}

TEST("session: memory held is the sum of its tensors") {
  const auto session = opened();
  int64_t count = 0;
  for (const Parameter* p : session->decoder.parameters()) count += p->master().numel();
  check(bytesOfMasters(*session) == 4 * count, "four bytes per master");
  check(heldMemory(*session).weights == 4 * count && heldMemory(*session).gradients == 0, "masters alone");
  createOptimizer(*session, "adamw", {});
  check(heldMemory(*session).gradients == 0 && heldMemory(*session).optimizer == 8 * count, "two moments");
  trainMicroBatch(*session, kBatch, kLoss);
  stepOptimizer(*session, 0.1, 1);
  check(heldMemory(*session).gradients == 4 * count, "the gradients that there were");
  for (const Parameter* p : session->decoder.parameters())
    check(p->gradientBytes() == 0, "and are no longer");
}

TEST("session: a saved optimizer goes on as if it had not stopped") {
  const File file;
  for (const std::string name : {"adamw", "adamw_8bit", "sgd", "lion", "adafactor"}) {
    const auto run = [&](bool restart) {
      const auto session = opened();
      const OptimizerOptions options = {.momentum = 0.9};
      createOptimizer(*session, name, options);
      for (int step = 0; step < 4; step++) {
        if (step == 2 && restart) {
          saveOptimizer(*session, file.path, "{}");
          const OptimizerState state = optimizerState(*session);
          createOptimizer(*session, name, options);
          loadOptimizer(*session, entriesOf(file.path, state.tensors), state.steps, state.scaler);
        }
        trainMicroBatch(*session, kBatch, kLoss);
        stepOptimizer(*session, 0.01, 1);
      }
      return weightsOf(*session);
    };
    const auto whole = run(false), resumed = run(true);
    for (size_t i = 0; i < whole.size(); i++) checkSame(resumed[i], whole[i], "weights of " + name);
  }
}

TEST("session: an optimizer's file that lies is refused") {
  const File file;
  const auto session = opened();
  checkFails("INVALID_INPUT", "createOptimizer", [&] { optimizerState(*session); });
  createOptimizer(*session, "adamw", {});
  saveOptimizer(*session, file.path, "{}");
  const WeightFile sound = entriesOf(file.path, optimizerState(*session).tensors);
  const auto load = [&](const WeightFile& entry, int64_t steps, double scale, int64_t goodSteps) {
    return [&session, entry, steps, scale, goodSteps] {
      loadOptimizer(*session, entry, steps, {scale, goodSteps});
    };
  };
  load(sound, 3, 1, 0)();
  check(session->optimizer->steps() == 3, "3 steps");
  checkFails("INVALID_INPUT", "steps", load(sound, -1, 1, 0));
  checkFails("INVALID_INPUT", "lossScale", load(sound, 1, kNaN, 0));
  checkFails("INVALID_INPUT", "lossScale", load(sound, 1, 0, 0));
  checkFails("INVALID_INPUT", "goodSteps", load(sound, 1, 1, -1));
  WeightFile wrong = sound;
  wrong.tensors[0].name = "other";
  checkFails("WEIGHTS_MISMATCH", "no such tensor", load(wrong, 1, 1, 0));
  wrong = sound;
  std::swap(wrong.tensors[0].shape[0], wrong.tensors[0].shape[1]);
  checkFails("WEIGHTS_MISMATCH", "of shape", load(wrong, 1, 1, 0));
  session->optimizer->state()[0].second.view(-1)[3] = kNaN;
  saveOptimizer(*session, file.path, "{}");
  checkFails("WEIGHTS_NOT_FINITE", sound.tensors[0].name, load(sound, 1, 1, 0));
}

TEST("session: weights are saved by name, and not before there are any") {
  const File file;
  ModelSession empty(smallConfig(false));
  checkFails("INVALID_INPUT", "neither loaded nor drawn",
             [&] { saveWeights(empty, file.path, "{}", {"model.norm.weight"}, at::kFloat); });
  const auto session = opened();
  checkFails("INVALID_INPUT", "\"nothing\"",
             [&] { saveWeights(*session, file.path, "{}", {"nothing"}, at::kFloat); });
  const Tensor head = session->decoder.parameters().back()->master();
  saveWeights(*session, file.path, "{}", {"lm_head.weight"}, at::kFloat);
  const MappedFile mapped(file.path);
  const auto entry = entriesOf(file.path, {{"lm_head.weight", head}}).tensors[0];
  checkSame(viewStored(mapped, entry), head, "the head, read back");
}

TEST("session: options of optimizers, adapters and drawn weights are checked") {
  const auto session = opened();
  for (const double wrong : {kNaN, -0.1, 1.0}) {
    checkFails("INVALID_INPUT", "beta1", [&] { createOptimizer(*session, "adamw", {.beta1 = wrong}); });
    checkFails("INVALID_INPUT", "beta2", [&] { createOptimizer(*session, "lion", {.beta2 = wrong}); });
  }
  checkFails("INVALID_INPUT", "eps", [&] { createOptimizer(*session, "adamw", {.eps = -1}); });
  checkFails("INVALID_INPUT", "weightDecay",
             [&] { createOptimizer(*session, "sgd", {.weightDecay = kNaN}); });
  checkFails("INVALID_INPUT", "momentum", [&] { createOptimizer(*session, "sgd", {.momentum = -1}); });
  const auto adapt = [&](LoraTarget target) {
    return [&session, target] { addAdapter(session->decoder, {.targets = {target}, .modulesToSave = {}}); };
  };
  const std::string q = "model.layers.0.self_attn.q_proj";
  checkFails("INVALID_INPUT", "rank", adapt({.module = q, .rank = 0}));
  checkFails("INVALID_INPUT", "rank", adapt({.module = q, .rank = int64_t{1} << 40}));
  checkFails("INVALID_INPUT", "scale", adapt({.module = q, .scale = kNaN}));
  checkFails("INVALID_INPUT", "dropout", adapt({.module = q, .dropout = 1}));
  checkFails("INVALID_INPUT", "deviation", [&] { initialiseWeights(session->decoder, {.deviation = -1}); });
  checkFails("INVALID_INPUT", "residualDeviation",
             [&] { initialiseWeights(session->decoder, {.deviation = 0, .residualDeviation = 1}); });
}

TEST("session: weights that a narrow type would make infinite are not saved in it") {
  const File file;
  const auto session = opened();
  const auto save = [&](at::ScalarType type) {
    return [&session, &file, type] { saveWeights(*session, file.path, "{}", {"lm_head.weight"}, type); };
  };
  Tensor head = session->decoder.parameters().back()->master();
  head.view(-1)[3] = 65519.0;
  save(at::kHalf)();
  head.view(-1)[3] = -65520.0;
  checkFails("INVALID_INPUT", "lm_head.weight (1)", save(at::kHalf));
  save(at::kBFloat16)();
  head.view(-1)[3] = 3.4e38;
  checkFails("INVALID_INPUT", "bfloat16", save(at::kBFloat16));
  save(at::kFloat)();
}
