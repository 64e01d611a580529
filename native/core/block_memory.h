// Memory of large tensors on the CPU, kept between steps.
#pragma once
#include <cstdint>

namespace adaptive {

/// Makes libtorch take every tensor of at least 1 MiB from mapped blocks of its own. A freed block is kept
/// for the next tensor of about its size, so that a step touches no new pages once the first has run, and
/// resized for one of another size. Blocks in use and kept together never exceed the most that were in use at
/// a time: what malloc holds as pieces that nothing fits into is not held here. Once per process; does
/// nothing where memory cannot be mapped this way (Windows).
void useBlockMemory();

/// Bytes of kept blocks that no tensor uses.
int64_t keptBlockBytes();

/// Gives kept blocks back to the system, and forgets how much was in use.
void releaseBlocks();

}  // namespace adaptive
