#include "core/model/resize_vocabulary.h"

#include <ATen/ATen.h>

#include "core/available_memory.h"
#include "core/expect.h"
#include "core/random.h"

namespace adaptive {
namespace {

constexpr double kSpread = 1e-9;

at::Tensor resized(const at::Tensor& rows, int64_t count, at::Generator& generator) {
  const int64_t old = rows.size(0), added = count - old;
  if (added <= 0) return rows.narrow(0, 0, count).clone();
  at::Tensor all = at::empty({count, rows.size(1)}, rows.options());
  all.narrow(0, 0, old).copy_(rows);
  const at::Tensor mean = rows.mean(0, /*keepdim=*/true);
  for (int64_t row = old; row < count; row++) {
    // Σ zᵢ·(xᵢ − mean)/√n with standard normal z has the covariance of the rows: no factorisation is needed.
    const at::Tensor z = drawnNormal(1, old, generator, rows);
    const at::Tensor spread = at::mm(z, rows) - z.sum() * mean;
    all.select(0, row).copy_((mean + spread * std::sqrt(kSpread / static_cast<double>(old))).squeeze(0));
  }
  return all;
}

}  // namespace

void resizeVocabulary(Decoder& decoder, int64_t vocabSize, uint64_t seed) {
  at::NoGradGuard noGrad;
  decoder.expectWeights();
  expectInteger("vocabSize", vocabSize, 1, kLargestSize);
  const DecoderConfig& config = decoder.config_;
  // A device refuses at once what it has no memory for.
  if (decoder.device().is_cpu()) {
    expectMemory("a vocabulary of " + std::to_string(vocabSize) + " tokens",
                 4.0 * static_cast<double>(vocabSize) * static_cast<double>(config.hiddenSize) *
                     (config.tiedHead ? 1 : 2));
  }
  at::Generator generator = generatorFor(seed);
  decoder.embedding_->replace(resized(decoder.embedding_->master(), vocabSize, generator));
  if (decoder.head_) decoder.head_->replace(resized(decoder.head_->master(), vocabSize, generator));
  if (decoder.headBias_) {
    const at::Tensor &old = decoder.headBias_->master(), mean = old.mean();
    at::Tensor bias = mean.expand({vocabSize}).clone();
    const int64_t kept = std::min(vocabSize, old.size(0));
    bias.narrow(0, 0, kept).copy_(old.narrow(0, 0, kept));
    decoder.headBias_->replace(bias);
  }
  decoder.config_.vocabSize = vocabSize;
  if (decoder.config_.paddingId >= vocabSize) decoder.config_.paddingId = -1;
}

}  // namespace adaptive
