// RMS norm, SwiGLU, rotary embedding, linear and embedding layers against their formulas and autograd in
// float64.
#include "core/model/layers.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include "check.h"
#include "core/model/projected.h"
#include "core/model/rope.h"
#include "core/ops/ops.h"

using namespace adaptive;
using namespace adaptive::test;
using at::Tensor;

namespace {

Tensor leaf(const Tensor& x) { return x.detach().to(at::kDouble).requires_grad_(true); }

Parameter parameter(const Tensor& values, bool isNorm = false) {
  Parameter p({{"weight", values.sizes().vec()}}, isNorm);
  at::NoGradGuard noGrad;
  Tensor(p.master()).copy_(values);
  return p;
}

Tensor rmsNormFormula(const Tensor& x, const Tensor& weight, double eps) {
  return x * (x.square().mean(-1, true) + eps).rsqrt() * weight;
}

const std::vector<Activation> kActivations = {Activation::Silu, Activation::GeluTanh, Activation::Gelu,
                                              Activation::Relu};

Tensor activationFormula(const Tensor& x, Activation activation) {
  if (activation == Activation::Silu) return at::silu(x);
  if (activation == Activation::Relu) return at::relu(x);
  return at::gelu(x, activation == Activation::Gelu ? "none" : "tanh");
}

Tensor gatedFormula(const Tensor& gateUp, Activation activation) {
  const auto halves = gateUp.chunk(2, 1);
  return activationFormula(halves[0], activation) * halves[1];
}

/// Hugging Face's apply_rotary_pos_emb on x [tokens, heads, headDim]; interleaved as in Cohere's.
Tensor rotateFormula(const Tensor& x, const Tensor& cos, const Tensor& sin, bool interleaved = false) {
  if (interleaved) {
    const Tensor c = cos.repeat_interleave(2, 1).unsqueeze(1), s = sin.repeat_interleave(2, 1).unsqueeze(1);
    const auto pairs = x.reshape({x.size(0), x.size(1), -1, 2}).unbind(3);
    return x * c + at::stack({-pairs[1], pairs[0]}, 3).flatten(2) * s;
  }
  const Tensor c = at::cat({cos, cos}, 1).unsqueeze(1), s = at::cat({sin, sin}, 1).unsqueeze(1);
  const auto halves = x.chunk(2, 2);
  return x * c + at::cat({-halves[1], halves[0]}, 2) * s;
}

const std::vector<std::pair<int64_t, int64_t>> kShapes = {{1, 1},    {3, 7},    {5, 16}, {2, 33},
                                                          {130, 48}, {700, 20}, {9, 384}};

Rotation rotationOf(const RopeConfig& rope, const std::vector<PositionRange>& rows) {
  Positions positions({rope}, rows);
  Upload upload(at::kCPU);
  positions.addTo(upload);
  upload.send();
  return positions.rotations()[0];
}

}  // namespace

TEST("rms norm: forward and backward, with and without an offset") {
  for (const auto& [rows, width] : kShapes) {
    for (const auto type : {at::kFloat, at::kBFloat16}) {
      for (const double offset : {0.0, 1.0}) {
        const std::string at = c10::str(" [", rows, ", ", width, "] ", type, ", offset ", offset);
        const double tolerance = type == at::kFloat ? 2e-6 : 8e-3;
        const Tensor x = normal({rows, width}, 1).to(at::kFloat) * 3,
                     weight = (1 + normal({width}, 2)).to(at::kFloat), dy = normal({rows, width}, 3).to(type);
        const Tensor xs = leaf(x), ws = leaf(weight);
        const Tensor expected = rmsNormFormula(xs, ws + offset, 1e-3);
        const auto grads = torch::autograd::grad({expected}, {xs, ws}, {dy.to(at::kDouble)});
        const auto [y, rstd] = ops::rmsNorm(x, weight, 1e-3, offset, type);
        check(y.scalar_type() == type, "the output in the asked type");
        checkClose(y, expected, tolerance, "y" + at);
        Tensor dWeight = at::full({width}, 2, at::kFloat);
        const Tensor dx = ops::rmsNormBackward(dy, x, weight, rstd, offset, dWeight);
        // Of one value nothing but the effect of eps is left, the difference of two that are nearly the same.
        checkClose(dx, grads[0], width == 1 ? 1e-2 : 3e-6, "dx" + at);
        checkClose(dWeight - 2, grads[1], 1e-5, "dWeight, added to what was there" + at);
        checkSame(ops::rmsNormBackward(dy, x, weight, rstd, offset, std::nullopt), dx, "dx of a frozen norm");
      }
    }
  }
}

