#include "core/optim/adamw_8bit.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "core/optim/dynamic_code.h"

namespace adaptive {
namespace {

constexpr int64_t kBlock = 256;
constexpr int64_t kSmallest = 4096;

/// One block of a quantised moment, in float while it is worked on.
struct Unpacked {
  float values[kBlock];

  void unpack(const uint8_t* codes, float scale, const DynamicCode& code, int64_t n) {
    for (int64_t i = 0; i < n; i++) values[i] = code.value(codes[i]) * scale;
  }
  void pack(uint8_t* codes, float* scale, const DynamicCode& code, int64_t n) const {
    float largest = 0;
    for (int64_t i = 0; i < n; i++) largest = std::max(largest, std::abs(values[i]));
    *scale = largest;
    const float inverse = largest > 0 ? 1 / largest : 0;
    for (int64_t i = 0; i < n; i++) codes[i] = code.nearest(values[i] * inverse);
  }
};

}  // namespace

AdamW8bit::AdamW8bit(std::vector<Parameter*> parameters, OptimizerOptions options)
    : Optimizer(std::move(parameters), options) {
  const uint8_t zeroSigned = DynamicCode::withSign().nearest(0),
                zeroUnsigned = DynamicCode::withoutSign().nearest(0);
  for (const Parameter* parameter : parameters_) {
    auto& all = moments_.emplace_back();
    for (const auto& part : parameter->parts()) {
      const at::Tensor like = Parameter::rowsOf(parameter->master(), part);
      if (like.numel() < kSmallest) {
        all.push_back({at::zeros_like(like), at::zeros_like(like), {}, {}});
        continue;
      }
      const int64_t blocks = (like.numel() + kBlock - 1) / kBlock;
      const auto codes = like.options().dtype(at::kByte);
      all.push_back({at::full_like(like, zeroSigned, codes), at::full_like(like, zeroUnsigned, codes),
                     at::zeros({blocks}, like.options()), at::zeros({blocks}, like.options())});
    }
  }
}

void AdamW8bit::step(double learningRate, double gradientScale) {
  at::NoGradGuard noGrad;
  steps_++;
  const double correction1 = 1 - std::pow(options_.beta1, steps_);
  const double correction2 = std::sqrt(1 - std::pow(options_.beta2, steps_));
  for (size_t p = 0; p < parameters_.size(); p++) {
    const at::Tensor gradients = parameters_[p]->gradient();
    if (!gradients.defined()) continue;
    const double decay = parameters_[p]->decays() ? options_.weightDecay : 0;
    const Rates rates = {learningRate * correction2 / correction1, options_.eps * correction2,
                         1 - learningRate * decay, gradientScale};
    for (size_t i = 0; i < moments_[p].size(); i++) {
      const auto& part = parameters_[p]->parts()[i];
      const at::Tensor weight = Parameter::rowsOf(parameters_[p]->master(), part);
      const at::Tensor gradient = Parameter::rowsOf(gradients, part);
      Moments& moments = moments_[p][i];
      (this->*(moments.scale1.defined() ? &AdamW8bit::stepBlocks : &AdamW8bit::stepFloat))(
          weight.data_ptr<float>(), gradient.const_data_ptr<float>(), moments, weight.numel(), rates);
    }
  }
}

namespace {

/// Moves n weights by Adam's rule; the moments are updated in place.
void adamRule(float* weight, const float* gradient, float* moment1, float* moment2, int64_t n, float beta1,
              float beta2, float stepSize, float epsilon, float decay, float scale) {
  for (int64_t i = 0; i < n; i++) {
    const float g = gradient[i] * scale;
    moment1[i] = beta1 * moment1[i] + (1 - beta1) * g;
    moment2[i] = beta2 * moment2[i] + (1 - beta2) * g * g;
    weight[i] = weight[i] * decay - stepSize * moment1[i] / (std::sqrt(moment2[i]) + epsilon);
  }
}

}  // namespace

void AdamW8bit::stepFloat(float* weight, const float* gradient, Moments& moments, int64_t count,
                          const Rates& rates) const {
  adamRule(weight, gradient, moments.moment1.data_ptr<float>(), moments.moment2.data_ptr<float>(), count,
           static_cast<float>(options_.beta1), static_cast<float>(options_.beta2),
           static_cast<float>(rates.stepSize), static_cast<float>(rates.epsilon),
           static_cast<float>(rates.decay), static_cast<float>(rates.gradientScale));
}

void AdamW8bit::stepBlocks(float* weight, const float* gradient, Moments& moments, int64_t count,
                           const Rates& rates) const {
  auto *codes1 = moments.moment1.data_ptr<uint8_t>(), *codes2 = moments.moment2.data_ptr<uint8_t>();
  auto *scale1 = moments.scale1.data_ptr<float>(), *scale2 = moments.scale2.data_ptr<float>();
  const DynamicCode &signedCode = DynamicCode::withSign(), &unsignedCode = DynamicCode::withoutSign();
  at::parallel_for(0, (count + kBlock - 1) / kBlock, 64, [&](int64_t begin, int64_t end) {
    Unpacked moment1, moment2;
    for (int64_t block = begin; block < end; block++) {
      const int64_t first = block * kBlock, n = std::min(kBlock, count - first);
      moment1.unpack(codes1 + first, scale1[block], signedCode, n);
      moment2.unpack(codes2 + first, scale2[block], unsignedCode, n);
      adamRule(weight + first, gradient + first, moment1.values, moment2.values, n,
               static_cast<float>(options_.beta1), static_cast<float>(options_.beta2),
               static_cast<float>(rates.stepSize), static_cast<float>(rates.epsilon),
               static_cast<float>(rates.decay), static_cast<float>(rates.gradientScale));
      moment1.pack(codes1 + first, scale1 + block, signedCode, n);
      moment2.pack(codes2 + first, scale2 + block, unsignedCode, n);
    }
  });
}

std::vector<std::pair<std::string, at::Tensor>> AdamW8bit::state() {
  std::vector<std::pair<std::string, at::Tensor>> named;
  for (size_t p = 0; p < parameters_.size(); p++) {
    for (size_t i = 0; i < moments_[p].size(); i++) {
      const std::string& name = parameters_[p]->parts()[i].name;
      Moments& m = moments_[p][i];
      named.emplace_back(name + ".exp_avg", m.moment1);
      named.emplace_back(name + ".exp_avg_sq", m.moment2);
      if (!m.scale1.defined()) continue;
      named.emplace_back(name + ".exp_avg.absmax", m.scale1);
      named.emplace_back(name + ".exp_avg_sq.absmax", m.scale2);
    }
  }
  return named;
}

}  // namespace adaptive
