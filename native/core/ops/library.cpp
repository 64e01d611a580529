// The one file that a new version compiles anew.
#include "core/ops/library.h"

#ifndef ADAPTIVE_OPS
#error "Expected CMakeLists.txt to define ADAPTIVE_OPS."
#endif

namespace adaptive::ops {

const char* libraryName() noexcept { return C10_STRINGIZE(ADAPTIVE_OPS); }

}  // namespace adaptive::ops
