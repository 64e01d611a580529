// Whether an exception means that memory was refused, by the system or by a device.
#pragma once
#include <c10/util/Exception.h>

#include <exception>
#include <new>
#include <string_view>

#include "core/error.h"

namespace adaptive {

/// Before the number of bytes. libtorch has no type of its own for a failure of the CPU's allocator, only
/// these words.
constexpr std::string_view kRefusedBytes = "you tried to allocate ";

/// Of CUDA's runtime and NCCL, and of cuBLAS, where they and not libtorch's allocator ask a device.
constexpr std::string_view kRefusedByDevice[] = {"out of memory", "ALLOC_FAILED"};

inline bool saysDeviceRefused(std::string_view words) {
  for (const std::string_view part : kRefusedByDevice)
    if (words.find(part) != std::string_view::npos) return true;
  return false;
}

inline bool isRefusedMemory(const std::exception& error) {
  if (const auto* own = dynamic_cast<const Error*>(&error)) return own->code() == "OUT_OF_MEMORY";
  const std::string_view words = error.what();
  return dynamic_cast<const std::bad_alloc*>(&error) != nullptr ||
         dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr ||
         words.find(kRefusedBytes) != std::string_view::npos || saysDeviceRefused(words);
}

}  // namespace adaptive