TEST("head norm: queries and keys, each head by itself or all as one") {
  constexpr int64_t tokens = 70, heads = 4, kvHeads = 2, headDim = 12, q = heads * headDim,
                    kv = kvHeads * headDim;
  for (const bool perHead : {true, false}) {
    for (const auto type : {at::kFloat, at::kBFloat16}) {
      for (const double offset : {0.0, 1.0}) {
        const std::string at = c10::str(perHead ? ", per head " : ", all heads ", type, ", offset ", offset);
        const double tolerance = type == at::kFloat ? 3e-6 : 1e-2;
        const Tensor qkv = normal({tokens, q + 2 * kv}, 1).to(type),
                     dOut = normal({tokens, q + 2 * kv}, 2).to(type);
        const Tensor qWeight = (1 + normal({perHead ? headDim : q}, 3)).to(at::kFloat),
                     kWeight = (1 + normal({perHead ? headDim : kv}, 4)).to(at::kFloat);
        const Tensor xs = leaf(qkv), qs = leaf(qWeight), ks = leaf(kWeight);
        const auto normed = [&](const Tensor& x, const Tensor& weight) {
          const Tensor grouped = x.reshape({tokens, -1, weight.size(0)});
          return rmsNormFormula(grouped, weight + offset, 1e-3).reshape(x.sizes());
        };
        const Tensor expected = at::cat(
            {normed(xs.narrow(1, 0, q), qs), normed(xs.narrow(1, q, kv), ks), xs.narrow(1, q + kv, kv)}, 1);
        const auto grads = torch::autograd::grad({expected}, {xs, qs, ks}, {dOut.to(at::kDouble)});
        const auto [y, rstd] = ops::headNorm(qkv, qWeight, kWeight, heads, kvHeads, 1e-3, offset);
        checkClose(y, expected, tolerance, "output" + at);
        checkSame(y.narrow(1, q + kv, kv), qkv.narrow(1, q + kv, kv), "values" + at);
        Tensor dQkv = dOut.clone(), dQ = at::full_like(qWeight, 2), dK = at::full_like(kWeight, 3);
        ops::headNormBackward_(dQkv, qkv, qWeight, kWeight, rstd, heads, kvHeads, offset, dQ, dK);
        checkClose(dQkv, grads[0], tolerance, "gradient" + at);
        checkClose(dQ - 2, grads[1], 1e-5, "gradient of the queries' weight" + at);
        checkClose(dK - 3, grads[2], 1e-5, "gradient of the keys' weight" + at);
      }
    }
  }
}

TEST("layer norm: forward and backward") {
  for (const auto& [rows, width] : kShapes) {
    if (width < 3) continue;
    const Tensor x = normal({rows, width}, 1).to(at::kFloat) * 3, w = (1 + normal({width}, 2)).to(at::kFloat),
                 b = normal({width}, 3).to(at::kFloat), dy = normal({rows, width}, 4).to(at::kFloat);
    const Tensor xs = leaf(x), ws = leaf(w), bs = leaf(b);
    const Tensor centred = xs - xs.mean(1, true);
    const Tensor expected = centred * (centred.square().mean(1, true) + 1e-3).rsqrt() * ws + bs;
    const auto grads = torch::autograd::grad({expected}, {xs, ws, bs}, {dy.to(at::kDouble)});
    Parameter weight = parameter(w, true), bias = parameter(b, true);
    const Tensor input = x.detach().clone().requires_grad_(true);
    const Tensor y = layerNorm(input, &weight, &bias, 1e-3, at::kFloat);
    const std::string at = c10::str(" [", rows, ", ", width, "]");
    checkClose(y, expected, 3e-6, "y" + at);
    checkClose(torch::autograd::grad({y}, {input}, {dy})[0], grads[0], 5e-6, "dx" + at);
    checkClose(weight.gradient(), grads[1], 1e-5, "dWeight" + at);
    checkClose(bias.gradient(), grads[2], 1e-5, "dBias" + at);
  }
}

