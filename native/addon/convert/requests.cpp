#include "addon/convert/requests.h"

#include "addon/convert/adapter.h"
#include "addon/convert/arguments.h"
#include "addon/convert/loss.h"

namespace adaptive::addon {
StoredTensor storedFrom(const Napi::Value& value, const std::string& at) {
  const Napi::Object from = objectFrom(value, at);
  return {stringAt(from, "name"), stringAt(from, "dtype"), listAt(from, "shape", integerFrom),
          integerAt(from, "begin"), integerAt(from, "end")};
}

FlatBatch flatBatchFrom(const Napi::Object& from) {
  return {arrayAt<int32_t, int64_t>(from, "inputIds"), arrayAt<int32_t, int64_t>(from, "cuSeqlens")};
}

RetainedRows retainedFrom(const Napi::Object& from) {
  return {integerAt(from, "store"), arrayAt<int32_t, int64_t>(from, "rows"), numberAt(from, "weight")};
}

MicroBatch microBatchFrom(const Napi::Object& from) {
  MicroBatch batch = {flatBatchFrom(from), arrayAt<int32_t>(from, "labels"), stylesFrom(from),
                      dropoutFrom(from)};
  if (!from.Get("endsWindow").IsUndefined()) batch.endsWindow = booleanAt(from, "endsWindow");
  if (!from.Get("retained").IsUndefined()) batch.retained = retainedFrom(objectAt(from, "retained"));
  if (!from.Get("kept").IsUndefined()) {
    const Napi::Object kept = objectAt(from, "kept");
    batch.kept = {integerAt(kept, "last"), integerAt(kept, "spare")};
  }
  return batch;
}

std::vector<WeightFile> filesFrom(const Napi::Object& request) {
  return listAt(request, "files", [](const Napi::Value& value, const std::string& at) {
    const Napi::Object file = objectFrom(value, at);
    return WeightFile{stringAt(file, "path"), listAt(file, "tensors", storedFrom)};
  });
}

Napi::Object namedShape(Napi::Env env, const std::string& name, at::IntArrayRef sizes) {
  Napi::Array shape = Napi::Array::New(env, sizes.size());
  for (uint32_t d = 0; d < sizes.size(); d++) shape.Set(d, static_cast<double>(sizes[d]));
  Napi::Object entry = Napi::Object::New(env);
  entry.Set("name", name);
  entry.Set("shape", shape);
  return entry;
}

}  // namespace adaptive::addon
