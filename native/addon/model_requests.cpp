#include "addon/model_requests.h"

#include "addon/adapter_binding.h"
#include "addon/adaptive_loss_binding.h"
#include "addon/arguments.h"

namespace adaptive::addon {
namespace {

StoredTensor storedFrom(const Napi::Object& from) {
  StoredTensor tensor{
      stringAt(from, "name"), stringAt(from, "dtype"), {}, integerAt(from, "begin"), integerAt(from, "end")};
  const auto shape = objectAt(from, "shape").As<Napi::Array>();
  for (uint32_t i = 0; i < shape.Length(); i++) tensor.shape.push_back(shape.Get(i).ToNumber().Int64Value());
  return tensor;
}

}  // namespace

FlatBatch flatBatchFrom(const Napi::Object& from) {
  return {arrayAt<int32_t, int64_t>(from, "inputIds"), arrayAt<int32_t, int64_t>(from, "cuSeqlens")};
}

MicroBatch microBatchFrom(const Napi::Object& from) {
  return {flatBatchFrom(from), arrayAt<int32_t>(from, "labels"), stylesFrom(from), dropoutFrom(from)};
}

std::vector<WeightFile> filesFrom(const Napi::Object& request) {
  std::vector<WeightFile> files;
  const auto list = objectAt(request, "files").As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); i++) {
    const auto entry = list.Get(i).As<Napi::Object>();
    WeightFile file{stringAt(entry, "path"), {}};
    const auto tensors = objectAt(entry, "tensors").As<Napi::Array>();
    for (uint32_t t = 0; t < tensors.Length(); t++)
      file.tensors.push_back(storedFrom(tensors.Get(t).As<Napi::Object>()));
    files.push_back(std::move(file));
  }
  return files;
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
