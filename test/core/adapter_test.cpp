// LoRA and DoRA against autograd on the formula in float64, dropout included, and an adapter on a whole
// decoder.
#include "core/model/adapter.h"

#include <torch/csrc/autograd/autograd.h>

#include "check.h"
#include "core/model/projected.h"

using namespace adaptive;
using namespace adaptive::test;
using at::Tensor;

namespace {

constexpr int64_t kInputs = 12, kFirst = 5, kOutputs = 9, kRows = 19, kTokens = 33, kRank = 3;

std::unique_ptr<Parameter> parameterOf(const Tensor& values, bool trainable) {
  auto p = std::make_unique<Parameter>(std::vector<ParameterPart>{{"w", values.sizes().vec()}}, false);
  at::Tensor(p->master()).copy_(values);
  p->refreshCompute(at::kFloat);
  p->setTrainable(trainable);
  return p;
}

Projection adaptedProjection(bool magnitude, double dropout, bool bias) {
  Projection projection;
  projection.weight = parameterOf(normal({kRows, kInputs}, 1), false);
  if (bias) projection.bias = parameterOf(normal({kRows}, 2), false);
  auto adapter = std::make_unique<LoraAdapter>(LoraTarget{"m", kRank, 0.7, dropout, magnitude}, kFirst,
                                               kOutputs, kInputs, 4);
  at::Tensor(adapter->a().master()).copy_(normal({kRank, kInputs}, 3));
  adapter->takeMagnitude(*projection.weight);
  at::Tensor(adapter->b().master()).copy_(normal({kOutputs, kRank}, 4));
  adapter->forEach([](Parameter* p) { p->refreshCompute(at::kFloat); });
  adapter->refresh(*projection.weight, at::kFloat);
  projection.adapters.push_back(std::move(adapter));
  return projection;
}

/// What an adapter's dropout leaves of its input, 0 or 1: seen through a weight of zeros and identities for A
/// and B.
Tensor maskOf(double dropout, uint64_t key) {
  Projection projection;
  projection.weight = parameterOf(at::zeros({kInputs, kInputs}), false);
  auto adapter =
      std::make_unique<LoraAdapter>(LoraTarget{"m", kInputs, 1, dropout, false}, 0, kInputs, kInputs, 4);
  at::Tensor(adapter->a().master()).copy_(at::eye(kInputs));
  at::Tensor(adapter->b().master()).copy_(at::eye(kInputs));
  adapter->forEach([](Parameter* p) { p->refreshCompute(at::kFloat); });
  projection.adapters.push_back(std::move(adapter));
  return projected(at::ones({kTokens, kInputs}), projection, key).to(at::kDouble) * (1 - dropout);
}

Tensor leaf(const Tensor& x) { return x.detach().to(at::kDouble).requires_grad_(true); }

}  // namespace