TEST("layer norm without a weight or a bias") {
  const Tensor x = normal({9, 16}, 1).to(at::kFloat), w = normal({16}, 2).to(at::kFloat),
               dy = normal({9, 16}, 4).to(at::kFloat);
  const Tensor xs = leaf(x), ws = leaf(w);
  const Tensor centred = xs - xs.mean(1, true),
               plain = centred * (centred.square().mean(1, true) + 1e-3).rsqrt();
  Parameter weight = parameter(w, true);
  for (const bool weighted : {false, true}) {
    const Tensor expected = weighted ? plain * ws : plain, input = x.clone().requires_grad_(true);
    const Tensor y = layerNorm(input, weighted ? &weight : nullptr, nullptr, 1e-3, at::kFloat);
    checkClose(y, expected, 3e-6, "y");
    checkClose(torch::autograd::grad({y}, {input}, {dy})[0],
               torch::autograd::grad({expected}, {xs}, {dy.to(at::kDouble)}, true)[0], 5e-6, "dx");
  }
  checkClose(weight.gradient(), torch::autograd::grad({plain * ws}, {ws}, {dy.to(at::kDouble)})[0], 1e-5,
             "dWeight");
}

TEST("layer norm of heads: one weight for all, or one for each") {
  const int64_t heads = 3, width = 8, tokens = 11;
  const Tensor x = normal({tokens, heads * width}, 1).to(at::kFloat),
               dy = normal({tokens, heads * width}, 4).to(at::kFloat);
  for (const auto& [shape, hasBias] : std::vector<std::pair<std::vector<int64_t>, bool>>{
           {{width}, true}, {{heads, width}, false}, {{heads * width}, false}}) {
    const Tensor w = normal(shape, 2).to(at::kFloat), b = normal(shape, 3).to(at::kFloat);
    const Tensor xs = leaf(x), ws = leaf(w), bs = leaf(b);
    const Tensor each = xs.view({tokens, heads, width}), centred = each - each.mean(2, true);
    Tensor expected = centred * (centred.square().mean(2, true) + 1e-3).rsqrt() * ws.view({-1, width});
    if (hasBias) expected = expected + bs.view({-1, width});
    expected = expected.flatten(1);
    Parameter weight = parameter(w, true), bias = parameter(b, true);
    const Tensor input = x.clone().requires_grad_(true);
    const Tensor y = headLayerNorm(input, width, weight, hasBias ? &bias : nullptr, 1e-3);
    checkClose(y, expected, 3e-6, "y");
    checkClose(torch::autograd::grad({y}, {input}, {dy})[0],
               torch::autograd::grad({expected}, {xs}, {dy.to(at::kDouble)}, true)[0], 5e-6, "dx");
    checkClose(weight.gradient(), torch::autograd::grad({expected}, {ws}, {dy.to(at::kDouble)}, true)[0],
               1e-5, "dWeight");
    if (hasBias)
      checkClose(bias.gradient(), torch::autograd::grad({expected}, {bs}, {dy.to(at::kDouble)})[0], 1e-5,
                 "dBias");
  }
}

TEST("bfloat16 activations are the float32 ones, rounded to nearest even") {
  const Tensor x = normal({50, 37}, 1).to(at::kFloat), weight = normal({37}, 2).to(at::kFloat);
  const auto exact = std::get<0>(ops::rmsNorm(x, weight, 1e-6, 0, at::kFloat));
  checkSame(std::get<0>(ops::rmsNorm(x, weight, 1e-6, 0, at::kBFloat16)), exact.to(at::kBFloat16),
            "rounded output");
  const Tensor gateUp = at::tensor({100.f, 100.f, std::nanf(""), 2.f}).view({1, 4}).to(at::kBFloat16);
  check(ops::gatedActivation(gateUp, Activation::Silu)[0][0].isnan().item<bool>(), "a NaN to stay one");
}

TEST("gated activations: forward and backward") {
  for (const auto& [rows, width] : kShapes) {
    if (width == 1) continue;  // one far gate alone would be held against nothing larger
    for (const auto type : {at::kFloat, at::kBFloat16}) {
      for (const Activation activation : kActivations) {
        const std::string at =
            c10::str(" [", rows, ", ", width, "] ", type, ", activation ", static_cast<int64_t>(activation));
        const double tolerance = type == at::kFloat ? 2e-6 : 8e-3;
        const Tensor gateUp = (normal({rows, 2 * width}, 4) * 4).to(type),
                     dy = normal({rows, width}, 5).to(type);
        const Tensor exact = leaf(gateUp);
        const Tensor expected = gatedFormula(exact, activation);
        checkClose(ops::gatedActivation(gateUp, activation), expected, tolerance, "y" + at);
        checkClose(ops::gatedActivationBackward(dy, gateUp, activation),
                   torch::autograd::grad({expected}, {exact}, {dy.to(at::kDouble)})[0], tolerance,
                   "gradient" + at);
      }
    }
  }
}

