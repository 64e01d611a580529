#pragma once
#include <napi.h>

#include "core/session/training_pass.h"

namespace adaptive::addon {

/// { divergence: the sum over the tokens, tokens }
Napi::Object toJs(Napi::Env env, const Retained& retained);

}  // namespace adaptive::addon
