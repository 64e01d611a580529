// What a model is asked for, out of JavaScript. Errors: TypeError naming the argument.
#pragma once
#include <napi.h>

#include "core/model/load_weights.h"
#include "core/session/training_pass.h"

namespace adaptive::addon {

/// { inputIds, cuSeqlens }
FlatBatch flatBatchFrom(const Napi::Object& from);

/// The same with { labels, styles } and, where there are, dropout, retained and kept.
MicroBatch microBatchFrom(const Napi::Object& from);

/// { store, rows, weight }
RetainedRows retainedFrom(const Napi::Object& from);

/// { name, dtype, shape, begin, end }
StoredTensor storedFrom(const Napi::Value& value, const std::string& at);

/// { files: [{ path, tensors }] }
std::vector<WeightFile> filesFrom(const Napi::Object& request);

/// { name, shape }, to which more may be added.
Napi::Object namedShape(Napi::Env env, const std::string& name, at::IntArrayRef sizes);

}  // namespace adaptive::addon
