#pragma once
#include <cstdint>
#include <string>

namespace adaptive {

/// Bytes that this process can still take without swapping, as the operating system estimates it.
int64_t availableMemory();

/// Errors: OUT_OF_MEMORY when `what` needs more bytes than availableMemory(). A system that lends memory
/// beyond what it has would end the process as the memory is written.
void expectMemory(const std::string& what, double bytes);

}  // namespace adaptive
