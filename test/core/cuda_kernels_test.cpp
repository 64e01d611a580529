// Every kernel of the CUDA backend beside the CPU's, on the same inputs.
#ifdef ADAPTIVE_EMULATED_CUDA
#include "check.h"
#include "core/ops/ops.h"
#include "emulated_cuda.h"

using namespace adaptive;
using namespace adaptive::test;
using at::Tensor;

namespace {

/// f() → tensors, by both backends: no further apart than `tolerance` of their largest entry, and the very
/// same where it is 0.
void compare(const std::string& what, double tolerance, const std::function<std::vector<Tensor>()>& f) {
  const std::vector<Tensor> expected = f();
  std::vector<Tensor> actual;
  {
    const EmulatedCuda emulated;
    actual = f();
  }
  for (size_t i = 0; i < expected.size(); i++) {
    const std::string name = what + ", result " + std::to_string(i);
    if (tolerance == 0 || !expected[i].is_floating_point()) {
      checkSame(actual[i], expected[i], name);
    } else {
      checkClose(actual[i], expected[i], tolerance, name);
    }
  }
}

template <class F>
void forTypes(const F& f) {
  for (const auto dtype : {at::kFloat, at::kBFloat16, at::kHalf}) f(dtype);
}
double roundingOf(at::ScalarType dtype) {
  return dtype == at::kFloat ? 2e-6 : dtype == at::kBFloat16 ? 8e-3 : 1e-3;
}

std::vector<Tensor> both(const std::tuple<Tensor, Tensor>& results) {
  return {std::get<0>(results), std::get<1>(results)};
}

Tensor labelsBelow(int64_t vocab, int64_t count) {
  return (at::arange(count, at::kLong) * 7919 % vocab).to(at::kInt);
}

}  // namespace

TEST("CUDA's norms beside the CPU's") {
  forTypes([](at::ScalarType dtype) {
    for (const int64_t width : {5, 513}) {
      const Tensor x = normal({70, width}, 1).to(at::kFloat), weight = normal({width}, 2).to(at::kFloat);
      const Tensor dy = normal({70, width}, 3).to(dtype);
      compare("rms_norm", roundingOf(dtype), [&] { return both(ops::rmsNorm(x, weight, 1e-6, 1, dtype)); });
      const Tensor rstd = std::get<1>(ops::rmsNorm(x, weight, 1e-6, 1, dtype));
      compare("rms_norm_backward", 3e-6, [&] {
        Tensor dWeight = at::ones_like(weight);
        const Tensor dx = ops::rmsNormBackward(dy, x, weight, rstd, 1, dWeight);
        return std::vector<Tensor>{dx, dWeight, ops::rmsNormBackward(dy, x, weight, rstd, 1, {})};
      });
    }
  });
}

TEST("CUDA's norms of heads beside the CPU's") {
  forTypes([](at::ScalarType dtype) {
    const int64_t heads = 4, kvHeads = 2, headDim = 6, tokens = 67;
    const Tensor qkv = normal({tokens, (heads + 2 * kvHeads) * headDim}, 4).to(dtype);
    const Tensor dQkv = normal(qkv.sizes(), 5).to(dtype);
    for (const bool whole : {false, true}) {
      const Tensor q = normal({whole ? heads * headDim : headDim}, 6).to(at::kFloat);
      const Tensor k = normal({whole ? kvHeads * headDim : headDim}, 7).to(at::kFloat);
      compare("head_norm", roundingOf(dtype),
              [&] { return both(ops::headNorm(qkv, q, k, heads, kvHeads, 1e-6, 0)); });
      const Tensor rstd = std::get<1>(ops::headNorm(qkv, q, k, heads, kvHeads, 1e-6, 0));
      compare("head_norm_backward_", roundingOf(dtype), [&] {
        Tensor grad = dQkv.clone(), dQ = at::ones_like(q), dK = at::zeros_like(k);
        ops::headNormBackward_(grad, qkv, q, k, rstd, heads, kvHeads, 0, dQ, dK);
        return std::vector<Tensor>{grad, dQ, dK};
      });
    }
  });
}

