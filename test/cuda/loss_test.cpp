#include <tuple>

#include "loss_case.h"

using namespace adaptive::test;
namespace cuda = adaptive::cuda;

namespace {

template <class T>
void checkStatistics(LossCase<T>& c, const std::string& what) {
  c.gatherStatistics();
  for (int64_t t = 0; t < c.tokens; t++) {
    const RowTruth truth = truthOf(c.row(t), static_cast<int>(c.labels[t]));
    const double expected[] = {truth.nll, truth.topNll, truth.max, truth.entropy, truth.meanNll};
    for (int i = 0; i < 5; i++) {
      const double actual = c.floats[5 * t + i], e = expected[i];
      if (i == 2 && e != e) continue;  // no first choice: nobody reads the greatest
      const bool close = std::abs(actual - e) <= 3e-6 * std::abs(e) + (i == 1 ? 0 : 1e-6);
      check(close || actual == e || (actual != actual && e != e),
            what + ": statistic " + std::to_string(i) + " of token " + std::to_string(t) + " " +
                std::to_string(e) + ", found " + std::to_string(actual));
    }
    check(c.ints[2 * t] == truth.rank, what + ": the rank of the label");
    check(c.ints[2 * t + 1] == truth.argmax, what + ": the first choice");
  }
}

}  // namespace

TEST("token statistics over awkward vocabularies, in every type") {
  inEveryOrder([] {
    forTypes([](auto zero) {
      using T = decltype(zero);
      for (const int64_t vocab : awkwardVocabularies()) {
        LossCase<T> c(3, vocab, std::is_same_v<T, float16> ? 0.5 : 2, 7 + static_cast<unsigned>(vocab));
        checkStatistics(c, "vocabulary " + std::to_string(vocab));
      }
    });
  });
}

TEST("token statistics of one token of a vocabulary of 262,144") {
  LossCase<bfloat16> c(1, 262144, 3, 5);
  checkStatistics(c, "262144 entries");
}

TEST("token statistics of rows with NaN, infinities and equal logits") {
  inEveryOrder([] {
    LossCase<float> c(5, 1000, 1, 3);
    c.logits.data()[500] = NAN;                                            // token 0
    c.logits.data()[1000 + 700] = INFINITY;                                // token 1
    for (int i = 0; i < 999; i++) c.logits.data()[2000 + i] = -INFINITY;   // token 2: one entry is left
    for (int i = 0; i < 1000; i++) c.logits.data()[3000 + i] = 1;          // token 3: all equal
    for (int i = 0; i < 1000; i++) c.logits.data()[4000 + i] = -INFINITY;  // token 4: nothing is possible
    c.labels.data()[2] = 999;
    checkStatistics(c, "special values");
  });
}

TEST("no labelled token: nothing is launched and nothing written") {
  LossCase<float> c(0, 100, 1, 3);
  c.gatherStatistics();
  cuda::lossGradient(c.logits.data(), c.gradients(), 0, 100, nullptr);
  cuda::topKEntropy(c.logits.data(), c.floats.data(), 0, 100, 5, nullptr);
  cuda::firstChoices(c.logits.data(), c.floats.data(), c.ints.data(), 0, 100, 5, nullptr);
  cuda::divergence(c.logits.data(), c.logits.data(), c.floats.data(), 0, 100, 1, 0, nullptr);
  cuda::numeratorScales(c.floats.data(), c.gradients(), 0, nullptr);
}

TEST("the gradient of the loss, with a logit cap and with smoothing") {
  inEveryOrder([] {
    forTypes([](auto zero) {
      using T = decltype(zero);
      for (const auto& [cap, smoothing] : {std::pair{0.f, 0.f}, {30.f, 0.f}, {0.f, 0.1f}, {30.f, 0.1f}}) {
        for (const int64_t vocab : {1, 2, 31, 4099}) {
          LossCase<T> c(4, vocab, 0.6, 11);
          const auto expected = c.expectedGradient(cap, smoothing);
          c.gatherStatistics();
          cuda::lossGradient(c.logits.data(), c.gradients(cap, smoothing), 4, vocab, nullptr);
          checkClose(c.logits, expected, 4e-6 + kRounding<T>, 3e-7, "gradient");
        }
      }
    });
  });
}

