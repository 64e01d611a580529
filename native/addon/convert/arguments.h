// From JavaScript values to C++ ones, checked: a wrong type is a TypeError that names the argument, what was
// expected and what was found, never undefined behaviour. Ranges are core's to check.
#pragma once
#include <napi.h>

#include <string>
#include <vector>

#include "core/error.h"

namespace adaptive::addon {

/// "5", "\"text\"", "null", "an array of 3", "Float32Array of 7", for a message.
std::string described(const Napi::Value& value);

/// Throws TypeError "Expected <expected> for <key>, found <value>."
[[noreturn]] void failType(const Napi::Value& value, const std::string& expected, const std::string& key);

/// A value that goes by the name `key` in messages. All of these throw Napi::TypeError naming it.
Napi::Object objectFrom(const Napi::Value& value, const std::string& key);
int64_t integerFrom(const Napi::Value& value, const std::string& key);
std::string stringFrom(const Napi::Value& value, const std::string& key);

/// A property of an object argument.
Napi::Object objectAt(const Napi::Object& from, const char* key);
double numberAt(const Napi::Object& from, const char* key);
int64_t integerAt(const Napi::Object& from, const char* key);
bool booleanAt(const Napi::Object& from, const char* key);
std::string stringAt(const Napi::Object& from, const char* key);

/// The argument at `index` as an object.
Napi::Object objectArgument(const Napi::CallbackInfo& info, size_t index);

/// read(element, its name) of each element of an array property.
template <class Read>
auto listAt(const Napi::Object& from, const char* key, const Read& read) {
  const Napi::Value value = from.Get(key);
  if (!value.IsArray()) failType(value, "an array", key);
  const auto array = value.As<Napi::Array>();
  std::vector<decltype(read(Napi::Value(), std::string()))> list;
  // Read anew each time: a getter of an element may shorten the array.
  for (uint32_t i = 0; i < array.Length(); i++)
    list.push_back(read(array.Get(i), std::string(key) + "[" + std::to_string(i) + "]"));
  return list;
}

/// The name of JavaScript's type of array that holds T.
template <class T>
constexpr const char* kArrayName = nullptr;
template <>
inline constexpr const char* kArrayName<float> = "a Float32Array";
template <>
inline constexpr const char* kArrayName<double> = "a Float64Array";
template <>
inline constexpr const char* kArrayName<int32_t> = "an Int32Array";
template <>
inline constexpr const char* kArrayName<uint8_t> = "a Uint8Array";

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
  failType(value, kArrayName<In>, key);
}

/// A typed array with a copy of `values`. Errors: OUT_OF_MEMORY, as V8 has a limit of its own for one array.
template <class T>
Napi::Value toTypedArray(Napi::Env env, const T* values, size_t count) {
  Napi::TypedArrayOf<T> array;
  try {
    array = Napi::TypedArrayOf<T>::New(env, count);
  } catch (const Napi::Error&) {
    fail("OUT_OF_MEMORY", "Expected memory for an array of ", count, " numbers, found too little.");
  }
  std::copy(values, values + count, array.Data());
  return array;
}
template <class T>
Napi::Value toTypedArray(Napi::Env env, const std::vector<T>& values) {
  return toTypedArray(env, values.data(), values.size());
}

}  // namespace adaptive::addon
