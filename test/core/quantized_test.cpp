// Weights in 4 and 8 bits: what is kept against the definition, tiles against the whole, and products and
// adapters against those of a plain weight with the same values.
#include <torch/csrc/autograd/autograd.h>

#include "check.h"
#include "core/model/projected.h"
#include "core/model/quantize_weights.h"
#include "core/model/quantized_matrix.h"

using namespace adaptive;
using namespace adaptive::test;
using at::Tensor;

namespace {

Tensor whole(const QuantizedMatrix& matrix, at::ScalarType type = at::kFloat) {
  Tensor out = at::empty({matrix.rows(), matrix.columns()}, type);
  matrix.dequantize(out, 0, 0, matrix.scales());
  return out;
}

QuantizedMatrix quantizedOf(const Quantization& how, const Tensor& values) {
  QuantizedMatrix matrix(how, values.size(0), values.size(1));
  const int64_t cut = std::min(values.size(0), 2 * matrix.rowGrain());
  matrix.quantize(0, values.narrow(0, 0, cut));
  if (cut < values.size(0)) matrix.quantize(cut, values.narrow(0, cut, values.size(0) - cut));
  matrix.finish();
  return matrix;
}

/// The nearest of the codes times the greatest size of each block, in float64.
Tensor defined(const Tensor& values, const Tensor& codes, int64_t blockSize) {
  const Tensor flat = values.to(at::kDouble).flatten();
  std::vector<Tensor> blocks;
  for (int64_t first = 0; first < flat.size(0); first += blockSize) {
    const Tensor block = flat.narrow(0, first, std::min(blockSize, flat.size(0) - first));
    const Tensor most = block.abs().max();
    const Tensor distance = (block.unsqueeze(1) - (codes * most).unsqueeze(0)).abs();
    blocks.push_back(codes.index_select(0, distance.argmin(1)) * most);
  }
  return at::cat(blocks).view(values.sizes());
}

std::unique_ptr<Parameter> quantizedParameter(const Tensor& values, const Quantization& how) {
  auto p = std::make_unique<Parameter>(std::vector<ParameterPart>{{"w", values.sizes().vec()}}, false);
  p->quantize([&](const ParameterPart&) { return how; });
  p->quantized(p->parts()[0])->quantize(0, values);
  p->quantized(p->parts()[0])->finish();
  return p;
}

std::unique_ptr<Parameter> plainParameter(const Tensor& values, at::ScalarType type) {
  auto p = std::make_unique<Parameter>(std::vector<ParameterPart>{{"w", values.sizes().vec()}}, false);
  at::Tensor(p->master()).copy_(values);
  p->setTrainable(false);
  p->setMasterType(type, true);
  p->refreshCompute(type);
  return p;
}

}  // namespace

TEST("quantised: the nearest code of each block's scale, in every type and shape") {
  for (const auto& [rows, columns] : {std::pair{150, 64}, {7, 9}, {200, 33}, {1, 1}}) {
    const Tensor values = normal({rows, columns}, 3).to(at::kFloat);
    for (const QuantType type : {QuantType::Nf4, QuantType::Fp4}) {
      for (const int64_t block : {32, 64, 256}) {
        const std::string at = c10::str(" (", rows, " by ", columns, ", blocks of ", block, ")");
        const QuantizedMatrix matrix = quantizedOf({.type = type, .blockSize = block}, values);
        const Tensor codes = matrix.stored()[2].second.to(at::kDouble);
        checkClose(whole(matrix), defined(values, codes, block), 1e-6, "values" + at);
      }
    }
    const QuantizedMatrix eight = quantizedOf({.type = QuantType::Int8}, values);
    const Tensor most = values.abs().amax(1, true);
    checkClose(whole(eight), at::round(values * (127 / most)) * most / 127, 1e-6, "8 bits");
  }
}