TEST("a row with NaN has no gradient") {
  LossCase<float> c(2, 50, 1, 3);
  c.logits.data()[20] = NAN;
  c.gatherStatistics();
  cuda::lossGradient(c.logits.data(), c.gradients(), 2, 50, nullptr);
  for (int i = 0; i < 50; i++) check(c.logits[i] != c.logits[i], "NaN in every entry");
  check(c.logits[50] == c.logits[50], "numbers in the next row");
}

namespace {

/// f(T{}) for each type of 16 bits.
template <class F>
void forHalfTypes(const F& f) {
  f(bfloat16{}), f(float16{});
}

/// The gradient of every logit by way of kept numerators, in float64 from there on.
template <class T>
std::vector<double> gradientByNumerators(LossCase<float>& c, float cap) {
  Device<T> kept(c.tokens * c.vocab);
  Device<float> scales(3 * c.tokens);
  cuda::keepNumerators(kept.data(), c.logits.data(), c.labels.data(), c.floats.data(), c.ints.data(), cap,
                       c.tokens, c.vocab, nullptr);
  cuda::numeratorScales(scales.data(), c.gradients(cap), c.tokens, nullptr);
  std::vector<double> gradient = kept.values();
  for (int64_t t = 0; t < c.tokens; t++) {
    double* row = gradient.data() + t * c.vocab;
    for (int64_t v = 0; v < c.vocab; v++) row[v] *= scales[3 * t];
    row[static_cast<int64_t>(c.labels[t])] += scales[3 * t + 1];
    row[static_cast<int64_t>(c.ints[2 * t + 1])] += scales[3 * t + 2];
  }
  return gradient;
}

}  // namespace

TEST("float32 logits over awkward vocabularies: gradients in 16 bits, and by kept numerators") {
  inEveryOrder([] {
    forHalfTypes([](auto zero) {
      using T = decltype(zero);
      for (const int64_t vocab : awkwardVocabularies()) {
        for (const auto& [cap, smoothing] : {std::pair{0.f, 0.f}, {30.f, 0.1f}}) {
          LossCase<float> c(3, vocab, 2, 17);
          const auto expected = c.expectedGradient(cap, smoothing);
          c.gatherStatistics();
          Device<T> gradient(3 * vocab);
          cuda::lossGradientInto(gradient.data(), c.logits.data(), c.gradients(cap, smoothing), 3, vocab,
                                 nullptr);
          // 3e-8: half of the smallest float16.
          checkClose(gradient, expected, kRounding<T> + 4e-6, 2e-7, "gradient");
          Device<float> byNumerators(gradientByNumerators<T>(c, cap));
          // Twice as much: a numerator below the smallest float16 counts with up to 3.4.
          checkClose(byNumerators, c.expectedGradient(cap), kRounding<T> + 4e-6, 4e-7, "by numerators");
        }
      }
    });
  });
}

TEST("kept numerators of one token of a vocabulary of 262,144") {
  LossCase<float> c(1, 262144, 3, 5);
  c.gatherStatistics();
  Device<float> byNumerators(gradientByNumerators<bfloat16>(c, 0));
  checkClose(byNumerators, c.expectedGradient(), kRounding<bfloat16> + 4e-6, 1e-9, "by numerators");
}

namespace {

/// dHidden and dWeight of float64 gradients [tokens, vocab], for hidden [tokens, width] and weight [vocab,
/// width].
std::pair<std::vector<double>, std::vector<double>> products(const std::vector<double>& dz, int64_t tokens,
                                                             int64_t vocab, int64_t width,
                                                             Device<bfloat16>& hidden,
                                                             Device<bfloat16>& weight) {
  std::vector<double> dHidden(tokens * width), dWeight(vocab * width);
  for (int64_t t = 0; t < tokens; t++) {
    for (int64_t v = 0; v < vocab; v++) {
      for (int64_t w = 0; w < width; w++) {
        dHidden[t * width + w] += dz[t * vocab + v] * weight[v * width + w];
        dWeight[v * width + w] += dz[t * vocab + v] * hidden[t * width + w];
      }
    }
  }
  return {dHidden, dWeight};
}

double largest(const std::vector<double>& values) {
  double out = 0;
  for (const double value : values) out = std::max(out, std::abs(value));
  return out;
}

}  // namespace

