#pragma once
#include <cstdint>
#include <string>

namespace adaptive {

/// Bytes that this process can still take without swapping, as the operating system estimates it, within the
/// limits of its control groups and its own (RLIMIT_AS, RLIMIT_DATA).
int64_t availableMemory();

/// Bytes that the process has and that malloc, where it tells, and kept blocks (block_memory.h) would give
/// out again.
int64_t reusableMemory();

/// Gives what reusableMemory() counts back to the system, as far as malloc can.
void releaseMemory();

/// availableMemory() and reusableMemory(), read again once they are 20 ms old: cheap enough for every block.
int64_t memoryLeft();

/// Errors: OUT_OF_MEMORY when `what` needs more bytes than availableMemory(). A system that lends memory
/// beyond what it has would end the process as the memory is written.
void expectMemory(const std::string& what, double bytes);

}  // namespace adaptive
