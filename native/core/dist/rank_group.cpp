#include "core/dist/rank_group.h"

#include <ATen/ATen.h>

namespace adaptive {

void sumOverRanks(RankGroup& group, std::vector<double>& numbers) {
  if (numbers.empty()) return;
  const at::Tensor tensor =
      at::from_blob(numbers.data(), {static_cast<int64_t>(numbers.size())}, at::kDouble);
  group.sum(tensor)->wait();
}

}  // namespace adaptive
