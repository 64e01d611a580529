#pragma once
#include <cstdint>

namespace adaptive {

/// Bytes that this process can still take without swapping, as the operating system estimates it.
int64_t availableMemory();

}  // namespace adaptive
