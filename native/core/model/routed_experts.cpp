#include "core/model/routed_experts.h"

#include <ATen/ATen.h>

#include "core/model/expert_groups.h"
#include "core/model/grouped_projected.h"
#include "core/model/layers.h"
#include "core/model/projected.h"

namespace adaptive {
namespace {

using at::Tensor;

Tensor sharedExpert(const Tensor& x, const DecoderLayer& layer, Activation activation, const DropoutKey& key,
                    bool adapts) {
  const Tensor inner = gatedActivation(projected(x, layer.sharedGateUp, key, adapts), activation);
  const Tensor gate = projected(x, layer.sharedGate, key, adapts).sigmoid();
  return projected(inner, layer.sharedDown, key, adapts) * gate;
}

}  // namespace

Tensor routedExperts(const Tensor& x, const DecoderLayer& layer, const DecoderConfig& config,
                     const DropoutKey& key, bool adapts) {
  const RoutingConfig& routing = config.routing;
  const Tensor probabilities = projected(x, layer.router, key, adapts).to(at::kFloat).softmax(1);
  auto [weights, chosen] = probabilities.topk(routing.active, 1);
  if (routing.normalised) weights = weights / weights.sum(1, /*keepdim=*/true);
  const ExpertGroups groups = groupsOf(chosen, routing.experts);
  const Tensor gateUp = groupedProjected(grouped(x, groups), layer.gateUp, groups.firstRow, adapts);
  const Tensor inner = gatedActivation(gateUp, config.activation);
  const Tensor out = combined(groupedProjected(inner, layer.down, groups.firstRow, adapts), weights, groups);
  return layer.sharedDown.weight ? out + sharedExpert(x, layer, config.activation, key, adapts) : out;
}

}  // namespace adaptive
