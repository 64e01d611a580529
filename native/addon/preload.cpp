// Loads shared libraries by absolute path, so that an addon loaded afterwards finds them wherever they lie:
// it has no run path of its own, and a dynamic loader takes a library that is already loaded under the wanted
// name. They stay local, so that their symbols are not taken for those of another package's addon. Before
// anything of libtorch is loaded it also tells what NVIDIA's driver says.
#include <napi.h>

#include <string>

#include "addon/cuda_driver.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace {

void LoadLibraryByPath(const Napi::Env& env, const std::string& path) {
#ifdef _WIN32
  if (LoadLibraryExA(path.c_str(), nullptr, LOAD_WITH_ALTERED_SEARCH_PATH) != nullptr) return;
  const std::string reason = "Windows error " + std::to_string(GetLastError());
#else
  if (dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL) != nullptr) return;
  const std::string reason = dlerror();
#endif
  throw Napi::Error::New(env, "Cannot load " + path + ": " + reason);
}

// preload(paths: string[]): loads them in the order given and keeps them for the life of the process.
void Preload(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (info.Length() != 1 || !info[0].IsArray()) {
    throw Napi::TypeError::New(env, "Expected an array of paths for preload(paths).");
  }
  const Napi::Array paths = info[0].As<Napi::Array>();
  for (uint32_t i = 0; i < paths.Length(); ++i) {
    const Napi::Value path = paths.Get(i);
    if (!path.IsString())
      throw Napi::TypeError::New(env, "Expected a string for paths[" + std::to_string(i) + "].");
    LoadLibraryByPath(env, path.As<Napi::String>().Utf8Value());
  }
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("preload", Napi::Function::New(env, Preload));
  exports.Set("cudaDriver", Napi::Function::New(env, adaptive::addon::cudaDriver));
  return exports;
}

}  // namespace

NODE_API_MODULE(adaptive_trainer_preload, Init)
