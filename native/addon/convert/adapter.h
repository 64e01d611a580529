#pragma once
#include <napi.h>

#include "core/model/adapter.h"
#include "core/model/dropout_key.h"

namespace adaptive::addon {

/// { targets: { module, rank, scale, dropout, magnitude }[], modulesToSave: string[], gaussian, seed }.
/// Errors: TypeError.
AdapterOptions adapterOptionsFrom(const Napi::Object& from);

/// `dropout` of a micro-batch: { seed, step, microBatch }, or absent for none. Errors: TypeError.
DropoutKey dropoutFrom(const Napi::Object& microBatch);

}  // namespace adaptive::addon
