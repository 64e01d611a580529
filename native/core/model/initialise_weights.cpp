#include "core/model/initialise_weights.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

namespace adaptive {

void initialiseWeights(Decoder& decoder, const Initialisation& options) {
  at::NoGradGuard noGrad;
  at::Generator generator = at::detail::createCPUGenerator(options.seed);
  const auto isBias = [](const Parameter& p) { return p.parts()[0].name.ends_with(".bias"); };
  for (Parameter* parameter : decoder.parameters()) {
    at::Tensor weight = parameter->master();
    if (isBias(*parameter)) {
      weight.zero_();
    } else if (parameter->isNorm()) {
      weight.fill_(1 - decoder.config_.normOffset);
    } else {
      weight.normal_(0, options.deviation, generator);
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
