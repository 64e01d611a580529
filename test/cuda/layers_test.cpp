#include <algorithm>

#include "check.h"

using namespace adaptive::test;
namespace cuda = adaptive::cuda;
using adaptive::Activation;
using cuda::NormShape;

namespace {

/// What float64 makes of a norm of pieces, forward and backward.
struct NormTruth {
  std::vector<double> y, rstd, dx, dWeight;
};

NormTruth normTruth(const std::vector<double>& x, const std::vector<double>& weight,
                    const std::vector<double>& dy, const NormShape& s, double eps) {
  NormTruth t{x, std::vector<double>(s.rows * s.rstdStride, -7), dy, std::vector<double>(s.width)};
  for (int64_t r = 0; r < s.rows; r++) {
    for (int64_t g = 0; g < s.groups; g++) {
      const int64_t at = r * s.stride + g * s.width;
      double squares = 0, mean = 0;
      for (int64_t i = 0; i < s.width; i++) squares += x[at + i] * x[at + i];
      const double rstd = t.rstd[r * s.rstdStride + g] = 1 / std::sqrt(squares / s.width + eps);
      for (int64_t i = 0; i < s.width; i++) {
        const double w = weight[i] + s.offset, normed = x[at + i] * rstd;
        t.y[at + i] = normed * w;
        mean += dy[at + i] * w * normed / s.width;
        t.dWeight[i] += dy[at + i] * normed;
      }
      for (int64_t i = 0; i < s.width; i++)
        t.dx[at + i] = rstd * (dy[at + i] * (weight[i] + s.offset) - x[at + i] * rstd * mean);
    }
  }
  return t;
}

template <class X, class T>
void checkNorm(const NormShape& s, bool inPlace) {
  const double eps = 1e-5;
  Device<X> x(normal(s.rows * s.stride, 3));
  Device<T> dy(normal(s.rows * s.stride, 4));
  Device<float> weight(normal(s.width, 5)), rstd(s.rows * s.rstdStride), dWeight(s.width, 0.5f);
  NormTruth truth = normTruth(x.values(), weight.values(), dy.values(), s, eps);
  Device<T> y(x.values());
  cuda::rmsNorm(x.data(), weight.data(), y.data(), rstd.data(), s, static_cast<float>(eps), nullptr);
  checkClose(rstd, truth.rstd, 1e-6, 0, "rstd");
  checkClose(y, truth.y, 1e-6 + kRounding<T>, 1e-6, "y");
  for (double& value : truth.dWeight) value += 0.5;
  Device<float> scratch(cuda::normScratch(s));
  if constexpr (std::is_same_v<X, T>) {
    if (inPlace) {
      cuda::rmsNormBackward(dy.data(), x.data(), weight.data(), rstd.data(), dy.data(), dWeight.data(),
                            scratch.data(), s, nullptr);
      checkClose(dy, truth.dx, 4e-6 + kRounding<T>, 3e-6, "dx in place of dy");
      checkClose(dWeight, truth.dWeight, 4e-6, 3e-5, "dWeight");
      return;
    }
  }
  Device<X> dx(x.values());
  cuda::rmsNormBackward(dy.data(), x.data(), weight.data(), rstd.data(), dx.data(), dWeight.data(),
                        scratch.data(), s, nullptr);
  checkClose(dx, truth.dx, 4e-6 + kRounding<X>, 3e-6, "dx");
  checkClose(dWeight, truth.dWeight, 4e-6, 3e-5, "dWeight");
}

template <class T>
void checkRotation(int64_t rows, int64_t heads, int64_t headDim, int64_t half, bool interleaved) {
  const int64_t stride = heads * headDim + 3;
  Device<T> x(normal(rows * stride, 8));
  Device<float> cos(normal(rows * half, 9)), sin(normal(rows * half, 10));
  std::vector<double> expected = x.values();
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t h = 0; h < heads; h++) {
      for (int64_t i = 0; i < half; i++) {
        const int64_t base = r * stride + h * headDim;
        const int64_t first = base + (interleaved ? 2 * i : i),
                      second = interleaved ? first + 1 : first + half;
        const double a = expected[first], b = expected[second], c = cos[r * half + i], s = -sin[r * half + i];
        expected[first] = a * c - b * s, expected[second] = b * c + a * s;
      }
    }
  }
  cuda::rotate(x.data(), cos.data(), sin.data(), rows, stride, heads, headDim, half, interleaved, -1.f,
               nullptr);
  checkClose(x, expected, kRounding<T>, 1e-6, "rotated");
}