TEST("kept numerators give the gradients of hidden and weight without another pass over the vocabulary") {
  inEveryOrder([] {
    for (const auto& [tokens, cap] : {std::pair{1, 0.f}, {5, 0.f}, {5, 20.f}}) {
      const int64_t vocab = 301, width = 24;
      LossCase<float> c(tokens, vocab, 1.5, 23);
      Device<bfloat16> hidden(normal(tokens * width, 1)), weight(normal(vocab * width, 2));
      const auto [dHidden, dWeight] = products(c.expectedGradient(cap), tokens, vocab, width, hidden, weight);
      c.gatherStatistics();

      Device<bfloat16> kept(tokens * vocab);
      cuda::keepNumerators(kept.data(), c.logits.data(), c.labels.data(), c.floats.data(), c.ints.data(), cap,
                           tokens, vocab, nullptr);
      Device<float> scales(3 * tokens);
      cuda::numeratorScales(scales.data(), c.gradients(cap), tokens, nullptr);

      // The two products that cuBLAS forms on a device.
      std::vector<double> product(tokens * width), gradient(vocab * width);
      for (int64_t t = 0; t < tokens; t++)
        for (int64_t v = 0; v < vocab; v++)
          for (int64_t w = 0; w < width; w++) {
            product[t * width + w] += kept[t * vocab + v] * weight[v * width + w];
            gradient[v * width + w] += kept[t * vocab + v] * scales[3 * t] * hidden[t * width + w];
          }
      Device<float> productOnDevice(product), weightGradient(gradient);
      Device<bfloat16> hiddenGradient(tokens * width);
      cuda::hiddenFromNumerators(hiddenGradient.data(), productOnDevice.data(), weight.data(), scales.data(),
                                 c.labels.data(), c.ints.data(), tokens, width, nullptr);
      checkClose(hiddenGradient, dHidden, kRounding<bfloat16>, 1e-3 * largest(dHidden), "dHidden");

      for (const int which : {1, 2}) {  // the labels' rows, then the first choices'
        std::vector<std::pair<int64_t, int64_t>> sorted;
        for (int64_t t = 0; t < tokens; t++)
          sorted.push_back({static_cast<int64_t>(which == 1 ? c.labels[t] : c.ints[2 * t + 1]), t});
        std::stable_sort(sorted.begin(), sorted.end(),
                         [](const auto& a, const auto& b) { return a.first < b.first; });
        Device<int64_t> ids(tokens), order(tokens);
        for (int64_t i = 0; i < tokens; i++) std::tie(ids.data()[i], order.data()[i]) = sorted[i];
        cuda::addRows(weightGradient.data(), ids.data(), order.data(), hidden.data(), scales.data() + which,
                      3, 1.f, -1, tokens, width, nullptr);
      }
      checkClose(weightGradient, dWeight, 0, 1e-3 * largest(dWeight), "dWeight");
    }
  });
}

TEST("the soft cap of logits") {
  forTypes([](auto zero) {
    using T = decltype(zero);
    const int64_t count = 1001;
    Device<T> x(normal(count, 4, 40));
    std::vector<double> expected;
    for (const double value : x.values()) expected.push_back(30 * std::tanh(value / 30));
    cuda::softCap(x.data(), count, 30, nullptr);
    checkClose(x, expected, kRounding<T> + 4e-7, 0, "capped");
  });
}

