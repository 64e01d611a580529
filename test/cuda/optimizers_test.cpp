#include <memory>

#include "check.h"
#include "core/optim/dynamic_code.h"

using namespace adaptive::test;
namespace cuda = adaptive::cuda;
using adaptive::AdamRates;
using adaptive::DynamicCode;
using adaptive::kMomentBlock;

namespace {

const AdamRates kRates = {0.9f, 0.99f, 0.01f, 1e-6f, 0.999f, 0.5f};

/// A step of AdamW in float64: weight and moments become those after it.
void stepInDouble(double& weight, double gradient, double& m1, double& m2) {
  const double g = gradient * kRates.gradientScale;
  m1 = m1 * kRates.beta1 + (1 - kRates.beta1) * g;
  m2 = m2 * kRates.beta2 + (1 - kRates.beta2) * g * g;
  weight = weight * kRates.decay - kRates.stepSize * m1 / (std::sqrt(m2) + kRates.epsilon);
}

template <class W>
struct Slot {
  Device<W> weight;
  Device<float> gradient, m1, m2;
  std::vector<double> expected, expected1, expected2;
  explicit Slot(int64_t count, unsigned seed)
      : weight(normal(count, seed)),
        gradient(normal(count, seed + 1)),
        m1(normal(count, seed + 2)),
        m2(count),
        expected(weight.values()),
        expected1(m1.values()) {
    const auto squares = normal(count, seed + 3);
    for (int64_t i = 0; i < count; i++) m2.data()[i] = static_cast<float>(squares[i] * squares[i]);
    expected2 = m2.values();
    for (int64_t i = 0; i < count; i++) stepInDouble(expected[i], gradient[i], expected1[i], expected2[i]);
  }
};

double absoluteError(const std::vector<double>& exact, Device<bfloat16>& rounded) {
  double sum = 0;
  for (int64_t i = 0; i < rounded.size(); i++) sum += rounded[i] - exact[i];
  return std::abs(sum) / static_cast<double>(rounded.size());
}

}  // namespace

TEST("AdamW on 70 slots of 1 to 9,000 entries, some of them empty") {
  std::vector<std::unique_ptr<Slot<float>>> all;
  std::vector<cuda::AdamSlot> list;
  for (int i = 0; i < 70; i++) {
    const int64_t count = i == 5 ? 9000 : i == 6 ? 0 : i == 69 ? 4097 : 1 + 3 * i;
    all.push_back(std::make_unique<Slot<float>>(count, 10 * i));
    Slot<float>& s = *all.back();
    list.push_back({s.weight.data(), s.gradient.data(), s.m1.data(), s.m2.data(), count, 0});
  }
  cuda::adamw(list.data(), 70, false, kRates, nullptr);
  for (const auto& s : all) {
    checkClose(s->weight, s->expected, 1e-6, 1e-7, "weight");
    checkClose(s->m1, s->expected1, 1e-6, 1e-7, "moment 1");
    checkClose(s->m2, s->expected2, 1e-6, 1e-9, "moment 2");
  }
}

TEST("AdamW on bfloat16 weights, rounded stochastically") {
  Slot<bfloat16> s(5000, 3);
  const cuda::AdamSlot slot = {s.weight.data(), s.gradient.data(), s.m1.data(), s.m2.data(), 5000, 77u};
  cuda::adamw(&slot, 1, true, kRates, nullptr);
  checkClose(s.weight, s.expected, 2 * kRounding<bfloat16>, 1e-6, "weight");
  check(absoluteError(s.expected, s.weight) < 1e-4, "a mean without bias");
}

