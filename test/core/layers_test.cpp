// RMS norm, SwiGLU, rotary embedding, linear and embedding layers against their formulas and autograd in
// float64.
#include "core/model/layers.h"

#include <torch/csrc/autograd/autograd.h>

#include "check.h"
#include "core/model/rope.h"
#include "core/ops.h"

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
  return x * (x.square().mean(1, true) + eps).rsqrt() * weight;
}

Tensor swigluFormula(const Tensor& gateUp) {
  const auto halves = gateUp.chunk(2, 1);
  return at::silu(halves[0]) * halves[1];
}

/// Hugging Face's apply_rotary_pos_emb on x [tokens, heads, headDim].
Tensor rotateFormula(const Tensor& x, const Tensor& cos, const Tensor& sin) {
  const Tensor c = at::cat({cos, cos}, 1).unsqueeze(1), s = at::cat({sin, sin}, 1).unsqueeze(1);
  const auto halves = x.chunk(2, 2);
  return x * c + at::cat({-halves[1], halves[0]}, 2) * s;
}

const std::vector<std::pair<int64_t, int64_t>> kShapes = {{1, 1},    {3, 7},    {5, 16}, {2, 33},
                                                          {130, 48}, {700, 20}, {9, 384}};

}  // namespace

TEST("rms norm: forward and backward") {
  for (const auto& [rows, width] : kShapes) {
    for (const auto type : {at::kFloat, at::kBFloat16}) {
      const std::string at = c10::str(" [", rows, ", ", width, "] ", type);
      const double tolerance = type == at::kFloat ? 2e-6 : 8e-3;
      const Tensor x = normal({rows, width}, 1).to(at::kFloat) * 3,
                   weight = (1 + normal({width}, 2)).to(at::kFloat), dy = normal({rows, width}, 3).to(type);
      const Tensor xs = leaf(x), ws = leaf(weight);
      const Tensor expected = rmsNormFormula(xs, ws, 1e-3);
      const auto grads = torch::autograd::grad({expected}, {xs, ws}, {dy.to(at::kDouble)});
      const auto [y, rstd] = ops::rmsNorm(x, weight, 1e-3, type);
      check(y.scalar_type() == type, "the output in the asked type");
      checkClose(y, expected, tolerance, "y" + at);
      Tensor dWeight = at::full({width}, 2, at::kFloat);
      const Tensor dx = ops::rmsNormBackward(dy, x, weight, rstd, dWeight);
      // Of one value nothing but the effect of eps is left, the difference of two that are nearly the same.
      checkClose(dx, grads[0], width == 1 ? 1e-2 : 3e-6, "dx" + at);
      checkClose(dWeight - 2, grads[1], 1e-5, "dWeight, added to what was there" + at);
      checkSame(ops::rmsNormBackward(dy, x, weight, rstd, std::nullopt), dx, "dx of a frozen norm");
    }
  }
}

TEST("swiglu: forward and backward") {
  for (const auto& [rows, width] : kShapes) {
    for (const auto type : {at::kFloat, at::kBFloat16}) {
      const std::string at = c10::str(" [", rows, ", ", width, "] ", type);
      const double tolerance = type == at::kFloat ? 2e-6 : 8e-3;
      const Tensor gateUp = (normal({rows, 2 * width}, 4) * 4).to(type),
                   dy = normal({rows, width}, 5).to(type);
      const Tensor exact = leaf(gateUp);
      const Tensor expected = swigluFormula(exact);
      checkClose(ops::swiglu(gateUp), expected, tolerance, "y" + at);
      checkClose(ops::swigluBackward(dy, gateUp),
                 torch::autograd::grad({expected}, {exact}, {dy.to(at::kDouble)})[0], tolerance,
                 "gradient" + at);
    }
  }
}

TEST("swiglu: a gate far from zero stays finite") {
  const Tensor gateUp = at::tensor({-200.f, 200.f, -100.f, 3.f, 5.f, 7.f}).view({1, 6});
  checkClose(ops::swiglu(gateUp), at::tensor({0.f, 1000.f, 0.f}).view({1, 3}), 1e-6);
  check(ops::swigluBackward(at::ones({1, 3}), gateUp).isfinite().all().item<bool>(), "finite gradients");
}

