#include <algorithm>
#include <memory>

#include "check.h"
#include "cuda/attention_path.h"

using namespace adaptive::test;
namespace cuda = adaptive::cuda;

namespace {

struct Case {
  std::vector<int64_t> lengths;
  int heads, kvHeads, headDim;
  int64_t window;
  float softCap;
  uint32_t dropped;
};

/// The lengths of rows as offsets.
std::vector<int64_t> offsetsOf(const std::vector<int64_t>& lengths) {
  std::vector<int64_t> offsets = {0};
  for (const int64_t length : lengths) offsets.push_back(offsets.back() + length);
  return offsets;
}

/// Which weights are kept, as a share; asked of the kernel itself by values of 1 and 0.
using Kept = std::function<double(int head, int64_t query, int64_t key)>;

/// Attention and its gradients in float64, all by the definition.
struct Truth {
  std::vector<double> out, lse, dQkv;
};

Truth truthOf(const Case& c, Device<float>& qkv, const std::vector<double>& dOut, double scale,
              const Kept& kept) {
  const auto offsets = offsetsOf(c.lengths);
  const int64_t tokens = offsets.back(), width = (c.heads + 2 * c.kvHeads) * c.headDim;
  const int64_t outWidth = c.heads * c.headDim;
  Truth t{std::vector<double>(tokens * outWidth), std::vector<double>(c.heads * tokens),
          std::vector<double>(tokens * width)};
  for (size_t r = 0; r + 1 < offsets.size(); r++) {
    for (int head = 0; head < c.heads; head++) {
      const int kvHead = head / (c.heads / c.kvHeads);
      const int64_t atK = (c.heads + kvHead) * c.headDim, atV = (c.heads + c.kvHeads + kvHead) * c.headDim;
      for (int64_t i = offsets[r]; i < offsets[r + 1]; i++) {
        const int64_t first = c.window > 0 ? std::max(offsets[r], i + 1 - c.window) : offsets[r];
        std::vector<double> p, slope, dP;
        double max = -INFINITY, sum = 0, delta = 0;
        for (int64_t j = first; j <= i; j++) {
          double s = 0, d = 0;
          for (int x = 0; x < c.headDim; x++) {
            s += scale * qkv[i * width + head * c.headDim + x] * qkv[j * width + atK + x];
            d += dOut[i * outWidth + head * c.headDim + x] * qkv[j * width + atV + x];
          }
          const double tanh = c.softCap > 0 ? std::tanh(s / c.softCap) : 0;
          p.push_back(c.softCap > 0 ? c.softCap * tanh : s);
          slope.push_back(scale * (1 - tanh * tanh));
          dP.push_back(d * kept(head, i, j - offsets[r]));
          max = std::max(max, p.back());
        }
        for (double& score : p) sum += score = std::exp(score - max);
        t.lse[head * tokens + i] = max + std::log(sum);
        for (size_t n = 0; n < p.size(); n++) delta += (p[n] /= sum) * dP[n];
        for (size_t n = 0; n < p.size(); n++) {
          const int64_t j = first + static_cast<int64_t>(n);
          const double counted = p[n] * kept(head, i, j - offsets[r]), ds = p[n] * (dP[n] - delta) * slope[n];
          for (int x = 0; x < c.headDim; x++) {
            const int64_t atQ = i * width + head * c.headDim + x, k = j * width + atK + x,
                          v = j * width + atV + x;
            t.out[i * outWidth + head * c.headDim + x] += counted * qkv[v];
            t.dQkv[v] += counted * dOut[i * outWidth + head * c.headDim + x];
            t.dQkv[atQ] += ds * qkv[k];
            t.dQkv[k] += ds * qkv[atQ];
          }
        }
      }
    }
  }
  return t;
}

cuda::AttentionShape shapeOf(const Case& c, const int32_t* cuSeqlens) {
  const auto offsets = offsetsOf(c.lengths);
  const auto rows = static_cast<int64_t>(c.lengths.size());
  return {cuSeqlens,
          rows,
          *std::max_element(c.lengths.begin(), c.lengths.end()),
          offsets.back(),
          0,
          c.heads,
          c.kvHeads,
          c.headDim,
          0.3f,
          c.window,
          c.softCap,
          c.dropped,
          static_cast<float>(1 / (1 - c.dropped * 0x1p-32)),
          0x123456789abcdefull};
}

template <class T>
cuda::Heads<const T> readHeads(T* data, int64_t stride, int headDim) {
  return {data, stride, headDim};
}

/// Every weight that dropout keeps is seen in the output for values of which one is 1: the kernel's own
/// choice.
Kept keptBy(const Case& c, const cuda::AttentionShape& shape) {
  const auto offsets = offsetsOf(c.lengths);
  const int64_t tokens = offsets.back(), width = (c.heads + 2 * c.kvHeads) * c.headDim;
  int64_t longest = shape.longest;
  auto share = std::make_shared<std::vector<double>>(c.heads * tokens * longest, 1.0);
  for (int64_t key = 0; c.dropped > 0 && key < longest; key++) {
    Device<float> qkv(tokens * width, 0), out(tokens * c.heads * c.headDim), lse(c.heads * tokens);
    for (size_t r = 0; r < c.lengths.size(); r++) {
      if (key >= c.lengths[r]) continue;
      float* token = qkv.data() + (offsets[r] + key) * width + (c.heads + c.kvHeads) * c.headDim;
      for (int i = 0; i < c.kvHeads * c.headDim; i++) token[i] = 1;
    }
    float* data = qkv.data();
    cuda::attention<float>(readHeads(data, width, c.headDim),
                           readHeads(data + c.heads * c.headDim, width, c.headDim),
                           readHeads(data + (c.heads + c.kvHeads) * c.headDim, width, c.headDim),
                           {out.data(), c.heads * c.headDim, c.headDim}, lse.data(), shape, nullptr);
    for (int head = 0; head < c.heads; head++)
      for (int64_t i = 0; i < tokens; i++)
        (*share)[(head * tokens + i) * longest + key] =
            out[(i * c.heads + head) * c.headDim] * std::exp(lse[head * tokens + i]);
  }
  return
      [=](int head, int64_t query, int64_t key) { return (*share)[(head * tokens + query) * longest + key]; };
}

template <class T>
void checkCase(const Case& c) {
  const auto offsets = offsetsOf(c.lengths);
  const int64_t tokens = offsets.back(), width = (c.heads + 2 * c.kvHeads) * c.headDim;
  const int64_t outWidth = c.heads * c.headDim;
  Device<int32_t> cu(std::vector<double>(offsets.begin(), offsets.end()));
  const cuda::AttentionShape shape = shapeOf(c, cu.data());
  Device<T> qkv(normal(tokens * width, 1)), dOut(normal(tokens * outWidth, 2));
  Device<float> exact(qkv.values());
  const Truth truth = truthOf(c, exact, dOut.values(), shape.scale, keptBy(c, shape));

  Device<T> out(tokens * outWidth), dQkv(tokens * width);
  Device<float> lse(c.heads * tokens), delta(c.heads * tokens);
  T *data = qkv.data(), *gradient = dQkv.data();
  const int64_t k = c.heads * c.headDim, v = (c.heads + c.kvHeads) * c.headDim;
  cuda::attention<T>(readHeads(data, width, c.headDim), readHeads(data + k, width, c.headDim),
                     readHeads(data + v, width, c.headDim), {out.data(), outWidth, c.headDim}, lse.data(),
                     shape, nullptr);
  checkClose(lse, truth.lse, 2e-6, 2e-6, "lse");
  checkClose(out, truth.out, 2e-6 + kRounding<T>, 1e-5, "out");
  cuda::attentionBackward<T>(readHeads(dOut.data(), outWidth, c.headDim), readHeads(data, width, c.headDim),
                             readHeads(data + k, width, c.headDim), readHeads(data + v, width, c.headDim),
                             readHeads(out.data(), outWidth, c.headDim), lse.data(), delta.data(),
                             {gradient, width, c.headDim}, {gradient + k, width, c.headDim},
                             {gradient + v, width, c.headDim}, shape, nullptr);
  // The rounding of `out` goes through delta into every gradient.
  checkClose(dQkv, truth.dQkv, 4e-6 + 2 * kRounding<T>, 4e-5 + 8 * kRounding<T>, "dQkv");
}

}  // namespace

