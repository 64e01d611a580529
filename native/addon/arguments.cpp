#include "addon/arguments.h"

#include <cmath>

namespace adaptive::addon {
namespace {

[[noreturn]] void failType(Napi::Env env, const char* expected, const char* key) {
  throw Napi::TypeError::New(env, std::string("Expected ") + expected + " for " + key + ".");
}

}  // namespace

Napi::Object objectAt(const Napi::Object& from, const char* key) {
  const Napi::Value value = from.Get(key);
  if (!value.IsObject()) failType(from.Env(), "an object", key);
  return value.As<Napi::Object>();
}

double numberAt(const Napi::Object& from, const char* key) {
  const Napi::Value value = from.Get(key);
  if (!value.IsNumber()) failType(from.Env(), "a number", key);
  return value.As<Napi::Number>().DoubleValue();
}

int64_t integerAt(const Napi::Object& from, const char* key) {
  const double value = numberAt(from, key);
  if (!(std::abs(value) <= 9007199254740991.0) || value != std::floor(value))
    failType(from.Env(), "an integer", key);
  return static_cast<int64_t>(value);
}

bool booleanAt(const Napi::Object& from, const char* key) {
  const Napi::Value value = from.Get(key);
  if (!value.IsBoolean()) failType(from.Env(), "a boolean", key);
  return value.As<Napi::Boolean>().Value();
}

std::string stringAt(const Napi::Object& from, const char* key) {
  const Napi::Value value = from.Get(key);
  if (!value.IsString()) failType(from.Env(), "a string", key);
  return value.As<Napi::String>().Utf8Value();
}

Napi::Object objectArgument(const Napi::CallbackInfo& info, size_t index) {
  if (index >= info.Length() || !info[index].IsObject()) {
    throw Napi::TypeError::New(info.Env(), "Expected an object as argument " + std::to_string(index) + ".");
  }
  return info[index].As<Napi::Object>();
}

}  // namespace adaptive::addon
