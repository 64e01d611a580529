// What of a pass stays in memory for its backward, where blocks are recomputed otherwise.
#pragma once
#include <cstdint>

namespace adaptive {

/// The last blocks keep their activations: backward needs them first, so they are gone before it recomputes
/// the others. Numbers do not depend on it.
struct KeptBlocks {
  int64_t last = 0;   ///< at most so many
  int64_t spare = 0;  ///< a block is recomputed after all where fewer bytes than these are left before it
};

}  // namespace adaptive