TEST("the 8-bit codes are those nearest to the moments, in every block") {
  inEveryOrder([] {
    for (const bool isSigned : {true, false}) {
      const DynamicCode& code = isSigned ? DynamicCode::withSign() : DynamicCode::withoutSign();
      const int64_t count = 3 * kMomentBlock + 19, blocks = 4;
      std::vector<double> values = normal(count, 5);
      for (int64_t i = 0; i < count; i++) {
        values[i] *= std::pow(10.0, -(i % 7));
        if (!isSigned) values[i] = std::abs(values[i]);
        if (i / kMomentBlock == 1) values[i] = 0;
      }
      Device<float> from(values), scales(blocks), back(count);
      Device<uint8_t> codes(count);
      cuda::encodeMoments(from.data(), codes.data(), scales.data(), count, isSigned, nullptr);
      cuda::decodeMoments(codes.data(), scales.data(), back.data(), count, isSigned, nullptr);
      std::vector<double> largest(blocks), decoded;
      for (int64_t i = 0; i < count; i++)
        largest[i / kMomentBlock] = std::max(largest[i / kMomentBlock], std::abs(from[i]));
      checkClose(scales, largest, 0, 0, "scales");
      for (int64_t i = 0; i < count; i++) {
        const float scale = static_cast<float>(largest[i / kMomentBlock]);
        const float x = scale > 0 ? static_cast<float>(from[i]) / scale : 0;
        const uint8_t nearest = code.nearest(x);
        // On the border between two codes float32 may fall to either side.
        const double gap = std::abs(code.value(codes.data()[i]) - x) - std::abs(code.value(nearest) - x);
        check(gap <= 1e-6 * std::abs(x) + 1e-12, "the nearest code of " + std::to_string(x));
        decoded.push_back(static_cast<double>(code.value(codes.data()[i])) * scale);
      }
      checkClose(back, decoded, 1e-6, 1e-12, "decoded");
    }
  });
}

TEST("a step of 8-bit AdamW equals one with its moments decoded, and stores them anew") {
  inEveryOrder([] {
    const int64_t count = 2 * kMomentBlock + 5, blocks = 3;
    Slot<float> s(count, 9);
    Device<uint8_t> codes1(count), codes2(count);
    Device<float> scales1(blocks), scales2(blocks), m1(count), m2(count);
    cuda::encodeMoments(s.m1.data(), codes1.data(), scales1.data(), count, true, nullptr);
    cuda::encodeMoments(s.m2.data(), codes2.data(), scales2.data(), count, false, nullptr);
    cuda::decodeMoments(codes1.data(), scales1.data(), m1.data(), count, true, nullptr);
    cuda::decodeMoments(codes2.data(), scales2.data(), m2.data(), count, false, nullptr);
    std::vector<double> expected = s.weight.values(), expected1 = m1.values(), expected2 = m2.values();
    for (int64_t i = 0; i < count; i++) stepInDouble(expected[i], s.gradient[i], expected1[i], expected2[i]);
    cuda::adamw8bit(s.weight.data(), s.gradient.data(), codes1.data(), scales1.data(), codes2.data(),
                    scales2.data(), count, kRates, 0, nullptr);
    checkClose(s.weight, expected, 1e-6, 1e-7, "weight");
    cuda::decodeMoments(codes1.data(), scales1.data(), m1.data(), count, true, nullptr);
    cuda::decodeMoments(codes2.data(), scales2.data(), m2.data(), count, false, nullptr);
    for (int64_t i = 0; i < count; i++) {
      const double most1 = scales1[i / kMomentBlock], most2 = scales2[i / kMomentBlock];
      check(std::abs(m1[i] - expected1[i]) <= 0.01 * most1, "moment 1 to a code's width");
      check(std::abs(m2[i] - expected2[i]) <= 0.006 * most2, "moment 2 to a code's width");
    }
  });
}

TEST("8-bit AdamW on bfloat16 weights") {
  const int64_t count = 1000, blocks = 4;
  Slot<bfloat16> s(count, 21);
  Device<uint8_t> codes1(count), codes2(count);
  Device<float> scales1(blocks), scales2(blocks), m1(count), m2(count);
  cuda::encodeMoments(s.m1.data(), codes1.data(), scales1.data(), count, true, nullptr);
  cuda::encodeMoments(s.m2.data(), codes2.data(), scales2.data(), count, false, nullptr);
  cuda::decodeMoments(codes1.data(), scales1.data(), m1.data(), count, true, nullptr);
  cuda::decodeMoments(codes2.data(), scales2.data(), m2.data(), count, false, nullptr);
  std::vector<double> expected = s.weight.values(), expected1 = m1.values(), expected2 = m2.values();
  for (int64_t i = 0; i < count; i++) stepInDouble(expected[i], s.gradient[i], expected1[i], expected2[i]);
  cuda::adamw8bit(s.weight.data(), s.gradient.data(), codes1.data(), scales1.data(), codes2.data(),
                  scales2.data(), count, kRates, 31u, nullptr);
  checkClose(s.weight, expected, 2 * kRounding<bfloat16>, 1e-5, "weight");
}

