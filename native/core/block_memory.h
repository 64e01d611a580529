// Memory of large tensors on the CPU, kept between steps.
#pragma once
#include <cstdint>

namespace adaptive {

/// Makes libtorch take every tensor of at least 128 KiB from mapped blocks of its own. A freed block is kept
/// for the next tensors, which cut it where they are smaller, so that a step touches no new pages once one
/// like it has run. Blocks in use and kept together exceed the most that were in use at a time by 1/128 or
/// 4 MiB at most; what malloc would hold as pieces that nothing fits into is given back. Once per process;
/// does nothing where memory cannot be mapped this way (Windows).
void useBlockMemory();

/// Bytes of kept blocks that no tensor uses.
int64_t keptBlockBytes();

/// Gives kept blocks back to the system, and forgets how much was in use.
void releaseBlocks();

}  // namespace adaptive