TEST("quantised: scales in 8 bits stay near those in 32") {
  const Tensor values = normal({600, 64}, 4).to(at::kFloat);
  const QuantizedMatrix plain = quantizedOf({}, values), nested = quantizedOf({.nested = true}, values);
  check(at::equal(plain.stored()[0].second, nested.stored()[0].second), "the same codes");
  const Tensor scales = plain.scales(), spread = (scales - scales.mean()).abs().max();
  // The dynamic map is cut in 1/64 of a decade at its top.
  check((nested.scales() - scales).abs().max().item<double>() <= spread.item<double>() * 0.008,
        "scales within half a step");
  check(nested.bytes() == plain.bytes() - 3 * 600 + 4 * (3 + 256),
        "three bytes of four saved for each of 600 blocks, less what they are scaled with");
}

TEST("quantised: zeros, and numbers that are none") {
  const QuantizedMatrix zeros = quantizedOf({.nested = true}, at::zeros({70, 64}));
  check(whole(zeros).abs().max().item<double>() == 0, "zeros stay zeros");
  check(whole(quantizedOf({.type = QuantType::Int8}, at::zeros({3, 5}))).abs().max().item<double>() == 0,
        "in 8 bits too");
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    for (const QuantType type : {QuantType::Nf4, QuantType::Int8}) {
      Tensor values = normal({70, 64}, 5).to(at::kFloat);
      values.index_put_({at::tensor(3), at::tensor(7)}, bad);
      check(!quantizedOf({.type = type}, values).isFinite(), "a number that is none is seen");
    }
  }
  checkFails("INVALID_INPUT", "power of 2", [] { QuantizedMatrix({.blockSize = 48}, 4, 4); });
}

TEST("quantised: any tile in any type is cut out of the whole") {
  const Tensor values = normal({90, 77}, 6).to(at::kFloat);
  for (const QuantType type : {QuantType::Nf4, QuantType::Int8}) {
    const QuantizedMatrix matrix = quantizedOf({.type = type, .nested = true}, values);
    for (const at::ScalarType to : {at::kFloat, at::kBFloat16, at::kHalf}) {
      for (const auto& [row, column, rows, columns] :
           {std::tuple{0, 0, 90, 77}, {3, 5, 40, 61}, {89, 76, 1, 1}, {11, 1, 2, 76}}) {
        Tensor tile = at::empty({rows, columns}, to);
        matrix.dequantize(tile, row, column, matrix.scales());
        checkSame(tile, whole(matrix).narrow(0, row, rows).narrow(1, column, columns).to(to).contiguous());
      }
    }
  }
}

TEST("quantised: products and adapters are those of a plain weight of the same values") {
  // More than a tile of rows and of columns.
  constexpr int64_t kOutputs = 1500, kInputs = 1100, kTokens = 9, kRank = 3;
  for (const bool magnitude : {false, true}) {
    for (const double dropout : {0.0, 0.3}) {
      const auto build = [&](bool quantised) {
        Projection projection;
        projection.weight =
            quantizedParameter(normal({kOutputs, kInputs}, 1).to(at::kFloat), {.nested = true});
        if (!quantised)
          projection.weight = plainParameter(projection.weight->rows(0, kOutputs, at::kFloat), at::kFloat);
        projection.bias = plainParameter(normal({kOutputs}, 2), at::kFloat);
        auto adapter = std::make_unique<LoraAdapter>(LoraTarget{"m", kRank, 0.7, dropout, magnitude}, 100,
                                                     1300, kInputs, 4);
        at::Tensor(adapter->a().master()).copy_(normal({kRank, kInputs}, 3));
        adapter->takeMagnitude(*projection.weight);
        at::Tensor(adapter->b().master()).copy_(normal({1300, kRank}, 4));
        adapter->forEach([](Parameter* p) { p->refreshCompute(at::kFloat); });
        adapter->refresh(*projection.weight, at::kFloat);
        projection.adapters.push_back(std::move(adapter));
        return projection;
      };
      const Projection quantised = build(true), plain = build(false);
      const Tensor dy = normal({kTokens, kOutputs}, 6).to(at::kFloat);
      const auto run = [&](const Projection& projection) {
        const Tensor x = normal({kTokens, kInputs}, 5).to(at::kFloat).requires_grad_(true);
        const Tensor y = projected(x, projection, uint64_t{7});
        return std::pair(y.detach(), torch::autograd::grad({y}, {x}, {dy})[0]);
      };
      const auto [y, dx] = run(quantised);
      const auto [wantedY, wantedDx] = run(plain);
      checkClose(y, wantedY, 2e-6, "y");
      checkClose(dx, wantedDx, 2e-6, "dx");
      checkClose(quantised.adapters[0]->a().gradient(), plain.adapters[0]->a().gradient(), 2e-6, "dA");
      checkClose(quantised.adapters[0]->b().gradient(), plain.adapters[0]->b().gradient(), 2e-6, "dB");
      if (magnitude)
        checkClose(quantised.adapters[0]->magnitude()->gradient(), plain.adapters[0]->magnitude()->gradient(),
                   2e-6, "dMagnitude");
    }
  }
}

