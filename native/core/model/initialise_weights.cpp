#include "core/model/initialise_weights.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <string>

#include "core/available_memory.h"
#include "core/error.h"
#include "core/expect.h"
#include "core/random.h"

namespace adaptive {

void initialiseWeights(Decoder& decoder, const Initialisation& options) {
  at::NoGradGuard noGrad;
  expectNotNegative("deviation", options.deviation);
  expectNotNegative("residualDeviation", options.residualDeviation);
  expectThat("INVALID_INPUT", options.deviation > 0 || options.residualDeviation == 0, "residualDeviation",
             options.residualDeviation, "0, as the deviation is 0,");
  if (options.deviation > 0)
    expectFinite("residualDeviation / deviation", options.residualDeviation / options.deviation);
  // What is drawn for a device lies here one weight after the other.
  double bytes = 0, largest = 0;
  for (const Parameter* parameter : decoder.parameters()) {
    if (parameter->isQuantized())
      fail("INVALID_INPUT",
           "Expected weights to draw, found some that are to be read from a quantised file.");
    const auto own = static_cast<double>(parameter->master().nbytes());
    if (parameter->master().is_cpu()) {
      bytes += own;
    } else {
      largest = std::max(largest, own);
    }
  }
  const DecoderConfig& config = decoder.config_;
  expectMemory("the weights of a new model of vocab_size " + std::to_string(config.vocabSize) +
                   ", hidden_size " + std::to_string(config.hiddenSize) + " and " +
                   std::to_string(config.layers()) + " layers",
               bytes + largest);
  at::Generator generator = generatorFor(options.seed);
  for (Parameter* parameter : decoder.parameters()) {
    at::Tensor weight = parameter->master();
    if (parameter->isBias()) {
      weight.zero_();
    } else if (parameter->isNorm()) {
      weight.fill_(1 - decoder.config_.normOffset);
    } else {
      const bool isOnHost = weight.is_cpu();
      at::Tensor drawn = isOnHost ? weight : at::empty(weight.sizes(), weight.scalar_type());
      drawn.normal_(0, options.deviation, generator);
      if (!isOnHost) weight.copy_(drawn);
    }
  }
  for (const DecoderLayer& layer : decoder.layers_) {
    if (options.residualDeviation == options.deviation) break;
    for (const Parameter* ending : {layer.output.weight.get(), layer.down.weight.get()})
      at::Tensor(ending->master()).mul_(options.residualDeviation / options.deviation);
  }
  if (decoder.config_.paddingId >= 0)
    decoder.embedding_->master().select(0, decoder.config_.paddingId).zero_();
  decoder.refreshCompute();
}

}  // namespace adaptive