TEST("rope: forward, backward and back again") {
  for (const auto& [heads, headDim] :
       std::vector<std::pair<int64_t, int64_t>>{{1, 2}, {3, 12}, {4, 40}, {2, 64}}) {
    const int64_t tokens = 37;
    const Rotation rotation =
        rotationOf(ropeFrequencies({.theta = 10000}, headDim), at::arange(tokens, at::kLong));
    for (const auto type : {at::kFloat, at::kBFloat16}) {
      const double tolerance = type == at::kFloat ? 2e-6 : 8e-3;
      // One head more than is rotated: it must stay as it is (the values of a fused projection).
      const Tensor x = normal({tokens, (heads + 1) * headDim}, 6).to(type);
      const Tensor exact = leaf(x.narrow(1, 0, heads * headDim).reshape({tokens, heads, headDim}));
      const Tensor expected =
          rotateFormula(exact, rotation.cos.to(at::kDouble), rotation.sin.to(at::kDouble));
      Tensor y = x.clone();
      ops::rotate_(y, rotation.cos, rotation.sin, heads, headDim, false);
      checkClose(y.narrow(1, 0, heads * headDim).reshape({tokens, heads, headDim}), expected, tolerance,
                 "rotated");
      checkSame(y.narrow(1, heads * headDim, headDim), x.narrow(1, heads * headDim, headDim),
                "head that is not rotated");
      const Tensor dy = normal({tokens, heads * headDim}, 7).to(type);
      const Tensor dx =
          torch::autograd::grad({expected}, {exact}, {dy.to(at::kDouble).view({tokens, heads, headDim})})[0];
      Tensor back = dy.clone();
      ops::rotate_(back, rotation.cos, rotation.sin, heads, headDim, true);
      checkClose(back.view({tokens, heads, headDim}), dx, tolerance, "gradient");
      ops::rotate_(y, rotation.cos, rotation.sin, heads, headDim, true);
      checkClose(y, x, tolerance, "turned back");
    }
  }
}

TEST("rope: a part of each head") {
  const Rotation rotation = rotationOf(ropeFrequencies({}, 8), at::arange(5, at::kLong));
  const Tensor x = normal({5, 2 * 20}, 8).to(at::kFloat);
  Tensor y = x.clone();
  ops::rotate_(y, rotation.cos, rotation.sin, 2, 20, false);
  const Tensor heads = x.view({5, 2, 20}), turned = y.view({5, 2, 20});
  checkClose(turned.narrow(2, 0, 8), rotateFormula(heads.narrow(2, 0, 8), rotation.cos, rotation.sin), 2e-6,
             "rotated part");
  checkSame(turned.narrow(2, 8, 12).contiguous(), heads.narrow(2, 8, 12).contiguous(), "rest of the head");
}

TEST("rope: frequencies of each type") {
  const auto plain = ropeFrequencies({.theta = 100}, 8);
  for (int i = 0; i < 4; i++) checkNear(plain[i], std::pow(100.0, -2.0 * i / 8), 1e-7, "frequency");
  const auto linear = ropeFrequencies({.type = "linear", .theta = 100, .factor = 4}, 8);
  for (int i = 0; i < 4; i++) checkNear(linear[i], plain[i] / 4, 1e-7, "linear frequency");
  // transformers' _compute_llama3_parameters: θ 10000, factor 8, 1 and 4, 64 positions, head_dim 8.
  // Wavelengths 6.28, 62.8, 628 and 6283: kept below 16, divided by 8 above 64, blended between.
  const auto llama3 = ropeFrequencies({"llama3", 10000, 8, 1, 4, 64}, 8);
  checkNear(llama3[0], 1, 1e-7, "a short wavelength");
  const double smooth = (64 / (2 * M_PI / 0.1) - 1) / 3;
  checkNear(llama3[1], (1 - smooth) * 0.1 / 8 + smooth * 0.1, 1e-7, "a wavelength between");
  checkNear(llama3[2], 0.01 / 8, 1e-8, "a long wavelength");
  checkNear(llama3[3], 0.001 / 8, 1e-9, "a longer wavelength");
  checkFails("MODEL_UNSUPPORTED", "yarn", [] { ropeFrequencies({.type = "yarn"}, 8); });
}

TEST("linear: values, gradients, and gradients that gather") {
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    const double tolerance = type == at::kFloat ? 2e-6 : 1.5e-2;
    const Tensor w = normal({19, 12}, 1).to(at::kFloat), b = normal({19}, 2).to(at::kFloat);
    Parameter weight = parameter(w), bias = parameter(b);
    weight.refreshCompute(type), bias.refreshCompute(type);
    const Tensor x = normal({33, 12}, 3).to(type), dy = normal({33, 19}, 4).to(type);
    const Tensor xs = leaf(x), ws = leaf(weight.compute()), bs = leaf(bias.compute());
    const Tensor expected = at::addmm(bs, xs, ws.t());
    const auto grads = torch::autograd::grad({expected}, {xs, ws, bs}, {dy.to(at::kDouble)});
    for (int pass = 1; pass <= 2; pass++) {
      const Tensor input = x.detach().clone().requires_grad_(true);
      const Tensor y = linear(input, weight, &bias);
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

TEST("embedding: rows, and gradients of ids that repeat") {
  Parameter weight = parameter(normal({11, 6}, 1).to(at::kFloat));
  const Tensor ids = at::tensor({3, 10, 3, 0, 3}, at::kLong), dy = normal({5, 6}, 2).to(at::kFloat);
  const Tensor y = embed(weight, ids);
  checkSame(y.detach(), weight.master().index_select(0, ids), "rows");
  torch::autograd::backward({y}, {dy});
  checkClose(weight.gradient(), at::zeros({11, 6}).index_add(0, ids, dy), 1e-6, "gradient");
}
