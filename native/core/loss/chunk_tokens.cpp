#include "core/loss/chunk_tokens.h"

#include <algorithm>
#include <limits>

#include "core/expect.h"
#include "core/ops/ops.h"

namespace adaptive {
namespace {

constexpr int64_t kLargestBudget = int64_t{1} << 30;
/// With float32 logits: each chunk reads and writes the gradient of the head, which small ones spend their
/// time on.
constexpr int64_t kLargestWideBudget = int64_t{3} << 30;

}  // namespace

LogitForm::LogitForm(const at::Tensor& hidden)
    : type(hidden.scalar_type()),
      bytes(static_cast<int64_t>(hidden.element_size())),
      memory{ops::freeBytes(hidden), kLargestBudget},
      isWide(ops::formsFloatLogits(hidden)) {
  if (!isWide) return;
  type = at::kFloat;
  bytes += static_cast<int64_t>(sizeof(float));
  memory.largest = kLargestWideBudget;
}

int64_t chunkTokens(int64_t tokens, int64_t bytesPerToken, const ChunkOptions& options,
                    const LogitForm::Memory& memory) {
  expectInteger("the tokens of a chunk", options.tokens, 0, std::numeric_limits<int64_t>::max());
  expectInteger("the bytes of a chunk", options.budget, 0, std::numeric_limits<int64_t>::max());
  expectInteger("the tokens that are kept", options.kept, -1, std::numeric_limits<int64_t>::max());
  if (tokens == 0) return 1;
  if (options.tokens > 0) return std::min(options.tokens, tokens);
  const int64_t budget = options.budget > 0 ? options.budget : std::min(memory.largest, memory.free / 8);
  const int64_t largest = std::max<int64_t>(1, budget / bytesPerToken);
  const int64_t chunks = (tokens + largest - 1) / largest;
  return (tokens + chunks - 1) / chunks;
}

}  // namespace adaptive
