// The loss from arrays: its numbers against autograd in float64, and arrays that do not fit or are not
// finite.
#include "core/loss/array_loss.h"

#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <functional>
#include <limits>

#include "check.h"

using namespace adaptive;
using namespace adaptive::test;
using at::Tensor;

namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN(),
                kInfinity = std::numeric_limits<float>::infinity();
constexpr int64_t kRows = 3, kSeq = 5, kWidth = 4, kVocab = 7;

std::vector<float> values(at::IntArrayRef shape, uint64_t seed) {
  const Tensor t = normal(shape, seed).to(at::kFloat).contiguous();
  return {t.const_data_ptr<float>(), t.const_data_ptr<float>() + t.numel()};
}

ArrayLossRequest sound() {
  ArrayLossRequest r;
  r.hidden = values({kRows * kSeq, kWidth}, 1), r.weight = values({kVocab, kWidth}, 2);
  for (int64_t i = 0; i < kRows * kSeq; i++) r.labels.push_back(static_cast<int32_t>((3 * i + 1) % kVocab));
  r.labels[7] = -100;
  r.styles = {LearningStyle::Ideas, LearningStyle::Attention, LearningStyle::Misc};
  r.rows = kRows, r.seq = kSeq, r.hiddenSize = kWidth, r.vocabSize = kVocab;
  r.loss.topK = 2;
  return r;
}

void checkRefused(const std::string& words, const std::function<void(ArrayLossRequest&)>& change,
                  const std::string& code = "INVALID_INPUT") {
  for (const bool training : {true, false}) {
    ArrayLossRequest r = sound();
    r.training = training;
    change(r);
    checkFails(code, words, [&] { arrayLoss(r); });
  }
}

}  // namespace

TEST("array loss: cross-entropy and its gradients are autograd's") {
  for (const int64_t chunk : {0, 1, 4}) {
    ArrayLossRequest r = sound();
    r.loss.kind = LossKind::CrossEntropy, r.chunkTokens = chunk;
    const ArrayLoss actual = arrayLoss(r);
    const Tensor hidden =
                     at::tensor(r.hidden).view({kRows * kSeq, kWidth}).to(at::kDouble).requires_grad_(true),
                 weight = at::tensor(r.weight).view({kVocab, kWidth}).to(at::kDouble).requires_grad_(true);
    std::vector<int64_t> labels, positions;
    for (int64_t i = 0; i < kRows * kSeq; i++) {
      if (i % kSeq == 0 || r.labels[i] < 0) continue;
      labels.push_back(r.labels[i]), positions.push_back(i - 1);
    }
    const Tensor nll = -at::mm(hidden.index_select(0, at::tensor(positions)), weight.t())
                            .log_softmax(1)
                            .gather(1, at::tensor(labels).unsqueeze(1));
    const auto grads = torch::autograd::grad({nll.mean()}, {hidden, weight});
    check(actual.tokens.positions == positions, "the positions before each label");
    checkNear(actual.report.loss, nll.mean().item<double>(), 1e-6, "loss");
    checkClose(actual.gradHidden, grads[0], 2e-6, "gradHidden");
    checkClose(actual.gradWeight, grads[1], 2e-6, "gradWeight");
  }
}

TEST("array loss: without training there are no gradients, and α and β stay") {
  ArrayLossRequest r = sound();
  const ArrayLoss trained = arrayLoss(r);
  r.training = false;
  const ArrayLoss evaluated = arrayLoss(r);
  check(trained.gradHidden.defined() && !evaluated.gradHidden.defined() && !evaluated.gradWeight.defined(),
        "gradients in training alone");
  check(evaluated.report.loss == trained.report.loss, "the same loss");
  check(trained.report.bias.step == 1 && evaluated.report.bias.step == 0,
        "a step of α and β in training alone");
}