TEST("Lion") {
  const int64_t count = 777;
  Slot<float> s(count, 33);
  s.gradient.data()[3] = 0, s.m1.data()[3] = 0;
  const adaptive::LionRates rates = {0.9f, 0.99f, 0.01f, 0.999f, 0.5f};
  std::vector<double> weight = s.weight.values(), moment = s.m1.values();
  for (int64_t i = 0; i < count; i++) {
    const double g = s.gradient[i] * 0.5, direction = 0.9f * moment[i] + (1 - 0.9f) * g;
    weight[i] = weight[i] * 0.999f - 0.01f * (direction > 0 ? 1 : direction < 0 ? -1 : 0);
    moment[i] = 0.99f * moment[i] + (1 - 0.99f) * g;
  }
  cuda::lion(s.weight.data(), s.gradient.data(), s.m1.data(), count, rates, nullptr);
  checkClose(s.weight, weight, 1e-6, 1e-8, "weight");
  checkClose(s.m1, moment, 1e-6, 1e-8, "moment");
}

TEST("stochastic rounding: to a neighbour, without bias, in the same way for every split") {
  const int64_t count = 20000;
  Device<float> from(normal(count, 41));
  from.data()[0] = INFINITY, from.data()[1] = NAN, from.data()[2] = 0;
  Device<bfloat16> whole(count), parts(count);
  cuda::roundStochastically(from.data(), whole.data(), count, 5u, 100, nullptr);
  cuda::roundStochastically(from.data(), parts.data(), 77, 5u, 100, nullptr);
  cuda::roundStochastically(from.data() + 77, parts.data() + 77, count - 77, 5u, 177, nullptr);
  double error = 0;
  for (int64_t i = 0; i < count; i++) {
    const bool both = whole[i] == parts[i] || (whole[i] != whole[i] && parts[i] != parts[i]);
    check(both, "the same for every split");
    if (i < 2) continue;
    check(std::abs(whole[i] - from[i]) <= 2 * kRounding<bfloat16> * std::abs(from[i]), "a neighbour");
    error += whole[i] - from[i];
  }
  check(whole[0] == INFINITY && whole[1] != whole[1] && whole[2] == 0, "infinity, NaN and 0 as they are");
  check(std::abs(error) / count < 5e-5, "a mean without bias");
}

TEST("dropout keeps its share, scales it, and depends on the key alone") {
  forTypes([](auto zero) {
    using T = decltype(zero);
    const int64_t count = 30000;
    Device<T> x(count, 1), y(count), again(count), other(count);
    const auto threshold = static_cast<uint32_t>(0.3 * 0x1p32);
    inEveryOrder([&] {
      cuda::dropout(x.data(), y.data(), count, 123456789012345ull, threshold, 2.f, nullptr);
      cuda::dropout(x.data(), again.data(), count, 123456789012345ull, threshold, 2.f, nullptr);
    });
    cuda::dropout(x.data(), other.data(), count, 123456789012346ull, threshold, 2.f, nullptr);
    int64_t dropped = 0, both = 0;
    for (int64_t i = 0; i < count; i++) {
      check(y[i] == 0 || y[i] == 2, "0 or the scaled entry");
      check(y[i] == again[i], "the same again");
      dropped += y[i] == 0, both += y[i] == 0 && other[i] == 0;
    }
    check(std::abs(dropped / double(count) - 0.3) < 0.01, "3 of 10 dropped");
    check(std::abs(both / double(count) - 0.09) < 0.01, "another key drops others");
  });
}

TEST("uniform numbers") {
  const int64_t count = 30000;
  Device<float> out(count);
  cuda::uniform(out.data(), count, 99, nullptr);
  double mean = 0;
  for (int64_t i = 0; i < count; i++) {
    check(out[i] >= 0 && out[i] < 1, "from 0 to less than 1");
    mean += out[i] / count;
  }
  check(std::abs(mean - 0.5) < 0.01, "a mean of one half");
}