/// value and slope in float64.
std::pair<double, double> activation(Activation kind, double x) {
  if (kind == Activation::Relu) return {std::max(x, 0.0), x > 0 ? 1 : 0};
  if (kind == Activation::Gelu) {
    const double c = 0.5 * std::erfc(-x / std::sqrt(2.0));
    return {x * c, c + x * std::exp(-x * x / 2) / std::sqrt(2 * M_PI)};
  }
  if (kind == Activation::GeluTanh) {
    const double k = std::sqrt(2 / M_PI), t = std::tanh(k * (x + 0.044715 * x * x * x));
    return {x / 2 * (1 + t), (1 + t) / 2 + x / 2 * (1 - t * t) * k * (1 + 3 * 0.044715 * x * x)};
  }
  const double s = 1 / (1 + std::exp(-x));
  return {x * s, s + x * s * (1 - s)};
}

}  // namespace

TEST("RMSNorm and its gradients, rows of 1 to 3,000") {
  inEveryOrder([] {
    for (const int64_t width : {1, 7, 512, 513, 3000}) {
      for (const int64_t rows : {1, 65}) {
        for (const float offset : {0.f, 1.f}) {
          const NormShape s = {rows, 1, width, width, 1, offset};
          checkNorm<float, float>(s, false);
          checkNorm<float, bfloat16>(s, false);
          checkNorm<float, float16>(s, false);
        }
      }
    }
  });
}

TEST("the gradient of a norm's weight over more rows than its slices have at first") {
  checkNorm<float, float>({66000, 1, 1, 1, 1, 0.f}, false);
}

TEST("the norm of queries' heads and its gradients in place") {
  inEveryOrder([] {
    forTypes([](auto zero) {
      using T = decltype(zero);
      checkNorm<T, T>({5, 3, 24, 3 * 24 + 17, 4, 0.f}, true);
      checkNorm<T, T>({1, 1, 96, 128, 1, 1.f}, true);
    });
  });
}

TEST("a norm of no rows, and one whose weight gets no gradient") {
  Device<float> x(normal(8, 1)), weight(normal(8, 2)), rstd(1), dx(8);
  const NormShape none = {0, 1, 8, 8, 1, 0.f}, one = {1, 1, 8, 8, 1, 0.f};
  cuda::rmsNorm(x.data(), weight.data(), dx.data(), rstd.data(), none, 1e-5f, nullptr);
  check(dx[0] == -7 && rstd[0] == -7, "nothing written");
  cuda::rmsNorm(x.data(), weight.data(), dx.data(), rstd.data(), one, 1e-5f, nullptr);
  cuda::rmsNormBackward(x.data(), x.data(), weight.data(), rstd.data(), dx.data(), nullptr, nullptr, one,
                        nullptr);
}

TEST("rotary embedding, half-split and interleaved") {
  forTypes([](auto zero) {
    using T = decltype(zero);
    for (const bool interleaved : {false, true}) {
      checkRotation<T>(1, 1, 2, 1, interleaved);
      checkRotation<T>(5, 3, 20, 7, interleaved);
      checkRotation<T>(40, 2, 64, 32, interleaved);
    }
  });
}

