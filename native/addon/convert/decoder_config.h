#pragma once
#include <napi.h>

#include "core/model/decoder_config.h"

namespace adaptive::addon {

/// The `DecoderConfig` of src/engine/addon.ts. Errors: TypeError naming the key.
DecoderConfig decoderConfigFrom(const Napi::Object& from);

}  // namespace adaptive::addon