TEST("CUDA's attention beside the CPU's") {
  const int64_t heads = 4, kvHeads = 2, headDim = 12;
  const Tensor cuSeqlens = at::tensor({0, 1, 70, 79}, at::kInt);
  forTypes([&](at::ScalarType dtype) {
    const Tensor qkv = normal({79, (heads + 2 * kvHeads) * headDim}, 26).to(dtype);
    const Tensor dOut = normal({79, heads * headDim}, 27).to(dtype);
    struct Kind {
      int64_t window;
      double softCap, dropout;
    };
    for (const auto& [window, softCap, dropout] : {Kind{0, 0, 0}, Kind{9, 0, 0.3}, Kind{0, 5, 0.3}}) {
      compare("attention", 2 * roundingOf(dtype), [&, w = window, c = softCap, d = dropout] {
        const auto [out, lse] = ops::attention(qkv, cuSeqlens, 69, heads, kvHeads, 0.3, w, c, d, 17);
        return std::vector<Tensor>{
            out, lse,
            ops::attentionBackward(dOut, qkv, out, lse, cuSeqlens, 69, heads, kvHeads, 0.3, w, c, d, 17)};
      });
    }
    const Tensor cache = normal({2, 60, kvHeads, headDim}, 28).to(dtype);
    const Tensor q = qkv.narrow(0, 0, 7).narrow(1, 0, heads * headDim).view({7, heads, headDim});
    compare("attention_cached", 2 * roundingOf(dtype), [&] {
      return both(ops::attentionCached(q, cache[0].narrow(0, 0, 50), cache[1].narrow(0, 0, 50), 0.3, 20, 0));
    });
  });
}

TEST("CUDA's rotation and gated activations beside the CPU's") {
  forTypes([](at::ScalarType dtype) {
    const Tensor x = normal({9, 40}, 8).to(dtype), angles = normal({9, 3}, 9).to(at::kFloat);
    for (const bool interleaved : {false, true}) {
      for (const bool back : {false, true}) {
        compare("rotate_", roundingOf(dtype), [&] {
          Tensor y = x.clone();
          ops::rotate_(y, angles.cos(), angles.sin(), 4, 8, interleaved, back);
          return std::vector<Tensor>{y};
        });
      }
    }
    const Tensor gateUp = normal({7, 2 * 33}, 10).to(dtype), dy = normal({7, 33}, 11).to(dtype);
    for (const Activation kind :
         {Activation::Silu, Activation::GeluTanh, Activation::Gelu, Activation::Relu}) {
      compare("gated_activation", roundingOf(dtype), [&] {
        return std::vector<Tensor>{ops::gatedActivation(gateUp, kind),
                                   ops::gatedActivationBackward(dy, gateUp, kind)};
      });
    }
  });
}

TEST("CUDA's statistics, top choices and gradients of the loss beside the CPU's") {
  forTypes([](at::ScalarType dtype) {
    for (const int64_t vocab : {1, 3, 1001}) {
      Tensor logits = normal({6, vocab}, 12).mul_(3).to(dtype);
      const Tensor labels = labelsBelow(vocab, 6), weights = normal({6, 2}, 13).abs().to(at::kFloat);
      if (vocab > 2) logits.select(0, 4).fill_(0.5);
      compare("token_statistics", 2e-6, [&] { return both(ops::tokenStatistics(logits, labels)); });
      compare("top_k_entropy", 2e-6, [&] {
        return std::vector<Tensor>{ops::topKEntropy(logits, 5), ops::topKEntropy(logits, 5000)};
      });
      compare("first_choices", 0,
              [&] { return both(ops::firstChoices(logits, std::min<int64_t>(vocab, 9))); });
      const auto [floats, ints] = ops::tokenStatistics(logits, labels);
      for (const double cap : {0.0, 15.0}) {
        for (const double smoothing : {0.0, 0.1}) {
          if (vocab == 1) continue;  // it is 0, and all that is left is rounding
          compare("loss_gradient_", roundingOf(dtype), [&, f = floats, n = ints] {
            Tensor z = logits.clone();
            ops::lossGradient_(z, labels, f, n, weights, cap, smoothing);
            return std::vector<Tensor>{z};
          });
        }
        const Tensor base = (logits.to(at::kFloat) + normal({6, vocab}, 14).to(at::kFloat)).to(dtype);
        compare("divergence_", roundingOf(dtype), [&] {
          Tensor z = logits.clone();
          const Tensor kl = ops::divergence_(z, base, 0.5, cap);
          return std::vector<Tensor>{kl, z};
        });
      }
      compare("soft_cap_", roundingOf(dtype), [&] {
        Tensor z = logits.clone();
        ops::softCap_(z, 2);
        return std::vector<Tensor>{z};
      });
    }
  });
}

TEST("CUDA's statistics of rows that are not finite are the CPU's") {
  Tensor logits = normal({4, 50}, 15).to(at::kFloat);
  const float infinity = std::numeric_limits<float>::infinity();
  logits[0][7] = std::numeric_limits<float>::quiet_NaN();
  logits[1][8] = infinity;
  logits[2].fill_(-infinity);
  compare("token_statistics", 0, [&] {
    const auto [floats, ints] = ops::tokenStatistics(logits, labelsBelow(50, 4));
    const Tensor entropy = ops::topKEntropy(logits, 3), choice = std::get<1>(ops::firstChoices(logits, 3));
    const Tensor first = ints.narrow(0, 0, 3), nll = floats.narrow(0, 0, 3).narrow(1, 0, 2);
    return std::vector<Tensor>{first, nll.isnan(), entropy.isnan(), choice};
  });
}