TEST("attention and its gradients over rows of 1 to 70 tokens") {
  inEveryOrder([] {
    for (const Case& c : {Case{{1}, 1, 1, 1, 0, 0, 0}, Case{{5, 1, 70}, 4, 2, 24, 0, 0, 0},
                          Case{{33, 40}, 2, 1, 80, 0, 0, 0}}) {
      checkCase<float>(c), checkCase<bfloat16>(c), checkCase<float16>(c);
    }
  });
}

TEST("attention with heads of 256, windows and soft caps") {
  checkCase<float>({{37}, 1, 1, 256, 0, 0, 0});
  inEveryOrder([] {
    checkCase<float>({{70, 9}, 2, 2, 16, 7, 0, 0});
    checkCase<float>({{20}, 2, 1, 12, 1, 0, 0});
    checkCase<float>({{70}, 2, 1, 16, 40, 5, 0});
  });
}

TEST("attention that drops weights") {
  checkCase<float>({{40, 9}, 2, 1, 16, 0, 0, static_cast<uint32_t>(0.3 * 0x1p32)});
  checkCase<float>({{40}, 2, 1, 16, 8, 5, static_cast<uint32_t>(0.3 * 0x1p32)});
}

TEST("attention over a cache is that of the last queries") {
  const Case c = {{50}, 2, 1, 20, 17, 0, 0};
  const int64_t width = 4 * 20, cached = 45;
  const cuda::AttentionShape whole = shapeOf(c, nullptr);
  cuda::AttentionShape last = whole;
  last.queries = last.longest = 50 - cached, last.offset = cached;
  Device<float> qkv(normal(50 * width, 1)), all(50 * 40), some(5 * 40), lse(2 * 50), lastLse(2 * 5);
  float* data = qkv.data();
  const auto k = readHeads(data + 40, width, 20), v = readHeads(data + 60, width, 20);
  cuda::attention<float>(readHeads(data, width, 20), k, v, {all.data(), 40, 20}, lse.data(), whole, nullptr);
  cuda::attention<float>(readHeads(data + cached * width, width, 20), k, v, {some.data(), 40, 20},
                         lastLse.data(), last, nullptr);
  for (int64_t i = 0; i < 5 * 40; i++)
    check(std::abs(some[i] - all[cached * 40 + i]) < 1e-6, "the same output");
  for (int i = 0; i < 10; i++)
    check(std::abs(lastLse[i] - lse[i / 5 * 50 + cached + i % 5]) < 1e-6, "the same lse");
}

