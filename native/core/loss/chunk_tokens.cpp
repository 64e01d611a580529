#include "core/loss/chunk_tokens.h"

#include <algorithm>
#include <limits>

#include "core/available_memory.h"
#include "core/expect.h"

namespace adaptive {
namespace {

constexpr int64_t kLargestBudget = int64_t{1} << 30;

}  // namespace

int64_t chunkTokens(int64_t tokens, int64_t bytesPerToken, const ChunkOptions& options) {
  expectInteger("the tokens of a chunk", options.tokens, 0, std::numeric_limits<int64_t>::max());
  expectInteger("the bytes of a chunk", options.budget, 0, std::numeric_limits<int64_t>::max());
  if (tokens == 0) return 1;
  if (options.tokens > 0) return std::min(options.tokens, tokens);
  const int64_t budget =
      options.budget > 0 ? options.budget : std::min(kLargestBudget, availableMemory() / 8);
  const int64_t largest = std::max<int64_t>(1, budget / bytesPerToken);
  const int64_t chunks = (tokens + largest - 1) / largest;
  return (tokens + chunks - 1) / chunks;
}

}  // namespace adaptive