TEST("CUDA adds rows to a table beside the CPU") {
  const Tensor ids = at::arange(90, at::kLong) * 31 % 13, rows = normal({90, 300}, 29).to(at::kFloat);
  compare("add_rows_", 1e-6, [&] {
    Tensor table = at::ones({13, 300});
    ops::addRows_(table, ids, rows, 1.5);
    return std::vector<Tensor>{table};
  });
}

TEST("CUDA draws the numbers that the CPU draws") {
  const uint64_t key = 0xfedcba9876543210u;
  compare("uniform", 0, [&] { return std::vector<Tensor>{ops::uniform(at::empty({3, 777}), key)}; });
  forTypes([&](at::ScalarType dtype) {
    const Tensor x = normal({3, 777}, 16).to(dtype);
    compare("dropout", 0, [&] { return std::vector<Tensor>{ops::dropout(x, 0.3, key)}; });
  });
  const Tensor from = normal({4001}, 17).to(at::kFloat);
  compare("round_stochastically_", 0, [&] {
    Tensor to = at::empty({4001}, at::kBFloat16);
    ops::roundStochastically_(to, from, 99, 1234);
    return std::vector<Tensor>{to};
  });
}

TEST("CUDA's 8-bit AdamW and Lion beside the CPU's") {
  const int64_t count = 3 * kMomentBlock + 5;
  const AdamRates rates = {0.9f, 0.999f, 0.01f, 1e-8f, 0.999f, 0.5f};
  const Tensor values = normal({count}, 18).to(at::kFloat), gradient = normal({count}, 19).to(at::kFloat);
  compare("lion_", 1e-6, [&] {
    Tensor weight = values.clone(), moment = gradient.flip(0).contiguous();
    ops::lion_(weight, gradient, moment, {0.9f, 0.99f, 0.01f, 0.999f, 0.5f});
    return std::vector<Tensor>{weight, moment};
  });
  for (const bool isSigned : {false, true}) {
    compare("the 8-bit codes", 0, [&] {
      Tensor codes = at::empty({count}, at::kByte), scales = at::empty({4});
      ops::encodeMoments_(isSigned ? values : values.abs(), codes, scales, isSigned);
      return std::vector<Tensor>{codes, scales};
    });
  }
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    compare("adamw_8bit_", dtype == at::kFloat ? 2e-6 : 8e-3, [&] {
      Tensor weight = values.to(dtype, /*non_blocking=*/false, /*copy=*/true);
      Tensor c1 = at::empty({count}, at::kByte), c2 = c1.clone(), s1 = at::empty({4}), s2 = s1.clone();
      ops::encodeMoments_(gradient.flip(0).contiguous(), c1, s1, true);
      ops::encodeMoments_(values.square(), c2, s2, false);
      ops::adamw8bit_(weight, gradient, c1, s1, c2, s2, rates, 7);
      return std::vector<Tensor>{weight, ops::decodeMoments(c1, s1, true), ops::decodeMoments(c2, s2, false)};
    });
  }
}

TEST("CUDA's AdamW on a list of weights beside the CPU's") {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    compare("adamw_", dtype == at::kFloat ? 2e-6 : 8e-3, [&] {
      std::vector<Tensor> weights, gradients, moments1, moments2;
      std::vector<int64_t> noises;
      for (const int64_t count : {1, 7, 5000}) {
        weights.push_back(normal({count}, 22).to(dtype));
        gradients.push_back(normal({count}, 23).to(at::kFloat));
        moments1.push_back(normal({count}, 24).to(at::kFloat));
        moments2.push_back(normal({count}, 25).square().to(at::kFloat));
        noises.push_back(count);
      }
      ops::adamw_(weights, gradients, moments1, moments2, {0.9, 0.999, 1e-8, 0.01, 0.1, 0.5, 3}, noises);
      std::vector<Tensor> all = weights;
      for (const auto* list : {&moments1, &moments2}) all.insert(all.end(), list->begin(), list->end());
      return all;
    });
  }
}

TEST("CUDA reads quantised weights as the CPU does") {
  forTypes([](at::ScalarType dtype) {
    const Tensor packed = (at::arange(5 * 13, at::kLong) * 97 % 256).to(at::kByte);
    const Tensor codes = normal({16}, 20).to(at::kFloat), scales = normal({65}, 21).to(at::kFloat);
    compare("dequantize_", 0, [&] {
      Tensor four = at::empty({3, 7}, dtype), eight = at::empty({3, 7}, dtype);
      ops::dequantize_(four, packed, codes, scales, 8, 13, 1, 2);
      ops::dequantize_(eight, packed.view({5, 13}).to(at::kChar), {}, scales, 0, 13, 1, 2);
      return std::vector<Tensor>{four, eight};
    });
  });
}
#endif