TEST("activations without a gate: forward and backward") {
  for (const Activation activation : kActivations) {
    const Tensor x = (normal({9, 33}, 6) * 3).to(at::kFloat), dy = normal({9, 33}, 7).to(at::kFloat);
    const Tensor exact = leaf(x), input = x.detach().clone().requires_grad_(true);
    const Tensor expected = activationFormula(exact, activation), y = activated(input, activation);
    checkClose(y, expected, 2e-6, "y");
    checkClose(torch::autograd::grad({y}, {input}, {dy})[0],
               torch::autograd::grad({expected}, {exact}, {dy.to(at::kDouble)})[0], 2e-6, "gradient");
  }
}

TEST("gated activations: a gate far from zero stays finite") {
  const Tensor gateUp = at::tensor({-200.f, 200.f, -100.f, 3.f, 5.f, 7.f}).view({1, 6});
  for (const Activation activation : kActivations) {
    checkClose(ops::gatedActivation(gateUp, activation), at::tensor({0.f, 1000.f, 0.f}).view({1, 3}), 1e-6);
    check(ops::gatedActivationBackward(at::ones({1, 3}), gateUp, activation).isfinite().all().item<bool>(),
          "finite gradients");
  }
}

TEST("rope: forward, backward and back again") {
  for (const auto& [heads, headDim, interleaved] :
       std::vector<std::tuple<int64_t, int64_t, bool>>{{1, 2, false},
                                                       {3, 12, false},
                                                       {4, 40, false},
                                                       {2, 64, false},
                                                       {1, 2, true},
                                                       {3, 12, true},
                                                       {2, 64, true}}) {
    const int64_t tokens = 37;
    const Rotation rotation = rotationOf({.theta = 10000, .dims = headDim}, {{0, tokens}});
    for (const auto type : {at::kFloat, at::kBFloat16}) {
      const double tolerance = type == at::kFloat ? 2e-6 : 8e-3;
      // One head more than is rotated: it must stay as it is (the values of a fused projection).
      const Tensor x = normal({tokens, (heads + 1) * headDim}, 6).to(type);
      const Tensor exact = leaf(x.narrow(1, 0, heads * headDim).reshape({tokens, heads, headDim}));
      const Tensor expected =
          rotateFormula(exact, rotation.cos.to(at::kDouble), rotation.sin.to(at::kDouble), interleaved);
      Tensor y = x.clone();
      ops::rotate_(y, rotation.cos, rotation.sin, heads, headDim, interleaved, false);
      checkClose(y.narrow(1, 0, heads * headDim).reshape({tokens, heads, headDim}), expected, tolerance,
                 "rotated");
      checkSame(y.narrow(1, heads * headDim, headDim), x.narrow(1, heads * headDim, headDim),
                "head that is not rotated");
      const Tensor dy = normal({tokens, heads * headDim}, 7).to(type);
      const Tensor dx =
          torch::autograd::grad({expected}, {exact}, {dy.to(at::kDouble).view({tokens, heads, headDim})})[0];
      Tensor back = dy.clone();
      ops::rotate_(back, rotation.cos, rotation.sin, heads, headDim, interleaved, true);
      checkClose(back.view({tokens, heads, headDim}), dx, tolerance, "gradient");
      ops::rotate_(y, rotation.cos, rotation.sin, heads, headDim, interleaved, true);
      checkClose(y, x, tolerance, "turned back");
    }
  }
}

TEST("rope: a part of each head") {
  const Rotation rotation = rotationOf({.dims = 8}, {{0, 5}});
  const Tensor x = normal({5, 2 * 20}, 8).to(at::kFloat);
  Tensor y = x.clone();
  ops::rotate_(y, rotation.cos, rotation.sin, 2, 20, false, false);
  const Tensor heads = x.view({5, 2, 20}), turned = y.view({5, 2, 20});
  checkClose(turned.narrow(2, 0, 8), rotateFormula(heads.narrow(2, 0, 8), rotation.cos, rotation.sin), 2e-6,
             "rotated part");
  checkSame(turned.narrow(2, 8, 12).contiguous(), heads.narrow(2, 8, 12).contiguous(), "rest of the head");
}

