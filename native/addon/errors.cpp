#include "addon/errors.h"

#include <c10/util/Exception.h>

#include <new>

#include "core/error.h"

namespace adaptive::addon {

Failure currentFailure() {
  try {
    throw;
  } catch (const Error& error) {
    return {error.code(), error.what()};
  } catch (const std::bad_alloc&) {
    return {"OUT_OF_MEMORY", "The system refused memory. Use a smaller batchSize or maxLengthToken."};
  } catch (const c10::Error& error) {
    const std::string words = error.what_without_backtrace();
    // libtorch has no type of its own for the CPU allocator's failure.
    const bool memory = words.find("can't allocate memory") != std::string::npos;
    return {memory ? "OUT_OF_MEMORY" : "NATIVE_FAILED",
            memory ? "The system refused memory (" + words + "). Use a smaller batchSize or maxLengthToken."
                   : words};
  } catch (const std::exception& error) {
    return {"NATIVE_FAILED", error.what()};
  } catch (...) {
    return {"NATIVE_FAILED", "An exception of unknown type."};
  }
}

Napi::Value toJsError(Napi::Env env, const Failure& failure) {
  Napi::Object error = Napi::Error::New(env, failure.message).Value();
  error.Set("code", failure.code);
  return error;
}

}  // namespace adaptive::addon