TEST("adapter: values and gradients, with and without dropout, bias and magnitude") {
  for (const double dropout : {0.0, 0.4}) {
    for (const bool magnitude : {false, true}) {
      for (const bool hasBias : {false, true}) {
        const std::string at =
            c10::str(" (dropout ", dropout, ", magnitude ", magnitude, ", bias ", hasBias, ")");
        const Projection projection = adaptedProjection(magnitude, dropout, hasBias);
        const LoraAdapter& adapter = *projection.adapters[0];
        if (magnitude) {
          at::Tensor(adapter.magnitude()->master()).mul_(1.3);
          adapter.magnitude()->refreshCompute(at::kFloat);
          projection.adapters[0]->refresh(*projection.weight, at::kFloat);
        }
        const DropoutKey key = uint64_t{77};
        const Tensor input = normal({kTokens, kInputs}, 5).to(at::kFloat).requires_grad_(true);
        const Tensor dy = normal({kTokens, kRows}, 6).to(at::kFloat);
        const Tensor y = projected(input, projection, key);
        const Tensor dx = torch::autograd::grad({y}, {input}, {dy})[0];

        // PEFT's formula: LoraLayer.forward and DoraLinearLayer.forward of peft 0.21.
        const Tensor xs = leaf(input), a = leaf(adapter.a().master()), b = leaf(adapter.b().master());
        const Tensor w = projection.weight->master().to(at::kDouble), rows = adapter.rowsOf(w);
        const Tensor seen = dropout > 0 ? xs * maskOf(dropout, *key) / (1 - dropout) : xs;
        const Tensor low = 0.7 * at::mm(at::mm(seen, a.t()), b.t());
        Tensor plain = at::mm(xs, w.t());
        std::vector<Tensor> leaves = {xs, a, b};
        Tensor added = low;
        if (magnitude) {
          leaves.push_back(leaf(adapter.magnitude()->master()));
          const Tensor norm = at::linalg_vector_norm(rows + 0.7 * at::mm(b, a), 2, 1).detach();
          const Tensor scale = leaves[3] / norm;
          added = (scale - 1) * at::mm(seen, rows.t()) + scale * low;
        }
        if (hasBias) plain = plain + projection.bias->master();
        const Tensor expected = plain + at::constant_pad_nd(added, {kFirst, kRows - kFirst - kOutputs});
        const auto grads = torch::autograd::grad({expected}, leaves, {dy.to(at::kDouble)});
        checkClose(y, expected, 3e-6, "y" + at);
        checkClose(dx, grads[0], 3e-6, "dx" + at);
        checkClose(adapter.a().gradient(), grads[1], 3e-6, "dA" + at);
        checkClose(adapter.b().gradient(), grads[2], 3e-6, "dB" + at);
        if (magnitude) checkClose(adapter.magnitude()->gradient(), grads[3], 3e-6, "dMagnitude" + at);
        check(!projection.weight->gradient().defined(), "no gradient of the frozen weight" + at);
      }
    }
  }
}

TEST("adapter: dropout drops its share, by key and module") {
  const Tensor mask = maskOf(0.25, 1);
  checkNear(mask.mean().item<double>(), 0.75, 0.06, "share kept of 396 inputs");
  check(at::equal(mask, maskOf(0.25, 1)), "the same key drops the same");
  check(!at::equal(mask, maskOf(0.25, 2)), "another key drops others");
  checkClose(maskOf(0, 1), at::ones({kTokens, kInputs}), 1e-12, "nothing without dropout");
}

TEST("adapter: one on a decoder freezes the rest, and names that do not fit are refused") {
  DecoderConfig config;
  config.vocabSize = 31, config.hiddenSize = 16, config.intermediateSize = 24;
  config.heads = 2, config.kvHeads = 1, config.headDim = 8, config.tiedHead = true;
  config.ropes = {{.theta = 10000, .dims = 8}};
  config.layerConfigs.assign(2, {.rope = 0, .window = 0, .attentionScale = 1 / std::sqrt(8.0)});
  const std::string layer = "model.layers.1.";
  const auto add = [&](const std::string& target, std::vector<std::string> saved) {
    Decoder decoder(config);
    addAdapter(decoder, {.targets = {{.module = target}}, .modulesToSave = std::move(saved)});
    return decoder.trainableParameters().size();
  };
  check(add(layer + "self_attn.k_proj", {}) == 2, "A and B alone are trained");
  check(add(layer + "mlp.up_proj", {"lm_head", "model.norm"}) == 4, "and what is saved with them");
  checkFails("INVALID_INPUT", "0 of 1", [&] { add("model.layers.2.mlp.up_proj", {}); });
  checkFails("INVALID_INPUT", "model.normal", [&] { add(layer + "mlp.up_proj", {"model.normal"}); });

  Decoder decoder(config);
  addAdapter(decoder,
             {.targets = {{.module = layer + "mlp.up_proj"}}, .modulesToSave = {layer + "self_attn.q_proj"}});
  std::vector<std::string> trained;
  for (const Parameter* parameter : decoder.trainableParameters())
    for (const ParameterPart& part : parameter->parts())
      if (parameter->trains(part)) trained.push_back(part.name);
  check(trained == std::vector<std::string>{layer + "self_attn.q_proj.weight",
                                            layer + "mlp.up_proj.lora_A.weight",
                                            layer + "mlp.up_proj.lora_B.weight"},
        "one of modules that are computed as one is trained on its own");
}