TEST("rope: frequencies of each type") {
  const auto plain = ropeFrequencies({.theta = 100, .dims = 8}, 10);
  for (int i = 0; i < 4; i++) checkNear(plain[i], std::pow(100.0, -2.0 * i / 8), 1e-7, "frequency");
  const auto linear = ropeFrequencies({.type = "linear", .theta = 100, .dims = 8, .factor = 4}, 10);
  for (int i = 0; i < 4; i++) checkNear(linear[i], plain[i] / 4, 1e-7, "linear frequency");
  // transformers' _compute_llama3_parameters: θ 10000, factor 8, 1 and 4, 64 positions, 8 dimensions.
  // Wavelengths 6.28, 62.8, 628 and 6283: kept below 16, divided by 8 above 64, blended between.
  const auto llama3 =
      ropeFrequencies({.type = "llama3", .dims = 8, .factor = 8, .originalMaxPositions = 64}, 10);
  checkNear(llama3[0], 1, 1e-7, "a short wavelength");
  const double smooth = (64 / (2 * M_PI / 0.1) - 1) / 3;
  checkNear(llama3[1], (1 - smooth) * 0.1 / 8 + smooth * 0.1, 1e-7, "a wavelength between");
  checkNear(llama3[2], 0.01 / 8, 1e-8, "a long wavelength");
  checkNear(llama3[3], 0.001 / 8, 1e-9, "a longer wavelength");
  // Dynamic NTK: as it was up to the original length, θ·(factor·length/original − factor + 1)^(d/(d − 2))
  // beyond.
  const RopeConfig dynamic = {
      .type = "dynamic", .theta = 100, .dims = 8, .factor = 2, .originalMaxPositions = 64};
  for (int i = 0; i < 4; i++)
    checkNear(ropeFrequencies(dynamic, 64)[i], plain[i], 1e-7, "dynamic frequency, short");
  const double theta = 100 * std::pow(2.0 * 160 / 64 - 1, 8.0 / 6);
  for (int i = 0; i < 4; i++)
    checkNear(ropeFrequencies(dynamic, 160)[i], std::pow(theta, -2.0 * i / 8), 1e-7,
              "dynamic frequency, long");
  const RopeConfig longrope = {.type = "longrope",
                               .theta = 100,
                               .dims = 8,
                               .originalMaxPositions = 64,
                               .shortFactors = {1, 2, 3, 4},
                               .longFactors = {5, 6, 7, 8}};
  for (int i = 0; i < 4; i++) {
    checkNear(ropeFrequencies(longrope, 64)[i], plain[i] / (1 + i), 1e-7, "longrope frequency, short");
    checkNear(ropeFrequencies(longrope, 65)[i], plain[i] / (5 + i), 1e-7, "longrope frequency, long");
  }
  checkFails("MODEL_UNSUPPORTED", "spiral", [] { ropeFrequencies({.type = "spiral", .dims = 8}, 10); });
}

TEST("rope: frequencies that depend on the length of a row are those of each row") {
  const RopeConfig dynamic = {
      .type = "dynamic", .theta = 100, .dims = 4, .factor = 2, .originalMaxPositions = 4};
  const RopeConfig plain = {.theta = 100, .dims = 8};
  const std::vector<PositionRange> rows = {{0, 3}, {0, 9}, {5, 2}};
  Positions positions({dynamic, plain}, rows);
  Upload upload(at::kCPU);
  positions.addTo(upload);
  upload.send();
  const auto rotations = positions.rotations();
  check(rotations.size() == 2, "one rotation for each rope");
  std::vector<Tensor> expected, expectedPlain;
  for (const auto& [first, count] : rows) {
    const auto angles = [&](const RopeConfig& rope) {
      const auto own = ropeFrequencies(rope, first + count);
      return at::arange(first, first + count, at::kFloat).unsqueeze(1) * at::tensor(own);
    };
    expected.push_back(angles(dynamic)), expectedPlain.push_back(angles(plain));
  }
  checkSame(rotations[0].cos, at::cat(expected).cos(), "cos");
  checkSame(rotations[0].sin, at::cat(expected).sin(), "sin");
  checkSame(rotations[1].cos, at::cat(expectedPlain).cos(), "cos of the other rope");
}