TEST("which kernels attention runs on") {
  using enum cuda::AttentionPath;
  struct Choice {
    cuda::AttentionNeeds needs;
    cuda::AttentionPath path;
  };
  const Choice choices[] = {
      {{64, false, 0, 0}, Flash},     {{128, false, 0, 0}, Flash},    {{256, false, 0, 0}, Flash},
      {{72, false, 0, 0}, Flash},     {{100, false, 0, 0}, Blocked},  {{192, false, 0, 0}, Flash},
      {{200, false, 0, 0}, Blocked},  {{224, false, 0, 0}, Blocked},  {{232, false, 0, 0}, Flash},
      {{64, true, 0, 0}, Efficient},  {{100, true, 0, 0}, Efficient}, {{50, true, 0, 0}, Blocked},
      {{256, true, 0, 0}, Efficient}, {{64, false, 50, 0}, Blocked},  {{64, true, 30, 0}, Blocked},
      {{64, false, 0, 0.1}, Blocked}, {{64, true, 0, 0.1}, Blocked},  {{264, false, 0, 0}, Blocked},
  };
  for (const auto& [needs, path] : choices) {
    check(cuda::attentionPath(needs) == path,
          "another path for heads of " + std::to_string(needs.headDim) + (needs.isFloat32 ? " floats" : ""));
  }
}