TEST("the entropy of the k largest logits") {
  inEveryOrder([] {
    forTypes([](auto zero) {
      using T = decltype(zero);
      for (const int64_t vocab : {1, 31, 4099}) {
        for (const int64_t k : {int64_t{1}, int64_t{5}, int64_t{300}, vocab}) {
          LossCase<T> c(3, vocab, 2, 31);
          for (int64_t i = 0; i < vocab; i += 2)
            c.logits.data()[vocab * (c.tokens - 1) + i] = fromFloat<T>(1.f);
          std::vector<double> expected;
          for (int64_t t = 0; t < 3; t++) {
            std::vector<double> z = c.row(t);
            std::sort(z.begin(), z.end(), std::greater<>());
            z.resize(std::min(k, vocab));
            double total = 0, weighted = 0;
            for (const double v : z) total += std::exp(v - z[0]), weighted += (v - z[0]) * std::exp(v - z[0]);
            expected.push_back(std::log(total) - weighted / total);
          }
          Device<float> entropies(3);
          cuda::topKEntropy(c.logits.data(), entropies.data(), 3, vocab, k, nullptr);
          checkClose(entropies, expected, 3e-6, 5e-7, "entropy");
        }
      }
    });
  });
}

TEST("the first choices of rows with equal logits and NaN") {
  inEveryOrder([] {
    LossCase<float> c(3, 700, 1, 37);
    for (int i = 0; i < 700; i += 3) c.logits.data()[i] = 2;                                // token 0
    for (int i = 0; i < 697; i++) c.logits.data()[700 + i] = i % 2 == 0 ? NAN : -INFINITY;  // token 1
    const int64_t k = 6;
    Device<float> largest(3 * k), entropy(3);
    Device<int32_t> ids(3 * k);
    cuda::firstChoices(c.logits.data(), largest.data(), ids.data(), 3, 700, k, nullptr);
    for (int64_t t = 0; t < 3; t++) {
      std::vector<std::pair<double, int>> order;
      const auto z = c.row(t);
      for (int i = 0; i < 700; i++)
        if (z[i] > -INFINITY) order.push_back({-z[i], i});
      std::sort(order.begin(), order.end());
      for (int64_t p = 0; p < k; p++) {
        const bool exists = p < static_cast<int64_t>(order.size());
        check(ids[t * k + p] == (exists ? order[p].second : -1), "choice " + std::to_string(p));
        check(largest[t * k + p] == (exists ? -order[p].first : -INFINITY), "its logit");
      }
    }
    cuda::topKEntropy(c.logits.data(), entropy.data(), 3, 700, k, nullptr);
    check(entropy[1] != entropy[1], "no entropy beside a NaN");
  });
}

TEST("the divergence from a base, near it and far from it, and its gradient") {
  inEveryOrder([] {
    for (const double distance : {0.0, 1e-3, 1.0, 40.0}) {
      for (const float cap : {0.f, 60.f}) {
        const int64_t vocab = 1003;
        const auto own = normal(2 * vocab, 41, 3), change = normal(2 * vocab, 42, distance);
        std::vector<double> other(own);
        for (size_t i = 0; i < own.size(); i++) other[i] += change[i];
        Device<float> logits(own), base(other), divergences(2);
        std::vector<double> expected, gradient;
        for (int64_t t = 0; t < 2; t++) {
          std::vector<double> z(vocab), z0(vocab);
          for (int64_t i = 0; i < vocab; i++) z[i] = logits[t * vocab + i], z0[i] = base[t * vocab + i];
          const RowTruth a = truthOf(z, 0), b = truthOf(z0, 0);
          double kl = 0;
          for (int64_t i = 0; i < vocab; i++) {
            const double logP = z[i] - a.max - a.topNll, logP0 = z0[i] - b.max - b.topNll;
            kl += std::exp(logP0) * (logP0 - logP) - std::exp(logP0) + std::exp(logP);
            gradient.push_back(0.7 * (std::exp(logP) - std::exp(logP0)) *
                               (cap > 0 ? 1 - z[i] * z[i] / (cap * cap) : 1));
          }
          expected.push_back(kl);
        }
        cuda::divergence(logits.data(), base.data(), divergences.data(), 2, vocab, 0.7f, cap, nullptr);
        checkClose(divergences, expected, 5e-6, 1e-12, "divergence");
        checkClose(logits, gradient, 1e-5, distance == 0 ? 0 : 2e-7, "gradient");
      }
    }
  });
}
