#include "core/optim/paging.h"

#include <algorithm>
#include <numeric>

#include "core/expect.h"

namespace adaptive {
namespace {

/// States of fewer bytes take a copy longer than they save: all of a model together are little.
constexpr int64_t kSmallBytes = int64_t{1} << 18;

}  // namespace

void checkPaging(const Paging& paging) {
  const int64_t most = int64_t{1} << 53;
  if (paging.restOfStep) expectInteger("paged.restOfStep", *paging.restOfStep, 0, most);
  if (paging.atMost) expectInteger("paged.atMost", *paging.atMost, 0, most);
  const int64_t piece = paging.pieceValues;
  if (piece < 4096 || piece > int64_t{1} << 40 || (piece & (piece - 1)) != 0)
    fail("INVALID_INPUT", "Expected pieces of a power of two of values, from 4096 on, found ", piece, ".");
}

int64_t roomForStates(int64_t free, int64_t gradients, const Paging& paging) {
  const int64_t left = free - gradients - std::max(kSpareDeviceBytes, free / 16);
  const int64_t room = left - paging.restOfStep.value_or(std::max<int64_t>(0, left) / 4);
  return std::max<int64_t>(0, std::min(room, paging.atMost.value_or(room)));
}

std::vector<bool> pagedStates(const std::vector<int64_t>& bytes, int64_t room, int64_t buffers) {
  std::vector<bool> paged(bytes.size(), false);
  if (std::accumulate(bytes.begin(), bytes.end(), int64_t{0}) <= room) return paged;
  std::vector<size_t> order(bytes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto rank = [&](size_t slot) {
    return std::pair(bytes[slot] >= kSmallBytes, bytes[slot] >= kSmallBytes ? -bytes[slot] : bytes[slot]);
  };
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return rank(a) < rank(b); });
  int64_t left = room - buffers;
  for (const size_t slot : order) {
    paged[slot] = bytes[slot] > std::max<int64_t>(0, left);
    if (!paged[slot]) left -= bytes[slot];
  }
  return paged;
}

}  // namespace adaptive
