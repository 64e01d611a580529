#include "addon/convert/arguments.h"

#include <c10/util/StringUtil.h>

#include <cmath>

namespace adaptive::addon {
namespace {

constexpr size_t kLongest = 60;

std::string typedArrayName(const Napi::TypedArray& array) {
  static const char* const names[] = {"Int8Array",    "Uint8Array",    "Uint8ClampedArray", "Int16Array",
                                      "Uint16Array",  "Int32Array",    "Uint32Array",       "Float32Array",
                                      "Float64Array", "BigInt64Array", "BigUint64Array"};
  const auto type = static_cast<size_t>(array.TypedArrayType());
  return (type < std::size(names) ? names[type] : "typed array") + std::string(" of ") +
         std::to_string(array.ElementLength());
}

double numberFrom(const Napi::Value& value, const std::string& key) {
  if (!value.IsNumber()) failType(value, "a number", key);
  return value.As<Napi::Number>().DoubleValue();
}

}  // namespace

std::string described(const Napi::Value& value) {
  if (value.IsEmpty() || value.IsUndefined()) return "undefined";
  if (value.IsNull()) return "null";
  if (value.IsBoolean()) return value.As<Napi::Boolean>().Value() ? "true" : "false";
  if (value.IsNumber()) return c10::str(value.As<Napi::Number>().DoubleValue());
  if (value.IsString()) {
    const std::string text = value.As<Napi::String>().Utf8Value();
    // Whole characters only: a cut must not leave half of one.
    size_t end = std::min(text.size(), kLongest);
    while (end > 0 && end < text.size() && (text[end] & 0xc0) == 0x80) end--;
    return c10::str("\"", text.substr(0, end), end < text.size() ? "…\"" : "\"");
  }
  if (value.IsArray()) return "an array of " + std::to_string(value.As<Napi::Array>().Length());
  if (value.IsTypedArray()) return typedArrayName(value.As<Napi::TypedArray>());
  if (value.IsFunction()) return "a function";
  if (value.IsSymbol()) return "a symbol";
  if (value.IsBigInt()) return "a bigint";
  return "an object";
}

void failType(const Napi::Value& value, const std::string& expected, const std::string& key) {
  throw Napi::TypeError::New(value.Env(),
                             "Expected " + expected + " for " + key + ", found " + described(value) + ".");
}

Napi::Object objectFrom(const Napi::Value& value, const std::string& key) {
  if (!value.IsObject()) failType(value, "an object", key);
  return value.As<Napi::Object>();
}

int64_t integerFrom(const Napi::Value& value, const std::string& key) {
  const double number = numberFrom(value, key);
  if (!(std::abs(number) <= 9007199254740991.0) || number != std::floor(number))
    failType(value, "a whole number", key);
  return static_cast<int64_t>(number);
}

std::string stringFrom(const Napi::Value& value, const std::string& key) {
  if (!value.IsString()) failType(value, "a string", key);
  return value.As<Napi::String>().Utf8Value();
}

Napi::Object objectAt(const Napi::Object& from, const char* key) { return objectFrom(from.Get(key), key); }

double numberAt(const Napi::Object& from, const char* key) { return numberFrom(from.Get(key), key); }

int64_t integerAt(const Napi::Object& from, const char* key) { return integerFrom(from.Get(key), key); }

bool booleanAt(const Napi::Object& from, const char* key) {
  const Napi::Value value = from.Get(key);
  if (!value.IsBoolean()) failType(value, "true or false", key);
  return value.As<Napi::Boolean>().Value();
}

std::string stringAt(const Napi::Object& from, const char* key) { return stringFrom(from.Get(key), key); }

Napi::Object objectArgument(const Napi::CallbackInfo& info, size_t index) {
  const Napi::Value value = index < info.Length() ? info[index] : info.Env().Undefined();
  return objectFrom(value, "argument " + std::to_string(index));
}

}  // namespace adaptive::addon
