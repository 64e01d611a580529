#include "addon/cuda_driver.h"

#include <cstddef>
#include <string>

#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace adaptive::addon {
namespace {

// CUdevice_attribute of cuda.h, whose numbers are fixed.
constexpr int kCapabilityMajor = 75, kCapabilityMinor = 76;
/// CUDA_ERROR_NO_DEVICE
constexpr int kNoDevice = 100;

/// A library of the system; empty where there is none of that name.
class Library {
 public:
#ifdef _WIN32
  Library() : handle_(LoadLibraryA("nvcuda.dll")) {
    if (!handle_ && GetLastError() != ERROR_MOD_NOT_FOUND)
      fault_ = "Windows error " + std::to_string(GetLastError());
  }
  void* find(const char* name) const { return reinterpret_cast<void*>(GetProcAddress(handle_, name)); }

 private:
  HMODULE handle_;
#else
  Library() : handle_(dlopen(kName, RTLD_NOW | RTLD_LOCAL)) {
    if (handle_) return;
    const std::string reason = dlerror();
    // The loader says the same of a library that the driver itself needs, under that one's name.
    if (reason.rfind(std::string(kName) + ": cannot open shared object file: No such file", 0) != 0 &&
        reason.find("no such file") == std::string::npos)
      fault_ = reason;
  }
  void* find(const char* name) const { return dlsym(handle_, name); }

 private:
#ifdef __APPLE__
  static constexpr const char* kName = "libcuda.dylib";
#else
  static constexpr const char* kName = "libcuda.so.1";
#endif
  void* handle_;
#endif

 public:
  explicit operator bool() const { return handle_ != nullptr; }
  const std::string& fault() const { return fault_; }
  template <class Function>
  bool take(const char* name, Function*& function) const {
    function = reinterpret_cast<Function*>(find(name));
    return function != nullptr;
  }

 private:
  std::string fault_;
};

struct Driver {
  int (*init)(unsigned) = nullptr;
  int (*version)(int*) = nullptr;
  int (*count)(int*) = nullptr;
  int (*name)(char*, int, int) = nullptr;
  int (*attribute)(int*, int, int) = nullptr;
  int (*memory)(std::size_t*, int) = nullptr;

  bool takenFrom(const Library& library) {
    return library.take("cuInit", init) && library.take("cuDriverGetVersion", version) &&
           library.take("cuDeviceGetCount", count) && library.take("cuDeviceGetName", name) &&
           library.take("cuDeviceGetAttribute", attribute) && library.take("cuDeviceTotalMem_v2", memory);
  }
};

Napi::Object describe(Napi::Env env, const Driver& driver, int device) {
  char name[256] = "";
  int major = 0, minor = 0;
  std::size_t bytes = 0;
  // What the driver does not tell stays empty or 0, and is refused as such.
  driver.name(name, sizeof name - 1, device);
  driver.attribute(&major, kCapabilityMajor, device);
  driver.attribute(&minor, kCapabilityMinor, device);
  driver.memory(&bytes, device);
  Napi::Object out = Napi::Object::New(env);
  out.Set("name", name);
  out.Set("capability", std::to_string(major) + "." + std::to_string(minor));
  out.Set("memory", static_cast<double>(bytes));
  return out;
}

}  // namespace

Napi::Value cudaDriver(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  // Kept for the life of the process, as the driver wants it.
  static const Library library;
  Napi::Object out = Napi::Object::New(env);
  if (!library) {
    if (library.fault().empty()) return env.Undefined();
    out.Set("fault", library.fault());
    return out;
  }
  Driver driver;
  if (!driver.takenFrom(library)) {
    out.Set("fault", "it lacks functions that every driver has");
    return out;
  }
  int version = 0, count = 0;
  driver.version(&version);
  int failure = driver.init(0);
  if (failure == 0) failure = driver.count(&count);
  out.Set("version", version);
  if (failure != 0 && failure != kNoDevice) out.Set("failure", failure);
  Napi::Array devices = Napi::Array::New(env);
  for (int device = 0; failure == 0 && device < count; device++)
    devices.Set(static_cast<uint32_t>(device), describe(env, driver, device));
  out.Set("devices", devices);
  return out;
}

}  // namespace adaptive::addon
