#include "addon/errors.h"

#include <c10/util/Exception.h>

#include <cstdlib>
#include <new>

#include "core/error.h"
#include "core/refused_memory.h"

namespace adaptive::addon {

namespace {

Failure outOfMemory(const std::string& wanted) {
  return {"OUT_OF_MEMORY", "The system refused memory" + wanted +
                               ". Use a smaller batchSize or maxLengthToken, or a smaller model."};
}

/// What a device refuses has a type of its own; its words go on with what else is held there.
Failure outOfDeviceMemory(const std::string& words) {
  return {"OUT_OF_MEMORY",
          "The device refused memory. Use a smaller batchSize or maxLengthToken, or a smaller model.", words};
}

Failure failureOf(const std::string& words) {
  const auto at = words.find(kRefusedBytes);
  if (at != std::string::npos)
    return outOfMemory(" (" + std::to_string(std::atoll(words.c_str() + at + kRefusedBytes.size())) +
                       " bytes)");
  if (saysDeviceRefused(words)) return outOfDeviceMemory(words);
  return {"NATIVE_FAILED",
          "The engine met a fault that was not foreseen; the cause of this error has its words. Please "
          "report it.",
          words};
}

}  // namespace

Failure currentFailure() {
  try {
    throw;
  } catch (const Error& error) {
    return {error.code(), error.what()};
  } catch (const std::bad_alloc&) {
    return outOfMemory("");
  } catch (const c10::OutOfMemoryError& error) {
    return outOfDeviceMemory(error.what_without_backtrace());
  } catch (const c10::Error& error) {
    return failureOf(error.what_without_backtrace());
  } catch (const std::exception& error) {
    return failureOf(error.what());
  } catch (...) {
    return failureOf("an exception of unknown type");
  }
}

Napi::Value toJsError(Napi::Env env, const Failure& failure) {
  Napi::Object error = Napi::Error::New(env, failure.message).Value();
  error.Set("code", failure.code);
  if (!failure.cause.empty()) error.Set("cause", Napi::Error::New(env, failure.cause).Value());
  return error;
}

}  // namespace adaptive::addon
