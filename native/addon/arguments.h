// From JavaScript values to C++ ones, checked: a wrong type is a TypeError that names the argument, never
// undefined behaviour.
#pragma once
#include <napi.h>

#include <string>
#include <vector>

namespace adaptive::addon {

/// A property of an object argument. All of these throw Napi::TypeError naming `key`.
Napi::Object objectAt(const Napi::Object& from, const char* key);
double numberAt(const Napi::Object& from, const char* key);
int64_t integerAt(const Napi::Object& from, const char* key);
bool booleanAt(const Napi::Object& from, const char* key);
std::string stringAt(const Napi::Object& from, const char* key);

/// The argument at `index` as an object.
Napi::Object objectArgument(const Napi::CallbackInfo& info, size_t index);

/// A copy of a typed array property, converted to Out. `In` is the JavaScript element type.
template <class In, class Out = In>
std::vector<Out> arrayAt(const Napi::Object& from, const char* key) {
  const Napi::Value value = from.Get(key);
  if (value.IsTypedArray()) {
    const auto array = value.As<Napi::TypedArray>();
    if (array.TypedArrayType() == Napi::TypedArrayOf<In>::New(from.Env(), 0).TypedArrayType()) {
      const auto typed = value.As<Napi::TypedArrayOf<In>>();
      return std::vector<Out>(typed.Data(), typed.Data() + typed.ElementLength());
    }
  }
  throw Napi::TypeError::New(from.Env(),
                             std::string("Expected a typed array of the right type for ") + key + ".");
}

/// A typed array with a copy of `values`.
template <class T>
Napi::Value toTypedArray(Napi::Env env, const T* values, size_t count) {
  auto array = Napi::TypedArrayOf<T>::New(env, count);
  std::copy(values, values + count, array.Data());
  return array;
}
template <class T>
Napi::Value toTypedArray(Napi::Env env, const std::vector<T>& values) {
  return toTypedArray(env, values.data(), values.size());
}

}  // namespace adaptive::addon
