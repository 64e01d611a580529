#pragma once
#include <string>

#include "core/model/decoder.h"

namespace adaptive {

/// 32 hexadecimal digits that follow from the names, types and values of the weights that config.json
/// describes, an adapter's left out. Tells models apart, at the speed of memory; no defence against one made
/// to collide.
std::string weightsDigest(Decoder& decoder);

}  // namespace adaptive