TEST("rope: positions of several rows, and the factor on cos and sin") {
  const RopeConfig rope = {.theta = 100, .dims = 4, .attentionFactor = 1.5};
  const Rotation rotation = rotationOf(rope, {{0, 3}, {7, 2}});
  const Tensor positions = at::tensor({0., 1., 2., 7., 8.}), frequencies = at::tensor({1., 0.1});
  const Tensor angles = at::outer(positions, frequencies);
  checkClose(rotation.cos, 1.5 * angles.cos(), 1e-6, "cos");
  checkClose(rotation.sin, 1.5 * angles.sin(), 1e-6, "sin");
}

TEST("linear: values, gradients, and gradients that gather") {
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    const double tolerance = type == at::kFloat ? 2e-6 : 1.5e-2;
    const Tensor w = normal({19, 12}, 1).to(at::kFloat), b = normal({19}, 2).to(at::kFloat);
    const Projection projection = {std::make_unique<Parameter>(parameter(w)),
                                   std::make_unique<Parameter>(parameter(b))};
    Parameter &weight = *projection.weight, &bias = *projection.bias;
    weight.refreshCompute(type), bias.refreshCompute(type);
    const Tensor x = normal({33, 12}, 3).to(type), dy = normal({33, 19}, 4).to(type);
    const Tensor xs = leaf(x), ws = leaf(weight.compute()), bs = leaf(bias.compute());
    const Tensor expected = at::addmm(bs, xs, ws.t());
    const auto grads = torch::autograd::grad({expected}, {xs, ws, bs}, {dy.to(at::kDouble)});
    for (int pass = 1; pass <= 2; pass++) {
      const Tensor input = x.detach().clone().requires_grad_(true);
      const Tensor y = projected(input, projection);
      checkClose(y, expected, tolerance, "y");
      checkClose(torch::autograd::grad({y}, {input}, {dy})[0], grads[0], tolerance, "dx");
      checkClose(weight.gradient(), grads[1] * pass, tolerance, c10::str("dWeight after ", pass, " passes"));
      checkClose(bias.gradient(), grads[2] * pass, tolerance, c10::str("dBias after ", pass, " passes"));
      check(weight.gradient().scalar_type() == at::kFloat, "gradients in float32");
    }
    weight.clearGradient();
    check(!weight.gradient().defined(), "no gradient after clearGradient()");
    weight.accumulateOuter(dy, x);
    checkClose(weight.gradient(), grads[1], tolerance, "dWeight after clearGradient()");
  }
}

TEST("linear: a bfloat16 weight of more rows than one slab") {
  Parameter weight({{"weight", {9001, 8}}}, false);
  const Tensor x = normal({5, 8}, 1).to(at::kBFloat16), dy = normal({5, 9001}, 2).to(at::kBFloat16);
  const Tensor expected = at::mm(dy.t().to(at::kDouble), x.to(at::kDouble));
  weight.accumulateOuter(dy, x);
  checkClose(weight.gradient(), expected, 5e-3, "first product");
  weight.accumulateOuter(dy, x);
  checkClose(weight.gradient(), 2 * expected, 5e-3, "second product, added");
}

TEST("rows are added to a table in their order, on any number of threads") {
  const int before = at::get_num_threads();
  const Tensor rows = normal({300, 150}, 8).to(at::kFloat);
  const Tensor ids = (normal({300}, 9) * 6).abs().to(at::kLong);  // 0 to about 20, most of them low
  const Tensor start = normal({40, 150}, 10).to(at::kFloat);
  const Tensor expected = start.to(at::kDouble).index_add(0, ids, rows.to(at::kDouble), 0.7);
  std::vector<Tensor> tables;
  for (const int threads : {1, 2, 3, 5}) {
    at::set_num_threads(threads);
    tables.push_back(start.clone());
    ops::addRows_(tables.back(), ids, rows, 0.7);
    checkClose(tables.back(), expected, 1e-6, "table");
    checkSame(tables.back(), tables[0], c10::str("table on ", threads, " threads"));
  }
  at::set_num_threads(before);
}

TEST("embedding: rows, and gradients of ids that repeat") {
  Parameter weight = parameter(normal({11, 6}, 1).to(at::kFloat));
  const Tensor ids = at::tensor({3, 10, 3, 0, 3}, at::kLong), dy = normal({5, 6}, 2).to(at::kFloat);
  const Tensor y = embed(weight, ids);
  checkSame(y.detach(), weight.master().index_select(0, ids), "rows");
  torch::autograd::backward({y}, {dy});
  checkClose(weight.gradient(), at::zeros({11, 6}).index_add(0, ids, dy), 1e-6, "gradient");
}