TEST("array loss: lengths") {
  checkRefused("rows", [](auto& r) { r.rows = 0; });
  checkRefused("seq", [](auto& r) { r.seq = -1; });
  checkRefused("vocabSize", [](auto& r) { r.vocabSize = int64_t{1} << 40; });
  checkRefused("hiddenSize", [](auto& r) { r.hiddenSize = 0; });
  checkRefused("values in labels, found 14", [](auto& r) { r.labels.pop_back(); });
  checkRefused("15 x 4 values in hidden, found 59", [](auto& r) { r.hidden.pop_back(); });
  checkRefused("7 x 4 values in weight, found 29", [](auto& r) { r.weight.push_back(0); });
  checkRefused("values in styles, found 2", [](auto& r) { r.styles.pop_back(); });
  checkRefused("0 to 6", [](auto& r) { r.labels[3] = 7; });
  checkRefused("a chunk", [](auto& r) { r.chunkTokens = -1; });
  // 2^32 rows of 2^32 would wrap around to nothing.
  checkRefused("found 0", [](auto& r) {
    r.rows = r.seq = int64_t{1} << 30, r.labels.clear(), r.hidden.clear(), r.styles.clear();
  });
}

TEST("array loss: a number that is not finite is named by its place") {
  for (const float wrong : {kNaN, kInfinity, -kInfinity}) {
    for (const bool bfloat16 : {false, true}) {
      // Row 1, position 2 (nothing is trained there: its label at position 3 is -100) and the very last one.
      checkRefused("hidden, found " + c10::str(wrong) + " in row 1, position 2, column 3",
                   [&](auto& r) { r.hidden[(1 * kSeq + 2) * kWidth + 3] = wrong, r.bfloat16 = bfloat16; });
      checkRefused("row 2, position 4, column 3",
                   [&](auto& r) { r.hidden.back() = wrong, r.bfloat16 = bfloat16; });
      checkRefused("weight, found " + c10::str(wrong) + " in row 5, column 1",
                   [&](auto& r) { r.weight[5 * kWidth + 1] = wrong, r.bfloat16 = bfloat16; });
    }
  }
}

TEST("array loss: finite numbers whose product is not") {
  checkRefused(
      "row 0, position 1", [](auto& r) { r.hidden[1 * kWidth] = 3e38f, r.weight[0] = 3e38f; },
      "LOSS_NOT_FINITE");
  checkRefused(
      "range of bfloat16",
      [](auto& r) {
        r.bfloat16 = true;
        std::fill(r.weight.begin(), r.weight.end(), std::numeric_limits<float>::max());
      },
      "LOSS_NOT_FINITE");
  // Sound logits, and a gradient that overflows: every token pulls at one column of the head.
  ArrayLossRequest r = sound();
  for (int64_t i = 0; i < kRows * kSeq; i++) r.hidden[i * kWidth] = 3e38f;
  for (int64_t v = 0; v < kVocab; v++) r.weight[v * kWidth] = 0;
  std::fill(r.labels.begin(), r.labels.end(), 0);
  r.loss.kind = LossKind::CrossEntropy, r.loss.scale = 10;
  checkFails("LOSS_NOT_FINITE", "the gradient of weight", [&] { arrayLoss(r); });
  r.training = false;
  check(std::isfinite(arrayLoss(r).report.loss), "a loss where no gradient is wanted");
}

TEST("array loss: what a loss is asked with") {
  checkRefused("topK", [](auto& r) { r.loss.topK = 0; });
  checkRefused("topK", [](auto& r) { r.loss.kind = LossKind::Eaft, r.loss.topK = 1; });
  checkRefused("confidence", [](auto& r) { r.loss.confidence = kNaN; });
  checkRefused("confidence", [](auto& r) { r.loss.confidence = 1.5; });
  checkRefused("scale", [](auto& r) { r.loss.scale = kInfinity; });
  checkRefused("state.alpha,", [](auto& r) { r.loss.bias.alpha = kNaN; });
  checkRefused("state.beta,", [](auto& r) { r.loss.bias.beta = kInfinity; });
  checkRefused("state.alphaMoment2", [](auto& r) { r.loss.bias.alphaMoment2 = -1; });
  checkRefused("state.step", [](auto& r) { r.loss.bias.step = -1; });
}