TEST("quantised: products in bfloat16 round once") {
  const auto weight = quantizedParameter(normal({700, 300}, 1).to(at::kFloat), {.nested = true});
  const Tensor rounded = weight->rows(0, 700, at::kBFloat16).to(at::kDouble);
  const Tensor x = normal({5, 300}, 2).to(at::kBFloat16), dy = normal({5, 700}, 3).to(at::kBFloat16);
  checkClose(forwardProduct(x, *weight, allRows(*weight)), at::mm(x.to(at::kDouble), rounded.t()), 4e-3);
  checkClose(backwardProduct(dy.narrow(1, 10, 500), *weight, {10, 500}),
             at::mm(dy.narrow(1, 10, 500).to(at::kDouble), rounded.narrow(0, 10, 500)), 4e-3);
}

TEST("quantised: a part may stay plain, and a weight can be made plain again") {
  Parameter weight({{"q", {70, 40}}, {"k", {30, 40}}}, false);
  weight.quantize([](const ParameterPart& part) {
    return part.name == "q" ? std::optional(Quantization{}) : std::nullopt;
  });
  check(!weight.trainable() && weight.isQuantized(), "frozen");
  weight.setTrainable(true);
  check(!weight.trainable(), "for good");
  const Tensor q = normal({70, 40}, 1).to(at::kFloat), k = normal({30, 40}, 2).to(at::kFloat);
  weight.quantized(weight.parts()[0])->quantize(0, q);
  weight.quantized(weight.parts()[0])->finish();
  weight.stored(weight.parts()[1]).copy_(k);
  const Tensor before = weight.rows(0, 100, at::kFloat);
  checkSame(before.narrow(0, 70, 30).contiguous(), k, "the plain part");
  weight.dequantize(at::kFloat);
  checkSame(weight.master(), before, "the same values");
  check(!weight.isQuantized(), "plain");
}

TEST("quantised: names that are no projection, and a model that has weights, are refused") {
  DecoderConfig config;
  config.vocabSize = 31, config.hiddenSize = 16, config.intermediateSize = 24;
  config.heads = 2, config.kvHeads = 1, config.headDim = 8;
  config.ropes = {{.theta = 10000, .dims = 8}};
  config.layerConfigs.assign(1, {.rope = 0, .window = 0, .attentionScale = 1 / std::sqrt(8.0)});
  Decoder decoder(config);
  checkFails("INVALID_INPUT", "lm_head", [&] { quantizeWeights(decoder, {{"lm_head.weight", {}}}); });
  decoder.refreshCompute();
  checkFails("INVALID_INPUT", "before they are loaded", [&] {
    quantizeWeights(decoder, {{"model.layers.0.mlp.up_proj.weight", {}}});
  });
}
