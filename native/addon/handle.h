// A C++ object behind an opaque JavaScript one. JavaScript may pass any object it has to any method, so each
// kind carries a type tag of its own: a wrong one is recognised instead of being read as what it is not.
// (Externals can be tagged only from Node 20.12 on; plain objects always could.)
#pragma once
#include <napi.h>

#include <memory>

namespace adaptive::addon {

template <class T>
Napi::Object toHandle(Napi::Env env, std::shared_ptr<T> value, const napi_type_tag& tag) {
  Napi::Object handle = Napi::Object::New(env);
  auto held = std::make_unique<std::shared_ptr<T>>(std::move(value));
  const auto drop = [](napi_env, void* data, void*) { delete static_cast<std::shared_ptr<T>*>(data); };
  const napi_status status = napi_wrap(env, handle, held.get(), drop, nullptr, nullptr);
  NAPI_THROW_IF_FAILED(env, status, Napi::Object());
  held.release();
  handle.TypeTag(&tag);
  return handle;
}

/// What a handle holds, to be copied or taken out; null for anything but a handle with this tag.
template <class T>
std::shared_ptr<T>* inHandle(const Napi::Value& value, const napi_type_tag& tag) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&tag)) return nullptr;
  void* data = nullptr;
  const napi_status status = napi_unwrap(value.Env(), value, &data);
  NAPI_THROW_IF_FAILED(value.Env(), status, nullptr);
  return static_cast<std::shared_ptr<T>*>(data);
}

}  // namespace adaptive::addon