TEST("gated activations and their gradients") {
  forTypes([](auto zero) {
    using T = decltype(zero);
    for (const Activation kind :
         {Activation::Silu, Activation::GeluTanh, Activation::Gelu, Activation::Relu}) {
      for (const auto& [rows, width] : {std::pair<int64_t, int64_t>{1, 1}, {3, 333}}) {
        Device<T> gateUp(normal(rows * 2 * width, 12, 2)), dy(normal(rows * width, 13));
        std::vector<double> y, dGateUp(rows * 2 * width);
        for (int64_t r = 0; r < rows; r++) {
          for (int64_t i = 0; i < width; i++) {
            const int64_t at = r * 2 * width + i;
            const auto [value, slope] = activation(kind, gateUp[at]);
            const double up = gateUp[at + width], grad = dy[r * width + i];
            y.push_back(value * up);
            dGateUp[at] = grad * up * slope, dGateUp[at + width] = grad * value;
          }
        }
        Device<T> out(rows * width), gradient(rows * 2 * width);
        cuda::gatedActivation(gateUp.data(), out.data(), rows, width, kind, nullptr);
        cuda::gatedActivationBackward(dy.data(), gateUp.data(), gradient.data(), rows, width, kind, nullptr);
        checkClose(out, y, 2e-6 + kRounding<T>, 2e-6, "y");
        checkClose(gradient, dGateUp, 2e-6 + kRounding<T>, 4e-6, "dGateUp");
      }
    }
  });
}

TEST("rows are added to those of their ids in their order, padding left out") {
  inEveryOrder([] {
    forTypes([](auto zero) {
      using T = decltype(zero);
      const int64_t rows = 70, width = 300, vocab = 9, padding = 2;
      std::vector<std::pair<int64_t, int64_t>> sorted;
      for (int64_t r = 0; r < rows; r++) sorted.push_back({(r * r + 3) % vocab, r});
      Device<T> dy(normal(rows * width, 14));
      Device<float> gradient(normal(vocab * width, 15));
      std::vector<double> expected = gradient.values();
      for (const auto& [id, row] : sorted) {
        for (int64_t i = 0; i < width && id != padding; i++) {
          const float term = 1.5f * static_cast<float>(dy[row * width + i]);
          expected[id * width + i] = static_cast<float>(expected[id * width + i]) + term;
        }
      }
      std::stable_sort(sorted.begin(), sorted.end(),
                       [](const auto& a, const auto& b) { return a.first < b.first; });
      Device<int64_t> ids(rows), order(rows);
      for (int64_t i = 0; i < rows; i++) ids.data()[i] = sorted[i].first, order.data()[i] = sorted[i].second;
      cuda::addRows(gradient.data(), ids.data(), order.data(), dy.data(), nullptr, 0, 1.5f, padding, rows,
                    width, nullptr);
      checkClose(gradient, expected, 3e-7, 1e-6, "gradient");
    });
  });
}

TEST("quantised weights back to floats, from odd places on") {
  forTypes([](auto zero) {
    using T = decltype(zero);
    const int64_t rows = 5, columns = 13, blockSize = 8;
    std::mt19937 random(16);
    Device<uint8_t> packed(rows * columns);
    for (int64_t i = 0; i < packed.size(); i++) packed.data()[i] = static_cast<uint8_t>(random());
    Device<float> codes(normal(16, 17)), scales(normal(rows * columns, 18));
    std::vector<double> four, eight;
    for (int64_t r = 1; r < 4; r++) {
      for (int64_t c = 2; c < 9; c++) {
        const int64_t e = r * columns + c;
        const int byte = packed.data()[e / 2], code = e % 2 == 0 ? byte >> 4 : byte & 15;
        four.push_back(codes[code] * scales[e / blockSize]);
        eight.push_back(static_cast<int8_t>(packed.data()[e]) * scales[r] / 127);
      }
    }
    Device<T> out(21);
    cuda::dequantize(out.data(), packed.data(), codes.data(), scales.data(), blockSize, columns, 1, 2, 3, 7,
                     nullptr);
    checkClose(out, four, 1e-7 + kRounding<T>, 1e-7, "4 bits");
    cuda::dequantize(out.data(), packed.data(), nullptr, scales.data(), blockSize, columns, 1, 2, 3, 7,
                     nullptr);
    checkClose(out, eight, 3e-7 + kRounding<T>, 1e-7, "8 bits");
  });
}
