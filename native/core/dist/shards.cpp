#include "core/dist/shards.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>

#include "core/dist/gradient_sums.h"

namespace adaptive {
namespace {

/// Tensors of fewer bytes are sent together, up to as many.
constexpr int64_t kJoinedBytes = int64_t{1} << 20;

}  // namespace

Shards::Shards(const Decoder& decoder, int64_t ranks) {
  // Parameters that share a master are moved one after the other, by one rank.
  std::vector<std::vector<const Parameter*>> groups;
  std::vector<int64_t> sizes;
  std::unordered_map<const void*, size_t> known;
  for (const Parameter* parameter : decoder.trainableParameters()) {
    const auto [found, isNew] = known.emplace(parameter->master().unsafeGetTensorImpl(), groups.size());
    if (isNew) groups.emplace_back(), sizes.push_back(0);
    groups[found->second].push_back(parameter);
    sizes[found->second] += parameter->gradientSize();
  }
  std::vector<size_t> order(groups.size());
  for (size_t i = 0; i < order.size(); i++) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return sizes[a] > sizes[b]; });
  std::vector<int64_t> loads(static_cast<size_t>(ranks));
  for (const size_t group : order) {
    const auto least = std::min_element(loads.begin(), loads.end());
    *least += sizes[group];
    for (const Parameter* parameter : groups[group]) owners_[parameter] = least - loads.begin();
  }
}

Shards::Size Shards::sizeOf(const Decoder& decoder, int64_t rank) const {
  Size size;
  for (const Parameter* parameter : decoder.mastersApart())
    if (ownerOf(parameter) == rank) size.apart += parameter->gradientSize();
  // Gradients of others live from their layer's backward pass until they are summed; those of a head that is
  // the embedding as well, all along.
  int64_t allAlong = 0, ofOthers = 0, largest = 0;
  std::map<int64_t, int64_t> ofLayers;
  for (const auto& [layer, parameter] : decoder.trainedFromOutput()) {
    const int64_t values = parameter->gradientSize();
    if (ownerOf(parameter) == rank) {
      size.trained += values;
      continue;
    }
    ofOthers += values;
    largest = std::max(largest, values);
    if (layer < 0 && parameter == &decoder.head()) {
      allAlong += values;
    } else {
      ofLayers[layer] += values;
    }
  }
  int64_t ofLayer = 0;
  for (const auto& [layer, values] : ofLayers) ofLayer = std::max(ofLayer, values);
  const int64_t underWay = std::max(largest, kBytesUnderWay / int64_t{sizeof(float)});
  size.gradients = size.trained + std::min(ofOthers, allAlong + ofLayer + underWay);
  return size;
}

void copyFromOwners(RankGroup& group, const std::vector<std::pair<at::Tensor, int64_t>>& tensors) {
  struct Joined {
    std::vector<at::Tensor> parts;
    at::Tensor bytes;
    std::unique_ptr<RankGroup::Work> work;
  };
  const auto begin = [&](Joined& joined, int64_t owner) {
    joined.bytes = joined.parts.size() == 1 ? joined.parts[0] : at::cat(joined.parts);
    joined.work = group.copyFrom(owner, joined.bytes);
  };
  std::vector<std::pair<Joined, int64_t>> all;
  std::map<int64_t, Joined> open;
  std::map<int64_t, int64_t> openBytes;
  for (const auto& [tensor, owner] : tensors) {
    const at::Tensor bytes = tensor.view(-1).view(at::kByte);
    if (openBytes[owner] + bytes.numel() > kJoinedBytes && !open[owner].parts.empty()) {
      begin(open[owner], owner);
      all.emplace_back(std::exchange(open[owner], {}), owner);
      openBytes[owner] = 0;
    }
    open[owner].parts.push_back(bytes);
    openBytes[owner] += bytes.numel();
  }
  for (auto& [owner, joined] : open) {
    if (joined.parts.empty()) continue;
    begin(joined, owner);
    all.emplace_back(std::move(joined), owner);
  }
  for (auto& [joined, owner] : all) {
    joined.work->wait();
    if (joined.parts.size() == 1 || owner == group.rank()) continue;
    int64_t first = 0;
    for (at::Tensor& part : joined.parts) {
      part.copy_(joined.bytes.narrow(0, first, part.numel()));
      first += part.numel();
    }
  }
  group.rest();
}

}  // namespace adaptive
