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

inline bool isRefusedMemory(const std::exception& error) {
  if (const auto* own = dynamic_cast<const Error*>(&error)) return own->code() == "OUT_OF_MEMORY";
  return dynamic_cast<const std::bad_alloc*>(&error) != nullptr ||
         dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr ||
         std::string_view(error.what()).find(kRefusedBytes) != std::string_view::npos;
}

}  // namespace adaptive
